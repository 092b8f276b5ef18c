import keras
import numpy as np
import pytest
from keras import ops
from odd_globals import changes_no_step
from run_state import begin_again
from run_state import state
from tiny import tiny_dual_encoder
from tiny_upsampler import new_upsampler
from tiny_upsampler import tiny_upsampler

from keras_t2i.data import CaptionedImages
from keras_t2i.data.upsampling_pipeline import UpsamplingPipeline
from keras_t2i.data.windows import RasterPicture
from keras_t2i.objectives.upsampling import Upsampling
from keras_t2i.training.averages import ExponentialMovingAverage
from keras_t2i.training.run import train
from keras_t2i.utils.images import to_uint8


class Words:
    """In place of a preprocessor."""

    def generate_preprocess(self, captions):
        return np.array([[1 + len(caption) % 7] + [0] * 7 for caption in captions], "int32")


def tiny_pipeline(**options):
    """Four pictures of stripes, of 32 pixels, and what they are at 8."""
    rows = np.arange(32)[:, None, None]
    pictures = [127 + 100 * np.sin(rows * (0.2 + 0.2 * i) + np.arange(3)) for i in range(4)]
    pictures = [np.broadcast_to(one, (32, 32, 3)).astype("uint8") for one in pictures]
    truths = [RasterPicture(one) for one in pictures]
    small = np.stack([to_uint8(truth.window(0.0, 0.0, 1.0, 8)[..., :3]) for truth in truths])
    names = [f"stripes {i}" for i in range(4)]
    data = CaptionedImages(small, [[n, f"{n}!"] for n in names], names, np.arange(4))
    return UpsamplingPipeline(data, truths, Words(), **{"factor": 4, "crop": 16, "batch_size": 4, **options})


def tiny_objective(make=tiny_upsampler, code_dim=32, **options):
    """Twice the same for the same arguments."""
    keras.utils.set_random_seed(1)
    network = make(factor=4, code_dim=code_dim)
    options = {"averages": ExponentialMovingAverage(0.5), **options}
    objective = Upsampling(network, tiny_dual_encoder(8, blocks=0).text_encoder, **options)
    objective.compile(optimizer=keras.optimizers.Adam(3e-3))
    return objective


def test_the_loss_by_hand():
    """On the straight path, of pictures, weight 1 / t^2 up to 400: everything anew, in NumPy."""
    objective, batch = tiny_objective(data_std=0.8), tiny_pipeline(training=False).batch(0)
    seen = {name: ops.convert_to_numpy(values) for name, values in objective(batch).items()}
    loss = float(ops.convert_to_numpy(objective.compute_loss(batch, y_pred=objective(batch))))
    np.testing.assert_array_equal(seen["x0"], batch["images"])
    t = seen["t"].astype("float64").reshape(-1, 1, 1, 1)
    noisy = (1 - t) * batch["images"] + t * seen["noise"]
    np.testing.assert_allclose(seen["x_t"], noisy, atol=1e-5)
    features = objective.features(batch["token_ids"])
    given = {name: batch[name] for name in ("low_resolution", "noise_level")}
    given |= {name: ops.convert_to_numpy(values) for name, values in features.items()}
    given["images"] = (noisy / np.sqrt(((1 - t) * 0.8) ** 2 + t**2)).astype("float32")
    given["log_snr"] = (2 * np.log((1 - t) / t)).astype("float32").ravel()
    given["condition_mask"] = np.ones(4, "float32")
    output = ops.convert_to_numpy(objective.network(given))
    np.testing.assert_allclose(seen["output"], output, atol=1e-4)
    squares = np.square(output - batch["images"]).mean(axis=(1, 2, 3))
    assert loss == pytest.approx((np.minimum(1 / t.ravel() ** 2, 400) * squares).mean(), rel=1e-4)


def test_before_training_the_error_is_that_of_the_enlarged_picture():
    objective = tiny_objective(new_upsampler)
    batch = tiny_pipeline(training=False).batch(0)
    seen = objective(batch)
    np.testing.assert_array_equal(ops.convert_to_numpy(seen["output"]), batch["low_resolution"])


def test_training_learns_and_a_resumed_run_ends_where_an_uninterrupted_one_does(tmp_path):
    pipeline, validation = tiny_pipeline(steps_per_epoch=4), tiny_pipeline(training=False)

    def run(epochs, folder, objective):
        return train(objective, pipeline, epochs, folder, validation=validation)

    whole = tiny_objective(new_upsampler)
    before = whole.evaluate(validation, verbose=0, return_dict=True)["loss"]
    logs = run(4, tmp_path / "whole", whole)
    assert logs["val_loss"] < 0.95 * before
    ended, parts = state(whole), tiny_objective(new_upsampler)
    begin_again(whole, parts)
    run(2, tmp_path / "parts", whole)
    run(4, tmp_path / "parts", parts)
    for one, other in zip(ended, state(parts), strict=True):
        np.testing.assert_array_equal(one, other)
    pipeline.truths = pipeline.truths[::-1]
    with pytest.raises(ValueError, match="truths"):
        run(5, tmp_path / "parts", parts)


def test_another_text_encoder_is_named():
    with pytest.raises(ValueError, match=r"have \(32, 8\) numbers, the network's \(16, 8\)"):
        tiny_objective(code_dim=16)


@pytest.mark.parametrize("odd", ["floatx float16", "floatx float64"])
def test_odd_globals_change_no_step(odd):
    changes_no_step(odd, tiny_objective, lambda: tiny_pipeline(steps_per_epoch=1))
