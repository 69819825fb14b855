"""A script run within the test's own process: loading torch and trl again costs a process of its own seven seconds."""

import contextlib
import importlib
import io
import logging
from subprocess import CompletedProcess
from unittest import mock

from utils import cli


def run(script: str, *flags: object) -> CompletedProcess:
    """What `python -m script flags…` returns, prints and logs. Only a real process can be killed, or lack a module."""
    module, words = importlib.import_module(script), list(map(str, flags))
    out, err = io.StringIO(), io.StringIO()
    handler = logging.StreamHandler(err)
    logging.getLogger().addHandler(handler)
    level = logging.getLogger().level
    logging.getLogger().setLevel(logging.INFO)
    code = 0
    try:
        with (
            contextlib.redirect_stdout(out), contextlib.redirect_stderr(err),
            mock.patch.object(cli, "end_on_signals", lambda: None), mock.patch("sys.argv", [script, *words]),
        ):  # fmt: skip
            cli.run(module.main, lambda: module.parse_args(words))
    except SystemExit as end:
        code = end.code or 0
    finally:
        logging.getLogger().removeHandler(handler)
        logging.getLogger().setLevel(level)
    return CompletedProcess([script, *words], code, out.getvalue(), err.getvalue())
