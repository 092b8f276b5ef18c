"""Arguments that have a new name: the old one is taken for one release."""

import sys
import warnings


def former_argument(old_name, old, new_name, new):
    """The value of an argument that was renamed.

    Args:
        old_name: str.
        old: what was passed by the old name; `None` where nothing was.
        new_name: str.
        new: the value by the new name.

    Returns:
        `new`; or `old` where it was passed, with a DeprecationWarning that points at the user's line.
    """
    if old is None:
        return new
    level, frame = 2, sys._getframe(1)
    while frame is not None and frame.f_globals.get("__name__", "").partition(".")[0] in (
        "keras",
        "keras_t2i",
    ):
        level, frame = level + 1, frame.f_back
    warnings.warn(f"{old_name} is now called {new_name}", DeprecationWarning, stacklevel=level)
    return old
