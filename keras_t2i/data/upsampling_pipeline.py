"""Batches for an upsampler: crops of large pictures, and the same parts of the small ones, enlarged."""

import numpy as np

from keras_t2i.data.pipeline import Pipeline
from keras_t2i.data.windows import digest_of
from keras_t2i.utils.images import downsample
from keras_t2i.utils.images import enlarge
from keras_t2i.utils.random_streams import random_stream

NOISIEST = 0.4  # standard deviation of the noise in the small picture, in [-1, 1]
BESIDE = 2  # pixels of the small picture on each side of a crop that its enlargement depends on


class UpsamplingPipeline(Pipeline):
    """Feeds `objectives.Upsampling`; a batch is a pure function of (seed, step), as of `Pipeline`.

    A picture is taken at any size between what the base's pictures become (half of the time exactly that) and
    what it has the detail for; a crop of it is the target. Means of its pixels are the small picture, three
    quarters of which get Gaussian noise.

    Args:
        data: `CaptionedImages`, the pictures as a generator draws them, uint8 `(n, s, s, 3)`.
        truths: n `VectorPicture` or `RasterPicture`, the same pictures at every size.
        preprocessor: as of `Pipeline`.
        factor: int, how many times larger pictures become.
        crop: int, pixels of a crop's side, a multiple of `factor`, at most s times `factor`.
        largest: int, pixels of the largest picture that crops are taken of; `None`: twice s times `factor`.
        batch_size, seed, steps_per_epoch, training: as of `Pipeline`.

    Raises: ValueError where sizes do not fit.
    """

    def __init__(self, data, truths, preprocessor, factor=4, crop=64, largest=None, **options):
        super().__init__(data, preprocessor, **options)
        if len(truths) != len(data):
            raise ValueError(f"there are {len(data)} pictures and {len(truths)} truths")
        self.smallest = data.pictures.shape[1] * factor
        if crop % factor or not 0 < crop <= self.smallest:
            raise ValueError(
                f"crop must be a multiple of {factor}, the factor, and at most {self.smallest}, got {crop}"
            )
        self.truths, self.factor, self.crop = truths, factor, crop
        self.largest = 2 * self.smallest if largest is None else largest

    def batch(self, step):
        """The batch of `step`: see `objectives.Upsampling`."""
        step = int(step)
        examples = []
        for place, picture in enumerate(self.indices(step)):
            key = (step, place) if self.training else (int(picture), 0)
            rng = random_stream(self.seed, "upsampling" if self.training else "upsampling validation", *key)
            examples.append(self.example(self.truths[picture], rng))
        names = ("images", "low_resolution", "noise_level")
        parts = zip(*examples, strict=True)
        return super().batch(step) | {n: np.stack(rows) for n, rows in zip(names, parts, strict=True)}

    def example(self, truth, rng):
        """A crop of a picture, float32 `(crop, crop, 3)`, the same of the small picture, noisy and enlarged,
        and the noise level, float32."""
        factor = self.factor
        count = self.smallest  # pixels of the whole
        if rng.random() < 0.5:
            most = max(min(truth.detail, self.largest), self.smallest)
            count = np.exp(rng.uniform(np.log(self.smallest), np.log(most)))
        count = int(count) // factor  # of the small picture, from here on
        size = self.crop // factor
        seen = min(size + 2 * BESIDE, count)
        corner = rng.integers(0, count - size, 2, endpoint=True)  # left, top
        first = np.clip(corner - BESIDE, 0, count - seen)
        large = truth.window(*(first / count), seen / count, seen * factor)[..., :3]
        level = np.float32(rng.uniform(0.0, NOISIEST) * (rng.random() < 0.75))
        small = downsample(large[None], seen)
        small = small + level * rng.standard_normal(small.shape, dtype="float32")
        left, top = (corner - first) * factor
        part = slice(top, top + self.crop), slice(left, left + self.crop)
        return large[part], enlarge(small, factor)[0][part], level

    def fingerprint(self):
        return super().fingerprint() | {"truths": digest_of(self.truths)}
