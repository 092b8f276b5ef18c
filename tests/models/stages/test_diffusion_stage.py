import itertools

import keras
import numpy as np
import pytest
from PIL import Image
from tiny_diffusion import filled
from tiny_diffusion import tiny_diffusion_generator
from tiny_diffusion import tiny_unet

from keras_t2i.diffusion import EmpiricalDenoiser
from keras_t2i.diffusion import Parameterization
from keras_t2i.diffusion import from_config
from keras_t2i.models import DiffusionStage
from keras_t2i.models import Generator
from keras_t2i.models import LatentDecoder
from keras_t2i.models import TextStage
from keras_t2i.models import TextToImageBackbone
from keras_t2i.models.editing import encode_start
from keras_t2i.models.stages.denoising import sampler_names
from keras_t2i.models.stages.sampling import Draw
from keras_t2i.models.stages.sampling import noise_of
from keras_t2i.models.stages.text import negative_conditions
from keras_t2i.models.stages.text import text_conditions
from keras_t2i.utils.batching import predict_in_batches
from keras_t2i.utils.gif import save_frames
from keras_t2i.utils.images import make_grid
from keras_t2i.utils.images import to_float
from keras_t2i.utils.images import to_uint8
from keras_t2i_runtime.smoothing import smoothed

PROMPTS = ["a red apple", "a green apple", "clock face: five-thirty"]


@pytest.fixture(scope="module")
def generator():
    return tiny_diffusion_generator()


@pytest.fixture(scope="module")
def picture():
    rows, columns = np.mgrid[:8, :8]
    return np.stack([rows * 30, columns * 30, 255 - rows * columns * 5], -1).astype("uint8")


class Exact:
    """In place of a U-Net: knows the picture that each caption means, and says what is asked for exactly.

    Without the caption it knows both pictures: the exact denoiser of the two.
    """

    def __init__(self, stage, pictures, codes):
        self.stage, self.process = stage, from_config(stage.process)
        self.images, self.codes, self.calls = to_float(pictures), codes, []

    def predict_on_batch(self, inputs):
        t = float(self.process.time_of_log_snr(np.float64(inputs["log_snr"][0])))
        x = inputs["images"] / np.float32(self.process.c_in(t, self.stage.data_std))
        self.calls.append(inputs["condition_mask"].tolist())
        which = (inputs["text_code"] @ self.codes.T).argmax(1)
        both = EmpiricalDenoiser(self.images, self.process)(x.astype("float64"), t)
        told = inputs["condition_mask"].reshape(-1, 1, 1, 1) > 0.5
        x0 = np.where(told, self.images[which], both)
        return (
            Parameterization("x0", self.process)
            .convert(x0, x, t, self.stage.parameterization)
            .astype("float32")
        )


@pytest.fixture
def exact(generator, picture, monkeypatch):
    """A function: the generator with an exact U-Net of two pictures, for a process and a parameterization."""

    def make(process="rectified_flow", parameterization="x0"):
        stage = generator.base
        monkeypatch.setattr(stage, "process", from_config(process).get_config())
        monkeypatch.setattr(stage, "parameterization", parameterization)
        pictures = np.stack([picture, 255 - picture])
        unet = Exact(stage, pictures, generator.encode_text(PROMPTS[:2]))
        monkeypatch.setattr(stage.unet, "predict_on_batch", lambda inputs: unet.predict_on_batch(inputs))
        return pictures, unet

    return make


def nearly(found, expected, within=1):
    assert found.shape == expected.shape
    assert np.abs(found.astype(int) - expected.astype(int)).max() <= within


def test_shapes(generator):
    one = generator.generate("a red apple", seed=0)
    assert one.shape == (8, 8, 3) and one.dtype == np.uint8 and one.std() > 5
    assert generator.generate(["a red apple"], seed=0).shape == (1, 8, 8, 3)
    assert generator.generate(PROMPTS, seed=0, num_images=2).shape == (6, 8, 8, 3)


def test_a_picture_does_not_depend_on_its_batch(generator):
    together = generator.generate(PROMPTS, seed=5, batch_size=2, sampler="ddpm")
    for i, prompt in enumerate(PROMPTS):
        nearly(generator.generate(prompt, seed=5 + i, sampler="ddpm"), together[i])
    several = generator.generate(PROMPTS[0], seed=5, num_images=3, sampler="ddpm")
    nearly(several[0], together[0])
    assert (several[0] != several[1]).any()
    nearly(generator.generate([PROMPTS[0]] * 2, seed=[7, 6], sampler="ddpm"), several[[2, 1]])


def test_a_preset_of_few_steps_has_times_of_its_own_and_the_same_picture_for_a_seed(monkeypatch):
    """What the sampler of consistency models draws at 3 steps, by hand; and the times are stored."""
    few = tiny_diffusion_generator(sampler="consistency", power=2.0, guidance_scale=1.0)
    base = few.base
    np.testing.assert_allclose(base.times(4), [1, 0.5625, 0.25, 0.0625, 0])
    np.testing.assert_allclose(base.times(2, start=0.81), [0.81, 0.2025, 0], atol=1e-12)
    assert type(base).from_config(base.get_config()).power == 2.0
    assert tiny_diffusion_generator().base.times(2).tolist() == [1.0, 0.5, 0.0]
    asked, evaluate = [], base.denoiser().guided

    class Listening:
        def guided(self, *args, **options):
            denoise = evaluate(*args, **options)
            return lambda x, t: asked.append((x, t, x0 := denoise(x, t))) or x0

    monkeypatch.setattr(base, "denoiser", Listening)
    drawn = few.generate("a red apple", seed=4, num_steps=3)
    assert [t for _, t, _ in asked] == pytest.approx([1, 4 / 9, 1 / 9])
    for number, ((_, _, x0), (x, t, _)) in enumerate(itertools.pairwise(asked), 1):
        noise = noise_of([Draw(4)], (8, 8, 3), number)
        np.testing.assert_allclose(x[:1], (1 - t) * x0[:1] + t * noise, atol=1e-5)
    monkeypatch.undo()
    together = few.generate(["a red apple", "a green apple"], seed=4, num_steps=3)
    nearly(together[0], drawn)
    with pytest.raises(ValueError, match=r"power must be in \[0.1, 10\]"):
        tiny_diffusion_generator(power=0.05)


def test_times_by_a_schedule_are_stored():
    base = tiny_diffusion_generator(schedule="chebyshev").base
    again = type(base).from_config(base.get_config())
    for stage in (base, again):
        np.testing.assert_allclose(stage.times(3, start=0.8), [0.8, 0.6, 0.2, 0], atol=1e-12)
    with pytest.raises(ValueError, match="no schedule 'sway'"):
        tiny_diffusion_generator(schedule="sway")
    with pytest.raises(ValueError, match="power is of uniform times"):
        tiny_diffusion_generator(schedule="chebyshev", power=2.0)


@pytest.mark.parametrize("parameterization", ["x0", "epsilon", "v", "flow"])
def test_an_exact_network_draws_its_picture(generator, exact, parameterization):
    pictures, _ = exact(parameterization=parameterization)
    nearly(generator.generate(PROMPTS[:2], seed=0, num_steps=4, guidance_scale=1), pictures)


@pytest.mark.parametrize("process", ["cosine", "edm", "variance_exploding", "laplace"])
def test_other_processes(generator, exact, process):
    pictures, _ = exact(process)
    nearly(generator.generate(PROMPTS[:2], seed=0, num_steps=4, guidance_scale=1, sampler="ddim"), pictures)


@pytest.mark.parametrize("sampler", sampler_names())
def test_every_sampler(generator, exact, sampler):
    pictures, unet = exact()
    nearly(generator.generate(PROMPTS[:2], seed=0, sampler=sampler, guidance_scale=1), pictures)
    assert all(call == [1, 1] for call in unet.calls)


def test_what_is_nearly_white_is_shown_white(generator, exact, picture, monkeypatch):
    pictures, _ = exact()
    plain = {"seed": 0, "guidance_scale": 1}
    monkeypatch.setattr(generator.base, "threshold", 0.9)
    nearly(generator.generate(PROMPTS[:2], **plain), to_uint8(np.clip(to_float(pictures) / 0.9, -1, 1)))
    keep = np.zeros((8, 8), bool)
    keep[:, :4] = True
    drawn = generator.generate(PROMPTS[0], image=picture, mask=~keep, **plain)
    np.testing.assert_array_equal(drawn[keep], picture[keep])
    np.testing.assert_array_equal(encode_start(generator, to_float(pictures)), to_float(pictures))


def test_guidance_of_one_is_the_caption_alone(generator, exact):
    pictures, unet = exact()
    nearly(generator.generate(PROMPTS[:2], seed=0, guidance_scale=1), pictures)
    assert unet.calls == [[1, 1]] * 3
    nearly(generator.generate(PROMPTS[:2], seed=0, guidance_scale=1.5), pictures)
    assert unet.calls[3:] == [[1, 1, 0, 0]] * 3
    nearly(generator.generate(PROMPTS[:2], seed=0, guidance_scale=(1.5, -0.5, 3), num_steps=4), pictures)
    assert unet.calls[6:] == [[1, 1], [1, 1], [1, 1, 0, 0], [1, 1, 0, 0]]


def test_no_guidance_draws_either_picture(generator, exact):
    pictures, _ = exact()
    drawn = generator.generate([PROMPTS[0]] * 12, seed=0, num_steps=12, guidance_scale=0, sampler="ddim")
    distances = np.abs(drawn[:, None].astype(int) - pictures.astype(int)).max(axis=(2, 3, 4))
    assert distances.min(axis=1).max() <= 1 and set(distances.argmin(axis=1)) == {0, 1}


def denoise(generator, x, t, prompts, negatives=None, **options):
    encoder = generator.stage("text"), generator.preprocessor
    text, away = text_conditions(*encoder, prompts, 4), negative_conditions(*encoder, prompts, negatives, 4)
    return generator.base._guided(text, away, **options)(x, t)


def noise(seed):
    return noise_of([Draw(seed)], (8, 8, 3))[0]


def test_guidance_is_the_formula(generator):
    x = np.stack([noise(seed) for seed in range(3)])
    caption, nothing = (denoise(generator, x, 0.5, PROMPTS, scale=s) for s in (1, 0))
    assert np.abs(caption - nothing).max() > 0.01
    inside = (np.abs(caption) < 0.99) & (np.abs(nothing) < 0.99)  # the rest was clipped before
    guided = denoise(generator, x, 0.5, PROMPTS, scale=3)
    expected = np.clip(3 * caption - 2 * nothing, -1, 1)
    assert inside.mean() > 0.2
    np.testing.assert_allclose(guided[inside], expected[inside], atol=1e-4)
    # Only between two noise levels: t = 0.5 is logSNR 0.
    for interval, same in (((-1, 1), guided), ((0.1, 9), caption), ((-9, -0.1), caption)):
        found = denoise(generator, x, 0.5, PROMPTS, scale=3, interval=interval)
        np.testing.assert_array_equal(found, same)


def test_a_negative_prompt_takes_the_place_of_nothing(generator):
    x = np.stack([noise(seed) for seed in range(3)])
    away = ["a red car", "", "a green apple"]
    found = denoise(generator, x, 0.5, PROMPTS, away, scale=0)
    nothing = denoise(generator, x, 0.5, PROMPTS, scale=0)
    cars = denoise(generator, x, 0.5, ["a red car"] * 3, scale=1)
    np.testing.assert_allclose(found[0], cars[0], atol=1e-5)
    np.testing.assert_allclose(found[1], nothing[1], atol=1e-5)
    assert np.abs(found[0] - nothing[0]).max() > 0.01
    inputs = {"prompts": PROMPTS, "negative_prompts": away}
    pictures = generator.generate(inputs, seed=0, guidance_scale=3)
    assert inputs == {"prompts": PROMPTS, "negative_prompts": away}
    nearly(pictures[1], generator.generate(PROMPTS[1], seed=1, guidance_scale=3))
    assert (pictures[0] != generator.generate(PROMPTS[0], seed=0, guidance_scale=3)).any()
    for some in ("", None):
        both = {"prompts": PROMPTS[0], "negative_prompts": some}
        nearly(generator.generate(both, seed=0), generator.generate(PROMPTS[0], seed=0))


def test_autoguidance_goes_away_from_the_guide():
    generator = tiny_diffusion_generator(guide=True)
    x = np.stack([noise(seed) for seed in range(2)])
    weak = denoise(generator, x, 0.3, PROMPTS[:2], scale=0)
    text = text_conditions(generator.stage("text"), generator.preprocessor, PROMPTS[:2], 4)["text"]
    inputs = {
        "images": x * np.float32(from_config("rectified_flow").c_in(0.3, 0.5)),
        "log_snr": np.full(2, 2 * np.log(7 / 3), "float32"),
        **text,
    }
    expected = np.clip(np.asarray(generator.base.guide.predict_on_batch(inputs)), -1, 1)
    np.testing.assert_allclose(weak, expected, atol=1e-5)
    strong = denoise(generator, x, 0.3, PROMPTS[:2], scale=1)
    assert np.abs(weak - strong).max() > 0.01
    # A negative prompt is what is gone away from, by the network itself.
    cars = denoise(generator, x, 0.3, ["a red car"] * 2, scale=1)
    np.testing.assert_allclose(denoise(generator, x, 0.3, PROMPTS[:2], "a red car", scale=0), cars, atol=1e-5)


def test_rescale_takes_contrast_back(generator):
    x = np.stack([noise(seed) for seed in range(3)])
    contrast = {
        (scale, share): denoise(generator, x, 0.5, PROMPTS, scale=scale, rescale=share).std()
        for scale, share in ((1.0, 0.0), (8.0, 0.0), (8.0, 1.0))
    }
    assert contrast[8.0, 1.0] < contrast[8.0, 0.0]
    with pytest.raises(ValueError, match="rescale must be in"):
        generator.generate("a", rescale=2)


def test_smoothing_is_of_what_is_shown_and_of_nothing_on_the_way(generator, picture, tmp_path):
    conditions = text_conditions(generator.stage("text"), generator.preprocessor, PROMPTS, 4)
    drawn = generator.base.sample(conditions, seed=3)
    smooth = tiny_diffusion_generator(smoothing=0.4)
    wanted = smoothed(np.clip(drawn, -1, 1), 0.4)
    assert np.abs(wanted - drawn).max() > 0.05
    np.testing.assert_allclose(smooth.base.sample(conditions, seed=3), wanted, atol=1e-5)
    nearly(generator.generate(PROMPTS, seed=3, smoothing=0.4), to_uint8(wanted))
    smooth.save_to_preset(tmp_path / "preset")
    opened = Generator.from_preset(tmp_path / "preset")
    nearly(opened.generate(PROMPTS, seed=3), to_uint8(wanted))
    nearly(opened.generate(PROMPTS, seed=3, smoothing=0), to_uint8(drawn))
    frames = opened.generate_frames(PROMPTS[0], seed=3)
    np.testing.assert_array_equal(frames[-1], opened.generate(PROMPTS[0], seed=3))
    mask = np.zeros((8, 8), bool)
    mask[2:6, 3:] = True
    drawn = opened.generate("a red apple", seed=0, image=picture, mask=mask)
    np.testing.assert_array_equal(drawn[~mask], picture[~mask])
    with pytest.raises(ValueError, match="smoothing must be in"):
        generator.generate("a", smoothing=-0.1)
    with pytest.raises(ValueError, match="smoothing is of pixels"):
        tiny_diffusion_generator(latent=True).generate("a", smoothing=0.1)


def test_inpainting_keeps_the_known_pixels(generator, picture):
    mask = np.zeros((8, 8), bool)
    mask[2:6, 3:] = True
    for sampler in ("heun", "ddpm"):
        drawn = generator.generate(PROMPTS, seed=0, image=picture, mask=mask, sampler=sampler)
        for one in drawn:
            np.testing.assert_array_equal(one[~mask], picture[~mask])
            assert np.abs(one[mask].astype(int) - picture[mask]).max() > 20
    masks = np.stack([mask, ~mask])
    drawn = generator.generate(PROMPTS[:2], seed=0, image=picture, mask=masks.astype("float32"))
    for one, its_mask in zip(drawn, masks, strict=True):
        np.testing.assert_array_equal(one[~its_mask], picture[~its_mask])
    # Nothing of what is drawn anew is looked at, at strength 1.
    other = np.where(mask[..., None], 255 - picture, picture)
    drawn = (generator.generate("a car", seed=1, image=image, mask=mask) for image in (picture, other))
    np.testing.assert_array_equal(*drawn)


def test_the_network_sees_the_known_pixels_at_every_noise_level(generator, picture, exact):
    _, unet = exact()
    seen, predict = [], unet.predict_on_batch

    def record(inputs):
        t = float(unet.process.time_of_log_snr(np.float64(inputs["log_snr"][0])))
        seen.append((t, inputs["images"] / np.float32(unet.process.c_in(t, 0.5))))
        return predict(inputs)

    unet.predict_on_batch = record
    mask = np.arange(8)[:, None] * np.ones(8, int) > 3
    generator.generate(
        "a car", seed=1, image=picture, mask=mask, num_steps=5, sampler="ddim", guidance_scale=1
    )
    noise = noise_of([Draw(1)], (8, 8, 3))[0]
    assert [round(t, 6) for t, _ in seen] == [1, 0.8, 0.6, 0.4, 0.2]
    for t, x in seen:
        np.testing.assert_allclose(x[0][:4], ((1 - t) * to_float(picture) + t * noise)[:4], atol=1e-5)


def test_strength(generator, picture, monkeypatch):
    # A network that says nothing about the flow: noise stays as it is.
    monkeypatch.setattr(generator.base, "parameterization", "flow")
    unet = generator.base.unet
    weights = unet.get_weights()
    unet.set_weights([np.zeros_like(w) for w in weights])
    try:
        near = generator.generate("a car", seed=0, image=picture, strength=1e-3)
        far = generator.generate("a car", seed=0, image=picture, strength=0.5)
    finally:
        unet.set_weights(weights)
    nearly(near, picture)
    expected = 0.5 * to_float(picture) + 0.5 * noise(0)
    nearly(far, to_uint8(expected))
    several = np.stack([picture, 255 - picture])
    assert generator.generate(PROMPTS[0], num_images=2, seed=0, image=several).shape == (2, 8, 8, 3)
    # At strength 1 nothing of the picture is left.
    monkeypatch.undo()
    alone = generator.generate("a car", seed=0)
    nearly(generator.generate("a car", seed=0, image=picture, strength=1.0), alone)


def test_strength_with_an_exact_network(generator, picture, exact):
    pictures, _ = exact()
    drawn = generator.generate(PROMPTS[1], seed=0, image=picture, guidance_scale=1)
    nearly(drawn, pictures[1])


def test_steps_can_be_watched(generator):
    states = []
    pictures = generator.generate(PROMPTS, seed=0, num_steps=4, batch_size=2, callback=states.append)
    assert [(s.step, s.num_steps, s.first) for s in states] == [(i, 4, f) for f in (0, 2) for i in range(4)]
    assert [round(s.t, 3) for s in states[:4]] == [0.75, 0.5, 0.25, 0]
    assert [s.pictures.shape for s in states] == [(2, 8, 8, 3)] * 4 + [(1, 8, 8, 3)] * 4
    np.testing.assert_array_equal(np.concatenate([states[3].pictures, states[7].pictures]), pictures)
    assert (states[0].pictures != states[3].pictures).any()

    def stop(state):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        generator.generate("a car", callback=stop)


def test_progress(generator, capsys):
    generator.generate(PROMPTS, seed=0, num_steps=4, batch_size=2, progress=True)
    assert "8/8" in capsys.readouterr().err
    generator.generate(PROMPTS, seed=0)
    assert capsys.readouterr().err == ""


def test_frames(generator, tmp_path):
    frames = generator.generate_frames("a red apple", seed=3, num_steps=5)
    assert frames.shape == (5, 8, 8, 3)
    np.testing.assert_array_equal(frames[-1], generator.generate("a red apple", seed=3, num_steps=5))
    with pytest.raises(TypeError, match="one prompt"):
        generator.generate_frames(["a"])
    with pytest.raises(TypeError, match="no best_of"):
        generator.generate_frames("a", best_of=2)

    file = save_frames(frames, tmp_path / "new" / "a.gif", scale=2, milliseconds=50, hold=700)
    assert [p.name for p in file.parent.iterdir()] == ["a.gif"]
    with Image.open(file) as gif:
        assert gif.n_frames == 5 and gif.size == (16, 16) and gif.info["loop"] == 0
        durations = []
        for i in range(5):
            gif.seek(i)
            durations.append(gif.info["duration"])
            shown = np.asarray(gif.convert("RGB"))[::2, ::2].astype(int)
            assert np.abs(shown - frames[i]).mean() < 12  # 256 colours for all frames
        assert durations == [50] * 4 + [700]
    strip = np.asarray(Image.open(save_frames(frames, tmp_path / "a.png", scale=1)))
    np.testing.assert_array_equal(strip, make_grid(frames, columns=5))
    with pytest.raises(ValueError, match=r"\.gif or \.png"):
        save_frames(frames, tmp_path / "a.jpg")
    with pytest.raises(ValueError, match="uint8"):
        save_frames(frames[:0], tmp_path / "b.gif")
    assert not (tmp_path / "b.gif").exists()


def test_best_of_keeps_what_rank_puts_first(generator):
    seen = []
    best = generator.generate(
        "a red apple", seed=7, best_of=4, callback=lambda state: seen.append(state.pictures)
    )
    order, _ = generator.rank(seen[-1], "a red apple")
    assert len(seen[-1]) == 4
    nearly(best, seen[-1][order[0]])


@pytest.mark.skipif(keras.config.backend() == "torch", reason="compiles nothing")
def test_nothing_compiles_anew(generator, monkeypatch):
    """Steps, samplers and guidance may change: a network is traced once for a size of batch."""
    generator.generate("a car", seed=0, guidance_scale=(2, -2, 1))  # looks with and without guidance
    head, traced = generator.base.unet.get_layer("head"), []
    call = head.call
    monkeypatch.setattr(head, "call", lambda *args, **kwargs: traced.append(1) or call(*args, **kwargs))
    for options in ({"num_steps": 7}, {"sampler": "heun"}, {"guidance_scale": 5}, {"guidance_scale": 1}):
        generator.generate("a car", seed=0, **options)
    assert traced == []
    generator.base.unet.predict_function = None
    generator.generate("a car", seed=0)
    assert traced  # that is how compiling would have shown


def test_latents(picture):
    generator = tiny_diffusion_generator(latent=True)
    assert generator.latent_shape == (None, 4, 4, 2) and generator.image_size == 8
    drawn = generator.generate(PROMPTS, seed=0)
    assert drawn.shape == (3, 8, 8, 3)
    mask = np.zeros((8, 8), bool)
    mask[:3, :3] = True  # cuts through blocks of the latent grid
    drawn = generator.generate(PROMPTS, seed=0, image=picture, mask=mask)
    for one in drawn:
        np.testing.assert_array_equal(one[~mask], picture[~mask])
    latents = encode_start(generator, to_float(picture[None]))
    decoder = generator.stage("image")
    expected = predict_in_batches(decoder.autoencoder, to_float(picture[None]), 1)
    found = decoder.sample({"latent": latents}, seed=0)
    np.testing.assert_allclose(found, expected, atol=1e-5)


@pytest.mark.parametrize("latent, guide", [(False, False), (True, True)])
def test_presets(latent, guide, tmp_path, picture):
    options = {"process": {"name": "edm", "sigma_max": 20.0}, "parameterization": "v", "sampler": "heun"}
    generator = tiny_diffusion_generator(guide, latent, data_std=0.7, guidance_scale=1.5, **options)
    expected = generator.generate("a red apple", seed=0)
    generator.save_to_preset(tmp_path / "preset")
    opened = Generator.from_preset(tmp_path / "preset")
    assert type(opened) is Generator
    assert opened.backbone.get_config() == generator.backbone.get_config()
    assert opened.backbone.count_params() == generator.backbone.count_params()
    nearly(opened.generate("a red apple", seed=0), expected)
    assert opened.base.process == {"name": "edm", "sigma_max": 20.0} and opened.base.num_steps == 3
    tiny = tiny_unet().count_params()
    assert (opened.base.guide is not None) == guide and opened.backbone.count_params() > tiny
    assert (opened.stage("latent") is not None) == latent


@pytest.mark.parametrize(
    "options, error, message",
    [
        ({"num_steps": 0}, ValueError, "num_steps must be at least 1"),
        ({"num_steps": 2.5}, TypeError, "num_steps must be an int"),
        ({"sampler": "magic"}, ValueError, "no sampler 'magic'; there are .*ddim.*heun"),
        ({"sampler": "ddim_inversion"}, ValueError, "no sampler 'ddim_inversion'"),
        ({"guidance_scale": -1}, ValueError, "guidance_scale must be 0 or more"),
        ({"guidance_scale": float("nan")}, ValueError, "guidance_scale"),
        ({"guidance_scale": (2, 1)}, ValueError, "lowest logSNR, highest logSNR"),
        ({"guidance_scale": (2, 3, 1)}, ValueError, "lowest logSNR, highest logSNR"),
        ({"guidance_scale": "much"}, TypeError, "guidance_scale must be a number"),
        ({"strength": 0.5}, ValueError, "need image="),
        ({"mask": np.ones((8, 8))}, ValueError, "need image="),
        ({"image": np.zeros((8, 8, 3), "uint8"), "strength": 0}, ValueError, "strength must be above 0"),
        ({"image": np.zeros((8, 8, 3), "uint8"), "strength": 1.1}, ValueError, "at most 1"),
        ({"image": np.zeros((9, 8, 4), "uint8")}, ValueError, r"image must be uint8 \(h, w, 3\)"),
        ({"image": np.zeros((8, 8, 3))}, ValueError, "float64"),
        (
            {"image": np.zeros((8, 8, 3), "uint8"), "mask": np.ones((8, 8, 3))},
            ValueError,
            "mask must be bool",
        ),
        ({"image": np.zeros((8, 8, 3), "uint8"), "mask": np.full((8, 8), 255)}, ValueError, "0 and 1"),
        ({"best_of": 0}, ValueError, "best_of"),
        ({"batch_size": 0}, ValueError, "batch_size"),
        ({"seed": [1, 2]}, ValueError, "2 seeds for 1 pictures"),
        ({"temperature": 2.0}, TypeError, "temperature"),
    ],
)
def test_wrong_options(generator, options, error, message):
    with pytest.raises(error, match=message):
        generator.generate("a car", **options)


@pytest.mark.parametrize(
    "inputs, error, message",
    [
        (["a", "  "], ValueError, "Caption 1 is empty"),
        ([], ValueError, "no prompt"),
        ({"negative_prompts": "a"}, ValueError, "perhaps 'negative_prompts'"),
        ({"prompts": "a", "seed": 1}, ValueError, "perhaps 'negative_prompts'"),
        ({"prompts": ["a", "b"], "negative_prompts": ["a"]}, ValueError, "1 negative prompts for 2 prompts"),
        ({"prompts": ["a"], "negative_prompts": [None]}, TypeError, "Negative prompt 0 is not text"),
    ],
)
def test_wrong_prompts(generator, inputs, error, message):
    with pytest.raises(error, match=message):
        generator.generate(inputs)


def test_what_it_is_not(generator):
    with pytest.raises(NotImplementedError, match="draws from words"):
        generator.decode(np.zeros((1, 32)))
    assert generator.support_negative_prompts
    assert set(generator.sweeps) == {"num_steps", "guidance_scale"}


def test_parts_that_do_not_fit(generator):
    text, unet = generator.stage("text"), generator.base.unet
    cases = [
        (
            {"unet": tiny_unet(code_dim=16)},
            "have \\(32, 8\\) numbers, those that the U-Net takes \\(16, 8\\)",
        ),
        ({"unet": tiny_unet(channels=2)}, "2 channels needs an autoencoder"),
        ({"unet": tiny_unet(12)}, "12 pixels cannot be downsampled to the 8"),
        ({"unet": tiny_unet(concat_channels=3)}, "concat_channels=0"),
        ({"unet": unet, "guide": tiny_unet(16)}, "must take the same inputs"),
        ({"unet": unet, "sampler": "ddim_inversion"}, "no sampler 'ddim_inversion'"),
        ({"unet": unet, "parameterization": "truth"}, "no parameterization 'truth'"),
        ({"unet": unet, "process": "indi"}, "in which 'indi' does not end"),
        ({"unet": unet, "threshold": 0.0}, "threshold must be in \\(0, 1\\], got 0.0"),
        ({"unet": unet, "process": {"name": "edm", "colour": 1}}, "colour"),
    ]
    for options, message in cases:
        with pytest.raises(ValueError, match=message):
            TextToImageBackbone([text, DiffusionStage(**options)])
    decoder = tiny_diffusion_generator(latent=True).stage("image")
    with pytest.raises(ValueError, match="works on 192 numbers, the autoencoder's codes have 32"):
        TextToImageBackbone([text, DiffusionStage(unet, latent=True), LatentDecoder(decoder.autoencoder)])
    with pytest.raises(ValueError, match="LatentDecoder needs latent, which no stage produces"):
        TextToImageBackbone([text, decoder])


def test_larger_pictures_are_ranked_by_their_means(generator):
    twice = filled(tiny_unet(16))
    stages = [TextStage(generator.backbone.dual_encoder), DiffusionStage(twice)]
    large = Generator(TextToImageBackbone(stages), generator.preprocessor)
    pictures = np.random.default_rng(0).integers(0, 256, (2, 16, 16, 3), dtype="uint8")
    means = pictures.reshape(2, 8, 2, 8, 2, 3).mean(axis=(2, 4)) / 127.5 - 1
    codes = predict_in_batches(generator.backbone.dual_encoder.image_encoder, means.astype("float32"), 2)
    codes /= np.linalg.norm(codes, axis=1, keepdims=True)
    np.testing.assert_allclose(large.encode_image(pictures), codes, atol=1e-5)
