"""The lessons one after the other, on a person's own folder, as tiny as `--smoke` makes them."""

import importlib.util
import itertools
import json
import re
from pathlib import Path

import keras
import numpy as np
import pytest
from PIL import Image

from keras_t2i.models import VAE
from keras_t2i.models import ConvAutoencoder
from keras_t2i.models import DiffusionGenerator
from keras_t2i.models import DualEncoder
from keras_t2i.models import Generator
from keras_t2i.models import Prior
from keras_t2i.models import UnCLIPGenerator
from keras_t2i.utils.images import to_float

RECIPES = Path(__file__).parents[2] / "recipes"
TRAINING = [
    "train_autoencoder",
    "train_concepts",
    "train_decoder",
    "train_diffusion",
    "train_vae",
    "train_gan",
    "train_prior",
]
# The variants differ in no line that a backend runs in its own way.
once = pytest.mark.skipif(
    keras.config.backend() != "torch", reason="run on the backend that compiles nothing"
)


def recipe(name):
    spec = importlib.util.spec_from_file_location(name, RECIPES / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.main


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """24 pictures: a disc, square or bar of two colours and four places, each beside its captions."""
    folder = tmp_path_factory.mktemp("pictures")
    colours, places = {"red": (200, 0, 0), "blue": (0, 0, 200)}, ["top left", "top right", "left", "right"]
    rows, columns = np.mgrid[:16, :16] - 7.5
    shapes = {
        "disc": rows**2 + columns**2 < 40,
        "square": abs(rows) + 0 * columns < 6,
        "bar": abs(columns) < 2,
    }
    for (colour, rgb), (shape, inside), place in itertools.product(colours.items(), shapes.items(), places):
        picture = np.full((40, 40, 3), 255, dtype="uint8")
        top, left = (0 if "top" in place else 20), (0 if "left" in place else 20)
        picture[top : top + 16, left : left + 16][inside] = rgb
        name = f"{colour} {shape} {place}"
        Image.fromarray(picture).save(folder / f"{name}.png")
        (folder / f"{name}.txt").write_text(f"a {name}\na {shape} that is {colour}, {place}\n")
    return folder


@pytest.fixture(scope="module")
def run(folder, tmp_path_factory):
    """A function that runs a recipe once for all tests; the folder of its run."""
    runs, done = tmp_path_factory.mktemp("runs"), {}

    def run(name, *options):
        output = done.setdefault((name, options), runs / f"{len(done)} {name}")
        if not output.exists():
            with pytest.MonkeyPatch.context() as patch:
                patch.setenv("KERAS_T2I_CACHE", str(runs / "cache"))
                recipe(name)(["--smoke", "--data", str(folder), "--output", str(output), *options])
        return output

    return run


@pytest.fixture(scope="module")
def presets(run):
    """The presets of lessons 1 and 2."""
    autoencoder = run("train_autoencoder") / "preset"
    return str(autoencoder), str(run("train_concepts") / "preset")


@pytest.fixture(scope="module")
def decoder(run, presets):
    autoencoder, dual_encoder = presets
    return run("train_decoder", "--dual-encoder", dual_encoder, "--outside", autoencoder)


def check(output, picture):
    assert {p.name for p in output.iterdir()} == {"logs", "pictures", "state", "preset", picture}
    assert np.asarray(Image.open(output / picture)).ndim == 3
    assert (output / "pictures" / "epoch_0002.png").exists()
    assert json.loads((output / "state" / "settings.json").read_text())["smoke"] is True


def test_autoencoder(run, presets):
    check(run("train_autoencoder"), "reconstructions.png")
    network = ConvAutoencoder.from_preset(presets[0])
    pictures = np.random.default_rng(0).integers(0, 256, (2, 32, 32, 3), dtype="uint8")
    assert network.encoder.predict(to_float(pictures), verbose=0).shape == (2, 512)


def test_concepts(run, presets):
    check(run("train_concepts"), "retrieval.png")
    assert DualEncoder.from_preset(presets[1]).code_dim == 512


def test_decoder_and_generator(decoder, tmp_path):
    check(decoder, "drawings.png")
    pictures = Generator.from_preset(decoder / "preset").generate(["a red disc", "a blue bar"], seed=0)
    assert pictures.shape == (2, 32, 32, 3)
    command = ["a red disc", "--seed", "0", "--scale", "1", "--preset", str(decoder / "preset")]
    file = recipe("generate")([*command, "--output", str(tmp_path / "a.png")])
    np.testing.assert_array_equal(np.asarray(Image.open(file)), pictures[0])


def check_diffusion(output, frames=range(8, 17)):
    """`frames`: how many of the GIF's 16 may be left, as it joins those that are alike; `None`: any."""
    written = {"logs", "pictures", "state", "preset", "snapshots", "drawings.png", "evolution.gif"}
    assert {p.name for p in output.iterdir()} == written
    assert len(list((output / "pictures").iterdir())) == 2
    assert len(list((output / "snapshots").iterdir())) == 4
    with Image.open(output / "evolution.gif") as gif:
        assert frames is None or gif.n_frames in frames
    generator = Generator.from_preset(output / "preset")
    assert type(generator) is DiffusionGenerator
    pictures = generator.generate(["a red disc", "a blue bar"], seed=0, num_steps=2)
    assert pictures.shape == (2, 32, 32, 3)
    return generator.backbone


def test_diffusion(run, presets):
    backbone = check_diffusion(run("train_diffusion", "--dual-encoder", presets[1]))
    assert backbone.autoencoder is None and backbone.guide is None
    assert backbone.process == {"name": "rectified_flow"} and backbone.prediction == "x0"
    assert backbone.guidance_scale == 2.0


@once
def test_diffusion_goes_on_from_a_preset(run, presets):
    text = run("train_diffusion", "--dual-encoder", presets[1]) / "preset"
    options = ["--condition", "image_code", "--learning-rate", "1e-9"]
    output = run("train_diffusion", "--start", str(text), *options)
    ours, theirs = (Generator.from_preset(f).backbone for f in (output / "preset", text))
    assert ours.unet.image_code and not theirs.unet.image_code
    for part in ("text_encoder", "image_encoder"):
        pairs = [getattr(b.dual_encoder, part).get_weights() for b in (ours, theirs)]
        assert all((a == b).all() for a, b in zip(*pairs, strict=True))
    for layer in theirs.unet.layers:  # at such a rate nothing moves: it did start there
        pairs = zip(ours.unet.get_layer(layer.name).get_weights(), layer.get_weights(), strict=True)
        assert max((np.abs(a - b).max() for a, b in pairs), default=0) < 1e-3
    with pytest.raises(SystemExit, match="no diffusion generator"):
        run("train_diffusion", "--start", "generator_openmoji_32")


def test_prior(run, presets, capsys):
    output = run("train_prior", "--dual-encoder", presets[1])
    assert {p.name for p in output.iterdir()} == {"logs", "state", "preset"}
    table = capsys.readouterr().out
    for name in ("training captions", "unseen concepts"):
        for way in ("the text concept", "ridge regression", "the prior", "mean of 8 draws"):
            cosine, first = re.search(rf"{name}, {way}: .* (-?[\d.]+), ([\d.]+)\n", table).groups()
            assert -1 <= float(cosine) <= 1 and 0 <= float(first) <= 1
    prior = Prior.from_preset(output / "preset")
    assert prior.code_dim == 512 and prior.width == 16
    assert prior.sample(np.eye(512)[:2], seed=0).shape == (2, 512)


@once
def test_the_stages_of_unclip(run, presets, tmp_path):
    """The prior of lesson 7 before a decoder of image concepts."""
    options = ["--condition", "image_code", "--caption-dropout", "1", "--guide-at", "0.5"]
    decoder = run("train_diffusion", "--dual-encoder", presets[1], *options) / "preset"
    alone = Generator.from_preset(decoder)
    assert type(alone) is UnCLIPGenerator and alone.backbone.prior is None
    assert not alone.backbone.with_text and alone.backbone.guide.image_code
    output = run("train_prior", "--decoder", str(decoder))
    assert {p.name for p in output.iterdir()} == {"logs", "state", "preset", "generator", "drawings.png"}
    generator = Generator.from_stages(decoder=decoder, prior=output / "preset", text_encoder=presets[1])
    generator.save_to_preset(tmp_path / "whole")
    opened, saved = (Generator.from_preset(folder) for folder in (tmp_path / "whole", output / "generator"))
    drawn = [g.generate("a red disc", seed=0, num_steps=2) for g in (generator, opened, alone, saved)]
    np.testing.assert_array_equal(drawn[0], drawn[1])
    assert np.abs(drawn[0].astype(int) - drawn[3]).max() <= 3  # that prior went through float16 twice
    assert (drawn[0] != drawn[2]).any()
    with pytest.raises(SystemExit, match="draws no image concepts"):
        run("train_prior", "--decoder", "generator_openmoji_32")
    assert opened.variations(drawn[0], n=3, seed=0, num_steps=2).shape == (3, 32, 32, 3)


@once
def test_latent_diffusion_in_another_form(run, presets):
    options = ["--space", "latent", "--autoencoder", presets[0], "--dual-encoder", presets[1]]
    form = ["--process", "cosine", "--prediction", "v", "--weight", "min_snr", "--times", "uniform"]
    half = ["--precision", "mixed_bfloat16"]
    output = run("train_diffusion", *options, *form, "--guide-at", "0.5", "--guidance", "1.5", *half)
    backbone = check_diffusion(output)
    assert backbone.latent_shape == (None, 8, 8, 8) and backbone.image_size == 32
    assert backbone.process == {"name": "cosine", "offset": 0.008} and backbone.prediction == "v"
    assert backbone.guidance_scale == 1.5
    weights = zip(backbone.unet.get_weights(), backbone.guide.get_weights(), strict=True)
    assert max(np.abs(strong - weak).max() for strong, weak in weights) > 1e-4
    assert 0.3 < backbone.data_std < 3


def test_vae(run):
    options = ["--equivariance", "1", "--free-bits", "0.05", "--beta", "0.5"]
    output = run("train_vae", *options)
    check(output, "pictures.png")
    rows = np.asarray(Image.open(output / "pictures.png")).shape[0]
    assert rows == 3 * 3 * 32 + 2 * 2  # three rows of pictures three times as large, and two gaps
    network = VAE.from_preset(output / "preset")
    assert network.prior is None and network.sample(2, seed=0).shape == (2, 32, 32, 3)


@once
def test_latent_diffusion_on_a_vae(run, presets):
    options = ["--equivariance", "1", "--free-bits", "0.05", "--beta", "0.5"]
    preset = run("train_vae", *options) / "preset"
    latent = ["--space", "latent", "--autoencoder", str(preset), "--dual-encoder", presets[1]]
    backbone = check_diffusion(run("train_diffusion", *latent), frames=None)
    assert type(backbone.autoencoder) is VAE and backbone.latent_shape == (None, 8, 8, 8)
    assert backbone.data_std == pytest.approx(1, abs=0.01)  # latents were scaled, and decoding knows
    pictures = to_float(np.random.default_rng(0).integers(0, 256, (2, 32, 32, 3), dtype="uint8"))
    through = backbone.decode(backbone.encode(pictures))
    expected = VAE.from_preset(preset).predict(pictures, verbose=0)
    np.testing.assert_allclose(through, expected, atol=0.01)


@once
def test_a_conditional_vae(run, presets):
    options = ["--conditional", "--dual-encoder", presets[1], "--precision", "mixed_bfloat16"]
    output = run("train_vae", *options)
    check(output, "pictures.png")
    network = VAE.from_preset(output / "preset")
    assert network.concept_dim == 512
    assert network.sample(np.eye(3, 512), seed=0).shape == (3, 32, 32, 3)


def test_gan(run, presets, tmp_path):
    output = run("train_gan", "--dual-encoder", presets[1])
    check(output, "drawings.png")
    generator = Generator.from_preset(output / "preset")
    pictures = generator.generate(["a red disc", "a blue bar"], seed=0)
    assert pictures.shape == (2, 32, 32, 3)
    command = ["a red disc", "--seed", "0", "--scale", "1", "--preset", str(output / "preset")]
    file = recipe("generate")([*command, "--output", str(tmp_path / "a.png")])
    np.testing.assert_array_equal(np.asarray(Image.open(file)), pictures[0])


@once
def test_gan_in_another_form_goes_on_from_a_decoder(run, decoder, capsys):
    options = ["--loss", "hinge", "--alternate", "--penalty", "exact", "--r2", "0", "--code-weight", "0.1"]
    rates = ["--learning-rate", "1e-9", "--discriminator-rate", "2", "--precision", "mixed_bfloat16"]
    output = run("train_gan", "--start", str(decoder / "preset"), *options, *rates)
    check(output, "drawings.png")
    assert re.search(r"thumbnails of \d+ captions: coverage", capsys.readouterr().out)
    ours, theirs = (Generator.from_preset(o / "preset").backbone for o in (output, decoder))
    for part in ("decoder", "dual_encoder"):  # at such a rate nothing moves: it did start there
        pairs = zip(getattr(ours, part).get_weights(), getattr(theirs, part).get_weights(), strict=True)
        assert max(np.abs(a - b).max() for a, b in pairs) < 1e-3


@once
def test_a_finished_run_is_not_run_again(presets, decoder, folder, capsys, monkeypatch):
    monkeypatch.setenv("KERAS_T2I_CACHE", str(decoder.parent / "cache"))
    autoencoder, dual_encoder = presets
    command = ["--smoke", "--data", str(folder), "--output", str(decoder)]
    command += ["--dual-encoder", dual_encoder, "--outside", autoencoder]
    before = (decoder / "preset" / "model.weights.h5").read_bytes()
    recipe("train_decoder")(command)
    assert "Resuming" in capsys.readouterr().err
    assert len((decoder / "preset" / "model.weights.h5").read_bytes()) == len(before)
    with pytest.raises(ValueError, match="seed: 0 there, 1 here"):
        recipe("train_decoder")([*command, "--seed", "1"])


@once
def test_siglip(run):
    check(run("train_concepts", "--objective", "siglip", "--micro-batches", "2"), "retrieval.png")


@once
@pytest.mark.filterwarnings("error:Gradients do not exist")
def test_regression_matches_the_autoencoder(run, presets):
    output = run("train_concepts", "--objective", "regression", "--autoencoder", presets[0])
    check(output, "retrieval.png")
    theirs = ConvAutoencoder.from_preset(presets[0]).encoder.get_weights()
    ours = DualEncoder.from_preset(output / "preset").image_encoder.get_weights()
    for a, b in zip(ours, theirs, strict=True):
        np.testing.assert_array_equal(a, b)


@once
def test_naive_decoder_in_bfloat16(run, presets):
    options = ["--form", "naive", "--precision", "mixed_bfloat16", "--accumulate", "2"]
    output = run("train_decoder", *options, "--dual-encoder", presets[1], "--outside", presets[0])
    check(output, "drawings.png")
    before = DualEncoder.from_preset(presets[1]).get_weights()
    after = Generator.from_preset(output / "preset").backbone.dual_encoder.get_weights()
    assert all((a == b).all() for a, b in zip(before, after, strict=True))  # it stood still


def test_micro_batches_must_divide_the_batch(capsys):
    with pytest.raises(SystemExit):
        recipe("train_concepts")(["--batch-size", "32", "--micro-batches", "5"])
    assert "--micro-batches 5 must divide --batch-size 32" in capsys.readouterr().err


@pytest.mark.parametrize("name", [*TRAINING, "prepare_data"])
def test_help_names_every_default(name, capsys):
    with pytest.raises(SystemExit):
        recipe(name)(["--help"])
    text = capsys.readouterr().out
    options = re.split(r"\n  (?=-)", text.split("options:")[1])
    options = [" ".join(option.split()) for option in options if "--help" not in option]
    assert len(options) > 3
    assert [option for option in options[1:] if "(default:" not in option] == []
