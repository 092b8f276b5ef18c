"""Pseudo-generators: what every generator is measured against. They draw as a `Generator` does, unlearned.

Each has `name`, `text` (a sentence for reports), `kind` ("ceiling", "baseline" or "floor") and
`generate(prompts, seed, batch_size)`: n prompts to uint8 `(n, s, s, 3)`. `seed` is an int (picture i has
`seed + i`) or one int per picture, and a picture depends on its prompt and its seed alone. One more stands in
`empirical_denoiser`.
"""

import numpy as np


class RealPictures:
    """The real picture of each plain caption: the ceiling.

    Args:
        data: `CaptionedImages`; of pictures with one plain caption, the first is taken.
    """

    name, kind = "real pictures", "ceiling"
    deterministic = True  # the seed changes nothing
    text = "The real picture of each caption."

    def __init__(self, data):
        self._pictures = data.pictures
        self._where = _first_positions(data)

    def generate(self, prompts, seed=0, batch_size=64):
        """Raises ValueError for a caption that is not a plain caption of the data."""
        unknown = [prompt for prompt in prompts if prompt not in self._where]
        if unknown:
            raise ValueError(f"No picture is known for the caption {unknown[0]!r}")
        return self._pictures[[self._where[prompt] for prompt in prompts]]


class NearestCaption:
    """The training picture whose plain caption is nearest to the prompt: retrieval in place of drawing.

    Args:
        train: `CaptionedImages`.
        encode_text: a list of n str to float `(n, d)` of length 1: the generator's own, or a bag of words.
            Never the judge's, which would find what it likes best.
    """

    name, kind = "nearest caption", "baseline"
    deterministic = True  # the seed changes nothing
    text = "The training picture whose caption is nearest to the prompt, by a text encoder."

    def __init__(self, train, encode_text):
        self._pictures, self._encode_text = train.pictures, encode_text
        self._codes = text_codes(encode_text, train.plain_captions)

    def generate(self, prompts, seed=0, batch_size=64):
        codes = text_codes(self._encode_text, prompts)
        starts = range(0, len(codes), batch_size)
        nearest = [(codes[i : i + batch_size] @ self._codes.T).argmax(axis=1) for i in starts]
        return self._pictures[np.concatenate(nearest)]


class MeanPicture:
    """The mean of all training pictures, whatever is asked: a floor."""

    name, kind = "mean picture", "floor"
    deterministic = True  # the seed changes nothing
    text = "The mean of all training pictures, for every prompt."

    def __init__(self, train):
        self._mean = train.pictures.mean(axis=0, dtype="float64").round().astype("uint8")

    def generate(self, prompts, seed=0, batch_size=64):
        return self._mean[None].repeat(len(prompts), axis=0)


def _first_positions(data):
    where = {}
    for position, caption in enumerate(data.plain_captions):
        where.setdefault(caption, position)
    return where


def text_codes(encode_text, captions):
    codes = np.asarray(encode_text(list(captions)), "float32")
    if codes.ndim != 2 or len(codes) != len(captions) or not np.isfinite(codes).all():
        raise ValueError(
            f"encode_text must give finite ({len(captions)}, d) for so many captions: {codes.shape}"
        )
    return codes
