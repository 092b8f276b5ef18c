import keras
import numpy as np
import pytest
from keras import ops
from odd_globals import changes_no_step
from run_state import largest_difference
from run_state import state
from tiny_renderer import tiny_renderer

from keras_t2i.data import CaptionedImages
from keras_t2i.data import SetPipelineEpoch
from keras_t2i.data.rendering_pipeline import RenderingPipeline
from keras_t2i.data.windows import RasterPicture
from keras_t2i.objectives.rendering import Rendering
from keras_t2i.training.averages import ExponentialMovingAverage
from keras_t2i.training.run import train
from keras_t2i.utils.images import to_uint8


def tiny_pipeline(**options):
    """Four discs of two colors, truths of 64 pixels and pictures of 8."""
    rows, columns = np.mgrid[:64, :64] - 31.5
    truths = np.full((4, 64, 64, 4), 255, "uint8")
    truths[..., 3] = 0
    for i, truth in enumerate(truths):
        truth[rows**2 + columns**2 < (12 + 5 * i) ** 2] = (200, 20, 20, 255) if i % 2 else (20, 20, 200, 255)
    truths = [RasterPicture(truth) for truth in truths]
    small = [to_uint8(truth.window(0.0, 0.0, 1.0, 8)[..., :3]) for truth in truths]
    names = [f"disc {i}" for i in range(4)]
    data = CaptionedImages(np.stack(small), [[name] for name in names], names, np.arange(4))
    options = {"num_windows": 2, "target_size": 8, "batch_size": 4, **options}
    return RenderingPipeline(data, truths, **options)


def tiny_objective(**options):
    """Twice the same for the same arguments."""
    keras.utils.set_random_seed(1)
    objective = Rendering(tiny_renderer(blocks=(0, 0, 0, 0)), **options)
    objective.compile(optimizer=keras.optimizers.Adam(3e-3))
    objective.build()
    objective.optimizer.build(objective.trainable_variables)
    return objective


def loss_of(objective, batch, drawn):
    loss = objective.compute_loss(batch, y_pred=ops.convert_to_tensor(drawn, "float32"), training=False)
    return float(ops.convert_to_numpy(loss))


@pytest.fixture(scope="module")
def compiled(tmp_path_factory):
    """One objective, and a file of its first state: compiling is what takes the time."""
    objective = tiny_objective(averages=ExponentialMovingAverage(0.5))
    file = tmp_path_factory.mktemp("objective") / "new.weights.h5"
    objective.save_weights(file)
    return objective, file


@pytest.fixture
def objective(compiled):
    objective, file = compiled
    objective.load_weights(file)
    objective.psnr.reset_state()
    return objective


def test_a_perfect_drawing_has_no_loss(objective):
    batch = tiny_pipeline().batch(0)
    assert loss_of(objective, batch, batch["target"]) == 0
    assert float(objective.psnr.result()) == pytest.approx(100, abs=1e-3)


@pytest.mark.parametrize("edges", [0.0, 0.5, 2.0])
def test_the_loss_in_closed_form(edges):
    """An error that is the same everywhere has no wrong edges; stripes have, across alone or down alone."""
    objective, batch = Rendering(tiny_renderer(), edges, averages=None), tiny_pipeline().batch(0)
    target = batch["target"]
    assert loss_of(objective, batch, target + 0.2) == pytest.approx(0.1, rel=1e-4)
    assert loss_of(objective, batch, target - [0.3, 0, 0, 0.1]) == pytest.approx(0.05, rel=1e-4)
    stripes = np.where(np.arange(8) % 2, 0.1, -0.1)
    for shape in ((1, 8, 1), (8, 1, 1)):  # neighbors differ by 0.2 in one direction
        found = loss_of(objective, batch, target + stripes.reshape(shape))
        assert found == pytest.approx(0.5 * (0.1 + edges * 0.2), rel=1e-4)
    board = stripes[:, None, None] * np.sign(stripes)[:, None]
    found = loss_of(objective, batch, target + board)
    assert found == pytest.approx(0.5 * (0.1 + edges * 0.4), rel=1e-4)


def test_the_metric_is_the_peak_signal_to_noise_ratio_of_colors(objective):
    batch = tiny_pipeline().batch(0)
    target = np.clip(batch["target"], -0.8, 0.8)
    loss_of(objective, {**batch, "target": target}, target + np.float32([0.1, 0.1, 0.1, 5]))
    assert float(objective.psnr.result()) == pytest.approx(10 * np.log10(4 / 0.01), abs=1e-2)


def test_windows_are_drawn_out_of_their_pictures_fields():
    objective, batch = Rendering(tiny_renderer(), averages=None), tiny_pipeline().batch(0)
    drawn = ops.convert_to_numpy(objective(batch))
    assert drawn.shape == batch["target"].shape
    network = objective.network
    for i, m in ((0, 1), (3, 0)):
        one = {"images": batch["images"][i : i + 1], "noise_level": batch["noise_level"][i : i + 1]}
        fields = {name: ops.convert_to_numpy(values)[0] for name, values in network(one).items()}
        alone = network.draw(fields, batch["rows"][i, m], batch["columns"][i, m], batch["scale"][i, m])
        np.testing.assert_allclose(drawn[i, m], alone, atol=1e-4)


def test_the_loss_falls_and_validation_looks_at_the_average(objective):
    pipeline, validation = tiny_pipeline(steps_per_epoch=10), tiny_pipeline(training=False)
    history = objective.fit(
        pipeline,
        epochs=4,
        verbose=0,
        shuffle=False,
        callbacks=[SetPipelineEpoch(pipeline)],
        validation_data=validation,
    ).history
    assert set(history) == {"loss", "psnr", "val_loss", "val_psnr"}
    assert all(np.isfinite(values).all() for values in history.values())
    assert history["loss"][-1] < 0.8 * history["loss"][0]
    assert history["val_loss"][-1] < 0.9 * history["val_loss"][0]
    batch, average = validation.batch(0), objective.average
    assert largest_difference(average.get_weights(), objective.network.get_weights()) > 1e-4
    fields = average({name: batch[name] for name in ("images", "noise_level")})
    fields = {name: ops.convert_to_numpy(values)[:, None] for name, values in fields.items()}
    drawn = average.draw(fields, batch["rows"], batch["columns"], batch["scale"])
    assert history["val_loss"][-1] == pytest.approx(loss_of(objective, batch, drawn), rel=1e-3)


def test_bfloat16_is_close():
    narrow, wide = (
        Rendering(tiny_renderer(dtype=dtype), averages=None) for dtype in ("mixed_bfloat16", "float32")
    )
    batch = tiny_pipeline().batch(0)
    losses = [loss_of(one, batch, ops.convert_to_numpy(one(batch))) for one in (narrow, wide)]
    assert losses[0] == pytest.approx(losses[1], rel=0.05) and losses[0] != losses[1]


@pytest.fixture
def floatx():
    yield keras.config.set_floatx
    keras.config.set_floatx("float32")


def test_another_floatx_changes_no_loss(floatx):
    objective, losses = Rendering(tiny_renderer(), averages=None), []
    batch = keras.tree.map_structure(ops.convert_to_tensor, tiny_pipeline().batch(0))
    for dtype in ("float32", "float16", "float64"):
        floatx(dtype)
        loss = objective.compute_loss(batch, y_pred=objective(batch))
        losses.append((keras.backend.standardize_dtype(loss.dtype), float(ops.convert_to_numpy(loss))))
    assert losses[0][0] == "float32" and losses[0] == losses[1] == losses[2]


def test_a_resumed_run_ends_where_an_uninterrupted_one_does(objective, compiled, tmp_path):
    pipeline = tiny_pipeline(steps_per_epoch=2)
    train(objective, pipeline, 2, tmp_path / "whole")
    whole = state(objective)
    objective.load_weights(compiled[1])
    train(objective, pipeline, 1, tmp_path / "resumed")
    assert largest_difference(state(objective), whole) > 1e-4
    fresh = tiny_objective(averages=ExponentialMovingAverage(0.5))
    train(fresh, pipeline, 2, tmp_path / "resumed")
    assert largest_difference(state(fresh), whole) == 0
    pipeline.truths = pipeline.truths[::-1]
    with pytest.raises(ValueError, match="truths"):
        train(fresh, pipeline, 3, tmp_path / "resumed")


@pytest.mark.parametrize("odd", ["floatx float16", "floatx float64"])
def test_odd_globals_change_no_step(odd):
    changes_no_step(odd, tiny_objective, lambda: tiny_pipeline(steps_per_epoch=1))
