"""Errors that a user can fix, and their messages in one line."""

import errno
import re
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


# What to do about a disk that is full or fails. EFBIG: beyond a limit on the size of files; ESTALE: by a file server.
DISK = {
    **dict.fromkeys((errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.ENOMEM), "make room"),
    **dict.fromkeys((errno.EIO, errno.ESTALE, errno.EROFS), "check the disk"),
    errno.ENOLCK: "check the file server, or use a folder on a disk of this machine",
}
# How torch says that a file could not be written. safetensors and tokenizers say `os error 28`.
NOT_WRITTEN = ("PytorchStreamWriter failed", "inline_container.cc")


def disk_error(error: BaseException) -> int:
    """Return the number of an error in DISK, 0 for any other. Not every library raises an OSError for it."""
    if isinstance(error, OSError):
        return error.errno if error.errno in DISK else 0
    said = str(error)
    if any(words in said for words in NOT_WRITTEN):
        return errno.ENOSPC
    return next((number for number in DISK if f"(os error {number})" in said), 0)


CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


def printable(text: str) -> str:
    """Return a text that no terminal takes orders from: escapes in place of control characters, which a server sent."""
    return CONTROLS.sub(lambda mark: f"\\x{ord(mark[0]):02x}", text)


def no_room(folder: object, what: str, needed: float, free: float) -> OSError:
    """Return the error for files of `needed` bytes that would not fit; `disk_error` knows it."""
    sizes = [f"{size / 1e9:.1f} GB" if size >= 1e8 else f"{size / 1e6:.0f} MB" for size in (needed, free)]
    return OSError(errno.ENOSPC, f"{folder}: {what} {sizes[0]} of disk, {sizes[1]} are free")


signals: list[KeyboardInterrupt] = []  # that came since the program heeds them (`cli.end_on_signals`)


def interrupt_behind(error: BaseException | None) -> KeyboardInterrupt | None:
    """Return the Ctrl-C (or signal) behind an error, or None.

    Python wraps one that comes while a class is made, and a library may make any other error of it.
    """
    while error is not None and not isinstance(error, KeyboardInterrupt):
        error = error.__cause__ or error.__context__
    return error or next(iter(signals), None)
