"""How a script ends: one line and an exit code for what a user can mend or wait for."""

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
