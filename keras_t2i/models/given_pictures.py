"""Pictures that a person gives a generator to start from or to fill in. Checked, with clear errors."""

import numpy as np


def given_pictures(image, size, count):
    """A picture for each of `count`: uint8 `(count, size, size, 3)`.

    Args:
        image: uint8 `(size, size, 3)`, for all, or `(count, size, size, 3)`.

    Raises: ValueError for another shape or dtype.
    """
    image = np.asarray(image)
    shape = (size, size, 3)
    if image.dtype != np.uint8 or image.shape not in (shape, (count, *shape)):
        raise ValueError(
            f"image must be uint8 {shape}, or {(count, *shape)} with one for each picture, got {image.dtype} "
            f"{image.shape}"
        )
    return np.broadcast_to(image, (count, *shape))


def given_masks(mask, size, count):
    """A mask for each of `count`: bool `(count, size, size, 1)`, True where the picture is drawn anew.

    Args:
        mask: bool, or numbers that are 0 or 1, `(size, size)`, for all, or `(count, size, size)`.

    Raises: ValueError for another shape or other numbers.
    """
    mask = np.asarray(mask)
    shape = (size, size)
    if mask.shape not in (shape, (count, *shape)) or not np.isin(mask, (0, 1)).all():
        raise ValueError(
            f"mask must be bool (or 0 and 1) {shape}, or {(count, *shape)} with one for each picture, True "
            f"where it is to be drawn anew, got {mask.dtype} {mask.shape}"
        )
    return np.broadcast_to(mask.astype(bool), (count, *shape))[..., None]


def coarse_masks(masks, side):
    """Masks of a coarser grid, `(n, size, size, 1)` to `(n, side, side, 1)`: True if any pixel there is."""
    block = masks.shape[1] // side
    return masks.reshape(len(masks), side, block, side, block, 1).any(axis=(2, 4))


def check_strength(strength, image, mask):
    """How much noise is put on a given picture, as a time in (0, 1].

    `None` is 1 where nothing or a mask is given, 0.6 for a picture alone.

    Raises: ValueError out of range, or where a mask or strength has no picture.
    """
    if image is None and (mask is not None or strength is not None):
        raise ValueError("mask and strength need image=, the picture that they are of")
    if strength is None:
        return 0.6 if image is not None and mask is None else 1.0
    if not 0 < strength <= 1:
        raise ValueError(f"strength must be above 0 and at most 1, got {strength}")
    return float(strength)
