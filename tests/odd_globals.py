"""Keras' global data format and dtypes (keras.json), set otherwise, and what is to stay the same."""

import keras
import numpy as np

# image_data_format, floatx, the dtype policy of new networks, and how far numbers may be off, as a part of
# the largest. Opened presets get the policy, as all of KerasHub's do; floatx alone should change nothing.
ODD = {
    "channels first": ("channels_first", "float32", "float32", 1e-6),
    "floatx float16": ("channels_first", "float16", "float32", 1e-6),
    "floatx float64": ("channels_last", "float64", "float32", 1e-6),
    "all float16": ("channels_last", "float16", "float16", 2e-2),
}


def under(globals_, function, *args):
    """What a function returns under other globals: data format, floatx, policy."""
    _set_globals(*globals_)
    try:
        return function(*args)
    finally:
        _set_globals("channels_last", "float32", "float32")


def _set_globals(data_format, floatx, policy):
    keras.config.set_image_data_format(data_format)
    keras.config.set_floatx(floatx)
    keras.config.set_dtype_policy(policy)


def step_of(objective, pipeline):
    """The loss and other metrics of a compiled objective's next epoch, and how far weights moved."""
    before = [keras.ops.convert_to_numpy(v) for v in objective.trainable_variables]
    logs = objective.fit(pipeline, verbose=0, shuffle=False).history
    after = [keras.ops.convert_to_numpy(v) for v in objective.trainable_variables]
    moved = np.concatenate([(a - b).ravel() for a, b in zip(after, before, strict=True)])
    return [np.array([logs[key][0] for key in sorted(logs)]), moved]


def changes_no_step(odd, objective, pipeline):
    """Assert that a training step under these globals of `ODD` is that of the usual ones. objective and
    pipeline make new ones."""

    def step():
        made = objective()
        made.compile(keras.optimizers.SGD(0.015625))  # which float16 holds
        return step_of(made, pipeline())

    *globals_, _ = ODD[odd]
    close(under(globals_, step), step(), 1e-5)


def close(found, expected, part):
    """Assert that arrays differ by no more than a part of the largest number, pictures by one in 255."""
    assert len(found) == len(expected)
    for array, other in zip(found, expected, strict=True):
        assert array.shape == other.shape and np.isfinite(array.astype("float64")).all()
        scale = np.abs(other.astype("float64")).max()
        off = np.abs(array.astype("float64") - other).max()
        assert off <= part * scale + (other.dtype == np.uint8), f"{off / scale:.1e} of the largest"
