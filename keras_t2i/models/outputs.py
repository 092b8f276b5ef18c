"""What a person asks for: the size, the background and the form of a drawing."""

import operator

import numpy as np
from PIL import ImageColor

from keras_t2i.utils.memory import free_memory

# Pixels of a side: 65536 x 65536 are 12 GiB of RGB. Up to here float32 coordinates in [-1, 1] are right to a
# thousandth of a pixel, and what is larger is most likely a slip.
LARGEST_SIDE = 65536
OUTPUTS = ("array", "pil", "svg")


def as_size(size):
    """Height and width of a picture that is asked for, two ints.

    Args:
        size: int, of a square, or a pair of ints (height, width).

    Raises: TypeError for what is not an int, ValueError for another number of them or one out of range.
    """
    if isinstance(size, np.ndarray):
        size = size.tolist()
    sides = size if isinstance(size, (tuple, list)) else (size, size)
    try:
        if any(isinstance(side, bool) for side in sides):
            raise TypeError
        sides = tuple(operator.index(side) for side in sides)
    except TypeError:
        raise TypeError(f"size must be an int or a pair of ints (height, width), got {size!r}") from None
    if len(sides) != 2:
        raise ValueError(f"size must be an int or a pair of ints (height, width), got {size!r}")
    if min(sides) < 1 or max(sides) > LARGEST_SIDE:
        raise ValueError(f"size must be between 1 and {LARGEST_SIDE} pixels a side, got {size!r}")
    return sides


def check_output(output):
    """Whether a generator has such an output. Raises: ValueError, which names those that there are."""
    if not isinstance(output, str) or output not in OUTPUTS:
        raise ValueError(f"output must be one of {', '.join(map(repr, OUTPUTS))}, got {output!r}")


def check_memory(height, width, channels, count):
    """Check that pictures, uint8 `(count, height, width, channels)`, fit into the memory that is free.

    Where the system does not tell what is free, nothing is checked.

    Raises: MemoryError, which says what is needed and what is free.
    """
    needed, free = count * height * width * channels, free_memory()
    if free is not None and needed > free:
        raise MemoryError(
            f"The memory is too small: {count} x {height} x {width} x {channels} bytes are "
            f"{needed / 2**30:.1f} GiB, {free / 2**30:.1f} GiB are free. `render_to` writes a picture to a "
            "file band by band and never holds it"
        )


def as_color(background):
    """A background as three ints 0 to 255 (red, green, blue), or `None`, transparent.

    Args:
        background: `None`, a CSS name such as "white", "#rrggbb", or three ints.

    Raises: TypeError, ValueError for anything else.
    """
    if background is None:
        return None
    sentence = (
        'background must be None (transparent), a CSS name such as "white", "#rrggbb" or three ints '
        f"0 to 255, got {background!r}"
    )
    if isinstance(background, str):
        try:
            color = ImageColor.getrgb(background)
        except ValueError:
            raise ValueError(sentence) from None
    else:
        values = background.tolist() if isinstance(background, np.ndarray) else background
        try:
            if not isinstance(values, (tuple, list)) or any(isinstance(value, bool) for value in values):
                raise TypeError
            color = tuple(operator.index(value) for value in values)
        except TypeError:
            raise TypeError(sentence) from None
    if len(color) != 3 or min(color) < 0 or max(color) > 255:  # four: "#rrggbbaa" is neither color nor None
        raise ValueError(sentence)
    return color
