"""Errors that a user can fix, and their messages in one line."""

import errno
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # every script imports this first: until it has, Ctrl-C is a traceback
    from pydantic import ValidationError


class BadInput(ValueError):
    """An input is wrong. The message is one line: which file, which row, what is wrong, what to do.

    `cli.run` ends the program with this line and exit code 2. Any other exception is a defect of the program and keeps
    its traceback.
    """


def flag_of(value: object) -> str:
    """Return the flag of this command line that has the value, followed by a blank; or "" if none has it."""
    flag = ""
    for word in sys.argv[1:]:
        name, _, given = word.partition("=")
        flag = name if word.startswith("--") else flag
        if str(value) in (word, given) and flag:
            return f"{flag} "
    return ""


def problems_of(error: "ValidationError") -> str:
    """Format what pydantic found in one line: `on_topic: Input should be less than or equal to 5; ...`."""
    return "; ".join(f"{'.'.join(map(str, one['loc'])) or 'value'}: {one['msg']}" for one in error.errors())


NO_MEMORY = (
    "can't allocate memory", "not enough memory", "out of memory", "ALLOC_FAILED",
)  # fmt: skip


def is_out_of_memory(error: BaseException) -> bool:
    """Return whether memory ran out: Python's, a GPU's, or the CPU's (for which torch raises a RuntimeError)."""
    kinds = {kind.__name__ for kind in type(error).__mro__}
    return bool(kinds & {"MemoryError", "OutOfMemoryError"}) or (
        isinstance(error, RuntimeError) and any(words in str(error) for words in NO_MEMORY)
    )


NO_SPACE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.ENOMEM)
# How safetensors, tokenizers (`os error 28`) and torch say that a file could not be written.
NOT_WRITTEN = (*(f"(os error {number})" for number in NO_SPACE), "PytorchStreamWriter failed", "inline_container.cc")


def is_no_space(error: BaseException) -> bool:
    """Return whether a disk or a quota is full. Libraries raise errors of their own for it in place of an OSError."""
    if isinstance(error, OSError):
        return error.errno in NO_SPACE
    return any(words in str(error) for words in NOT_WRITTEN)


signals: list[KeyboardInterrupt] = []  # that came since the program heeds them (`cli.end_on_signals`)


def interrupt_behind(error: BaseException | None) -> KeyboardInterrupt | None:
    """Return the Ctrl-C (or signal) behind an error, or None.

    Python wraps one that comes while a class is made, and a library may make any other error of it.
    """
    while error is not None and not isinstance(error, KeyboardInterrupt):
        error = error.__cause__ or error.__context__
    return error or next(iter(signals), None)
