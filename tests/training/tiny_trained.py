"""A small training of which test_averages.py and test_snapshots.py know every step."""

from types import SimpleNamespace

import keras
from tiny_objectives import tiny_autoencoder
from tiny_objectives import tiny_pipeline

from keras_t2i.data import SetPipelineEpoch
from keras_t2i.training.averages import PowerFunctionEMA
from keras_t2i.training.objective import Objective
from keras_t2i.training.snapshots import SaveSnapshots
from keras_t2i.utils.images import to_float


class Fit(Objective):
    """The plainest objective: a picture through a small autoencoder."""

    def call(self, x, training=False):
        return self.chosen(training)(to_float(x["images"]), training=training)

    def compute_loss(self, x, y=None, y_pred=None, sample_weight=None, training=True):
        return keras.ops.mean(keras.ops.square(to_float(x["images"]) - y_pred))


class Record(keras.callbacks.Callback):
    def on_train_batch_begin(self, batch, logs=None):
        self.weights.append(self.model.network.get_weights())

    weights = None


def tiny_trained(folder):
    """Six epochs of two steps, and the weights before each step."""
    keras.utils.set_random_seed(0)
    record = Record()
    record.weights = []
    objective = Fit(tiny_autoencoder(), averages=PowerFunctionEMA((0.1, 0.2)))
    objective.compile(optimizer=keras.optimizers.SGD(0.5))
    pipeline = tiny_pipeline(steps_per_epoch=2)
    callbacks = [SetPipelineEpoch(pipeline), record, SaveSnapshots(folder, every=4, epochs=6)]
    objective.fit(pipeline, epochs=6, verbose=0, shuffle=False, callbacks=callbacks)
    return SimpleNamespace(objective=objective, folder=folder, weights=record.weights)
