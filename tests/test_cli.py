"""How a script ends: one line for what its user can mend, a traceback for a defect of the program."""

import argparse
import ast
import errno
import logging
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import eval_model
from utils import cli
from utils.clients.chat import JudgeError, JudgeUnavailable
from utils.errors import BadInput, no_room
from utils.prompts import shorten

ROOT = Path(__file__).parents[1]


def end(error: BaseException, monkeypatch, capsys) -> tuple[int, str]:
    """(exit code, what stands on stderr) of a script whose main raises `error`."""
    monkeypatch.setattr(cli, "end_on_signals", lambda: None)

    def main():
        raise error

    with pytest.raises(SystemExit) as stopped:
        cli.run(main, argparse.Namespace)
    return stopped.value.code, capsys.readouterr().err


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (BadInput("a.json, row 2: no prompt"), cli.BAD_INPUT),
        (FileNotFoundError(errno.ENOENT, "No such file or directory", "a.json"), cli.BAD_INPUT),
        (JudgeError("no such model"), cli.STOPPED),
        (JudgeUnavailable("nobody answers"), cli.RESUMABLE),
        (OSError(errno.ENOSPC, "No space left on device", "a.json"), cli.RESUMABLE),
        (OSError(errno.EIO, "Input/output error", "a.json"), cli.RESUMABLE),
        (RuntimeError("I/O error: (os error 5)"), cli.RESUMABLE),
        (no_room("out", "two trainings need", 2e9, 1e6), cli.RESUMABLE),
        (KeyboardInterrupt(), cli.INTERRUPTED),
        (BrokenPipeError(errno.EPIPE, "Broken pipe"), cli.INTERRUPTED),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, BaseException) else str(value),
)
def test_what_a_user_can_mend_is_said_without_a_traceback(error, code, monkeypatch, capsys):
    found, said = end(error, monkeypatch, capsys)
    assert found == code and said.startswith("error: ") and "Traceback" not in said and "defect" not in said


@pytest.mark.parametrize("error", [ValueError("x must be 1"), KeyError("prompt"), RuntimeError("shape mismatch")])
def test_a_slip_of_ours_keeps_its_traceback_and_is_called_a_defect(error, monkeypatch, capsys):
    """Every ValueError, our own slips included, was one line with exit code 2: nobody could tell where it came from."""
    code, said = end(error, monkeypatch, capsys)
    assert code == cli.DEFECT and "Traceback" in said and "raise error" in said
    assert "error: this is a defect of the program" in said.splitlines()[-1]


def test_a_prompt_that_cannot_be_shortened_is_bad_input_and_a_slip_while_measuring_it_is_not():
    """Whoever leaves out a seed that is too long must not leave out one on which the program itself stumbled."""
    with pytest.raises(BadInput, match="the last student turn alone"):
        shorten("Student: hi", lambda rest: False)
    with pytest.raises(ZeroDivisionError):
        shorten("Student: hi", lambda rest: 1 / 0)


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
def test_out_of_memory_ends_with_one_line_and_the_command_that_goes_on(error, said, monkeypatch, capsys):
    code, shown = end(error, monkeypatch, capsys)
    assert code == 4 and said in shown and "Traceback" not in shown and "go on later with: " in shown


def wrapped() -> None:
    """As Python 3.11 wraps what is raised in `__set_name__`: pydantic's models are made so."""
    try:
        raise KeyboardInterrupt("SIGTERM")
    except KeyboardInterrupt as stop:
        raise RuntimeError("Error calling __set_name__ on 'decorators'") from stop


def test_ctrl_c_while_a_class_is_being_made_is_no_defect(capsys, monkeypatch):
    monkeypatch.setattr(cli, "end_on_signals", lambda: None)
    with pytest.raises(SystemExit) as ended:
        cli.run(wrapped, lambda: cli.make_parser("").parse_args([]))
    shown = capsys.readouterr().err
    assert ended.value.code == 130 and shown.startswith("error: stopped by SIGTERM;") and "Traceback" not in shown


SWALLOWED = """
import argparse, atexit, ctypes
from utils import cli

def main():
    atexit.register(print, "cleaned up")
    try:
        ctypes.pythonapi.PyRun_SimpleString(b"raise KeyboardInterrupt")  # as C code of a library may run Python
    finally:
        raise KeyboardInterrupt("SIGTERM")

cli.run(main, argparse.Namespace)
"""


def test_the_exit_code_is_ours_whatever_libraries_swallowed(tmp_path):
    """One of 30 runs that SIGTERM ended said so, and then died of SIGINT: C code had once seen the interrupt."""
    (tmp_path / "script.py").write_text(SWALLOWED)
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "script"]
    ended = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True)
    assert ended.returncode == cli.INTERRUPTED and ended.stdout == "cleaned up\n", ended.stderr
    assert ended.stderr.splitlines()[-1].startswith("error: stopped by SIGTERM")


HIDDEN = """
import argparse, os, signal, sys
from utils import cli
from utils.hub import reading

def main():
    with reading("a/healthy/model"):
        try:
            os.kill(os.getpid(), getattr(signal, sys.argv[1]))
            signal.pause()
        except KeyboardInterrupt:
            pass
        raise ModuleNotFoundError("Could not import module 'LlamaConfig'. Are this object's requirements defined?")

cli.run(main, argparse.Namespace)
"""


@pytest.mark.parametrize(("name", "by"), [("SIGINT", "Ctrl-C"), ("SIGTERM", "SIGTERM")])
def test_an_error_that_a_signal_caused_is_not_taken_for_a_fault_of_the_input(name, by, tmp_path):
    """transformers, interrupted in an import, says that a module is missing: a healthy model was called damaged."""
    (tmp_path / "script.py").write_text(HIDDEN)
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "script", name]
    ended = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True, preexec_fn=hears_ctrl_c)
    assert ended.returncode == cli.INTERRUPTED and ended.stderr.startswith(f"error: stopped by {by}; "), ended.stderr
    assert ended.stderr.count("\n") == 1


def hears_ctrl_c() -> None:
    """A shell's background processes, and what they start, ignore it."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def test_ctrl_c_is_one_line_from_a_scripts_first_import_on():
    """The parser's modules and those of the data's shapes were loaded before: a tenth of a second of tracebacks."""
    code = "import sys, utils; print(sys.excepthook.__module__, {'argparse', 'typing', 'pydantic'} & set(sys.modules))"
    loaded = subprocess.run([sys.executable, "-S", "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert loaded.stdout == "utils set()\n", loaded.stderr
    for script in ROOT.glob("*.py"):
        imports = [node for node in ast.parse(script.read_text()).body if isinstance(node, ast.Import | ast.ImportFrom)]
        assert isinstance(imports[0], ast.Import) and imports[0].names[0].name == "utils", script


@pytest.mark.parametrize("words", [[], ["--limit", "none"], ["--seeds", "x", "--output-path", "y", "--nosuch"]])
def test_a_usage_error_is_exactly_one_line(words, capsys):
    """argparse prints all flags first, thirty lines, and the reason below them."""
    with pytest.raises(SystemExit) as ended:
        eval_model.parse_args(words)
    shown = capsys.readouterr().err
    assert ended.value.code == cli.BAD_INPUT and shown.startswith("error: ") and shown.count("\n") == 1


def test_an_output_never_replaces_an_input(tmp_path):
    """`human_vs_gpt --humans F --output-path F --overwrite` wrote its output over people's ratings."""
    rated, link = tmp_path / "rated.json", tmp_path / "link.json"
    rated.write_text("[]")
    link.symlink_to(rated)
    for output in (rated, link):
        with pytest.raises(BadInput, match=r"--output-path .* is an input, too \(--humans\)"):
            cli.keep_inputs({"humans": [rated], "output_path": output, "overwrite": True})
    cli.keep_inputs({"humans": [rated], "output_path": tmp_path / "new.json"})
    cli.keep_inputs({"humans": [rated], "output_path": None})


def test_a_prompts_byte_order_mark_is_no_part_of_it(tmp_path):
    """A prompt that Windows saved made another question of every row."""
    from utils.prompts import load_template

    (tmp_path / "prompt.txt").write_bytes("Teach.\n{input}".encode("utf-8-sig"))
    assert load_template(tmp_path / "prompt.txt", "input") == "Teach.\n{input}"


def test_a_reader_that_is_gone_stops_the_run_and_is_no_wrong_input(tmp_path):
    """`| head` ended a run with the exit code of a wrong input."""
    (tmp_path / "talks.py").write_text(
        f"import argparse, sys\nsys.path.insert(0, {str(ROOT)!r})\nfrom utils import cli\n"
        "def main():\n    for _ in range(9999): print('x' * 99, flush=True)\n"
        "cli.run(main, argparse.Namespace)\n"
    )
    command = f"{sys.executable} {tmp_path}/talks.py 2> {tmp_path}/said | head -1; echo ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", command], cwd=ROOT, capture_output=True, text=True)
    assert done.stdout.split()[-1] == str(cli.INTERRUPTED)
    assert (
        (tmp_path / "said").read_text().startswith("error: nobody reads the output; what was answered is kept; go on")
    )


@pytest.mark.parametrize("word", ["99999", "0", "-1", "x"])
def test_a_port_that_there_is_not_is_a_wrong_flag(word, capsys):
    """It was a traceback, after the answers had been read."""
    import rate

    with pytest.raises(SystemExit) as end:
        rate.parse_args(["--answers", "a.json", "--output", "b.json", "--server-port", word])
    assert end.value.code == cli.BAD_INPUT and "--server-port" in capsys.readouterr().err


CLOSED = """
import argparse, os, sys
sys.path.insert(0, {root!r})
from utils import cli
from tqdm import tqdm

def main():
    with open("journal", "w") as journal:
        list(tqdm(range(3)))
        print("a result")
        os.write(1, b"a library's words")
        os.write(2, b"a library's words")
        assert sys.stdin.read() == ""
        journal.write("kept")

cli.run(main, argparse.Namespace)
"""


@pytest.mark.parametrize("closed", ["2>&-", ">&- 2>&-", "<&- >&- 2>&-"])
def test_closed_streams_stop_no_run_and_no_journal_gets_their_text(tmp_path, closed):
    """A progress bar without stderr was a traceback; the next file got the number of stderr."""
    (tmp_path / "script.py").write_text(CLOSED.format(root=str(ROOT)))
    done = subprocess.run(["sh", "-c", f"{sys.executable} script.py {closed}"], cwd=tmp_path, stdin=subprocess.DEVNULL)
    assert done.returncode == 0 and (tmp_path / "journal").read_text() == "kept"


def test_a_servers_words_give_the_terminal_no_orders(tmp_path, monkeypatch, capsys):
    """`\\x1b[2J` in an error cleared the screen."""
    words = "\x1b[2J\x1b]0;title\x07 bad\x9bm key 💥"
    code, said = end(JudgeError(words), monkeypatch, capsys)
    assert code == cli.STOPPED and said == "error: \\x1b[2J\\x1b]0;title\\x07 bad\\x9bm key 💥\n"
    record = logging.LogRecord("x", logging.INFO, "x", 1, "%s; asking again", (words,), None)
    assert cli.Printable().format(record).startswith("\\x1b[2J") and "\x1b" not in cli.Printable().format(record)
