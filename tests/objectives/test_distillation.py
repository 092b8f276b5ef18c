import functools

import keras
import numpy as np
import pytest
from keras import ops
from run_state import begin_again
from run_state import state
from tiny import tiny_dual_encoder
from tiny_denoising import evaluated
from tiny_denoising import numpy
from tiny_denoising import tiny_denoising
from tiny_diffusion import filled
from tiny_diffusion import tiny_unet
from tiny_objectives import tiny_pipeline

from keras_t2i.objectives.denoising import Denoising
from keras_t2i.objectives.distillation import ConsistencyTuning
from keras_t2i.objectives.distillation import contrast
from keras_t2i.training.run import train

NEVER = {"boundary": 1e9}  # r is 0


tiny = functools.partial(tiny_denoising, kind=ConsistencyTuning)


@pytest.fixture(scope="module")
def batch():
    return tiny_pipeline().batch(0)


@pytest.fixture(scope="module")
def network():
    return filled(tiny_unet())


def network_inputs(objective, batch, x, t):
    """Of x_t, NumPy, as every network is asked."""
    log_snr = objective.process.log_snr(t)
    scaled = objective.process.c_in(t, objective.data_std).reshape(-1, 1, 1, 1) * x
    return {
        "images": scaled.astype("float32"),
        "log_snr": log_snr.astype("float32"),
        "condition_mask": np.ones(len(x), "float32"),
        **numpy(objective.features(batch["token_ids"])),
    }


@pytest.mark.parametrize(
    ("kind", "process", "training"),
    [
        ("x0", "rectified_flow", True),
        ("v", "cosine", False),
        ("epsilon", "edm", False),
        ("flow", "rectified_flow", False),
    ],
)
def test_where_r_is_0_it_is_the_loss_of_denoising(network, batch, kind, process, training):
    options = {"parameterization": kind, "process": process, "caption_dropout": 0.5}
    denoising, tuning = (
        tiny(network, kind=one, **options, **more)
        for one, more in ((Denoising, {}), (ConsistencyTuning, {"huber": None, **NEVER}))
    )
    wanted, found = (evaluated(objective, batch, training) for objective in (denoising, tuning))
    assert found[1] == pytest.approx(wanted[1], rel=1e-4)
    np.testing.assert_allclose(found[0]["output"], wanted[0]["output"], atol=1e-5)
    np.testing.assert_array_equal(found[0]["target"], found[0]["x0"])
    for name, value in wanted[2].items():
        assert found[2][name] == pytest.approx(value, rel=1e-3)


@pytest.mark.parametrize("huber", [None, 0.1])
def test_the_loss_by_hand(network, batch, huber):
    """At the third stage of four, on the straight path: all of it anew, in NumPy, on every backend."""
    objective = tiny(network, huber=huber, data_std=0.8, stages=4, run_steps=40, weight="edm", boundary=0.2)
    objective.steps.assign(25.0)
    seen, loss, metrics = evaluated(objective, batch)
    x0, noise, t = seen["x0"], seen["noise"], seen["t"].astype("float64")
    level = t / (1 - t) / 1.6
    ratio = 1 - (1 + 8 / (1 + np.exp(level))) / 2.0**3
    ratio[ratio * level < 0.2] = 0
    assert (ratio > 0).any() and (ratio == 0).any()
    odds = ratio * t / (1 - t)
    r = odds / (1 + odds)
    np.testing.assert_allclose(seen["r"], r, atol=1e-5)

    def estimate(t):
        mixed = t.reshape(-1, 1, 1, 1)
        return numpy(network(network_inputs(objective, batch, (1 - mixed) * x0 + mixed * noise, t)))

    target = np.where(ratio.reshape(-1, 1, 1, 1) > 0, estimate(np.where(ratio > 0, r, 0.5)), x0)
    np.testing.assert_allclose(seen["target"], target, atol=2e-4)
    squares = ((1 - t) ** 2 / t**2 + 1 / 0.8**2) * np.square(estimate(t) - target).mean(axis=(1, 2, 3))
    losses = squares if huber is None else np.sqrt(squares + 0.01) - 0.1
    assert loss == pytest.approx((losses / (1 - ratio)).mean(), rel=1e-3)
    one_step = numpy(network(network_inputs(objective, batch, noise, np.array([1.0] * 8))))
    np.testing.assert_allclose(seen["one_step"], one_step, atol=2e-4)
    assert metrics["error_one_step"] == pytest.approx(np.square(one_step - x0).mean(), rel=1e-3)
    steps = [np.square(np.diff(x, axis=axis)).mean() for x in (one_step, x0) for axis in (1, 2)]
    assert metrics["detail_one_step"] == pytest.approx(sum(steps[:2]) / sum(steps[2:]), rel=1e-3)


def test_stages_are_of_one_length_and_begin_with_the_run():
    objective = tiny(stages=3, averages=None)
    assert float(objective.stage()) == 0
    objective.steps.assign(7.0)
    assert float(objective.stage()) == 0  # no length is known
    objective.set_steps(12)
    found = []
    for step in range(14):
        objective.steps.assign(float(step))
        found.append(int(objective.stage()))
    assert found == [0] + [0] * 4 + [1] * 4 + [2] * 4 + [2]  # steps count from 1
    objective = tiny(stages=3, run_steps=6, averages=None)
    objective.set_steps(12)
    assert float(objective.run_steps) == 6


@pytest.mark.parametrize("process", ["edm", "rectified_flow", "cosine"])
def test_of_normal_pictures_the_ends_of_paths_are_what_the_loss_asks_for(process, monkeypatch):
    """Of standard normal pictures that is x_t, brought to variance 1. What is best said at t, if at r that is
    said, is a share of it, E[f(x_r) f(x_t)]: the nearer r is to t, the nearer to all of it."""
    latents = np.random.default_rng(0).standard_normal((16, 32, 32, 4)).astype("float32")
    batch, least = {"latents": latents, "token_ids": np.ones((16, 8), "int32")}, []
    unet = tiny_unet()
    for q in (2.0, 8.0, 64.0):
        options = {"process": process, "data_std": 1.0, "k": 0.0, "boundary": 0.0, "averages": None}
        options["times"] = {"name": "normal_log_snr", "mean": 0.0, "std": 2.0}
        objective = tiny(unet, q=q, **options)
        monkeypatch.setattr(objective, "chosen", lambda training: lambda inputs, **_: inputs["images"])
        seen = numpy(objective(batch))
        log_snr = seen["log_snr"].astype("float64")
        level, r = np.exp(-0.5 * log_snr), (1 - 1 / q) * np.exp(-0.5 * log_snr)
        share = (1 + r * level) / np.sqrt((1 + r**2) * (1 + level**2))
        found = (seen["target"] * seen["output"]).mean(axis=(1, 2, 3))
        np.testing.assert_allclose(found / np.square(seen["output"]).mean(axis=(1, 2, 3)), share, atol=0.03)
        np.testing.assert_allclose(seen["one_step"], seen["noise"], rtol=1e-3)  # of variance 1 as well
        least.append(np.abs(1 - found / np.square(seen["output"]).mean(axis=(1, 2, 3))).max())
    assert least[0] > 0.03 and least[2] < 1e-3

    # A denoiser says the mean of pictures: where there is more noise, a smaller share, and less than at r.
    def mean(inputs, **_):
        share = ops.rsqrt(1.0 + ops.exp(-inputs["log_snr"]))
        return ops.reshape(share, (-1, 1, 1, 1)) * inputs["images"]

    objective = tiny(unet, q=2.0, **options)
    monkeypatch.setattr(objective, "chosen", lambda training: mean)
    seen = numpy(objective(batch))
    asked = (seen["target"] * seen["output"]).mean(axis=(1, 2, 3))
    noisy = seen["log_snr"] < -2
    assert noisy.any() and (asked > 1.3 * np.square(seen["output"]).mean(axis=(1, 2, 3)))[noisy].all()


class Drops(keras.Model):
    """In place of a network: some of the same numbers."""

    image_code, code_dim, token_dim = False, 32, 8

    def __init__(self):
        super().__init__()
        self.dropout = keras.layers.Dropout(0.5, seed=3)
        self.size = self.add_weight(shape=(), initializer="ones", name="size")
        self.built = True

    def call(self, inputs, training=False):
        return self.size * self.dropout(ops.ones_like(inputs["images"]), training=training)


def test_both_evaluations_drop_the_same(batch):
    words = tiny_dual_encoder(8, blocks=0).text_encoder
    times = {"name": "normal_log_snr", "mean": -2.0, "std": 0.1}
    both, alone = (
        kind(Drops(), words, averages=None, times=times, **options)
        for kind, options in ((ConsistencyTuning, {"q": 1e6}), (Denoising, {}))
    )
    for _ in range(2):
        seen = numpy(both(batch, training=True))
        assert set(np.unique(seen["output"])) == {0.0, 2.0} and (seen["r"] > 0).all()
        np.testing.assert_array_equal(seen["target"], seen["output"])
        np.testing.assert_array_equal(seen["output"], numpy(alone(batch, training=True))["output"])
    assert np.ptp(numpy(both(batch))["output"]) == 0


def test_the_draft_is_the_same_at_both_times(batch):
    unet = filled(tiny_unet(draft_features=20, draft_components=4, data_std=0.5))
    unet.get_layer("draft_variance").curve.assign([0.05, 0.2, 0.7, 0.04])
    objective = tiny(unet, averages=None, stages=1, q=16.0, left_out=1.0)
    assert objective.spread == pytest.approx(0.2)  # the root of how far drafts are off
    rows, generator = len(batch["images"]), np.random.default_rng(0)
    left_out = {
        "left_out_components": generator.standard_normal((rows, 2, 4)).astype("float32"),
        "left_out_doubt": np.full((rows, 2), 0.3, "float32"),
    }
    asked = []

    def listening(inputs, training=False):
        asked.append(numpy(inputs))
        return given(inputs, training=training)

    given = objective.chosen(True)
    objective.chosen = lambda training: listening
    seen = numpy(objective({**batch, **left_out}, training=True))
    first, second, third = asked
    assert (first["log_snr"] < second["log_snr"])[seen["r"] > 0].all() and (seen["r"] > 0).any()
    for name in ("draft", "draft_doubt", "condition_mask", "text_code"):
        np.testing.assert_array_equal(first[name], second[name])
        np.testing.assert_array_equal(first[name][:1], third[name])
    own = numpy(unet.draft_of({name: ops.convert_to_tensor(rows) for name, rows in first.items()}))
    assert np.abs(first["draft"] - own[0]).max() > 0.01  # those that do not know the picture
    assert len(third["images"]) == 1 and np.isinf(third["log_snr"]).all()


@pytest.mark.parametrize("drafted", [False, True])
def test_guidance_is_distilled(batch, drafted):
    """The picture and its noise are not asked for: the path of the guided teacher leads from x_t to x_r."""
    draft = {"draft_features": 20, "draft_components": 4} if drafted else {}
    unet, teacher = filled(tiny_unet(**draft)), filled(tiny_unet(**draft), 2)
    for layer in ("draft", "draft_variance") if drafted else ():
        teacher.get_layer(layer).set_weights(unet.get_layer(layer).get_weights())
    options = {"teacher": teacher, "guidance_scale": 2.5, "averages": None, "stages": 1, "q": 8.0}
    options |= {"boundary": 0.3}
    objective = tiny(unet, caption_dropout=0.0, **options)
    assert not any(w.trainable for w in teacher.weights) and len(objective.trainable_variables) > 0
    for training in (False, True):
        seen = numpy(objective(batch, training=training))
        t, r = seen["t"].astype("float64"), seen["r"].astype("float64")
        assert (r > 0).any() and (r == 0).any()
        inputs = network_inputs(objective, batch, seen["x_t"], t)
        pair = [numpy(teacher(inputs | {"condition_mask": np.full(8, m, "float32")})) for m in (1, 0)]
        end = np.clip(2.5 * pair[0] - 1.5 * pair[1], -1, 1)
        t, r = t.reshape(-1, 1, 1, 1), r.reshape(-1, 1, 1, 1)
        x_r = (1 - r) * end + r * (seen["x_t"] - (1 - t) * end) / t
        some = r.reshape(-1) > 0
        at_r = network_inputs(objective, batch, x_r, np.where(some, r.reshape(-1), 0.5))
        target = np.where(some.reshape(-1, 1, 1, 1), numpy(unet(at_r)), end)
        np.testing.assert_allclose(seen["target"], target, atol=1e-3)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"q": 1.0}, "q must be above 1, received 1.0"),
        ({"k": -1.0}, "k must be at least 0, received -1.0"),
        ({"stages": 0}, "stages must be a whole number of at least 1, received 0"),
        ({"huber": 0.0}, "huber must be above 0, or None, received 0.0"),
        ({"spread": 0.0}, "spread must be above 0, or None, received 0.0"),
        ({"guidance_scale": 2.0}, "guidance_scale 2.0 and no teacher"),
        ({"data_std": 0.0}, "data_std must be above 0"),
    ],
)
def test_what_is_out_of_range_is_named(network, options, words):
    with pytest.raises(ValueError, match=words):
        tiny(network, averages=None, **options)


def test_a_run_resumes_exactly_in_its_stage(tmp_path):
    """Three epochs in one go, and one and two, the stage changing within and between: bit by bit the same."""

    def new():
        keras.utils.set_random_seed(2)
        unet = tiny_unet(dropout=0.2)
        return tiny(unet, optimizer=keras.optimizers.SGD(0.02, momentum=0.9), stages=4)

    def run(epochs, folder, objective):
        train(objective, tiny_pipeline(steps_per_epoch=3), epochs, folder)
        return state(objective)

    whole, parts = new(), new()
    expected = run(3, tmp_path / "whole", whole)
    assert float(whole.run_steps) == 9 and float(whole.stage()) == 3
    begin_again(whole, parts)
    whole.fixed_steps = parts.fixed_steps = 9  # three epochs are meant, of which one is run
    for objective in (whole, parts):
        objective.run_steps.assign(9.0)
    run(1, tmp_path / "parts", whole)
    assert float(whole.stage()) == 0 and int(whole.steps) == 3
    run(3, tmp_path / "parts", parts)
    assert float(parts.stage()) == 3
    for one, other in zip(expected, state(parts), strict=True):
        np.testing.assert_array_equal(one, other)


def test_it_is_saved_and_opened_with_its_stage(tmp_path):
    objective = tiny(filled(tiny_unet()), stages=3, run_steps=9, averages=None, optimizer="sgd")
    objective.steps.assign(5.0)
    objective.save(tmp_path / "tuning.keras")
    opened = keras.models.load_model(tmp_path / "tuning.keras")
    assert float(opened.stage()) == float(objective.stage()) == 1 and opened.schedule == objective.schedule


def test_contrast_is_how_far_neighbors_differ():
    x = np.zeros((1, 4, 4, 1), "float32")
    x[0, :, 2:] = 1.0  # one edge of the three between columns
    assert float(contrast(ops.convert_to_tensor(x))[0]) == pytest.approx(1 / 3)
