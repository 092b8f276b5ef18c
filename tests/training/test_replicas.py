"""Two replicas of `tf.distribute` train as one device does that sees the same batches."""

import subprocess
import sys
from pathlib import Path

import keras
import pytest

NAMES = ("reconstruction", "concept regression", "denoising in another form", "prior")
REFUSED = ("clip", "VAE", "code consistency, naive", "GAN")


@pytest.mark.skipif(keras.config.backend() != "tensorflow", reason="replicas are TensorFlow's")
def test_two_replicas_are_one_device():
    """In a process of its own: devices are made before any is used."""
    folders = [str(Path(__file__).parents[1] / part) for part in ("", "goldens", "..")]
    done = subprocess.run(
        [sys.executable, "-c", f"import sys; sys.path[:0] = {folders}\n{SCRIPT}", *NAMES, *REFUSED],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.split() == ["equal"] * len(NAMES) + ["refused"] * len(REFUSED)


SCRIPT = """
import contextlib
import conftest
import tensorflow as tf
import keras
import numpy as np
cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
import record
from tiny_objectives import tiny_pipeline

def trained(name, strategy=None):
    with strategy.scope() if strategy else contextlib.nullcontext():
        keras.utils.set_random_seed(1)
        objective = record.TRAININGS[name]()
        rates = [keras.optimizers.SGD(0.02, momentum=0.9, name=n) for n in ("one", "other")]
        objective.compile(*rates[: 1 + hasattr(objective, "discriminator")])
    pipeline = tiny_pipeline(**record.BESIDE.get(name, {}))
    batches = [pipeline.batch(i) for i in range(2)]
    rows = keras.tree.map_structure(lambda *parts: np.concatenate(parts), *batches)
    batches = tf.data.Dataset.from_tensor_slices(rows).batch(8, drop_remainder=True)
    before = [np.array(v) for v in objective.trainable_variables]
    logs = objective.fit(batches, verbose=0).history
    moved = [np.array(v) - b for v, b in zip(objective.trainable_variables, before)]
    means = [np.array(w) for average in objective.averages for w in average.weights]
    validation = objective.evaluate(batches, verbose=0)
    return logs["loss"][0], validation, np.concatenate([m.ravel() for m in moved + means])

def two():
    one_device = tf.distribute.ReductionToOneDevice()
    return tf.distribute.MirroredStrategy(["/cpu:0", "/cpu:1"], cross_device_ops=one_device)

for name in sys.argv[1:]:
    try:
        pair = trained(name, two())
    except NotImplementedError as error:
        assert "needs the whole batch in one place" in str(error)
        print("refused")
        continue
    for here, there in zip(trained(name), pair):
        np.testing.assert_allclose(here, there, rtol=1e-5, atol=1e-5 * np.abs(here).max())
    print("equal")
"""
