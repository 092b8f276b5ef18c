"""Random changes of training pictures: uint8 `(b, s, s, 3)` in, a new array of the same kind out.

All are for learning what pictures look like. Where captions are learned too, keep those that no caption
contradicts: not `horizontal_flip` if captions say "left".
"""

import numpy as np


def horizontal_flip(images, rng):
    """Mirrors each picture left to right with probability 1/2."""
    images = images.copy()
    chosen = rng.random(len(images)) < 0.5
    images[chosen] = images[chosen][:, :, ::-1]
    return images


def translate(pixels, fill=255):
    """The augmentation that moves each picture by up to `pixels` in both directions.

    Args:
        pixels: int >= 0, the furthest move, alike in all four directions.
        fill: 0 to 255, the value of the uncovered border; white by default.
    """

    def apply(images, rng):
        size = images.shape[1]
        border = ((0, 0), (pixels, pixels), (pixels, pixels), (0, 0))
        padded = np.pad(images, border, constant_values=fill)
        corners = rng.integers(2 * pixels + 1, size=(len(images), 2)).tolist()
        moved = np.empty_like(images)
        # Plain slices: several times faster than one gather by index arrays.
        for i, (y, x) in enumerate(corners):
            moved[i] = padded[i, y : y + size, x : x + size]
        return moved

    return apply
