"""Long work that may be stopped from elsewhere: it asks between its parts."""

import contextlib
import contextvars

_ASKED = contextvars.ContextVar("asked", default=None)


@contextlib.contextmanager
def asking(check):
    """Within it, this thread's work calls `check` before every part: what that raises ends the work."""
    token = _ASKED.set(check)
    try:
        yield
    finally:
        _ASKED.reset(token)


def ask():
    """Called between two parts of long work: a network's evaluations, the bands of a drawing."""
    if (check := _ASKED.get()) is not None:
        check()
