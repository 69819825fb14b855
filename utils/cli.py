"""How every script runs: its parser, the actors made from its flags, and its exit codes."""

import argparse
import atexit
import contextlib
import inspect
import logging
import os
import signal
import sys
import traceback
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from utils.errors import DISK, BadInput, disk_error, interrupt_behind, is_out_of_memory, printable, signals

DEFECT, BAD_INPUT, STOPPED, RESUMABLE, INTERRUPTED = 1, 2, 3, 4, 130
KEPT = "what was answered is kept"


def make_parser(doc: str) -> argparse.ArgumentParser:
    """Make a parser whose help opens with the script's docstring and shows every default."""

    class Formatter(argparse.RawDescriptionHelpFormatter, argparse.ArgumentDefaultsHelpFormatter):
        def _get_help_string(self, action):  # "(default: None)" tells a reader nothing
            return super()._get_help_string(action) if action.default not in (None, False) else action.help

    class Parser(argparse.ArgumentParser):
        def error(self, message):  # argparse prints all flags first, and the reason is lost below them
            self.exit(BAD_INPUT, f"error: {message} (`{self.prog} --help` explains the flags)\n")

    return Parser(description=doc, formatter_class=Formatter)


def maker_of(actor: str) -> Callable[..., Any] | None:
    """Return the `from_flags` that makes an actor, or None for a keyword that is a plain value."""
    match actor:  # imported only where it is needed: `--help` answers before any of them is loaded
        case "tutor":
            from utils.tutors.flags import from_flags
        case "judge":
            from utils.judges.flags import from_flags
        case "report_judge":
            from utils.judges.second import from_flags
        case "training":
            from utils.dpo.recipe import from_flags
        case "classroom":
            from utils.classroom.actors import from_flags
        case _:
            return None
    return from_flags


def with_actors(main: Callable[..., Any], flags: Mapping[str, Any]) -> dict[str, Any]:
    """Turn flags into the keywords of `main`.

    A flag that `main` takes is passed on. An actor that it takes (tutor, judge, training, classroom) is made by its
    `from_flags`, from the flags that are keywords of that function.
    """
    given = {}
    for name in inspect.signature(main).parameters:
        if make := maker_of(name):
            given[name] = make(**{flag: value for flag, value in flags.items() if flag in keywords_of(make)})
        elif name in flags:
            given[name] = flags[name]
    return given


def keywords_of(make: Callable[..., Any]) -> set[str]:
    """Return the names of the flags that make an actor: the keywords of its `from_flags`."""
    return set(inspect.signature(make).parameters)


def call(main: Callable[..., Any], args: argparse.Namespace) -> Any:
    """Call a script's `main` with what `parse_args` returned. Raises BadInput if its output would replace an input."""
    keep_inputs(vars(args))
    return main(**with_actors(main, vars(args)))


def keep_inputs(flags: Mapping[str, Any]) -> None:
    """Raise BadInput if `--output-path` is a file that another flag names."""
    output = flags.get("output_path")
    if not output or not Path(output).is_file():
        return
    for name in flags.keys() - {"output_path"}:
        given = flags[name] if isinstance(flags[name], (list, tuple)) else [flags[name]]
        paths = [Path(path) for path in given if isinstance(path, (str, Path))]
        if any(path.is_file() and path.samefile(output) for path in paths):
            raise BadInput(f"--output-path {output} is an input, too (--{name.replace('_', '-')}), and is not replaced")


def run(main: Callable[..., Any], parse_args: Callable[[], argparse.Namespace]) -> None:
    """Run a script. Errors that the user can fix become one line and an exit code; others keep their traceback."""
    # Before torch is loaded: threads that spin for long while they wait stall each other on a machine with other work;
    # those that sleep at once take a third longer on one without. The small model's LoRA update takes 0.95 s so, 1.29 s
    # asleep; with two such processes on two cores 1.9 s, 1.6 s asleep, and 3.0 s with a spin of five times the length.
    os.environ.setdefault("GOMP_SPINCOUNT", "1000")
    open_closed_streams()
    log = logging.StreamHandler()
    log.setFormatter(Printable())
    logging.basicConfig(level=logging.INFO, handlers=[log])
    for library in ("httpx", "httpx2", "openai", "torch"):  # a line per request, otherwise, or below our last one
        logging.getLogger(library).setLevel(logging.WARNING)
    from utils.clients.chat import JudgeError, JudgeUnavailable
    from utils.clients.keys import command_line, redact

    try:
        end_on_signals()
        call(main, parse_args())
    except (KeyboardInterrupt, Exception) as error:
        bare = isinstance(error, OSError) and error.strerror and not error.filename  # without "[Errno 28] "
        said, code, above = redact(error.strerror if bare else error), DEFECT, ""
        if stop := interrupt_behind(error):  # first of all: a library may answer a signal with any error
            said, code = f"stopped by {str(stop) or 'Ctrl-C'}; {KEPT}; go on with: {command_line()}", INTERRUPTED
        elif isinstance(error, JudgeError):
            code = STOPPED
        elif isinstance(error, JudgeUnavailable):
            said, code = f"{said}\n{KEPT}; go on later with: {command_line()}", RESUMABLE
        elif isinstance(error, BrokenPipeError):  # the program that our output goes to has ended, e.g. `| head`
            said, code = f"nobody reads the output; {KEPT}; go on with: {command_line()}", INTERRUPTED
        elif number := disk_error(error):
            said, code = f"{said}\n{DISK[number]}; {KEPT}; go on later with: {command_line()}", RESUMABLE
        elif isinstance(error, BadInput | OSError):
            code = BAD_INPUT
        elif is_out_of_memory(error):
            reason = ": ".join(["out of memory", *said.strip().splitlines()[:1]])
            said, code = f"{reason}\n{KEPT}; go on later with: {command_line()}", RESUMABLE
        else:
            above = redact(traceback.format_exc())
            said = "this is a defect of the program, not of what you gave it: please report it with the lines above"
            said = f"{said}; {KEPT}"
        sys.exit(_say(said, code, above))


class Printable(logging.Formatter):
    """Formats what is logged so that no terminal takes orders from it."""

    def format(self, record: logging.LogRecord) -> str:
        return printable(super().format(record))


def open_closed_streams() -> None:
    """Replace standard streams that are closed (`2>&-`, as daemons are started) by streams that lead nowhere.

    They get the free numbers. Otherwise a journal would get one, and whatever a library prints would go into it.
    """
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            stream = Path(os.devnull).open(mode, encoding="utf-8", errors="replace")  # noqa: SIM115 (it stays open)
            setattr(sys, name, stream)


def end_on_signals() -> None:
    """Let SIGTERM and SIGHUP (Slurm, Kubernetes, a closed terminal) end the program as Ctrl-C does.

    A signal that is ignored stays ignored: `nohup` asks for that. Whatever error comes after a signal is taken for its
    consequence (`errors.signals`). The exit code is then ours (`_end`).
    """
    atexit.register(_end)
    terminals, process = [file for file in (1, 2) if os.isatty(file)], os.getpid()

    def stop(number: int, _: Any) -> None:
        if os.getpid() != process:  # a forked worker: it ends without a message
            os._exit(128 + number)
        name = signal.Signals(number).name
        if name == "SIGHUP":  # the terminal is gone: writing to it would fail
            for file in terminals:
                os.dup2(os.open(os.devnull, os.O_WRONLY), file)
        signals.append(KeyboardInterrupt(*([] if name == "SIGINT" else [name])))
        raise signals[-1]

    for name in ("SIGINT", "SIGTERM", "SIGHUP"):
        number = getattr(signal, name, None)  # Windows has no SIGHUP
        if number is not None and signal.getsignal(number) in (signal.SIG_DFL, signal.default_int_handler):
            signal.signal(number, stop)


def _say(error: object, code: int, above: str = "") -> int:
    progress = getattr(sys.modules.get("tqdm"), "tqdm", None)
    for bar in list(getattr(progress, "_instances", ())):
        bar.close()  # an open bar has no line break yet: the error would be on the same line
    print(printable(f"{above}error: {error}"), file=sys.stderr)
    _ended_with.append(code)
    return code


_ended_with: list[int] = []  # the exit code of a run that failed


def _end() -> None:
    """End at once, after all else that runs at the exit: what libraries leave running must not change the exit code.

    Python ends by SIGINT if C code once swallowed a Ctrl-C; threads of a library that is unloaded may abort.
    """
    if _ended_with:
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(OSError, ValueError, AttributeError):
                stream.flush()
        os._exit(_ended_with[-1])
