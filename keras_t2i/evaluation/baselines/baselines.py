"""Pseudo-generators: what every generator is measured against. They draw as a `Generator` does, unlearned.

Each has `name`, `text` (a sentence for reports), `kind` ("ceiling", "baseline" or "floor") and
`generate(prompts, seed, batch_size)`: n prompts to uint8 `(n, s, s, 3)`. `seed` is an int (picture i has
`seed + i`) or one int per picture, and a picture depends on its prompt and its seed alone. One more stands in
`empirical_denoiser`.
"""

import numpy as np

from keras_t2i.utils.random_streams import random_stream


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
        self._codes = text_codes(encode_text, [phrasings[0] for phrasings in train.captions])

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


class Permuted:
    """What another generator draws for other prompts: the floor of alignment.

    Each of the different prompts of a call is drawn as another one of them.

    Args:
        generator: anything with `generate`.
        seed: int, of the permutation.
    """

    kind = "floor"

    def __init__(self, generator, seed=0):
        self._generator, self._seed = generator, seed
        self.name = f"{_name(generator)}, captions permuted"
        self.text = f"What {_name(generator)} draws for another of the prompts."

    def generate(self, prompts, seed=0, batch_size=64):
        """Raises ValueError where there are not two different prompts."""
        different = sorted(set(prompts))
        if len(different) < 2:
            raise ValueError("Prompts can be permuted where there are at least two different ones.")
        # One cycle through all of them has no fixed point.
        order = random_stream(self._seed, "permuted").permutation(len(different))
        other = {different[a]: different[b] for a, b in zip(order, np.roll(order, 1), strict=True)}
        return self._generator.generate(
            [other[prompt] for prompt in prompts], seed=seed, batch_size=batch_size
        )


class Blurred:
    """Another generator's pictures under a Gaussian blur: a control for measures of quality.

    Args:
        generator: anything with `generate`.
        sigma: float above 0, deviation in pixels.
    """

    kind = "floor"

    def __init__(self, generator, sigma):
        self._generator = generator
        self.name = f"{_name(generator)}, blurred by {sigma:g}"
        self.text = f"What {_name(generator)} draws, under a Gaussian blur of {sigma:g} pixels."
        reach = np.arange(-int(np.ceil(4 * sigma)), int(np.ceil(4 * sigma)) + 1)
        kernel = np.exp(-(reach**2) / (2 * sigma**2))
        self._kernel = kernel / kernel.sum()

    def generate(self, prompts, seed=0, batch_size=64):
        pictures = self._generator.generate(prompts, seed=seed, batch_size=batch_size).astype("float64")
        reach = len(self._kernel) // 2
        for axis in (1, 2):
            around = [(reach, reach) if a == axis else (0, 0) for a in range(4)]
            windows = np.lib.stride_tricks.sliding_window_view(
                np.pad(pictures, around, mode="edge"), len(self._kernel), axis=axis
            )
            pictures = windows @ self._kernel
        return pictures.round().astype("uint8")


class Noised:
    """Another generator's pictures under Gaussian noise: a control for measures of quality and of copying.

    Args:
        generator: anything with `generate`.
        sigma: float, deviation in grey levels of 255.
    """

    kind = "floor"

    def __init__(self, generator, sigma):
        self._generator, self._sigma = generator, sigma
        self.name = f"{_name(generator)}, noise of {sigma:g}"
        self.text = f"What {_name(generator)} draws, under Gaussian noise of {sigma:g} grey levels."

    def generate(self, prompts, seed=0, batch_size=64):
        pictures = self._generator.generate(prompts, seed=seed, batch_size=batch_size)
        noise = np.stack(
            [noise_of(s, "noised", pictures.shape[1:]) for s in one_seed_each(seed, len(prompts))]
        )
        return np.clip(np.rint(pictures + self._sigma * noise), 0, 255).astype("uint8")


def noise_of(seed, purpose, shape):
    return random_stream(seed, purpose).standard_normal(shape, dtype="float32")


def one_seed_each(seed, count):
    seeds = [int(seed) + i for i in range(count)] if np.ndim(seed) == 0 else [int(one) for one in seed]
    if len(seeds) != count:
        raise ValueError(f"There are {len(seeds)} seeds for {count} pictures: give one for each.")
    return seeds


def _first_positions(data):
    where = {}
    for position, phrasings in enumerate(data.captions):
        where.setdefault(phrasings[0], position)
    return where


def text_codes(encode_text, captions):
    codes = np.asarray(encode_text(list(captions)), "float32")
    if codes.ndim != 2 or len(codes) != len(captions) or not np.isfinite(codes).all():
        raise ValueError(
            f"encode_text must give finite ({len(captions)}, d) for so many captions: {codes.shape}"
        )
    return codes


def _name(generator):
    return getattr(generator, "name", type(generator).__name__)
