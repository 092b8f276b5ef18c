"""Are drawings copies of training pictures? Their nearest training picture against that of held-out ones."""

from dataclasses import dataclass

import numpy as np
from PIL import Image

from keras_t2i.evaluation.metrics.estimate import mean_estimate
from keras_t2i.evaluation.metrics.manifold import nearest
from keras_t2i.utils.random_streams import random_stream

SIDE, TILES = 16, 4  # pictures are compared at 16 x 16 pixels, in 4 x 4 tiles


@dataclass
class Comparison:
    """What is known of n drawings beside training.

    Attributes:
        copies: bool `(n,)`: nearer to training than the threshold.
        distances: float64 `(n,)`, to the nearest training picture.
        nearest: int64 `(n,)`, its position among the training pictures.
        nearer: float64 `(n,)`, the share of the held-out pictures that are farther from training than the
            drawing is; those as far count half.
    """

    copies: np.ndarray
    distances: np.ndarray
    nearest: np.ndarray
    nearer: np.ndarray

    @property
    def rank_statistic(self):
        """Probability that a drawing is nearer to training than a held-out picture is: the U statistic of
        Meehan et al. 2020 (arXiv 2004.05675) over the number of pairs. 0.5: no copying, 1: all are nearer.
        Without detail, too, a picture is nearer than most: the mean picture of OpenMoji has 0.6."""
        return float(self.nearer.mean())

    def estimates(self, seeds_per_prompt=1):
        """dict of `Estimate`: "copies", their share, and "nearer", the rank statistic; 95 % bootstrap over
        prompts, of which there are drawings seed after seed."""
        return {name: mean_estimate(getattr(self, name), seeds_per_prompt) for name in ("copies", "nearer")}

    def worst(self, count=20):
        """Positions of the drawings nearest to training, nearest first, no two with the same nearest one."""
        order = np.argsort(self.distances, kind="stable")
        _, first = np.unique(self.nearest[order], return_index=True)
        return order[np.sort(first)[:count]]


class Memorization:
    """Tells copies of training pictures from new ones.

    Two pictures are compared at 16 x 16 pixels: in each of 4 x 4 tiles the root mean square of the
    differences, in grey levels from 0 to 255, and of the tiles the largest (Carlini et al. 2023, arXiv
    2301.13188, section 4). A copy under noise, JPEG or slight blur differs a little everywhere; a held-out
    picture, such as a person in another skin tone, differs much in some place, if only there. On OpenMoji at
    32 pixels, with a threshold that 5 % of the held-out pictures fall below, these shares of training
    pictures are caught under noise of 5 % and under JPEG of quality 75 with colours at half size: by these
    tiles 100 and 98 %, by all pixels at once 0 and 30 %, by ImageNet features none.

    The threshold is a low quantile of the distance of half of the held-out pictures to their nearest training
    picture. The other half is the control: `control` says how many of it are taken for copies, on average at
    most `share`, for the threshold is the k-th smallest of n, k the floor of `share * (n + 1)` and at least 1
    (split conformal prediction). 5 % rather than 1 %: the nearest few of the held-out pictures are
    near-duplicates (two flags, two people whose hair differs by a pixel), and a threshold among them is a
    matter of chance.

    Neither figure says all by itself. Who is asked for a training picture and draws it does what was
    asked: compare each set of prompts apart. A picture moved by a pixel is not recognised.

    Args:
        train_pictures: uint8 `(m, s, s, 3)`.
        held_out_pictures: uint8 `(n, s, s, 3)`, real ones that training has not seen.
        held_out_groups: int `(n,)`; pictures of one group fall into one half. Default: each its own.
        features: None for the distance above; or `pictures -> (n, d)`, to compare by Euclidean distance
            of these.
        share: float, the share of held-out pictures that may be taken for copies.
        seed: int, of the two halves.

    Attributes:
        threshold: float.
        control: `Comparison` of the half of the held-out pictures that the threshold has not seen.

    Raises:
        ValueError: pictures of another kind, fewer than two groups held out, more than `share` of these in
            training, or a share out of (0, 1).
    """

    def __init__(
        self, train_pictures, held_out_pictures, held_out_groups=None, features=None, share=0.05, seed=0
    ):
        if not 0 < share < 1:
            raise ValueError(f"share must be between 0 and 1, got {share}")
        self.features = features
        self._train = self._seen(train_pictures)
        groups = np.arange(len(held_out_pictures)) if held_out_groups is None else np.asarray(held_out_groups)
        kinds = np.unique(groups)
        if len(kinds) < 2 or len(groups) != len(held_out_pictures):
            raise ValueError(
                f"Half of the held-out pictures calibrate, half control: {len(held_out_pictures)} of "
                f"{len(kinds)} groups are too few, or their numbers differ."
            )
        chosen = random_stream(seed, "memorisation").permutation(kinds)[: (len(kinds) + 1) // 2]
        calibrates = np.isin(groups, chosen)
        distances, positions = self._nearest(held_out_pictures)
        known = np.sort(distances[calibrates])
        self.threshold = float(known[max(0, int(share * (len(known) + 1)) - 1)])
        if not self.threshold > 0:
            raise ValueError(
                f"More than {share:.0%} of the held-out pictures equal training pictures: no threshold tells "
                "copies from them. Leave out those that training has."
            )
        self._held_out = np.sort(distances)
        self.control = self._comparison(distances[~calibrates], positions[~calibrates], self._held_out)

    def compare(self, pictures, held_out_pictures=None):
        """`Comparison` of drawings, uint8 `(n, s, s, 3)`.

        `held_out_pictures`: what the rank statistic compares with; default: all that were given. Give the
        real pictures of the same prompts where training has not seen them, for some sets are nearer to
        training than others.
        """
        known = self._held_out
        if held_out_pictures is not None:
            known = np.sort(self._nearest(held_out_pictures)[0])
        return self._comparison(*self._nearest(pictures), known)

    def _comparison(self, distances, positions, known):
        farther = len(known) - np.searchsorted(known, distances, side="right")
        as_far = np.searchsorted(known, distances, side="right") - np.searchsorted(known, distances)
        nearer = (farther + 0.5 * as_far) / len(known)
        return Comparison(distances < self.threshold, distances, positions, nearer)

    def _seen(self, pictures):
        pictures = np.asarray(pictures)
        if pictures.dtype != np.uint8 or pictures.ndim != 4 or pictures.shape[-1] != 3 or not len(pictures):
            raise ValueError(f"pictures must be uint8 (n, s, s, 3), got {pictures.dtype} {pictures.shape}")
        return _tiles(pictures) if self.features is None else np.asarray(self.features(pictures))

    def _nearest(self, pictures):
        seen = self._seen(pictures)
        if self.features is None:
            return _nearest_by_tiles(seen, self._train)
        distances, positions = nearest(seen, self._train, k=1)
        return distances[:, 0], positions[:, 0]


def _tiles(pictures):
    """uint8 `(n, s, s, 3)` to float32 `(16, n, 48)`: whole numbers, white is 0."""
    # The bilinear filter covers four pixels of 32: it forgives noise and slight blur.
    small = [Image.fromarray(p).resize((SIDE, SIDE), Image.Resampling.BILINEAR) for p in pictures]
    inner = SIDE // TILES
    tiles = np.stack(small).reshape(-1, TILES, inner, TILES, inner, 3).transpose(1, 3, 0, 2, 4, 5)
    return tiles.reshape(TILES * TILES, len(small), -1).astype("float32") - 255


def _nearest_by_tiles(seen, known, block=2**24):
    """Distance and position of the nearest: float64 and int64 `(n,)`; the first where several are as near."""
    rows = max(1, block // known.shape[1])
    lengths = np.square(known).sum(axis=-1)
    distances, positions = [], []
    for start in range(0, seen.shape[1], rows):
        largest = np.zeros(1, "float32")
        for tile, others, length in zip(seen[:, start : start + rows], known, lengths, strict=True):
            # Sums of whole numbers below 2**24: exact in float32.
            apart = tile @ others.T
            apart *= -2
            apart += np.square(tile).sum(axis=-1)[:, None]
            apart += length
            largest = np.maximum(largest, apart)
        best = largest.argmin(axis=1)
        positions.append(best)
        distances.append(np.sqrt(largest[np.arange(len(best)), best].astype("float64") / known.shape[-1]))
    return np.concatenate(distances), np.concatenate(positions)
