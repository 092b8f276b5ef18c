"""Does a caption find its picture among others? Recall and R-precision, with honest floors.

The unit is the trial: one caption, its picture, and distractors that show something else. Distractors
are drawn at random, or hard: the same thing with one attribute changed (another skin tone, colour, style).
"""

from dataclasses import dataclass

import numpy as np

from keras_t2i.evaluation.metrics.estimate import bootstrap_interval
from keras_t2i.utils.batching import spread
from keras_t2i.utils.images import to_float
from keras_t2i.utils.random_streams import random_stream

# What a picture is known by; `data/` fills these in where it can.
ATTRIBUTES = ("base", "style", "gender", "tone", "hair", "colour", "hour", "minutes", "expression")


@dataclass
class Recall:
    """Share of trials whose right candidate came first, or within the first five (a tie is not first);
    and of how many candidates (the mean, where trials differ)."""

    at_1: float
    at_5: float
    candidates: float
    trials: int
    ranks: np.ndarray

    def table(self, what):
        """Rows of a table of (what, figure); one that says why where nothing was tried.

        Args:
            what: str, such as "unseen captions".
        """
        if not self.trials:
            return [(f"{what} whose picture is found", "there is no other picture to tell it from")]
        return [
            (f"{what} whose picture is found first, of {self.candidates:g}", self.at_1),
            ("the same within the first five", self.at_5),
            ("by chance", 1 / self.candidates),
        ]

    def interval(self, level=0.95, samples=2000, seed=0, seeds_per_prompt=1):
        """Bootstrap interval of `at_1` over captions: (low, high); not a number where there are none.

        `seeds_per_prompt`: trials of each caption, all captions by one seed after all by another; they are
        drawn together, for they are not independent.
        """
        return bootstrap_interval(self.ranks == 0, seeds_per_prompt, level, samples, seed)


def codes(dual_encoder, preprocessor, pictures, captions):
    """Concepts of uint8 pictures and of captions: two float32 arrays `(n, d)` of length 1."""
    image_codes = dual_encoder.image_encoder.predict(to_float(pictures), verbose=0)
    text_codes = dual_encoder.text_encoder.predict(preprocessor.generate_preprocess(captions), verbose=0)
    return tuple(
        c / np.maximum(np.linalg.norm(c, axis=1, keepdims=True), 1e-12) for c in (image_codes, text_codes)
    )


def random_distractors(data, candidates=100, seed=0):
    """For each picture of `data`, the positions of others with another plain caption and other pixels.

    Returns:
        A list of int arrays of `candidates - 1` positions, fewer where there are not so many.
    """
    return filled_up([np.zeros(0, "int64")] * len(data), data, data, candidates, seed)


def hard_distractors(images, pool):
    """For each picture of `images`, the positions in `pool` of pictures that differ in one attribute alone.

    An attribute counts where the plain caption names it: for "man, dark skin tone" the man of another
    skin tone is hard, the same man as a line drawing is not, for the caption says nothing of style.

    Args:
        images, pool: `CaptionedImages` with `attributes`.

    Returns:
        A list of int arrays, empty where nothing of the pool comes so near.
    """
    table = [tuple(str(a.get(k) or "") for k in ATTRIBUTES) for a in pool.attributes]
    by_rest = {}
    for position, values in enumerate(table):
        for k in range(len(ATTRIBUTES)):
            by_rest.setdefault((k, *values[:k], *values[k + 1 :]), []).append(position)
    chosen = []
    for attributes, group, plain in zip(images.attributes, images.groups, images.plain_captions, strict=True):
        values = tuple(str(attributes.get(k) or "") for k in ATTRIBUTES)
        near = set()
        for k, value in enumerate(values):
            if value and value in plain and ATTRIBUTES[k] != "base":
                same_rest = by_rest.get((k, *values[:k], *values[k + 1 :]), [])
                near.update(p for p in same_rest if table[p] != values and pool.groups[p] != group)
        chosen.append(np.array(sorted(near), dtype="int64"))
    return chosen


def filled_up(distractors, images, pool, candidates=100, seed=0):
    """Distractors, brought to `candidates - 1` by random others of the pool that show something else."""
    captions, plain = np.array(pool.plain_captions), images.plain_captions
    chosen = []
    for i, near in enumerate(distractors):
        others = np.flatnonzero((captions != plain[i]) & (pool.groups != images.groups[i]))
        others = np.setdiff1d(others, near)
        order = random_stream(seed, "distractors", i).permutation(len(others))
        chosen.append(np.concatenate([near, others[order]])[: candidates - 1])
    return chosen


def ranks(text_codes, image_codes, right, distractors):
    """How many distractors score higher than the right picture, for each caption; ties count half.

    Args:
        text_codes: float `(n, d)`.
        image_codes: float `(m, d)`: the pool.
        right: int `(n,)`: each caption's picture in the pool.
        distractors: list of n int arrays of positions in the pool.

    Returns:
        float array `(n,)`, 0 is first.
    """
    found = []
    for code, own, others in zip(text_codes, right, distractors, strict=True):
        # Row by row, so that equal rows tie: a matrix product rounds them differently.
        products = np.sum(image_codes[np.append(own, others)] * code, axis=1)
        score, scores = products[0], products[1:]
        found.append((scores > score).sum() + 0.5 * (scores == score).sum())
    return np.array(found)


def summarize(found, distractors):
    """`Recall` of `ranks`; trials without a distractor are left out."""
    sizes = np.array([len(d) for d in distractors])
    found, sizes = found[sizes > 0], sizes[sizes > 0]
    if not len(found):
        return Recall(float("nan"), float("nan"), float("nan"), 0, found)
    return Recall(
        float((found == 0).mean()), float((found <= 4).mean()), float(sizes.mean() + 1), len(found), found
    )


def recall(dual_encoder, preprocessor, data, candidates=100, seed=0):
    """Captions of `data` against pictures of `data`, random distractors. Returns `Recall`."""
    plain = data.plain_captions
    image_codes, text_codes = codes(dual_encoder, preprocessor, data.pictures, plain)
    distractors = random_distractors(data, candidates, seed)
    return summarize(ranks(text_codes, image_codes, np.arange(len(data)), distractors), distractors)


def found_first(dual_encoder, preprocessor, data, rows=8, columns=8):
    """For `rows` captions of `data`, spread evenly: the true picture, then the best `columns - 1` found.

    Returns:
        uint8 `(rows * columns, s, s, 3)`.
    """
    plain = data.plain_captions
    image_codes, text_codes = codes(dual_encoder, preprocessor, data.pictures, plain)
    shown = []
    for i in spread(len(data), rows):
        best = np.argsort(-(image_codes @ text_codes[i]), kind="stable")[: columns - 1]
        shown.append(np.concatenate([data.pictures[i : i + 1], data.pictures[best]]))
    return np.concatenate(shown)
