"""What a person asks a generator for: prompts, and a seed for each picture. Checked, with clear errors."""

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
