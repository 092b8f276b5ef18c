"""What a person passes: prompts, seeds, pictures to start from. Checked once, with clear errors."""

import math
import operator

import numpy as np

from keras_t2i.utils.images import fit_square

# Of settings. Far beyond what changes a picture, and sums of its squares are finite as float32.
LARGEST_NUMBER = 1e6


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

    Raises: TypeError for what is not text, ValueError for another number of them or a blank one.
    """
    if negative_prompts is None or isinstance(negative_prompts, str):
        if negative_prompts and not negative_prompts.strip():
            raise ValueError(f'The negative prompt is blank: {negative_prompts!r}. For none give ""')
        return [negative_prompts or ""] * count
    negatives = as_prompts(negative_prompts)
    if len(negatives) != count:
        raise ValueError(
            f"There are {len(negatives)} negative prompts for {count} prompts: give one for each."
        )
    for position, negative in enumerate(negatives):
        if not isinstance(negative, str):
            raise TypeError(f"Negative prompt {position} is not text but {type(negative).__name__}")
        if negative and not negative.strip():
            raise ValueError(f'Negative prompt {position} is blank: {negative!r}. For none give ""')
    return negatives


def check_number(name, value, least=None, most=LARGEST_NUMBER, above=None):
    """A setting of `generate` as a float: the one place where such numbers are checked.

    Args:
        name: str, for the message.
        value: int, float or what NumPy has of these.
        least, most, above: floats, the range; `None`: down to `-LARGEST_NUMBER`.

    Raises: TypeError for what is no number, ValueError for one out of range or not finite.
    """
    try:
        if isinstance(value, (str, bytes, bool, np.bool_)) or np.ndim(value):
            raise TypeError
        number = float(value)
    except (TypeError, ValueError):
        raise TypeError(f"{name} must be a number, got {value!r}") from None
    except OverflowError:
        number = math.inf
    low = -LARGEST_NUMBER if least is None else least
    if not low <= number <= most or (above is not None and number <= above):
        if above is not None:
            wanted = f"above {above:g} and at most {most:g}"
        elif most < LARGEST_NUMBER:
            wanted = f"in [{low:g}, {most:g}]"
        else:
            wanted = f"{low:g} or more and at most {most:g}"
        raise ValueError(f"{name} must be {wanted}, got {value}")
    return number


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
    """A picture for each of `count`, as the base takes it: uint8 `(count, size, size, 3)`.

    Args:
        image: uint8 `(h, w, 3)`, for all, or `(count, h, w, 3)`, of any height and width: see `fit_square`.

    Raises: ValueError for another shape or dtype.
    """
    return np.broadcast_to(fit_square(as_pictures(image, count), size), (count, size, size, 3))


def as_pictures(pictures, count=None):
    """Given pictures of one height and width, one or several, as uint8 `(n, h, w, 3)`.

    Args:
        count: int, where one is for so many, or there must be as many, as of `image=`; `None`: any number.

    Raises: ValueError for another shape or dtype, none, or another number of them.
    """
    found = np.asarray(pictures)
    found = found[None] if found.ndim == 3 else found
    kind = (found.dtype, found.ndim, found.shape[-1:]) == (np.uint8, 4, (3,)) and found.size > 0
    if not kind or (count is not None and len(found) not in (1, count)):
        wanted = "pictures must be uint8 (n, h, w, 3), or one (h, w, 3)"
        if count is not None:
            wanted = f"image must be uint8 (h, w, 3), or ({count}, h, w, 3) with one for each picture"
        raise ValueError(f"{wanted}, got {found.dtype} {np.shape(pictures)}")
    return found


def check_masks(mask, shape, count):
    """A mask for each of `count`: bool `(count, h, w)`, True where the picture is drawn anew.

    Args:
        mask: bool, or numbers that are 0 or 1, `(h, w)`, for all, or `(count, h, w)`.
        shape: (h, w) of the picture.

    Raises: ValueError for another shape or other numbers.
    """
    mask, shape = np.asarray(mask), tuple(shape)
    if mask.shape not in (shape, (count, *shape)) or not np.isin(mask, (0, 1)).all():
        raise ValueError(
            f"mask must be bool (or 0 and 1) {shape}, as the picture, or {(count, *shape)}, one for each, "
            f"True where it is to be drawn anew, got {mask.dtype} {mask.shape}"
        )
    return np.broadcast_to(mask.astype(bool), (count, *shape))


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
    return check_number("strength", strength, 0.0, 1.0, above=0.0)
