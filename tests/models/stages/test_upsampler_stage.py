import numpy as np
import pytest
from tiny import tiny_dual_encoder
from tiny_renderer import waves
from tiny_upsampler import new_upsampler
from tiny_upsampler import tiny_upsampler
from tiny_upsampler import tiny_upsampler_stage

from keras_t2i.diffusion import from_config
from keras_t2i.models import TextStage
from keras_t2i.models import UpsamplerStage
from keras_t2i.models.stages.sampling import Draw
from keras_t2i.models.stages.sampling import noise_of
from keras_t2i.utils.images import downsample
from keras_t2i.utils.images import enlarge

TEXT = TextStage(tiny_dual_encoder())
SHAPE = (20, 34)


@pytest.fixture(scope="module")
def stage():
    return tiny_upsampler_stage(guidance_scale=2.0)


def conditions(small):
    token_ids = np.arange(8 * len(small), dtype="int32").reshape(-1, 8)
    return {"text": TEXT.encode(token_ids), "image": small}


def pictures(n=2, shape=SHAPE):
    return np.stack([waves(*shape, seed) for seed in range(n)])


def drawn(stage, small, seed=3, **settings):
    return stage.sample(conditions(small), seed=seed, **settings)


def test_shapes_and_chance(stage):
    found = drawn(stage, pictures())
    assert found.shape == (2, 40, 68, 3) and found.dtype == "float32" and np.abs(found).max() <= 1
    np.testing.assert_array_equal(drawn(stage, pictures()), found)
    assert np.abs(drawn(stage, pictures(), seed=5) - found).max() > 0.1
    alone = drawn(stage, pictures()[:1])
    np.testing.assert_allclose(alone, found[:1], atol=1e-3)
    other = drawn(stage, 0.5 * pictures())
    assert np.abs(other - found).max() > 0.1


@pytest.mark.parametrize(
    "settings", [{}, {"guidance_scale": 1.0}, {"sampler": "ddpm"}, {"noise_level": 0.5, "num_steps": 6}]
)
def test_the_same_picture_whatever_the_tiles(stage, settings):
    """To 2/255 of the range; and it has no seams, for an error of the tiles would be largest at them."""
    whole = drawn(stage, pictures(), tile=256, **settings)
    for tile in (10, 15, 40):
        parts = drawn(stage, pictures(), tile=tile, **settings)
        assert np.abs(parts - whole).max() < 2 / 255, tile


def test_without_a_margin_tiles_would_be_seen(stage, monkeypatch):
    """What the margins are for: the test above is not passed by chance."""
    whole = drawn(stage, pictures(), tile=16)
    monkeypatch.setattr(type(stage.network), "reach", 0)
    cut = np.abs(drawn(stage, pictures(), tile=16) - whole).max(axis=(0, 3))
    assert cut.max() > 10 / 255
    assert cut[:, [15, 16, 31, 32]].mean() > 1.5 * cut[:, [7, 8, 23, 24]].mean()


def test_the_network_sees_windows_of_one_size(stage, monkeypatch):
    seen = []
    predict = type(stage.network).predict_on_batch

    def watched(network, inputs):
        seen.append(inputs["images"].shape)
        return predict(network, inputs)

    monkeypatch.setattr(type(stage.network), "predict_on_batch", watched)
    small, reach = pictures(1, (40, 50)), stage.network.reach
    drawn(stage, small, tile=20, num_steps=2, guidance_scale=1.0)
    assert set(seen) == {(1, 20 + 2 * reach, 20 + 2 * reach, 3)} and len(seen) == 2 * 4 * 5


class Exact:
    """In place of the network: the exact denoiser of pixels that are normal around the enlarged picture, with
    standard deviation `spread` (Karras et al. 2022, arXiv 2206.00364, appendix B.3)."""

    def __init__(self, stage, spread):
        self.process, self.spread, self.data_std = from_config(stage.process), spread, stage.data_std

    def predict_on_batch(self, inputs):
        t = float(self.process.time_of_log_snr(float(inputs["log_snr"][0])))
        alpha, sigma = float(self.process.alpha(t)), float(self.process.sigma(t))
        x, mean = inputs["images"] / self.process.c_in(t, self.data_std), inputs["low_resolution"]
        gain = alpha * self.spread**2 / (alpha**2 * self.spread**2 + sigma**2)
        return mean + gain * (x - alpha * mean)


@pytest.fixture
def exact(monkeypatch):
    """A function of a spread to a stage whose network is `Exact`."""

    def make(spread, **options):
        stage = tiny_upsampler_stage(noise_level=0.0, **options)
        replaced = Exact(stage, spread)
        monkeypatch.setattr(stage.network, "predict_on_batch", replaced.predict_on_batch)
        return stage

    return make


def test_an_exact_denoiser_draws_the_exact_picture(exact):
    """The flow turns each number of the noise into mean + spread * number."""
    spread, small = 0.05, 0.5 * pictures()
    noise = noise_of([Draw(3), Draw(4)], (40, 68, 3), purpose="large picture")
    expected = enlarge(small, 2) + spread * noise
    for tile in (16, 256):
        found = drawn(exact(spread), small, num_steps=64, tile=tile)
        np.testing.assert_allclose(found, expected, atol=0.01)
    few = np.abs(drawn(exact(spread), small, num_steps=4) - expected).mean()
    many = np.abs(drawn(exact(spread), small, num_steps=16) - expected).mean()
    assert many < 0.3 * few


def test_of_a_picture_that_is_certain_nothing_is_drawn_by_chance(exact):
    small = 0.5 * pictures()
    for options in ({}, {"num_steps": 1}, {"sampler": "ddpm", "num_steps": 8}):
        found = drawn(exact(0.0), small, **options)
        np.testing.assert_allclose(found, enlarge(small, 2), atol=2e-5)
        # Shrunk again it is the picture that was given.
        shrunk = np.stack([found[:, i::2, j::2] for i in (0, 1) for j in (0, 1)]).mean(axis=0)
        assert np.abs(shrunk - small).mean() < 0.05


def test_before_training_it_enlarges():
    stage = tiny_upsampler_stage(new_upsampler(), threshold=0.5)
    small = 0.4 * pictures()
    np.testing.assert_allclose(drawn(stage, small, noise_level=0.0), 2 * enlarge(small, 2), atol=1e-5)
    noisy = drawn(stage, small, noise_level=0.1) / 2
    noise = noise_of([Draw(3), Draw(4)], (*SHAPE, 3), purpose="small picture")
    np.testing.assert_allclose(noisy, enlarge(small + np.float32(0.1) * noise, 2), atol=1e-5)
    assert np.abs(noise - noise_of([Draw(3), Draw(4)], (*SHAPE, 3))).max() > 1  # the base has another


def test_guidance_goes_away_from_no_caption_or_a_negative_one(stage):
    small = pictures()
    plain, strong = (drawn(stage, small, guidance_scale=scale) for scale in (1.0, 4.0))
    assert np.abs(plain - strong).max() > 0.05
    nothing = conditions(small)
    nothing["text"]["condition_mask"] *= 0
    unguided = drawn(stage, small, guidance_scale=0.0)
    np.testing.assert_allclose(stage.sample(nothing, seed=3, guidance_scale=1.0), unguided, atol=1e-4)
    same = {"text": conditions(small)["text"]}
    away = stage.sample(conditions(small), seed=3, guidance_scale=4.0, unconditional=same)
    np.testing.assert_allclose(away, plain, atol=1e-3)


def test_preset(stage, tmp_path):
    stage.save_to_preset(tmp_path / "preset")
    again = UpsamplerStage.from_preset(tmp_path / "preset")
    assert again.get_config() == stage.get_config()
    np.testing.assert_allclose(drawn(again, pictures()), drawn(stage, pictures()), atol=1e-4)


def test_wrong_numbers_are_named(stage):
    for options, message in (
        ({"num_steps": 0}, "num_steps"),
        ({"sampler": "magic"}, "no sampler 'magic'"),
        ({"guidance_scale": -1}, "guidance_scale must be 0 or more"),
        ({"noise_level": -0.1}, "noise_level must be in \\[0, 1\\], got -0.1"),
        ({"tile": 0}, "tile"),
    ):
        with pytest.raises(ValueError, match=message):
            drawn(stage, pictures(), **options)
    with pytest.raises(TypeError, match="strength"):
        drawn(stage, pictures(), strength=1)
    for options, message in (
        ({"process": "fog"}, "no process 'fog'"),
        ({"process": "indi"}, "in which 'indi' does not end"),
        ({"threshold": 0}, "threshold must be in"),
        ({"noise_level": 2}, "noise_level must be in"),
    ):
        with pytest.raises(ValueError, match=message):
            tiny_upsampler_stage(**options)


def test_sides_that_cannot_be_cut_are_named():
    stage = tiny_upsampler_stage(tiny_upsampler(patch_size=2))
    with pytest.raises(ValueError, match="5 x 6 pixels, 2 times as large, cannot be cut into blocks of 4"):
        drawn(stage, pictures(1, (5, 6)))


def test_enlarged_means_are_the_small_picture():
    small = pictures(1, (16, 16))
    assert np.abs(downsample(enlarge(small, 4), 16) - small).mean() < 0.05
    flat = np.full((1, 3, 5, 2), 0.25, "float32")
    np.testing.assert_allclose(enlarge(flat, 3), np.full((1, 9, 15, 2), 0.25), atol=1e-6)
