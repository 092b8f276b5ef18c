"""The lessons one after the other, on a person's own folder, as tiny as `--smoke` makes them."""

import importlib
import json
import re
import runpy
from pathlib import Path

import common
import keras
import numpy as np
import pytest
from PIL import Image

from keras_t2i.evaluation.judges.evaluator import Evaluator
from keras_t2i.models import VAE
from keras_t2i.models import ConvAutoencoder
from keras_t2i.models import DualEncoder
from keras_t2i.models import Generator
from keras_t2i.models import Prior
from keras_t2i.models import PriorStage
from keras_t2i.models import RendererStage
from keras_t2i.models import VAEStage
from keras_t2i.models.stages.renderer import Canvas
from keras_t2i.training.distribution import World
from keras_t2i.training.distribution import starting
from keras_t2i.utils.images import to_float

once = pytest.mark.once  # variants that differ in no line that a backend runs in its own way
not_on_jax = pytest.mark.not_on_jax  # pages that differ by objectives, which have their own tests on JAX


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


@not_on_jax
def test_float16(run, presets):
    """With a scaled loss: what it learns is a number, and its preset opens as any."""
    of_pictures = run("train_autoencoder", "--precision", "mixed_float16", "--log", "csv")
    options = "--dual-encoder", presets[1], "--image-size", "32", "--size", "small", "--log", "csv"
    of_words = run("train_diffusion", "--precision", "mixed_float16", *options)
    for output in (of_pictures, of_words):
        assert json.loads((output / "state" / "settings.json").read_text())["precision"] == "mixed_float16"
        names, *rows = (output / "logs" / "epochs.csv").read_text().splitlines()
        assert len(rows) == 2 and "val_loss" in names
        assert np.isfinite([float(value) for row in rows for value in row.split(",") if value]).all()
    network = ConvAutoencoder.from_preset(of_pictures / "preset")
    weights = [weight.astype("float32") for weight in network.get_weights()]
    assert all(np.isfinite(weight).all() for weight in weights)
    drawn = Generator.from_preset(of_words / "preset").generate("a red disc", seed=0)
    assert drawn.shape == (32, 32, 3) and drawn.std() > 1


def test_concepts(run, presets):
    check(run("train_concepts"), "retrieval.png")
    assert DualEncoder.from_preset(presets[1]).code_dim == 512


def test_decoder_and_generator(recipe, decoder, tmp_path):
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
    assert generator.base.guided
    pictures = generator.generate(["a red disc", "a blue bar"], seed=0, num_steps=2)
    assert pictures.shape == (2, 32, 32, 3)
    return generator


def test_diffusion(run, presets):
    generator = check_diffusion(run("train_diffusion", "--dual-encoder", presets[1]))
    base = generator.base
    assert [stage.produces for stage in generator.stages] == ["text", "image"] and base.guide is None
    assert base.process == {"name": "rectified_flow"} and base.parameterization == "x0"
    assert base.guidance_scale == 2.0 and base.threshold == 0.98


@not_on_jax
def test_an_image_decoder_goes_on_from_a_diffusion_preset(run, presets):
    text = run("train_diffusion", "--dual-encoder", presets[1]) / "preset"
    output = run("train_image_decoder", "--start", str(text), "--learning-rate", "1e-9")
    ours, theirs = check_diffusion(output), Generator.from_preset(text)
    assert ours.base.unet.image_code and not theirs.base.unet.image_code and ours.base.with_text
    for part in ("text_encoder", "image_encoder"):
        pairs = [getattr(g.stage("text").dual_encoder, part).get_weights() for g in (ours, theirs)]
        assert all((a == b).all() for a, b in zip(*pairs, strict=True))
    for layer in theirs.base.unet.layers:  # at such a rate nothing moves: it did start there
        pairs = zip(ours.base.unet.get_layer(layer.name).get_weights(), layer.get_weights(), strict=True)
        assert max((np.abs(a - b).max() for a, b in pairs), default=0) < 1e-3
    with pytest.raises(ValueError, match="has no DiffusionStage of pictures"):
        run("train_diffusion", "--start", "generator_openmoji_32")


@once
def test_diffusion_goes_on_with_its_own_form_and_bits(run, presets, monkeypatch):
    def smoothing(true, drawn):
        assert true.dtype == drawn.dtype == "uint8" and true.shape == drawn.shape and len(true) == 21
        return 0.05

    monkeypatch.setattr(common, "matching_smoothing", smoothing)
    form = {"process": "cosine", "parameterization": "v", "weight": "min_snr", "times": "uniform"}
    options = ["--guidance", "1.5", "--precision", "mixed_bfloat16", "--dual-encoder", presets[1]]
    base = check_diffusion(run("train_diffusion", *options, **form)).base
    assert base.process == {"name": "cosine", "offset": 0.008} and base.parameterization == "v"
    assert base.guidance_scale == 1.5 and base.smoothing == 0.05
    with pytest.raises(TypeError, match="there is no prediction; there are minutes"):
        run("train_diffusion", prediction="v")


@not_on_jax
def test_prior(run, presets):
    output = run("train_prior", "--dual-encoder", presets[1])
    assert {p.name for p in output.iterdir()} == {"logs", "state", "preset"}
    prior = Prior.from_preset(output / "preset")
    assert prior.code_dim == 512 and prior.width == 16
    assert PriorStage(prior).sample_codes(np.eye(512)[:2], seed=0).shape == (2, 512)


@not_on_jax
def test_the_benchmark_of_the_prior(run, presets, folder, capsys, monkeypatch):
    monkeypatch.setenv("KERAS_T2I_CACHE", str(folder.parent / "cache"))
    prior = run("train_prior", "--dual-encoder", presets[1]) / "preset"
    benchmark = runpy.run_path(str(Path(__file__).parents[2] / "benchmarks" / "prior.py"))
    benchmark["main"]([str(prior), "--dual-encoder", presets[1], "--data", str(folder)])
    header, _, *rows = capsys.readouterr().out.splitlines()
    assert header.endswith("| training captions | unseen concepts |")
    ways = ["the text concept", "ridge regression", "the prior", "the better of two draws"]
    assert [row.split(" | ")[0][2:] for row in rows][:4] == ways and len(rows) == 6
    for row in rows:
        for cell in row.strip("| ").split(" | ")[1:]:
            cosine, first = map(float, cell.split(", "))
            assert -1 <= cosine <= 1 and 0 <= first <= 1


@once
def test_the_stages_of_unclip(run, presets, tmp_path):
    """The prior of lesson 7 before a decoder of image concepts."""
    decoder = run("train_image_decoder", "--dual-encoder", presets[1], caption_dropout=1) / "preset"
    alone = Generator.from_preset(decoder)
    assert alone.stage("image_embedding") is None and not alone.base.with_text
    output = run("train_prior", "--decoder", str(decoder))
    assert {p.name for p in output.iterdir()} == {"logs", "state", "preset", "generator", "drawings.png"}
    generator = Generator.from_stages(decoder=decoder, prior=output / "preset", text_encoder=presets[1])
    generator.save_to_preset(tmp_path / "whole")
    opened, saved = (Generator.from_preset(folder) for folder in (tmp_path / "whole", output / "generator"))
    drawn = [g.generate("a red disc", seed=0, num_steps=2) for g in (generator, opened, alone, saved)]
    np.testing.assert_array_equal(drawn[0], drawn[1])
    assert np.abs(drawn[0].astype(int) - drawn[3]).max() <= 3  # that prior went through float16 twice
    assert (drawn[0] != drawn[2]).any()
    with pytest.raises(ValueError, match="draws no image concepts"):
        run("train_prior", "--decoder", "generator_openmoji_32")
    assert opened.variations(drawn[0], n=3, seed=0, num_steps=2).shape == (3, 32, 32, 3)


@not_on_jax
def test_latent_diffusion(run, presets):
    options = ["--autoencoder", presets[0], "--dual-encoder", presets[1]]
    generator = check_diffusion(run("train_latent_diffusion", *options), frames=range(4, 17))
    assert generator.latent_shape == (None, 8, 8, 8) and generator.image_size == 32
    assert [stage.produces for stage in generator.stages] == ["text", "latent", "image"]
    assert 0.3 < generator.base.data_std < 3


@not_on_jax
def test_vae(run):
    options = ["--equivariance", "1", "--free-bits", "0.05", "--beta", "0.5"]
    output = run("train_vae", *options)
    check(output, "pictures.png")
    rows = np.asarray(Image.open(output / "pictures.png")).shape[0]
    assert rows == 3 * 3 * 32 + 2 * 2  # three rows of pictures three times as large, and two gaps
    network = VAE.from_preset(output / "preset")
    assert network.prior is None and VAEStage(network).sample_images(2, seed=0).shape == (2, 32, 32, 3)


@once
def test_latent_diffusion_on_a_vae(run, presets):
    options = ["--equivariance", "1", "--free-bits", "0.05", "--beta", "0.5"]
    preset = run("train_vae", *options) / "preset"
    latent = ["--autoencoder", str(preset), "--dual-encoder", presets[1], "--size", "draft"]
    generator = check_diffusion(run("train_latent_diffusion", *latent), frames=None)
    assert generator.base.unet.get_layer("draft").shape == (8, 8, 8)
    assert np.abs(generator.base.unet.get_layer("draft").get_weights()[2]).max() > 0  # it was adapted
    decoder, shape = generator.stage("image"), generator.base.noise_shape
    assert type(decoder.autoencoder) is VAE and shape == (8, 8, 8)
    assert generator.base.data_std == pytest.approx(1, abs=0.01)  # latents were scaled, and decoding knows
    pictures = to_float(np.random.default_rng(0).integers(0, 256, (2, 32, 32, 3), dtype="uint8"))
    through = decoder.sample_batch({"latent": decoder.encode(pictures, shape)}, [None] * 2)
    expected = VAE.from_preset(preset).predict(pictures, verbose=0)
    np.testing.assert_allclose(through, expected, atol=0.01)


@once
def test_a_run_that_goes_on_has_its_drafts(recipe, run, presets, folder, monkeypatch, capsys):
    options = ["--size", "draft", "--dual-encoder", presets[1]]
    output = run("train_diffusion", *options)
    error = Generator.from_preset(output / "preset").base.unet.draft_error
    capsys.readouterr()
    objectives, train = [], common.train

    def watched(args, objective, pipeline, *others):
        objectives.append((objective, pipeline.image_features))
        return train(args, objective, pipeline, *others)

    monkeypatch.setattr(common, "train", watched)
    again = ["--smoke", "--data", str(folder), "--output", str(output), *options]
    file = output / "state" / "left_out.npz"
    recipe("train_diffusion")(again)
    assert "Remembering" not in capsys.readouterr().err
    file.write_bytes(b"damaged")
    recipe("train_diffusion")(again)
    assert "left_out.npz cannot be read" in capsys.readouterr().err
    for objective, features in objectives:
        assert objective.weight["data_std"] ** 2 == pytest.approx(error, rel=2e-3)
        assert error < 0.9 * objective.data_std**2  # it is not that of knowing nothing
        np.testing.assert_allclose(
            features["left_out_components"], objectives[0][1]["left_out_components"], atol=0.02
        )


@once
def test_a_conditional_vae(run, presets):
    options = ["--conditional", "--dual-encoder", presets[1], "--precision", "mixed_bfloat16"]
    output = run("train_vae", *options)
    check(output, "pictures.png")
    network = VAE.from_preset(output / "preset")
    assert network.concept_dim == 512
    assert VAEStage(network).sample_images(np.eye(3, 512), seed=0).shape == (3, 32, 32, 3)


@not_on_jax
def test_gan(recipe, run, presets, tmp_path):
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
    options = ["--loss", "hinge", "--alternate", "--r2", "0", "--precision", "mixed_bfloat16"]
    changes = {"penalty": "exact", "code_weight": 0.1, "discriminator_rate": 2, "learning_rate": 1e-9}
    output = run("train_gan", "--start", str(decoder / "preset"), *options, **changes)
    check(output, "drawings.png")
    assert re.search(r"downsampled, \d+ captions: coverage", capsys.readouterr().out)
    ours, theirs = (Generator.from_preset(o / "preset") for o in (output, decoder))
    for stage in ("text", "image"):  # at such a rate nothing moves: it did start there
        pairs = zip(ours.stage(stage).get_weights(), theirs.stage(stage).get_weights(), strict=True)
        assert max(np.abs(a - b).max() for a, b in pairs) < 1e-3


@once
def test_a_finished_run_is_not_run_again(recipe, presets, decoder, folder, capsys, monkeypatch):
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
def test_one_command_for_a_folder(recipe, folder, tmp_path, capsys):
    command = [str(folder), "--smoke", "--output", str(tmp_path / "run")]
    recipe("train")(command)
    said = capsys.readouterr()
    minutes = re.search(r"3 of 3: diffusion, about (\d+) minutes", said.err)
    assert 16 < int(minutes[1]) <= 30  # its share is 16: the others, which took seconds, leave it theirs
    assert re.search(r"pictures trained on: recognized [01]\.\d\d \(.*trained_on.png", said.out)
    files = {file.name for file in (tmp_path / "run").iterdir()}
    assert files == {"concepts", "captions", "diffusion", "trained_on.png", "never_seen.png"}
    drawn = Image.open(tmp_path / "run" / "trained_on.png")
    weights = tmp_path / "run" / "diffusion" / "preset" / "model.weights.h5"
    before = weights.read_bytes()
    recipe("train")(command)  # goes on, where there is nothing left to do
    assert weights.read_bytes() == before
    np.testing.assert_array_equal(Image.open(tmp_path / "run" / "trained_on.png"), drawn)


@not_on_jax
def test_one_command_goes_on_from_a_preset(run, presets, recipe, folder, tmp_path, capsys):
    start = run("train_diffusion", "--dual-encoder", presets[1]) / "preset"
    recipe("train")(
        [str(folder), "--smoke", "--start", str(start), "--image-size", "32", "--output", str(tmp_path)]
    )
    assert "1 of 1: diffusion, about 30 minutes" in capsys.readouterr().err
    assert {file.name for file in tmp_path.iterdir()} == {"diffusion", "trained_on.png", "never_seen.png"}
    ours, theirs = Generator.from_preset(tmp_path / "diffusion" / "preset"), Generator.from_preset(start)
    captions = ["a red disc", "a blue bar"]
    np.testing.assert_allclose(ours.encode_text(captions), theirs.encode_text(captions), atol=1e-5)


def test_the_lessons_of_a_folder_share_batches_as_they_are_told(recipe, folder, tmp_path, monkeypatch):
    commands = []
    for lesson in ("concepts", "captions", "diffusion"):
        monkeypatch.setattr(importlib.import_module(f"train_{lesson}"), "main", commands.append)
    command = [str(folder), "--smoke", "--output", str(tmp_path), "--distribute", "data"]
    world = World()
    monkeypatch.setitem(starting.ENGINES, keras.config.backend(), lambda kind, devices=None: world)
    with pytest.raises(ValueError, match="no preset"):
        recipe("train")(command)  # which these lessons have not made
    assert len(commands) == 3
    for of_lesson in commands:
        assert of_lesson[of_lesson.index("--distribute") + 1] == "data"
    world.devices = world.processes = 2
    with pytest.raises(ValueError, match=r"in a row have one process, .* here are 2: run the lessons one by"):
        recipe("train")(command)
    assert len(commands) == 3


@once
def test_captions_keep_the_picture_codes(run, presets, capsys):
    output = run("train_captions", "--dual-encoder", presets[1])
    assert "unseen pictures, after: captions nearest to their plain one" in capsys.readouterr().out
    before, after = (DualEncoder.from_preset(preset) for preset in (presets[1], output / "preset"))
    for a, b in zip(before.image_encoder.get_weights(), after.image_encoder.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    assert after.text_encoder.get_config() != before.text_encoder.get_config()


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
    after = Generator.from_preset(output / "preset").stage("text").dual_encoder.get_weights()
    assert all((a == b).all() for a, b in zip(before, after, strict=True))  # it stood still


def check_renderer(output):
    check(output, "drawn.png")
    assert np.asarray(Image.open(output / "drawn.png")).shape[0] == 3 * 3 * 128 + 2 * 2  # small, drawn, true
    stage = RendererStage.from_preset(output / "preset")
    pictures = np.random.default_rng(0).integers(0, 256, (2, 5, 7, 3), dtype="uint8")
    drawn = stage.render(pictures, Canvas(40, 30))
    assert drawn.shape == (2, 40, 30, 3)


@not_on_jax
def test_renderer(run):
    check_renderer(run("train_renderer"))


@once
def test_a_renderer_learns_from_what_a_generator_draws_and_goes_on(run, presets):
    generator = run("train_diffusion", "--dual-encoder", presets[1], "--image-size", "64") / "preset"
    start, changes = str(run("train_renderer") / "preset"), {"redrawings": ((0.3, 1),)}
    output = run(
        "train_renderer",
        "--generator",
        str(generator),
        "--start",
        start,
        "--learning-rate",
        "1e-9",
        **changes,
    )
    check_renderer(output)
    ours, theirs = (RendererStage.from_preset(preset) for preset in (output / "preset", start))
    pairs = zip(ours.get_weights(), theirs.get_weights(), strict=True)
    assert (
        max(np.abs(a - b).max() for a, b in pairs) < 1e-3
    )  # at such a rate nothing moves: it did start there
    whole = Generator.from_stages(decoder=generator, renderer=output / "preset")
    assert whole.generate("a red disc", seed=0, num_steps=2, size=(50, 40)).shape == (50, 40, 3)


@not_on_jax
def test_upsampler(run):
    output = run("train_upsampler")
    check(output, "drawn.png")
    assert np.asarray(Image.open(output / "drawn.png")).shape[0] == 3 * 3 * 128 + 2 * 2  # small, drawn, true
    whole = Generator.from_stages(decoder="diffusion_emoji_32", upsampler=output / "preset")
    assert whole.generate("a red disc", seed=0, num_steps=2, size=128).shape == (128, 128, 3)


@once
def test_an_upsampler_of_some_pictures_and_of_a_generator_of_ones_own(run, presets):
    generator = run("train_diffusion", "--dual-encoder", presets[1]) / "preset"
    output = run("train_upsampler", "--generator", str(generator), "--only", "red", crop=32)
    check(output, "drawn.png")
    with pytest.raises(ValueError, match="--only green: no picture's name has that, such as"):
        run("train_upsampler", "--only", "green")


@not_on_jax
def test_few_steps(run, presets):
    """Of a preset with guidance: learned along. It draws in one step, and in its own two."""
    start = run("train_diffusion", "--dual-encoder", presets[1]) / "preset"
    output = run("train_few_steps", "--start", str(start))
    check(output, "drawings.png")
    generator = Generator.from_preset(output / "preset")
    base, text = generator.base, {"seed": 0}
    assert (base.sampler, base.num_steps, base.power, base.guidance_scale) == ("consistency", 2, 2.0, 1.0)
    drawn = [generator.generate("a red disc", **text, **more) for more in ({}, {"num_steps": 2})]
    np.testing.assert_array_equal(*drawn)
    assert generator.generate("a red disc", seed=0, num_steps=1).shape == (32, 32, 3)


@once
def test_few_steps_of_a_network_with_a_draft(run, presets):
    size = ["--dual-encoder", presets[1], "--size", "draft", "--guidance", "1"]
    start = run("train_diffusion", *size) / "preset"
    output = run("train_few_steps", "--start", str(start))
    assert (output / "state" / "left_out.npz").exists()
    ours, theirs = (Generator.from_preset(folder).base.unet for folder in (output / "preset", start))
    assert ours.draft_features == theirs.draft_features > 0 and ours.draft_error == theirs.draft_error
    with pytest.raises(ValueError, match="has no DiffusionStage of pictures"):
        run("train_few_steps", "--start", "generator_openmoji_32")


@not_on_jax
def test_evaluator(run):
    output = run("train_evaluator", "--half", "1")
    check(output, "retrieval.png")
    network = Evaluator.from_preset(output / "preset")
    assert network.half == 1 and network.image_size == 32
    card = (output / "preset" / "README.md").read_text()
    assert "trained by contrast on half 1" in card and "evaluator_convolutional_32" in card
