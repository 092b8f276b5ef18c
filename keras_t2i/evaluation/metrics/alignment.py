"""Does a drawing show what was asked for? Judged by encoders that no generator was trained with.

The unit is the trial: a drawing, the caption it was asked with, and captions of other pictures. It is the
trial of `retrieval` the other way round: the picture searches among captions.
"""

from dataclasses import dataclass

import numpy as np

from keras_t2i.evaluation.metrics import retrieval


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
    def of(cls, asked, pool, candidates=100, seed=0):
        """Trials of `candidates` captions each, fewer where there are not so many.

        Args:
            asked: `CaptionedImages` of the prompts.
            pool: `CaptionedImages` that holds them (by name) and the distractors.

        Raises:
            ValueError: nothing is asked, or the pool lacks a picture that is.
        """
        if not len(asked):
            raise ValueError("There is no prompt: `asked` is empty.")
        where = {name: position for position, name in enumerate(pool.names)}
        missing = [name for name in asked.names if name not in where]
        if missing:
            raise ValueError(
                f"{len(missing)} of the pictures asked for are not in the pool, such as {missing[0]!r}: "
                "give pool=asked.joined(others)."
            )
        near = retrieval.hard_distractors(asked, pool)
        full = retrieval.filled_up(near, asked, pool, candidates, seed)
        nothing = np.zeros(0, "int64")
        return cls(
            captions=[phrasings[0] for phrasings in asked.captions],
            pool_captions=[phrasings[0] for phrasings in pool.captions],
            positions=np.array([where[name] for name in asked.names]),
            random=retrieval.filled_up([nothing] * len(asked), asked, pool, candidates, seed),
            hard=[f if len(n) else nothing for n, f in zip(near, full, strict=True)],
        )

    def __len__(self):
        return len(self.captions)


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


def r_precision(image_codes, text_codes_of_pool, trials, repeats=1):
    """How often a drawing's own caption comes first, or within five, among 100 (R-precision, Xu et al.
    2018, arXiv 1711.10485, with a judge outside of training).

    Args:
        image_codes: float `(repeats * n, d)`: drawings of the n prompts, one whole round (seed) after
            another.
        text_codes_of_pool: float `(m, d)`: of `trials.pool_captions`.
        trials: `Trials`.

    Returns:
        dict of cells `{"value", "low", "high", "n"}` (95 % bootstrap over prompts): `r1_random`,
        `r5_random`, `r1_hard`, `r5_hard`; the hard ones of those prompts that have any. A tie with a
        distractor is not first. Where nothing counts, `value` is None.
    """
    image_codes = _finite("image_codes", image_codes)
    text_codes_of_pool = _finite("text_codes_of_pool", text_codes_of_pool)
    if len(image_codes) != repeats * len(trials):
        raise ValueError(
            f"There are {len(image_codes)} drawings: give {repeats} whole rounds of {len(trials)} prompts."
        )
    if len(text_codes_of_pool) != len(trials.pool_captions):
        raise ValueError(
            f"There are {len(text_codes_of_pool)} codes for {len(trials.pool_captions)} captions of the pool."
        )
    cells = {}
    for kind in ("random", "hard"):
        distractors = getattr(trials, kind)
        asked = np.flatnonzero([len(d) > 0 for d in distractors])
        rows = (np.arange(repeats)[:, None] * len(trials) + asked).ravel()
        found = retrieval.ranks(
            image_codes[rows],
            text_codes_of_pool,
            np.tile(trials.positions[asked], repeats),
            [distractors[i] for i in asked] * repeats,
        )
        cells[f"r1_{kind}"] = retrieval.cell(found == 0, repeats)
        cells[f"r5_{kind}"] = retrieval.cell(found <= 4, repeats)
    return cells


def _finite(name, codes):
    codes = np.asarray(codes, "float64")
    if codes.ndim != 2 or not len(codes) or not np.isfinite(codes).all():
        raise ValueError(f"{name} must be finite numbers (n, d) with n at least 1, got shape {codes.shape}")
    return codes
