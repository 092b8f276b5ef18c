import keras
import numpy as np
import pytest
from keras import ops
from tiny_upsampler import new_upsampler
from tiny_upsampler import tiny_upsampler

from keras_t2i.models import Upsampler


@pytest.fixture(scope="module")
def network():
    return tiny_upsampler()


def inputs(h, w, n=1, seed=0, given=1.0):
    random = np.random.default_rng(seed)

    def normal(*shape):
        return random.standard_normal((n, *shape), dtype="float32")

    return {
        "images": normal(h, w, 3),
        "low_resolution": normal(h, w, 3),
        "noise_level": np.full(n, 0.1, "float32"),
        "log_snr": np.linspace(-1, 3, n, dtype="float32"),
        "text_code": normal(32),
        "text_tokens": normal(5, 8),
        "text_mask": np.ones((n, 5), "float32"),
        "condition_mask": np.full(n, given, "float32"),
    }


def said(network, given):
    return ops.convert_to_numpy(network(given))


def test_it_starts_as_the_enlarged_picture():
    given = inputs(16, 12)
    np.testing.assert_array_equal(said(new_upsampler(), given), given["low_resolution"])


@pytest.mark.parametrize("options", [{}, {"patch_size": 2}, {"filters": (8, 8, 8), "blocks": (1, 2, 1)}])
def test_a_pixel_depends_on_those_within_reach(options):
    """A change shows nowhere beyond it; and reach is not much more than that."""
    network = tiny_upsampler(**options)
    reach, stride = network.reach, network.stride
    assert reach % stride == 0
    side = 2 * reach + 4 * stride
    given = inputs(side, side)
    before, furthest = said(network, given), 0
    for place in (side // 2, side // 2 + stride - 1):  # the first and the last pixel of a place
        for name in ("images", "low_resolution"):
            changed = given[name].copy()
            changed[0, place, place] += 1e3
            differs = np.abs(said(network, {**given, name: changed}) - before).max(axis=(0, 3)) > 0
            rows, columns = np.nonzero(differs)
            furthest = max(furthest, np.abs(rows - place).max(), np.abs(columns - place).max())
    assert reach - 2 * stride < furthest <= reach


def test_a_window_is_drawn_as_the_whole_is(network):
    given, reach = inputs(64, 48), network.reach
    whole = said(network, given)
    window = {name: given[name][:, 10:52, 4:48] for name in ("images", "low_resolution")}
    part = said(network, given | window)
    inner = part[:, reach:-reach, reach:]  # to the border on the right, where both end
    np.testing.assert_allclose(inner, whole[:, 10 + reach : 52 - reach, 4 + reach :], atol=1e-4)
    assert np.abs(part - whole[:, 10:52, 4:48]).max() > 0.01  # without the margin it is not


def test_everything_given_matters(network):
    given = inputs(8, 8, 2)
    before = said(network, given)
    for name in set(given) - {"text_mask", "condition_mask"}:
        assert np.abs(said(network, given | {name: given[name] + 0.5}) - before).max() > 1e-4, name
    for name in ("text_mask", "condition_mask"):
        fewer = given[name].copy()
        fewer[..., 0] = 0
        assert np.abs(said(network, given | {name: fewer}) - before).max() > 1e-4, name


def test_a_caption_that_is_withheld_may_hold_anything(network):
    given = inputs(8, 8, given=0.0)
    other = {
        **given,
        **{name: 7 + given[name] for name in ("text_code", "text_tokens")},
        "text_mask": 0 * given["text_mask"],
    }
    np.testing.assert_allclose(said(network, other), said(network, given), atol=1e-5)


def test_examples_do_not_depend_on_their_batch(network):
    given = inputs(8, 12, 3)
    alone = {name: rows[1:2] for name, rows in given.items()}
    np.testing.assert_allclose(said(network, given)[1:2], said(network, alone), atol=1e-5)


def test_bfloat16_is_close():
    wide, narrow = tiny_upsampler(), tiny_upsampler(dtype="mixed_bfloat16")
    given = inputs(16, 16)
    exact, rounded = said(wide, given), said(narrow, given)
    assert rounded.dtype == "float32"
    change = exact - given["low_resolution"]
    assert 0 < np.linalg.norm(exact - rounded) < 0.1 * np.linalg.norm(change)


def test_config_and_preset(network, tmp_path):
    again = Upsampler.from_config(network.get_config())
    assert again.get_config() == network.get_config() and again.count_params() == network.count_params()
    network.save_to_preset(tmp_path / "preset")
    given = inputs(8, 8)
    stored = Upsampler.from_preset(tmp_path / "preset")
    np.testing.assert_allclose(said(stored, given), said(network, given), atol=1e-6)


def test_adapting_measures_how_captions_differ():
    network, random = new_upsampler(), np.random.default_rng(0)
    codes, tokens = (random.standard_normal((64, d)) @ np.diag(np.arange(d)) for d in (32, 8))
    network.adapt(codes, tokens)
    whitened = ops.convert_to_numpy(network.get_layer("text_code_whitening")(codes.astype("float32")))
    assert whitened.std(axis=0).max() < 1.1
    with pytest.raises(ValueError, match="image_codes must be given if"):
        network.adapt(codes, tokens, codes)


@pytest.mark.parametrize(
    "options, message",
    [
        ({"blocks": (1,)}, r"filters \(8, 8\) and blocks \(1,\) must name"),
        ({"blocks": (1, 0)}, "must name a number, 1 or more"),
        ({"factor": 1}, "factor must be 2 or more and patch_size 1 or more, got 1 and 1"),
        ({"patch_size": 0}, "got 2 and 0"),
        ({"filters": (8, 12)}, "the last level has 12 channels: make them a multiple of 8"),
    ],
)
def test_sizes_that_do_not_fit_are_named(options, message):
    with pytest.raises(ValueError, match=message):
        new_upsampler(**options)


def test_the_default_is_small():
    network = Upsampler()
    assert network.count_params() < 1.6e6 and (network.reach, network.stride) == (72, 8)
    assert keras.backend.standardize_dtype(network.output.dtype) == "float32"
