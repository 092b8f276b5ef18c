"""Devices of TensorFlow, of one process (`tf.distribute`): each runs the step on its part of a batch, and
what they find is added up."""

import contextlib
import functools
import os
import weakref

import keras
import numpy as np

from keras_t2i.training.distribution.world import World
from keras_t2i.training.distribution.world import forget_functions
from keras_t2i.training.distribution.world import parts_of


class TensorFlow(World):
    parts_batches = True

    def __init__(self, devices=None):
        import tensorflow as tf

        if "TF_CONFIG" in os.environ:
            raise ValueError(
                "on TensorFlow a run has one process, of many devices: unset TF_CONFIG, or set "
                "KERAS_BACKEND=jax, which has many of both"
            )
        kind = "GPU" if tf.config.list_logical_devices("GPU") else "CPU"
        found = [device.name for device in tf.config.list_logical_devices(kind)][:devices]
        reduction = tf.distribute.ReductionToOneDevice() if kind == "CPU" else None
        self.strategy = tf.distribute.MirroredStrategy(found, cross_device_ops=reduction)
        self.devices = self.strategy.num_replicas_in_sync
        # From now on variables are made on all devices, but not in the strategy's scope: a model that is made
        # there draws on all of them too, and `predict_on_batch` then returns each row once for each.
        self.variables, self.creating, self.inside = [], contextlib.ExitStack(), contextlib.ExitStack()
        self.creating.enter_context(tf.variable_creator_scope(self._mirrored))

    def _mirrored(self, next_creator, **kwargs):
        import tensorflow as tf

        if tf.distribute.has_strategy():
            return next_creator(**kwargs)
        with self.strategy.scope():
            variable = tf.Variable(**kwargs)
        self.variables.append(weakref.ref(variable))
        return variable

    def build(self, objective):
        for optimizer in parts_of(objective.optimizer):
            optimizer._distribution_strategy = self.strategy  # Keras' own is that of its constructor
        with self.strategy.scope():
            super().build(objective)

    @contextlib.contextmanager
    def training(self, objective):
        with self.strategy.scope():  # what was loaded out of it, the first device alone has
            for variable in filter(None, (of() for of in self.variables)):
                variable.assign(variable.values[0])
        self._enter(objective)
        try:
            with _summed_first(objective.optimizer):
                yield
        finally:
            self._exit(objective)

    def _enter(self, objective):
        self.inside.enter_context(self.strategy.scope())
        objective._distribute_strategy = self.strategy
        forget_functions(objective)

    def _exit(self, objective):
        self.inside.close()
        objective._distribute_strategy = None
        forget_functions(objective)

    @contextlib.contextmanager
    def alone(self, objective):
        functions = objective.train_function, objective.test_function
        self._exit(objective)
        try:
            yield
        finally:
            self._enter(objective)
            objective.train_function, objective.test_function = functions

    def feeds(self, batches, held_out=None):
        found = {"x": self._feed(batches), "steps_per_epoch": len(batches)}
        if held_out is not None:
            found |= {"validation_data": self._feed(held_out), "validation_steps": len(held_out)}
        return found

    def _feed(self, batches):
        """A data set of a part of a batch for each device, on and on: Keras takes what it needs."""
        import tensorflow as tf

        def parts():
            for step in batches.steps():
                batch = batches.batch(step)
                for i in range(self.devices):
                    yield {name: np.array_split(rows, self.devices)[i] for name, rows in batch.items()}

        signature = keras.tree.map_structure(
            lambda part: tf.TensorSpec(part.shape, part.dtype), next(parts())
        )
        data = tf.data.Dataset.from_generator(parts, output_signature=signature).prefetch(2 * self.devices)
        return self.strategy.distribute_datasets_from_function(lambda context: data)

    def end(self):
        self.creating.close()


@contextlib.contextmanager
def _summed_first(optimizer):
    """Within, an optimizer is given sums of all devices' gradients. Keras adds them up last, and would clip
    those of each part of a batch, and ask the first device alone whether they are finite."""
    import tensorflow as tf

    def summed(apply, gradients, variables=None):
        there = [gradient for gradient in gradients if gradient is not None]
        sums = iter(tf.distribute.get_replica_context().all_reduce(tf.distribute.ReduceOp.SUM, there))
        return apply([None if gradient is None else next(sums) for gradient in gradients], variables)

    outer = getattr(optimizer, "optimizers", [optimizer])
    changes = [(part, "apply", functools.partial(summed, part.apply)) for part in outer]
    changes += [(part, "_all_reduce_sum_gradients", list) for part in parts_of(optimizer)]
    for part, name, function in changes:
        object.__setattr__(part, name, function)  # past what looks for variables
    try:
        yield
    finally:
        for part, name, _ in changes:
            object.__delattr__(part, name)
