"""Does a drawing show what was asked for? Judged by encoders that no generator was trained with.

The unit is the trial: a drawing, the caption it was asked with, and captions of other pictures. It is the
trial of `retrieval` the other way round: the picture searches among captions.
"""

from dataclasses import dataclass

import numpy as np

from keras_t2i.evaluation.metrics import retrieval
from keras_t2i.evaluation.metrics.estimate import mean_estimate


@dataclass
class Trials:
    """What each of n prompts is told apart from; the same for every generator.

    Attributes:
        captions: list of n str, the plain captions: the prompts.
        pool_captions: list of m str, the plain captions of the pool.
        positions: int `(n,)`, of the prompts in the pool.
        random: list of n int arrays, positions in the pool of random distractors.
        hard: the same, those first that differ in one attribute alone, then random ones; empty where no
            distractor comes so near.
    """

    captions: list[str]
    pool_captions: list[str]
    positions: np.ndarray
    random: list[np.ndarray]
    hard: list[np.ndarray]

    @classmethod
    def of(cls, images, pool, candidates=100, seed=0):
        """Trials of `candidates` captions each, fewer where there are not so many.

        Args:
            images: `CaptionedImages` whose plain captions are the prompts.
            pool: `CaptionedImages` that holds them (by name) and the distractors.

        Raises:
            ValueError: nothing is asked, or the pool lacks a picture that is.
        """
        if not len(images):
            raise ValueError("There is no prompt: `images` is empty.")
        where = {name: position for position, name in enumerate(pool.names)}
        missing = [name for name in images.names if name not in where]
        if missing:
            raise ValueError(
                f"{len(missing)} of the pictures are not in the pool, such as {missing[0]!r}: "
                "give pool=images.joined(others)."
            )
        near = retrieval.hard_distractors(images, pool)
        full = retrieval.filled_up(near, images, pool, candidates, seed)
        nothing = np.zeros(0, "int64")
        return cls(
            captions=images.plain_captions,
            pool_captions=pool.plain_captions,
            positions=np.array([where[name] for name in images.names]),
            random=retrieval.filled_up([nothing] * len(images), images, pool, candidates, seed),
            hard=[f if len(n) else nothing for n, f in zip(near, full, strict=True)],
        )

    def __len__(self):
        return len(self.captions)

    def take(self, indices):
        """The trials at `indices`, out of the same pool."""
        captions, random, hard = ([of[i] for i in indices] for of in (self.captions, self.random, self.hard))
        return Trials(captions, self.pool_captions, self.positions[indices], random, hard)


def clip_score(image_codes, text_codes):
    """CLIPScore without references: `100 * max(cosine, 0)` of each picture with its caption.

    Hessel et al. 2021 (arXiv 2104.08718) weight it with 2.5, torchmetrics with 100, as here. Scores of
    different judges do not compare, nor with those of CLIP.

    Args:
        image_codes, text_codes: float `(n, d)`, row by row, whose product is the cosine.

    Returns:
        float64 `(n,)`.
    """
    image_codes, text_codes = _finite("image_codes", image_codes), _finite("text_codes", text_codes)
    if image_codes.shape != text_codes.shape:
        raise ValueError(
            f"Give a caption's code for each picture: {image_codes.shape} differs from {text_codes.shape}."
        )
    return 100 * np.maximum(np.sum(image_codes * text_codes, axis=1), 0)


def r_precision(image_codes, text_codes_of_pool, trials, seeds_per_prompt=1):
    """How often a drawing's own caption comes first, or within five, among 100 (R-precision, Xu et al.
    2018, arXiv 1711.10485, with a judge outside of training).

    Args:
        image_codes: float `(seeds_per_prompt * n, d)`: drawings of the n prompts, seed after seed.
        text_codes_of_pool: float `(m, d)`: of `trials.pool_captions`.
        trials: `Trials`.

    Returns:
        dict of `Estimate` (95 % bootstrap over prompts): `r1_random`,
        `r5_random`, `r1_hard`, `r5_hard`; the hard ones of those prompts that have any. A tie with a
        distractor is not first. Where nothing counts, `value` is None.
    """
    image_codes = _finite("image_codes", image_codes)
    text_codes_of_pool = _finite("text_codes_of_pool", text_codes_of_pool)
    if len(image_codes) != seeds_per_prompt * len(trials):
        raise ValueError(
            f"There are {len(image_codes)} drawings: give {seeds_per_prompt} for each of {len(trials)}."
        )
    if len(text_codes_of_pool) != len(trials.pool_captions):
        raise ValueError(
            f"There are {len(text_codes_of_pool)} codes for {len(trials.pool_captions)} captions of the pool."
        )
    found = {}
    for kind in ("random", "hard"):
        distractors = getattr(trials, kind)
        counted = np.flatnonzero([len(d) > 0 for d in distractors])
        rows = (np.arange(seeds_per_prompt)[:, None] * len(trials) + counted).ravel()
        ranks = retrieval.ranks(
            image_codes[rows],
            text_codes_of_pool,
            np.tile(trials.positions[counted], seeds_per_prompt),
            [distractors[i] for i in counted] * seeds_per_prompt,
        )
        found[f"r1_{kind}"] = mean_estimate(ranks == 0, seeds_per_prompt)
        found[f"r5_{kind}"] = mean_estimate(ranks <= 4, seeds_per_prompt)
    return found


def _finite(name, codes):
    codes = np.asarray(codes, "float64")
    if codes.ndim != 2 or not len(codes) or not np.isfinite(codes).all():
        raise ValueError(f"{name} must be finite numbers (n, d) with n at least 1, got shape {codes.shape}")
    return codes
