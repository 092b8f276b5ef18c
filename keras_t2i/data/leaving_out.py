"""What must be left out together, for a picture to be as new as one that somebody asks for."""

import numpy as np

from keras_t2i.data.captioned_images import CaptionedImages
from keras_t2i.utils.annotations import Array

NOT_OF_THE_THING = ("style", "held_out")  # attributes that say nothing about what a picture shows


def leave_out_groups(data: CaptionedImages) -> list[Array]:
    """Groups of pictures, from small to large: equal pictures; those of one thing in all styles ("man judge,
    dark skin tone"); those of everything that has its name ("judge").

    Without a picture's first group one knows the thing from other styles, without the second its parts, as of
    a combination that is held out, without the third nothing of it.

    Args:
        data: `CaptionedImages`; its attributes say what is one thing. A picture without `base` is one.

    Returns:
        list of int arrays `(n,)`, equal for pictures of one group, each group within one of the next array;
        one array where attributes say nothing.
    """
    things, names = [], []
    for name, about in zip(data.names, data.attributes, strict=True):
        of_it = tuple(sorted((key, str(about[key])) for key in about if key not in NOT_OF_THE_THING))
        things.append(of_it if "base" in about else name)
        names.append(about.get("base", name))
    groupings = [np.unique(data.groups, return_inverse=True)[1]]
    for keys in (things, names):
        numbers = {key: number for number, key in enumerate(dict.fromkeys(keys))}
        joined = join(groupings[-1], np.array([numbers[key] for key in keys]))
        if joined.max() < groupings[-1].max():
            groupings.append(joined)
    return groupings


def join(groups: Array, others: Array) -> Array:
    """Groups of what is in one group of either, int `(n,)` from 0 on. Args: int arrays `(n,)`."""
    labels = np.arange(len(groups))
    while True:
        before = labels
        for grouping in (groups, others):
            least = np.full(grouping.max() + 1, len(labels))
            np.minimum.at(least, grouping, labels)
            labels = least[grouping]
        if np.array_equal(labels, before):
            return np.unique(labels, return_inverse=True)[1]
