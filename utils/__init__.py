"""What the scripts share. Everything here is imported; everything that is run lies one folder up."""

import sys


def _no_traceback(kind, error, traceback) -> None:
    """Print one line instead of a traceback for Ctrl-C while a script is still loading."""
    from utils.errors import interrupt_behind

    if interrupt_behind(error):
        print("error: stopped by Ctrl-C, before anything had begun", file=sys.stderr)
    else:
        sys.__excepthook__(kind, error, traceback)


sys.excepthook = _no_traceback
