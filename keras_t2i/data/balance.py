"""How often each picture is shown in training, where some things have many pictures and most have one."""

from collections import Counter

import numpy as np
from numpy.typing import NDArray

from keras_t2i.data.captioned_images import CaptionedImages


def concept_shares(data: CaptionedImages, power: float = 0.5) -> NDArray[np.floating]:
    """Shares for `Pipeline`, by which the many variants of one thing do not crowd out what exists once.

    Of emoji more than half are people, each in several genders and six skin tones; a guitar is drawn once in
    each design. Pictures of one thing in one style count as one concept, and a concept with `k` pictures is
    shown `k ** (1 - power)` times as often as one with a single picture (exponential smoothing, as of
    languages in arXiv 1911.02116, section 3.1).

    Args:
        data: `CaptionedImages`; its attributes `base` and `style` say what is one concept. A picture without
            `base` is a concept of its own.
        power: float in [0, 1]. 0: every picture as often; 1: every concept as often.

    Returns:
        float64 `(n,)`, mean 1.

    Raises: ValueError where `power` is out of range.
    """
    if not 0 <= power <= 1:
        raise ValueError(f"power must be from 0 to 1, received {power}")
    concepts = [
        (about["base"], about.get("style")) if "base" in about else (name,)
        for name, about in zip(data.names, data.attributes, strict=True)
    ]
    counts = Counter(concepts)
    shares = np.array([counts[concept] ** -float(power) for concept in concepts])
    return shares / shares.mean()
