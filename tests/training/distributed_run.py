"""Runs of test_distribution.py: in its process, and as `python distributed_run.py MODE FOLDER`."""

import os
import sys
from pathlib import Path

if __name__ == "__main__":
    HERE = Path(__file__).resolve().parent
    sys.path[:0] = [str(HERE.parent / part) for part in ("", "goldens", "../recipes", "..")]
    if os.environ["KERAS_BACKEND"] == "jax":  # nor is TensorFlow needed
        sys.modules |= dict.fromkeys(("tensorflow", "tensorflow_text", "tensorflow_datasets"))
    else:
        import tensorflow as tf

        cpu = tf.config.list_physical_devices("CPU")[0]
        tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 4)

import keras
import numpy as np
import record
from common import script
from tiny_objectives import tiny_autoencoder
from tiny_objectives import tiny_pipeline

from keras_t2i.training import distribution
from keras_t2i.training.run import train

# Random numbers and averages; on JAX a loss of the whole batch.
RANDOM, WHOLE = "prior", "clip"
OF_PAIR = WHOLE if keras.config.backend() == "jax" else RANDOM
UNET = "denoising latents"
STEPS = 2  # of an epoch


def trained(name, folder, everyone, epochs, dies_in=None, callbacks=()):
    """One of `record.TRAININGS` until so many epochs are done; returns all weights and averages in one row.

    Args:
        name: key of `record.TRAININGS`.
        folder: path of the run, gone on with if there is one.
        everyone: `World`.
        epochs: int.
        dies_in: int, the epoch, from 0, in which the last process ends at once; `None`: it lives.
        callbacks: list of Keras callbacks.
    """
    keras.utils.set_random_seed(1)
    objective = record.TRAININGS[name]()
    # Each step's gradient is clipped: that of the whole batch.
    objective.compile(keras.optimizers.SGD(0.2, momentum=0.9, global_clipnorm=0.1))
    beside = record.BESIDE.get(name, {})
    pipeline = tiny_pipeline(**beside, steps_per_epoch=STEPS)
    validation = tiny_pipeline(**beside, training=False)
    if dies_in is not None and everyone.process == everyone.processes - 1:
        batch = pipeline.batch
        pipeline.batch = lambda step: os._exit(1) if pipeline.first_step == STEPS * dies_in else batch(step)
    encoder = tiny_autoencoder().encoder

    def draw(objective):
        """A picture by Keras' `predict`, of the network that is trained, and of another."""
        network = getattr(objective.average, "image_encoder", objective.average)
        for model in (network, encoder):
            rows = {tensor.name: np.ones([size or 3 for size in tensor.shape]) for tensor in model.inputs}
            assert len(model.predict_on_batch(rows if len(rows) > 1 else rows.popitem()[1])) == 3
        return np.zeros((4, 4, 3), "uint8")

    train(
        objective,
        pipeline,
        epochs,
        folder,
        validation=validation,
        log=["csv"],
        draw=draw,
        callbacks=callbacks,
    )
    return np.concatenate(
        [keras.ops.convert_to_numpy(v).astype("float64").ravel() for v in objective.weights]
    )


def devices(folder):
    """An epoch on two devices, the next on four."""
    for epochs, count in ((1, 2), (2, 4)):
        trained(RANDOM, folder / "shared", distribution.start("data", count), epochs)


def pair(folder):
    """The second epoch in two processes, of which the last dies in the third."""
    everyone = distribution.start("data")
    trained(OF_PAIR, folder / ("pair" if everyone.first else "other"), everyone, 3, dies_in=2)


class Held(keras.callbacks.Callback):
    """Which share of all variables the device has that has most; of those of the optimizer alone."""

    def on_train_batch_end(self, batch, logs=None):
        everything = [*self.model.variables, *self.model.optimizer.variables]
        self.shares = [share_on_one(variables) for variables in (everything, self.model.optimizer.variables)]


def share_on_one(variables):
    on = {}
    for variable in variables:
        for shard in variable.value.addressable_shards:
            on[shard.device] = on.get(shard.device, 0) + shard.data.nbytes
    return max(on.values()) / sum(variable.value.nbytes for variable in variables)


def model(folder):
    """Two epochs with weights parted in two; prints which share a device has."""
    held = Held()
    trained(UNET, folder / "shared", distribution.start("model", 2), 2, callbacks=[held])
    print("shares", *held.shares, file=sys.stderr)


def main(argv=None):
    mode, folder = argv or sys.argv[1:]
    {"devices": devices, "pair": pair, "model": model}[mode](Path(folder))


if __name__ == "__main__":
    script(main)
