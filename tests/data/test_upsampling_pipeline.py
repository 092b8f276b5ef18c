import numpy as np
import pytest

from keras_t2i.data import CaptionedImages
from keras_t2i.data.upsampling_pipeline import NOISIEST
from keras_t2i.data.upsampling_pipeline import UpsamplingPipeline
from keras_t2i.data.windows import RasterPicture
from keras_t2i.utils.images import downsample
from keras_t2i.utils.images import enlarge
from keras_t2i.utils.images import to_uint8

SIZE = 8  # of the small pictures; the large ones are 32


class Words:
    """In place of a preprocessor: how long each caption is."""

    def generate_preprocess(self, captions):
        return np.array([[len(caption)] for caption in captions], "int32")


def rasters(n=5, side=64):
    rng = np.random.default_rng(0)
    return [RasterPicture(rng.integers(0, 256, (side, side, 4), "uint8")) for _ in range(n)]


def pipeline(truths, **options):
    pictures = np.stack([to_uint8(truth.window(0.0, 0.0, 1.0, SIZE)[..., :3]) for truth in truths])
    names = [f"{'x' * i} picture" for i in range(len(truths))]
    data = CaptionedImages(pictures, [[name] for name in names], names, np.arange(len(truths)))
    return UpsamplingPipeline(data, truths, Words(), **{"batch_size": 6, "crop": 16, **options})


def assert_equal(batch, other):
    assert batch.keys() == other.keys()
    for name, values in batch.items():
        np.testing.assert_array_equal(values, other[name])


def test_a_batch_is_a_pure_function_of_seed_and_step():
    ours, again, other = (pipeline(rasters(), seed=seed) for seed in (3, 3, 4))
    batches = [ours.batch(step) for step in range(4)]
    for step in (3, 0, 2):
        assert_equal(again.batch(step), batches[step])
    assert (other.batch(0)["images"] != batches[0]["images"]).any()
    assert (batches[0]["images"] != batches[1]["images"]).any()


def test_validation_is_the_same_however_it_is_cut():
    options = {"training": False, "seed": 3}
    ones, whole = pipeline(rasters(), batch_size=2, **options), pipeline(rasters(), batch_size=5, **options)
    parts = [ones.batch(step) for step in range(3)]
    assert_equal({name: np.concatenate([p[name] for p in parts]) for name in parts[0]}, whole.batch(0))


def test_shapes_types_and_captions():
    ours = pipeline(rasters())
    for step in range(8):
        batch = ours.batch(step)
        assert {name: (str(v.dtype), v.shape) for name, v in batch.items()} == {
            "images": ("float32", (6, 16, 16, 3)),
            "low_resolution": ("float32", (6, 16, 16, 3)),
            "noise_level": ("float32", (6,)),
            "groups": ("int32", (6,)),
            "token_ids": ("int32", (6, 1)),
        }
        assert np.abs(batch["images"]).max() <= 1 + 1e-6
        np.testing.assert_array_equal(batch["token_ids"][:, 0], batch["groups"] + len(" picture"))


def test_noise_is_as_large_as_is_said():
    ours = pipeline(rasters(), batch_size=200)
    batch, errors = ours.batch(0), []
    level = batch["noise_level"]
    assert 0.15 < (level == 0).mean() < 0.35 and level.max() <= NOISIEST
    assert abs(level[level > 0].mean() - NOISIEST / 2) < 0.03
    # Means of the crop's blocks are the small picture, but for what cubic interpolation does to it.
    for low, high, noise in zip(batch["low_resolution"], batch["images"], level, strict=True):
        error = downsample((low - enlarge(downsample(high[None], 4), 4)[0])[None], 4)[0, 1:-1, 1:-1]
        errors.append((noise, np.square(error).mean()))
    quiet, loud = (
        np.mean([square for noise, square in errors if chosen(noise)])
        for chosen in (lambda n: n == 0, lambda n: n > 0.3)
    )
    assert quiet < 1e-3 and 0.05 < loud < 0.2


def test_a_crop_and_the_small_picture_show_the_same_part():
    """Each crop is one of the whole picture, and what lies beside it is the same part of that one, shrunk and
    enlarged: also at the crop's border, where it depends on what lies around."""
    truths = rasters(1, 32)  # no larger than the large pictures: all crops are of one size
    large = truths[0].window(0.0, 0.0, 1.0, 32)[..., :3]
    enlarged = enlarge(downsample(large[None], SIZE), 4)[0]
    batch = pipeline(truths, batch_size=64).batch(0)
    corners = set()
    for high, low, level in zip(batch["images"], batch["low_resolution"], batch["noise_level"], strict=True):
        places = [(top, left) for top in range(0, 20, 4) for left in range(0, 20, 4)]
        (here,) = [
            (top, left)
            for top, left in places
            if np.abs(large[top : top + 16, left : left + 16] - high).max() < 1e-5
        ]
        corners.add(here)
        if level == 0:
            top, left = here
            np.testing.assert_allclose(low, enlarged[top : top + 16, left : left + 16], atol=1e-5)
    assert {(0, 0), (16, 16)} & corners and len(corners) > 12


def test_large_pictures_are_seen_larger_and_vectors_too():
    class Ramp:
        """Its red says how far to the right a pixel is: what a window shows can be read off."""

        detail, after = float("inf"), "ramp"

        def window(self, left, top, side, size):
            x = left + (np.arange(size) + 0.5) / size * side
            return np.broadcast_to(x[None, :, None], (size, size, 4)).astype("float32")

    def widths(**options):
        images = pipeline([Ramp()], batch_size=100, **options).batch(0)["images"]
        steps = images[:, 0, 1, 0] - images[:, 0, 0, 0]
        assert images.min() >= 0 and images.max() <= 1
        return 1 / steps

    for found, largest in ((widths(), 64), (widths(largest=128), 128)):
        assert 0.4 < (np.abs(found - 32) < 0.01).mean() < 0.7
        assert 0.9 * largest < found.max() <= largest + 0.01 and found.min() > 31.9
    small = pipeline(rasters(2, 16), crop=32).batch(0)  # with less detail than asked for, and as a whole
    assert small["images"].shape == (6, 32, 32, 3)


def test_a_resumed_run_finds_the_same_truths():
    first = pipeline(rasters()).fingerprint()
    assert pipeline(rasters()).fingerprint() == first
    assert pipeline(rasters()[::-1]).fingerprint()["truths"] != first["truths"]


def test_sizes_that_do_not_fit_are_named():
    for options, message in (
        ({"crop": 18}, "crop must be a multiple of 4, the factor, and at most 32, got 18"),
        ({"crop": 36}, "at most 32, got 36"),
        ({"crop": 0}, "got 0"),
    ):
        with pytest.raises(ValueError, match=message):
            pipeline(rasters(), **options)
    data = pipeline(rasters()).data
    with pytest.raises(ValueError, match="there are 5 pictures and 4 truths"):
        UpsamplingPipeline(data, rasters(4), Words(), crop=16)
