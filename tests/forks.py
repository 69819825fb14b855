"""Scripts as processes of their own, forked from one that has loaded torch and trl: those take seven seconds.

Each is a real process, with the signals, the exit code and the last line of `python -m script flags…`.
"""

import atexit
import importlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LOADED = (
    "gen_train_dataset", "train", "utils.dpo.rehearsal", "utils.dpo.training", "utils.dpo.trl_rows",
    "utils.results.charts", "utils.rubric.rubric", "utils.tutors.generation",
)  # fmt: skip


class Forks:
    """Starts scripts. Leaving the context ends the process that forks them."""

    def __enter__(self) -> "Forks":
        command = [sys.executable, __file__]
        env = {**os.environ, "OMP_NUM_THREADS": "1"}
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT, env=env
        )
        return self

    def __exit__(self, *_) -> None:
        self._process.kill()
        self._process.communicate()

    def start(self, script: str, *words: object, output: Path) -> int:
        """Start a script whose output goes to a file; returns its process id."""
        return self._ask([script, list(map(str, words)), str(output)])

    def end(self, pid: int, signal: int, when: Callable[[], bool]) -> int:
        """Send a signal as soon as `when` holds; returns the exit code."""
        deadline = time.monotonic() + 120
        while not when():
            assert time.monotonic() < deadline and Path(f"/proc/{pid}").exists(), "it ended, or never came so far"
            time.sleep(0.005)
        os.kill(pid, signal)
        return self._ask(pid)

    def _ask(self, question) -> int:
        print(json.dumps(question), file=self._process.stdin, flush=True)
        return int(self._process.stdout.readline())


def serve() -> None:
    """Fork a child for each script that is asked for on the standard input, or wait for one by its process id."""
    sys.path[:0] = [str(ROOT)]
    for name in LOADED:
        importlib.import_module(name)
    for line in sys.stdin:
        asked = json.loads(line)
        if isinstance(asked, int):
            print(os.waitstatus_to_exitcode(os.waitpid(asked, 0)[1]), flush=True)
        elif pid := os.fork():
            print(pid, flush=True)
        else:
            become(*asked)


def become(script: str, words: list[str], output: str) -> None:
    """Run a script in this process, and end it."""
    from utils import cli

    file = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    for number in (1, 2):
        os.dup2(file, number)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    sys.argv, sys.orig_argv = [script, *words], [sys.executable, "-m", script, *words]
    module, code = importlib.import_module(script), 0
    try:
        cli.run(module.main, lambda: module.parse_args(words))
    except SystemExit as ended:
        code = ended.code or 0
    atexit._run_exitfuncs()
    os._exit(code)


if __name__ == "__main__":
    serve()
