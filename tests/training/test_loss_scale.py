"""Networks that compute in float16 are trained with a loss scale, whatever step the objective takes."""

import keras
import numpy as np
import pytest
from keras import ops
from tiny_diffusion import tiny_unet
from tiny_objectives import tiny_dual_encoder
from tiny_objectives import tiny_gan
from tiny_objectives import tiny_objective
from tiny_objectives import tiny_pipeline

from keras_t2i.objectives.denoising import Denoising
from keras_t2i.objectives.regression import ConceptRegression
from keras_t2i.training.averages import ExponentialMovingAverage
from keras_t2i.training.optimizers import adamw
from keras_t2i.training.run import train

NAMES = ("reconstruction", "denoising", "naive", "micro-batches", "gan")


def tiny(name, dtype="mixed_float16", rate=0.02, **options):
    """An objective, compiled with plain descent; twice the same for the same arguments."""
    options = {"averages": ExponentialMovingAverage(0.5), **options}
    if name == "gan":
        rates = [keras.optimizers.SGD(rate, name=name) for name in ("one", "other")]
        return tiny_gan(dtype, lambda: rates, alternate=True, **options)
    if name == "denoising":
        keras.utils.set_random_seed(1)
        text_encoder = tiny_dual_encoder(8, blocks=0).text_encoder
        objective = Denoising(tiny_unet(dtype=dtype), text_encoder, **options)
        objective.compile(keras.optimizers.SGD(rate))
        return objective
    if name == "micro-batches":
        name, options = "clip", {**options, "micro_batches": 4}
    return tiny_objective(name, dtype, lambda: keras.optimizers.SGD(rate), **options)


def scalers(objective):
    """The optimizers that scale the loss: one, or one of each network."""
    optimizer = objective.optimizer
    return [
        part
        for part in getattr(optimizer, "optimizers", [optimizer])
        if isinstance(part, keras.optimizers.LossScaleOptimizer)
    ]


def set_scale(objective, scale):
    for scaler in scalers(objective):
        scaler.initial_scale = scale
        if scaler.built:
            scaler.dynamic_scale.assign(scale)


def fit(objective, steps=1):
    return objective.fit(tiny_pipeline(steps_per_epoch=steps), verbose=0, shuffle=False).history


def moved(objective, steps=1):
    """How far every trainable number goes, side by side, and the loss."""
    before = [ops.convert_to_numpy(v) for v in objective.trainable_variables]
    loss = fit(objective, steps)["loss"][0]
    after = [ops.convert_to_numpy(v) for v in objective.trainable_variables]
    return np.concatenate([(a - b).ravel() for a, b in zip(after, before, strict=True)]), loss


@pytest.mark.parametrize("name", NAMES)
def test_a_step_is_that_of_float32(name):
    """Gradients are divided by what the loss was multiplied by, and the loss that is told is the loss."""
    plain, plain_loss = moved(tiny(name, "float32"))
    objective = tiny(name)
    assert len(scalers(objective)) == (2 if name == "gan" else 1)
    set_scale(objective, 256.0)  # which none of these gradients is too large for
    scaled, loss = moved(objective)
    assert loss == pytest.approx(plain_loss, rel=1e-2, abs=1e-3)
    assert np.linalg.norm(scaled - plain) < 0.05 * np.linalg.norm(plain)
    assert [int(scaler.step_counter) for scaler in scalers(objective)] == [1] * len(scalers(objective))


@pytest.mark.parametrize("name", ["reconstruction", "micro-batches", "gan"])
def test_a_step_whose_gradients_are_not_finite_is_skipped(name):
    objective = tiny(name)
    set_scale(objective, 2.0**120)  # float32 holds the loss times this, float16 no gradient
    way, loss = moved(objective)
    assert np.isfinite(loss) and not way.any()
    for scaler in scalers(objective):
        assert float(scaler.dynamic_scale) == 2.0**119
        assert int(scaler.iterations) == 0
    assert int(objective.steps) == 1  # of the run: data go on


@pytest.mark.parametrize("dtype", ["float32", "mixed_bfloat16"])
def test_other_dtypes_are_not_scaled(dtype):
    assert not scalers(tiny("reconstruction", dtype)) and not scalers(tiny("gan", dtype))


def test_it_is_scaled_where_only_a_frozen_network_computes_in_float16():
    frozen = tiny("reconstruction").network.encoder
    text_encoder = tiny_dual_encoder(8, blocks=0).text_encoder
    objective = ConceptRegression(text_encoder, frozen)
    objective.compile(keras.optimizers.SGD(0.1))
    assert len(scalers(objective)) == 1
    objective.compile(keras.optimizers.SGD(0.1), auto_scale_loss=False)
    assert not scalers(objective)


@pytest.mark.parametrize("name", ["reconstruction", "gan"])
def test_a_resumed_run_ends_where_an_uninterrupted_one_ends(name, tmp_path):
    """The scale and its counter are kept."""

    def run(folder, epochs):
        objective = tiny(name)
        set_scale(objective, 2.0**120)
        for scaler in scalers(objective):
            scaler.dynamic_growth_steps = 3
        train(objective, tiny_pipeline(), epochs, folder)
        variables = [*objective.variables, *objective.optimizer.variables]
        return [ops.convert_to_numpy(v) for v in variables], scalers(objective)

    whole, parts = run(tmp_path / "whole", 4)
    assert all(float(part.dynamic_scale) == 2.0**116 for part in parts)
    run(tmp_path / "parts", 2)
    resumed, _ = run(tmp_path / "parts", 4)
    for one, other in zip(whole, resumed, strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_schedule_within_is_told_the_length_of_the_run(tmp_path):
    objective = tiny_objective("reconstruction", "mixed_float16", lambda: adamw(1e-3))
    train(objective, tiny_pipeline(), 2, tmp_path)
    assert int(objective.optimizer.inner_optimizer.schedule.decay_steps) == 2
