"""How a script ends: one line and an exit code for what a user can mend or wait for."""

import subprocess
import sys

import pytest

from utils import cli


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (MemoryError("this training does not fit"), "out of memory: this training does not fit"),
        (MemoryError(), "out of memory"),
        (RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory\nmore"), "can't allocate memory\n"),
        (RuntimeError("MPS backend out of memory"), "MPS backend out of memory"),
        (OSError(12, "Cannot allocate memory"), "Cannot allocate memory"),
    ],
)
def test_out_of_memory_ends_with_one_line_and_the_command_that_goes_on(error, said, capsys):
    def main():
        raise error

    with pytest.raises(SystemExit) as ended:
        cli.run(main, lambda: cli.make_parser("").parse_args([]))
    shown = capsys.readouterr().err
    assert ended.value.code == 4 and said in shown and "Traceback" not in shown and "go on later with: " in shown


def wrapped() -> None:
    """As Python 3.11 wraps what is raised in `__set_name__`: pydantic's models are made so."""
    try:
        raise KeyboardInterrupt("SIGTERM")
    except KeyboardInterrupt as stop:
        raise RuntimeError("Error calling __set_name__ on 'decorators'") from stop


def test_ctrl_c_while_a_class_is_being_made_is_no_defect(capsys):
    with pytest.raises(SystemExit) as ended:
        cli.run(wrapped, lambda: cli.make_parser("").parse_args([]))
    shown = capsys.readouterr().err
    assert ended.value.code == 130 and shown.startswith("error: stopped by SIGTERM;") and "Traceback" not in shown


def test_ctrl_c_is_one_line_as_soon_as_our_own_code_loads():
    """The package of the data's shapes was loaded before: a tenth of a second in which Ctrl-C was a traceback."""
    code = "import sys, utils.cli; print('pydantic' in sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert loaded.stdout == "False\n", loaded.stderr
