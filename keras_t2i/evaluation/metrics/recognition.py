"""Would a person recognise a drawing? It must be nearer to the picture asked for than to 99 others.

R-precision asks whether a judge finds the caption; half of what it can tell is colour. Here a drawing stands
beside pictures, all of the same design, so that neither the design nor the word for it helps.
"""

import numpy as np

from keras_t2i.evaluation.metrics.distances import as_features
from keras_t2i.evaluation.metrics.distances import as_pair
from keras_t2i.evaluation.metrics.estimate import mean_estimate
from keras_t2i.utils.random_streams import random_stream

CANDIDATES = 100


def lineups(asked, designs, groups, candidates=CANDIDATES, seed=0):
    """What each true picture stands among: others of its design that look other.

    Args:
        asked: int `(n,)`, positions of the true pictures.
        designs: `(m,)`, of all pictures, equal for pictures of one design.
        groups: int `(m,)`, equal for pictures that are identical.

    Returns:
        list of n int arrays of `candidates - 1` positions, fewer where there are not so many.
    """
    asked, designs, groups = np.asarray(asked), np.asarray(designs), np.asarray(groups)
    found = []
    for i, one in enumerate(asked.tolist()):
        others = np.flatnonzero((designs == designs[one]) & (groups != groups[one]))
        order = random_stream(seed, "line-up", i).permutation(len(others))[: candidates - 1]
        found.append(others[order])
    return found


class Standardization:
    """Features with mean 0 and deviation 1 over a set of pictures, brought to length 1.

    Else a few numbers with a large mean decide every cosine. A number that does not vary says nothing.

    Args:
        features: float `(m, d)`, of the pictures that a drawing stands among.
    """

    def __init__(self, features):
        features = as_features(features)
        self.mean, deviation = features.mean(axis=0), features.std(axis=0)
        varies = deviation > 1e-6 * np.maximum(np.abs(self.mean), 1e-6)
        self.weight = np.where(varies, 1 / np.where(varies, deviation, 1), 0)

    def __call__(self, features):
        """float `(n, d)` to float64 `(n, d)` of length 1."""
        standardized = (np.asarray(features, "float64") - self.mean) * self.weight
        return standardized / np.maximum(np.linalg.norm(standardized, axis=1, keepdims=True), 1e-12)


def nearest_is_true(drawn, pictures, asked, others):
    """Whether each drawing is nearer to its true picture than to all others: cosine, standardised features.

    Args:
        drawn: float `(seeds_per_prompt * n, d)`: drawings of the n prompts, seed after seed.
        pictures: float `(m, d)`, features of the pictures that they stand among.
        asked: int `(n,)`, positions of the true pictures.
        others: of `lineups`.

    Returns:
        bool `(seeds_per_prompt * n,)`. A tie is not recognised, nor is what has nobody beside it.

    Raises:
        ValueError: the features are not finite, of different lengths, or not of whole prompts.
    """
    drawn, pictures = as_pair(drawn, pictures)
    if not len(asked) or len(drawn) % len(asked):
        raise ValueError(f"There are {len(drawn)} drawings: give as many for each of {len(asked)} prompts.")
    standardized = Standardization(pictures)
    drawn, pictures = standardized(drawn), standardized(pictures)
    hits = np.zeros(len(drawn), dtype=bool)
    for i, (one, beside) in enumerate(zip(asked, others, strict=True)):
        for k in range(i, len(drawn), len(asked)) if len(beside) else ():
            # Products summed row by row, so that equal pictures tie.
            cosines = np.sum(pictures[np.append(one, beside)] * drawn[k], axis=1)
            hits[k] = cosines[0] > cosines[1:].max()
    return hits


def recognized(
    drawings, truths, designs, features, others=None, other_designs=None, candidates=CANDIDATES, seed=0
):
    """How often a drawing is nearer to the true picture of its caption than to 99 others of the same design.

    Args:
        drawings: uint8 `(seeds_per_prompt * n, s, s, 3)`: all prompts by one seed after all by another.
        truths: uint8 `(n, t, t, 3)`, the true picture of each prompt.
        designs: `(n,)`, of the true pictures.
        features: function of uint8 pictures `(k, s, s, 3)` to float `(k, d)`: `ImageNetFeatures(128)`, or
            an image encoder. Figures of different features do not compare.
        others: uint8 `(m, t, t, 3)`, pictures to stand beside the truths, and their designs; without them
            the truths stand beside each other.
        candidates: int, the true picture and those beside it; fewer where a design has not so many.
        seed: int, of who stands beside whom.

    Returns:
        `Estimate` with a 95 % bootstrap interval over prompts; `chance` is the mean of 1 over the number of
        candidates.

    Raises:
        ValueError: as of `nearest_is_true`.
    """
    pictures, every = np.asarray(truths), np.asarray(designs)
    if others is not None:
        pictures, every = np.concatenate([pictures, others]), np.concatenate([every, other_designs])
    groups = np.unique(pictures.reshape(len(pictures), -1), axis=0, return_inverse=True)[1].ravel()
    asked = np.arange(len(truths))
    beside = lineups(asked, every, groups, candidates, seed)
    hits = nearest_is_true(features(np.asarray(drawings)), features(pictures), asked, beside)
    return recognition_estimate(hits, beside)


def recognition_estimate(hits, others):
    """`Estimate` of `nearest_is_true` of all, or of some prompts and those beside them."""
    if not len(others):
        return mean_estimate(hits)
    chance = float(np.mean([1 / (len(beside) + 1) for beside in others]))
    return mean_estimate(hits, len(hits) // len(others), chance)
