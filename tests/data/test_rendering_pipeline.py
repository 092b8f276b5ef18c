import numpy as np
import pytest
from scipy.ndimage import convolve

from keras_t2i.data.captioned_images import CaptionedImages
from keras_t2i.data.emoji.rasterize import VectorPicture
from keras_t2i.data.rendering_pipeline import RenderingPipeline
from keras_t2i.data.rendering_pipeline import degrade
from keras_t2i.data.rendering_pipeline import mirrored
from keras_t2i.data.rendering_pipeline import window_on_edge
from keras_t2i.data.windows import RasterPicture
from keras_t2i.utils.images import to_uint8

SIZE = 8  # of the small pictures


class Gradient:
    """A picture without pixels: each color is a linear function of the place. It stands for vector art."""

    detail = float("inf")
    identity = b"gradient"

    def __init__(self, seed):
        self.slopes = np.random.default_rng(seed).uniform(-0.4, 0.4, (3, 3))  # of 1, x and y in [0, 1]

    def window(self, left, top, side, size):
        middles = (np.arange(size) + 0.5) / size * side
        x, y = np.meshgrid(left + middles, top + middles)
        colors = np.stack([np.ones_like(x), x - 0.5, y - 0.5], axis=-1) @ self.slopes.T
        return np.concatenate([colors, np.ones((size, size, 1))], axis=-1).astype("float32")


def data_of(truths):
    pictures = np.stack([to_uint8(truth.window(0.0, 0.0, 1.0, SIZE)[..., :3]) for truth in truths])
    names = [f"picture {i}" for i in range(len(truths))]
    return CaptionedImages(pictures, [[name] for name in names], names, np.arange(len(truths)))


def pipeline(truths, **options):
    return RenderingPipeline(data_of(truths), truths, **{"batch_size": 6, "target_size": 16, **options})


def rasters(n=5):
    rng = np.random.default_rng(0)
    return [RasterPicture(rng.integers(0, 256, (64, 64, 4), "uint8")) for _ in range(n)]


def assert_equal(batch, other):
    assert batch.keys() == other.keys()
    for name, values in batch.items():
        np.testing.assert_array_equal(values, other[name])


def joined(batches):
    return {name: np.concatenate([batch[name] for batch in batches]) for name in batches[0]}


def test_a_batch_is_a_pure_function_of_seed_and_step():
    ours, again, other = (pipeline(rasters(), seed=seed) for seed in (3, 3, 4))
    batches = [ours.batch(step) for step in range(4)]
    for step in (3, 0, 2):
        assert_equal(again.batch(step), batches[step])
    assert (other.batch(0)["target"] != batches[0]["target"]).any()
    assert (batches[0]["target"] != batches[1]["target"]).any()


def test_validation_is_the_same_however_it_is_cut():
    """Each picture once, in the data's order, in every epoch."""
    options = {"training": False, "seed": 3}
    ones = pipeline(rasters(), batch_size=2, **options)
    assert len(ones) == 3
    whole = pipeline(rasters(), batch_size=5, **options).batch(0)
    assert_equal(joined([ones.batch(step) for step in range(3)]), whole)
    assert_equal(ones.batch(4), ones.batch(1))


@pytest.mark.parametrize("truths", [[Gradient(i) for i in range(3)], rasters()], ids=["vector", "raster"])
def test_shapes_types_and_ranges(truths):
    ours = pipeline(truths, num_windows=4, redrawn=data_of(truths).pictures[:2, None])
    for step in range(8):
        batch = ours.batch(step)
        assert {name: (str(values.dtype), values.shape) for name, values in batch.items()} == {
            "images": ("float32", (6, SIZE, SIZE, 3)),
            "noise_level": ("float32", (6,)),
            "target": ("float32", (6, 4, 16, 16, 4)),
            "rows": ("float32", (6, 4, 16)),
            "columns": ("float32", (6, 4, 16)),
            "scale": ("float32", (6, 4)),
        }
        assert np.abs(batch["images"]).max() <= 1 and np.abs(batch["target"]).max() <= 1 + 1e-6
        opacity = batch["target"][..., 3]
        assert opacity.min() >= 0 and opacity.max() <= 1 + 1e-6
        for name in ("rows", "columns"):
            assert batch[name].min() > 0 and batch[name].max() < SIZE
        level = batch["noise_level"]
        assert ((level == 0) | (level == np.float32(0.2)) | ((level >= 0.02) & (level <= 0.16))).all()


def test_scales_are_those_of_the_windows_and_some_are_steeper():
    def steepness(steep):
        ours = pipeline([Gradient(0)], steep=steep, batch_size=50)
        batch = ours.batch(0)
        for name in ("rows", "columns"):
            steps = np.abs(np.diff(batch[name]))
            np.testing.assert_allclose(steps, np.broadcast_to(steps[..., :1], steps.shape), atol=1e-5)
        scale = 1 / np.abs(batch["rows"][..., 1] - batch["rows"][..., 0])
        assert scale.min() >= 4 - 1e-3 and scale.max() <= 64 * 1.001
        return batch["scale"] / scale

    np.testing.assert_allclose(steepness(0.0), 1, rtol=1e-3)
    some = steepness(0.3)
    assert 0.2 < (some > 1.01).mean() < 0.4 and some.min() > 0.999 and 4 < some.max() < 8.01
    assert (steepness(1.0) > 1.01).mean() > 0.95


def test_a_raster_truth_is_drawn_no_larger_than_it_has_pixels():
    """64 pixels for an input of 8 and windows of it: half of them at least are seen by an input pixel."""
    batch = pipeline(rasters(), batch_size=50, steep=0.0).batch(0)
    assert batch["scale"].max() <= 8.001


def test_targets_lie_where_rows_and_columns_say():
    """A linear picture's input tells, by least squares, what is at any place: mirrored, permuted or not."""
    truths = [Gradient(i) for i in range(4)]
    ours = pipeline(truths, redrawn=data_of(truths).pictures[:, None], batch_size=60)
    batch = ours.batch(0)
    x, y = np.meshgrid(np.arange(SIZE) + 0.5, np.arange(SIZE) + 0.5)
    terms = np.stack([np.ones(SIZE**2), x.ravel(), y.ravel()], axis=-1)
    seen = 0
    for i in range(60):
        noise_level = batch["noise_level"][i]
        function = np.linalg.lstsq(terms, batch["images"][i].reshape(-1, 3), rcond=None)[0]
        columns, rows = batch["columns"][i, :, None, :], batch["rows"][i, :, :, None]
        expected = function[0] + columns[..., None] * function[1] + rows[..., None] * function[2]
        error = np.abs(batch["target"][i, ..., :3] - expected)
        is_noisy = 0 < noise_level < 0.19
        assert error.max() < (4 * noise_level + 0.05 if is_noisy else 0.01)
        seen += not is_noisy
        np.testing.assert_allclose(batch["target"][i, ..., 3], 1, atol=1e-6)
    assert seen > 25


def test_inputs_are_whole_pictures_and_windows():
    """A gradient shows how much of a picture is seen: its largest slope in the input."""
    truth = Gradient(0)
    batch = pipeline([truth], batch_size=200).batch(0)
    clean = batch["images"][batch["noise_level"] == 0]
    assert 70 < len(clean) < 160  # 40 of 100, and 25 for which there are no redrawings
    slopes = np.abs(np.diff(clean, axis=2)).mean(axis=(1, 2)).max(axis=1) * SIZE
    zoom = np.abs(truth.slopes[:, 1]).max() / slopes
    whole = np.abs(zoom - 1) < 0.02
    assert 0.25 < whole.mean() < 0.6 and zoom.min() > 0.95 and 8 < zoom.max() < 16.5  # 128 pixels of 8


def test_redrawings_are_inputs_at_their_level():
    """They have a color of their own here."""
    truths, v = [Gradient(i) for i in range(4)], 2
    redrawn = np.array([[10, 20], [30, 40]], "uint8").repeat(SIZE * SIZE * 3, -1).reshape(2, v, SIZE, SIZE, 3)
    ours = pipeline(truths, redrawn=redrawn, redrawn_level=0.3, batch_size=120)
    batch = ours.batch(0)
    is_redrawn = batch["noise_level"] == np.float32(0.3)
    assert 0.15 < is_redrawn.mean() < 0.35
    flat = np.ptp(batch["images"], axis=(1, 2, 3)) == 0
    np.testing.assert_array_equal(flat, is_redrawn)
    colors = to_uint8(batch["images"][is_redrawn][:, 0, 0, 0])
    assert set(colors.tolist()) == {10, 20, 30, 40}
    # The targets are windows of the same picture, whole: on it are places and color together.
    for color, target, rows, columns in zip(
        colors, *(batch[name][is_redrawn] for name in ("target", "rows", "columns")), strict=True
    ):
        slopes = truths[0 if color < 25 else 1].slopes
        y, x = (at.mean(axis=-1) / SIZE - 0.5 for at in (rows, columns))
        means = target[..., :3].mean(axis=(1, 2))
        ways = [np.stack([np.ones_like(x), sign * x, y], axis=-1) @ slopes.T for sign in (1, -1)]
        errors = [np.abs(np.sort(way) - np.sort(means)).max() for way in ways]  # channels may be permuted
        assert min(errors) < 1e-4


def test_of_larger_redrawings_the_input_is_a_window():
    """Of gradients, redrawn without change at twice the size: what the input's plane says of the target's
    places is the target, and the plane is half as steep as that of a whole picture."""
    truths = [Gradient(i) for i in range(4)]
    redrawn = np.stack([to_uint8(truth.window(0, 0, 1, 2 * SIZE)[..., :3]) for truth in truths])[:, None]
    batch = pipeline(truths, redrawn=redrawn, redrawn_level=0.3, batch_size=120).batch(0)
    x, y = np.meshgrid(np.arange(SIZE) + 0.5, np.arange(SIZE) + 0.5)
    terms = np.stack([np.ones(SIZE**2), x.ravel(), y.ravel()], axis=-1)
    middles = []
    for i in np.flatnonzero(batch["noise_level"] == np.float32(0.3)):
        plane = np.linalg.lstsq(terms, batch["images"][i].reshape(-1, 3), rcond=None)[0]
        columns, rows = batch["columns"][i, :, None, :, None], batch["rows"][i, :, :, None, None]
        np.testing.assert_allclose(
            batch["target"][i, ..., :3], plane[0] + columns * plane[1] + rows * plane[2], atol=0.02
        )
        steepness = {round(float(np.abs(truth.slopes[:, 1]).max()) / (2 * SIZE), 3) for truth in truths}
        assert min(abs(np.abs(plane[1]).max() - one) for one in steepness) < 2e-3
        middles.append(plane[0].round(1).tolist())
    assert len(middles) > 15 and len({tuple(middle) for middle in middles}) > 8  # places differ


def test_noise_is_as_strong_as_its_level():
    picture = np.full((100, 100, 3), 0.1)
    for level in (0.02, 0.16):
        noise = degrade(picture, level, np.random.default_rng(0)) - picture
        assert noise.std() == pytest.approx(level, rel=0.02) and abs(noise.mean()) < 0.01 * level
    assert np.abs(degrade(picture + 0.8, 0.5, np.random.default_rng(0))).max() == 1


def test_half_are_blurred_by_a_binomial_filter():
    picture = np.random.default_rng(0).uniform(-1, 1, (9, 7, 3))
    kernel = np.outer([1, 2, 1], [1, 2, 1])[..., None] / 16
    change = convolve(picture, kernel, mode="nearest") - picture
    shares = []
    for seed in range(200):
        found = degrade(picture, 0.0, np.random.default_rng(seed)) - picture
        shares.append(np.sum(found * change) / np.sum(change**2))
        np.testing.assert_allclose(found, shares[-1] * change, atol=1e-12)
    shares = np.array(shares)
    assert 0.4 < (shares == 0).mean() < 0.6 and shares.min() == 0 and 0.6 < shares.max() <= 0.7


def test_windows_have_an_edge_in_them():
    picture = np.full((16, 16, 3), -1.0)
    picture[:, 11:] = 1
    rng = np.random.default_rng(0)
    found = np.array([window_on_edge(picture, 3.0, rng) for _ in range(300)])
    assert found.shape == (300, 2) and found.min() >= 0 and found.max() <= 13
    across = (found[:, 0] < 11) & (found[:, 0] + 3 > 11)
    assert across.mean() > 0.7
    assert found[:, 1].min() < 1 and found[:, 1].max() > 12  # anywhere along it
    np.testing.assert_array_equal(window_on_edge(picture, 16.0, rng), [0, 0])


def test_targets_show_an_edge_that_the_input_has():
    pixels = np.zeros((512, 512, 3), "uint8")
    pixels[:, 384:] = 255
    batch = pipeline([RasterPicture(pixels)], batch_size=200, num_windows=4).batch(0)
    seen = (batch["noise_level"] == 0) & (np.ptp(batch["images"], axis=(1, 2, 3)) > 1.9)
    assert seen.sum() > 40
    shows = np.ptp(batch["target"][seen][..., :3], axis=(2, 3, 4)) > 1.9
    assert shows.mean() > 0.4  # by chance, with these scales, a fifth of the windows would


def test_a_mirror_changes_places_of_columns_alone():
    truth = Gradient(1)
    middles = (np.arange(16) + 0.5) / 8
    example = {
        "images": truth.window(0.0, 0.0, 1.0, SIZE)[..., :3],
        "target": truth.window(0.5, 0.25, 0.25, 16)[None],
        "rows": 2 + middles[None],
        "columns": 4 + middles[None],
        "scale": np.float32([8]),
    }
    found = mirrored(example, SIZE)
    np.testing.assert_array_equal(found["images"], example["images"][:, ::-1])
    np.testing.assert_array_equal(found["target"][0], example["target"][0, :, ::-1])
    np.testing.assert_allclose(found["columns"], 2 + middles[None])  # 4 to 6 of 8 is 2 to 4 in a mirror
    assert found["rows"] is example["rows"] and found["scale"] is example["scale"]


def test_a_fingerprint_tells_truths_and_redrawings():
    svg = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 8 8"><rect width="{}" height="4"/></svg>'
    redrawn = np.zeros((1, 1, SIZE, SIZE, 3), "uint8")
    data = data_of([Gradient(0)])

    def fingerprint(truth, redrawn=None):
        return RenderingPipeline(data, [truth], redrawn).fingerprint()

    kinds = [
        fingerprint(RasterPicture(np.zeros((8, 8, 3), "uint8"))),
        fingerprint(RasterPicture(np.ones((8, 8, 3), "uint8"))),
        fingerprint(VectorPicture(svg.format(4))),
        fingerprint(VectorPicture(svg.format(5))),
        fingerprint(VectorPicture(svg.format(4)), redrawn),
        fingerprint(VectorPicture(svg.format(4)), redrawn.repeat(2, axis=1)),
    ]
    assert all(a != b for i, a in enumerate(kinds) for b in kinds[:i])
    assert kinds[2] == fingerprint(VectorPicture(svg.format(4)))
    # A network made the redrawings, not to the last bit the same at each start.
    assert kinds[4] == fingerprint(VectorPicture(svg.format(4)), redrawn + 1)
    assert kinds[2]["pictures"] == kinds[4]["pictures"] and kinds[2]["truths"] == kinds[4]["truths"]


def test_each_picture_must_have_a_truth():
    with pytest.raises(ValueError, match="there are 3 pictures and 2 truths"):
        RenderingPipeline(data_of([Gradient(i) for i in range(3)]), rasters(2))


def test_redrawings_are_no_smaller_than_pictures():
    with pytest.raises(ValueError, match="redrawings of 4 pixels are smaller than pictures of 8"):
        RenderingPipeline(data_of(rasters()), rasters(), np.zeros((1, 1, 4, 4, 3), "uint8"))
