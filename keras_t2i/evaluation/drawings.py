"""What a generator drew of a set of prompts, and a picture of it."""

from dataclasses import dataclass

import numpy as np
from PIL import Image

from keras_t2i.utils.batching import spread
from keras_t2i.utils.images import make_grid

COLUMNS = 16  # prompts that a grid shows


@dataclass
class Drawings:
    """What a generator drew of a set of n prompts: all by the first seed, then all by the next.

    Attributes:
        pictures: uint8 `(seeds_per_prompt * n, s, s, 3)`.
        codes: float32 `(seeds_per_prompt * n, d)`, each by the judge that has not seen the picture asked for.
        features: float32 `(seeds_per_prompt * n, 1280)`, or None.
    """

    pictures: np.ndarray
    codes: np.ndarray
    features: np.ndarray | None
    seeds_per_prompt: int

    def first(self, rows):
        """Those of `rows` (of pictures or features) that are of the first seed."""
        return rows[: len(rows) // self.seeds_per_prompt]


def at_size(pictures, size):
    """uint8 `(n, s, s, 3)` brought to `(n, size, size, 3)`: means of what falls together."""
    if pictures.shape[1] == size:
        return pictures
    resized = [Image.fromarray(p).resize((size, size), Image.Resampling.BOX) for p in pictures]
    return np.stack([np.asarray(p) for p in resized])


def grid_positions(prompt_set):
    """Positions of the prompts that a grid shows: spread evenly."""
    return spread(len(prompt_set), COLUMNS)


def grid(drawings, prompt_set):
    """Real pictures over those drawn by up to two seeds: uint8 `(h, w, 3)`, a column for each prompt."""
    few = grid_positions(prompt_set)
    rows = [prompt_set.images.pictures[few]]
    rows += [drawings.pictures[i * len(prompt_set) + few] for i in range(min(2, drawings.seeds_per_prompt))]
    return make_grid(np.concatenate(rows), columns=len(few), scale=2)
