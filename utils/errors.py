"""Errors that a user can fix, and their messages in one line."""

from pydantic import ValidationError


class BadInput(ValueError):
    """Something that the user gave is wrong. The message is one line: which file, which row, what, what to do.

    `cli.run` ends the program with this line and exit code 2. Any other exception is a defect of ours: it keeps its
    traceback.
    """


def problems_of(error: ValidationError) -> str:
    """Format what pydantic found in one line: `on_topic: Input should be less than or equal to 5; ...`."""
    return "; ".join(f"{'.'.join(map(str, one['loc'])) or 'value'}: {one['msg']}" for one in error.errors())
