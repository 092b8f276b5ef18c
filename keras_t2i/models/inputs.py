"""What a person passes: prompts, seeds, pictures to start from. Checked once, with clear errors."""

import operator

import numpy as np


def unwrap(inputs, keys=("prompts",)):
    """The entries of `{"prompts": ..., ...}`, or `{"prompts": inputs}` for anything but a dict.

    Raises: ValueError for a key that is not in `keys`, or no prompts.
    """
    if not isinstance(inputs, dict):
        return {"prompts": inputs}
    if "prompts" not in inputs or set(inputs) - set(keys):
        others = ["no other key"] if len(keys) == 1 else [f"perhaps {key!r}" for key in keys[1:]]
        raise ValueError(
            f'The inputs must be {{"prompts": ...}} with {", ".join(others)}, got {sorted(map(str, inputs))}'
        )
    return inputs


def as_prompts(prompts):
    """A prompt or several, as a list.

    Raises: TypeError for what cannot be listed, ValueError for an empty list.
    """
    if isinstance(prompts, str):
        return [prompts]
    try:
        prompts = list(prompts)
    except TypeError:
        raise TypeError(f"Prompts must be a str or a list of str, got {type(prompts).__name__}") from None
    if not prompts:
        raise ValueError("There is no prompt: the list is empty.")
    return prompts


def as_negative_prompts(negative_prompts, count):
    """A negative prompt for each of `count` prompts: "" where there is none.

    Raises: TypeError for what is not text, ValueError for another number of them.
    """
    if negative_prompts is None or isinstance(negative_prompts, str):
        return [negative_prompts or ""] * count
    negatives = as_prompts(negative_prompts)
    if len(negatives) != count:
        raise ValueError(
            f"There are {len(negatives)} negative prompts for {count} prompts: give one for each."
        )
    for position, negative in enumerate(negatives):
        if not isinstance(negative, str):
            raise TypeError(f"Negative prompt {position} is not text but {type(negative).__name__}")
    return negatives


def as_seeds(seed, count):
    """A seed for each of `count` pictures: one int counted up, the ints given, or new ones for `None`.

    Raises: TypeError for what is not an int, ValueError for another number of them or one out of range.
    """
    if seed is None:
        seed = int(np.random.SeedSequence().generate_state(1)[0])
    try:
        if np.ndim(seed) == 0:
            first = operator.index(seed)
            seeds = [first + i for i in range(count)]
        else:
            seeds = [operator.index(one) for one in seed]
    except TypeError:
        raise TypeError(f"seed must be an int or one int per picture, got {seed!r}") from None
    if len(seeds) != count:
        raise ValueError(f"There are {len(seeds)} seeds for {count} pictures: give one for each.")
    if min(seeds) < 0 or max(seeds) >= 2**64:
        raise ValueError(f"A seed must be between 0 and 2**64 - 1, got {seed!r}")
    return seeds


def check_images(image, size, count):
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


def check_masks(mask, size, count):
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


def downsample_masks(masks, side):
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
