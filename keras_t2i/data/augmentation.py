"""Random changes of training pictures: uint8 `(b, s, s, 3)` in, a new array of the same kind out.

All are for learning what pictures look like. Where captions are learned too, keep those that no caption
contradicts: not the flips if captions say "left", not `channel_permutation` if they name colours.
"""

import itertools

import numpy as np

CHANNEL_ORDERS = np.array(list(itertools.permutations(range(3))))


def _change_half(images, rng, change):
    images = images.copy()
    chosen = rng.random(len(images)) < 0.5
    images[chosen] = change(images[chosen])
    return images


def horizontal_flip(images, rng):
    """Mirrors each picture left to right with probability 1/2."""
    return _change_half(images, rng, lambda x: x[:, :, ::-1])


def vertical_flip(images, rng):
    """Mirrors each picture top to bottom with probability 1/2."""
    return _change_half(images, rng, lambda x: x[:, ::-1])


def transpose(images, rng):
    """Swaps rows and columns of each picture with probability 1/2.

    After both flips, this makes all eight symmetries of the square equally likely.
    """
    return _change_half(images, rng, lambda x: x.swapaxes(1, 2))


def channel_permutation(images, rng):
    """Gives each picture one of the six orders of red, green and blue."""
    orders = rng.integers(len(CHANNEL_ORDERS), size=len(images))
    changed = images.copy()
    for number, order in enumerate(CHANNEL_ORDERS[1:], start=1):
        chosen = orders == number
        changed[chosen] = images[chosen][..., order]
    return changed


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


def random_windows(images, indices, larger, probability, rng):
    """Replaces pictures by square windows of the same pictures' larger rasters.

    Args:
        images: uint8 `(b, s, s, 3)`.
        indices: int `(b,)`: which pictures of the rasters `images` shows.
        larger: rasters, each uint8 `(n, s2, s2, 3)` with `s2 >= s`; one is drawn per picture.
        probability: 0 to 1, of each picture to be replaced.
        rng: NumPy generator.
    """
    size = images.shape[1]
    images = images.copy()
    chosen = rng.random(len(images)) < probability
    rasters = rng.integers(len(larger), size=len(images))
    # Drawn for every picture, chosen or not: what one picture gets does not depend on the others.
    corners = rng.random((len(images), 2))
    for i in np.flatnonzero(chosen):
        raster = larger[rasters[i]]
        y, x = (corners[i] * (raster.shape[1] - size + 1)).astype("int64")
        images[i] = raster[indices[i], y : y + size, x : x + size]
    return images
