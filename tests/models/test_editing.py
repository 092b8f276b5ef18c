import numpy as np
import pytest
from tiny_diffusion import tiny_unclip_generator
from tiny_diffusion import tiny_unet

from keras_t2i.diffusion import from_config
from keras_t2i.models import DiffusionStage
from keras_t2i.models import Generator
from keras_t2i.models import Prior
from keras_t2i.models import PriorStage
from keras_t2i.models import TextToImageBackbone
from keras_t2i.models.stages.sampling import Draw
from keras_t2i.models.stages.sampling import noise_of
from keras_t2i.utils.embeddings import l2_normalize
from keras_t2i.utils.embeddings import slerp
from keras_t2i.utils.images import to_float
from keras_t2i.utils.images import to_uint8

PROMPTS = ["a red apple", "a green apple", "clock face: five-thirty"]
SPREAD = 0.15


@pytest.fixture(scope="module")
def generator():
    return tiny_unclip_generator()


def picture(seed):
    smooth = np.random.default_rng(seed).uniform(-0.4, 0.4, (2, 2, 3)).repeat(4, 0).repeat(4, 1)
    return to_uint8(smooth + np.random.default_rng(seed + 50).uniform(-0.1, 0.1, (8, 8, 3)))


class Normal:
    """In place of a U-Net: exact if pictures of an image concept are normal around a mean that it says.

    The probability-flow ODE then is closed form: the picture is mean + SPREAD noise. With no concept the mean
    is 0. Words count for nothing.
    """

    def __init__(self, stage):
        self.process, self.calls = from_config(stage.process), []
        self.matrix = np.random.default_rng(9).standard_normal((32, 192)) * 0.2

    def mean(self, codes):
        return (codes @ self.matrix).reshape(-1, 8, 8, 3)

    def predict_on_batch(self, inputs):
        self.calls.append(inputs)
        t = float(self.process.time_of_log_snr(np.float64(inputs["log_snr"][0])))
        alpha, sigma = float(self.process.alpha(t)), float(self.process.sigma(t))
        x = inputs["images"].astype("float64") / float(self.process.c_in(t, 0.5))
        given = inputs["image_condition_mask"][:, None]
        mean = self.mean(inputs["image_code"] * given)
        gain = alpha * SPREAD**2 / (alpha**2 * SPREAD**2 + sigma**2)
        return (mean + gain * (x - alpha * mean)).astype("float32")


@pytest.fixture
def exact(generator, monkeypatch):
    unet = Normal(generator.base)
    monkeypatch.setattr(generator.base.unet, "predict_on_batch", unet.predict_on_batch)
    return unet


def psnr(found, expected):
    assert found.shape == expected.shape and found.dtype == np.uint8
    error = np.square(found.astype(float) - expected).mean()
    return 10 * np.log10(255**2 / max(error, 1e-9))


def test_slerp():
    a, b = l2_normalize(np.random.default_rng(0).standard_normal((2, 7)))
    fractions = np.linspace(0, 1, 5)
    points = slerp(a, b, fractions)
    np.testing.assert_allclose(points[[0, -1]], [a, b], atol=1e-6)
    np.testing.assert_allclose(np.linalg.norm(points, axis=1), 1, atol=1e-6)
    angle = np.arccos(a @ b)
    np.testing.assert_allclose(np.arccos(points @ a)[1:], fractions[1:] * angle, atol=1e-5)
    rank = np.linalg.matrix_rank(np.stack([a, b, *points]), tol=1e-4)
    assert rank == 2  # on the plane of the two
    np.testing.assert_allclose(slerp(a, a, 0.3), a, atol=1e-6)
    grids = np.random.default_rng(1).standard_normal((2, 3, 4))
    np.testing.assert_allclose(slerp(*grids, [0, 1]), grids, atol=1e-6)
    assert slerp(*grids, 0.5).shape == (3, 4)


def test_concepts_are_drawn(generator, exact):
    codes, noise = generator.encode_image([picture(0), picture(1)]), np.zeros((2, 8, 8, 3))
    means = to_uint8(exact.mean(codes))
    drawn = generator.decode(3 * codes, noise=noise, guidance_scale=1)
    assert np.abs(drawn.astype(int) - means).max() <= 1
    assert all(
        not call["condition_mask"].any() and call["image_condition_mask"].all() for call in exact.calls
    )
    # Guidance goes away from what is drawn with no concept, whose mean is 0.
    drawn = generator.decode(codes, noise=noise, guidance_scale=2)
    assert np.abs(drawn.astype(int) - to_uint8(np.clip(2 * exact.mean(codes), -1, 1))).max() <= 1
    seeded = generator.decode(codes, seed=5, num_steps=30, sampler="heun", guidance_scale=1)
    noise = noise_of([Draw(5), Draw(6)], (8, 8, 3))
    assert np.abs(seeded.astype(int) - to_uint8(exact.mean(codes) + SPREAD * noise)).max() <= 2


def test_variations_share_the_concept(generator, exact):
    found = generator.variations(picture(0), n=5, seed=3, num_steps=30, sampler="heun", guidance_scale=1)
    mean = exact.mean(generator.encode_image(picture(0)[None]))
    for i in range(5):
        expected = to_uint8(mean[0] + SPREAD * noise_of([Draw(3 + i)], (8, 8, 3))[0])
        assert np.abs(found[i].astype(int) - expected).max() <= 2
    again = generator.variations(picture(0), n=2, seed=4, num_steps=30, sampler="heun", guidance_scale=1)
    assert np.abs(again.astype(int) - found[1:3]).max() <= 1
    assert generator.variations(picture(0), n=2, seed=4, sampler="ddpm").shape == (2, 8, 8, 3)


@pytest.mark.parametrize("process", ["rectified_flow", "cosine"])
def test_inversion_finds_the_noise_and_the_picture_again(generator, exact, process, monkeypatch):
    monkeypatch.setattr(generator.base, "process", from_config(process).get_config())
    exact.process = from_config(process)
    pictures = np.stack([picture(0), picture(1), picture(2)])
    codes = generator.encode_image(pictures)
    noise = generator.invert(pictures, num_steps=64, batch_size=2)
    expected = (to_float(pictures) - exact.mean(codes)) / SPREAD
    assert np.abs(noise - expected).mean() < 0.1 * np.abs(expected).mean()
    quality = {}
    for steps in (16, 64):
        noise = generator.invert(pictures, num_steps=steps)
        back = generator.decode(codes, noise=noise, num_steps=steps, sampler="ddim", guidance_scale=1)
        quality[steps] = psnr(back, pictures)
    assert quality[64] > 40 and quality[64] >= quality[16] > 25
    one = generator.invert(pictures[0], num_steps=16)
    np.testing.assert_allclose(one, generator.invert(pictures[:1], num_steps=16), atol=1e-5)


def test_interpolation(generator, exact):
    a, b = picture(0), picture(1)
    path = generator.interpolate(a, b, n=5, num_steps=64)
    assert psnr(path[0], a) > 40 and psnr(path[-1], b) > 40
    codes = slerp(*generator.encode_image([a, b]), [0.25, 0.5, 0.75])
    noise = slerp(*generator.invert(np.stack([a, b]), num_steps=64), [0.25, 0.5, 0.75])
    expected = to_uint8(exact.mean(codes) + SPREAD * noise)
    assert psnr(path[1:-1], expected) > 30


def test_text_diff_turns_the_concept(generator, exact):
    a = picture(0)
    found = generator.text_diff(a, PROMPTS[0], PROMPTS[1], theta=(0, 0.5, 1), num_steps=64)
    assert psnr(found[0], a) > 40
    start, noise = generator.encode_image(a[None])[0], generator.invert(a, num_steps=64)
    before, after = generator.encode_text(PROMPTS[:2])
    codes = slerp(start, l2_normalize(after - before), [0.5, 1])
    assert psnr(found[1:], to_uint8(exact.mean(codes) + SPREAD * noise)) > 30
    one = generator.text_diff(a, PROMPTS[0], PROMPTS[1], theta=0.5, num_steps=64)
    assert one.shape == (8, 8, 3) and np.abs(one.astype(int) - found[1]).max() <= 1
    towards = generator.text_diff(a, "", PROMPTS[1], theta=1.0, num_steps=64)
    assert psnr(towards, to_uint8(exact.mean(after[None]) + SPREAD * noise)[0]) > 30


def test_words_become_an_image_concept_by_the_prior(generator, exact):
    texts = generator.encode_text(PROMPTS)
    generator.generate(PROMPTS, seed=7, guidance_scale=1)
    codes = generator.stage("image_embedding").sample_codes(texts, seed=7)
    for call in exact.calls:
        np.testing.assert_allclose(call["image_code"][:3], codes, atol=1e-5)
        np.testing.assert_allclose(call["text_code"][:3], texts, atol=1e-5)
        assert call["condition_mask"].all() and call["image_condition_mask"].all()
    assert np.abs(codes - texts).max() > 0.05
    exact.calls.clear()
    generator.generate({"prompts": PROMPTS[:2], "negative_prompts": ["a red car", ""]}, seed=7)
    car = generator.stage("image_embedding").sample_codes(generator.encode_text("a red car"), seed=7)
    for call in exact.calls:
        assert call["image_condition_mask"].tolist() == call["condition_mask"].tolist() == [1, 1, 1, 0]
        np.testing.assert_allclose(call["image_code"][[0, 2]], [codes[0], car[0]], atol=1e-5)
    exact.calls.clear()
    generator.generate(PROMPTS[0], seed=7, best_of=2, guidance_scale=1)
    candidates = exact.calls[0]["image_code"]
    np.testing.assert_allclose(candidates[0], codes[0], atol=1e-5)
    assert np.abs(candidates[1] - candidates[0]).max() > 0.01


def test_without_a_prior_and_without_words(monkeypatch):
    generator = tiny_unclip_generator(prior=False, with_text=False)
    exact = Normal(generator.base)
    monkeypatch.setattr(generator.base.unet, "predict_on_batch", exact.predict_on_batch)
    generator.generate(PROMPTS[:2], seed=0, guidance_scale=2)
    texts = generator.encode_text(PROMPTS[:2])
    for call in exact.calls:
        np.testing.assert_allclose(call["image_code"], np.concatenate([texts, texts]), atol=1e-5)
        assert not call["condition_mask"].any() and call["image_condition_mask"].tolist() == [1, 1, 0, 0]


def test_a_picture_does_not_depend_on_its_batch(generator):
    together = generator.generate(PROMPTS, seed=5, batch_size=2)
    for i, prompt in enumerate(PROMPTS):
        alone = generator.generate(prompt, seed=5 + i)
        assert np.abs(alone.astype(int) - together[i]).max() <= 1
    assert (generator.generate(PROMPTS[0], seed=6) != together[0]).any()


def test_inpainting_and_pictures_to_start_from(generator):
    mask = np.zeros((8, 8), bool)
    mask[2:6, 3:] = True
    drawn = generator.generate(PROMPTS[0], seed=0, image=picture(0), mask=mask)
    np.testing.assert_array_equal(drawn[~mask], picture(0)[~mask])
    assert (drawn[mask] != picture(0)[mask]).any()
    near = generator.generate(PROMPTS[0], seed=0, image=picture(0), strength=0.05, num_steps=1)
    assert near.shape == (8, 8, 3)
    assert generator.generate_frames(PROMPTS[0], seed=0).shape == (3, 8, 8, 3)


def test_presets(generator, tmp_path):
    generator.save_to_preset(tmp_path / "preset")
    expected = generator.generate(PROMPTS[0], seed=0)
    opened = Generator.from_preset(tmp_path / "preset")
    assert opened.backbone.get_config() == generator.backbone.get_config()
    assert len(opened.backbone.weights) == len(generator.backbone.weights)
    assert np.abs(opened.generate(PROMPTS[0], seed=0).astype(int) - expected).max() <= 1
    of = "image_embedding"
    prior = opened.stage(of).get_weights()
    for mine, its in zip(generator.stage(of).get_weights(), prior, strict=True):
        np.testing.assert_array_equal(mine, its)
    generator.base.save_to_preset(tmp_path / "stage")
    assert DiffusionStage.from_preset(tmp_path / "stage", num_steps=9, with_text=False).num_steps == 9
    with pytest.raises(TypeError, match="has no option 'num_stesp'"):
        DiffusionStage.from_preset(tmp_path / "stage", num_stesp=9)


def test_wrong_arguments_are_named(generator):
    text, prior = generator.stage("text"), generator.stage("image_embedding")
    with pytest.raises(ValueError, match="a prior makes image concepts, and this U-Net does not draw"):
        TextToImageBackbone([text, prior, DiffusionStage(tiny_unet())])
    with pytest.raises(ValueError, match="prior's concepts have 16 numbers, the dual encoder's 32"):
        small = PriorStage(Prior(16, width=8, blocks=1, condition_dim=8))
        TextToImageBackbone([text, small, generator.base])
    codes = generator.encode_text(PROMPTS)
    with pytest.raises(ValueError, match=r"concepts must be finite \(n, 32\)"):
        generator.decode(codes[:, :5])
    with pytest.raises(ValueError, match=r"noise must be \(3, 8, 8, 3\)"):
        generator.decode(codes, noise=np.zeros((2, 8, 8, 3)))
    with pytest.raises(ValueError, match="no sampler 'ddim_inversion'"):
        generator.decode(codes, sampler="ddim_inversion")
    with pytest.raises(ValueError, match=r"image must be uint8 \(h, w, 3\)"):
        generator.variations(np.zeros((9, 9), "uint8"))
    with pytest.raises(ValueError, match=r"theta must be in \[0, 1\]"):
        generator.text_diff(picture(0), "a red apple", "a green apple", theta=1.5)
    with pytest.raises(ValueError, match="have one concept"):
        generator.text_diff(picture(0), "a red apple", "a red apple")
    with pytest.raises(ValueError, match="n must be at least 1"):
        generator.interpolate(picture(0), picture(1), n=0)
