"""Devices of TensorFlow, of one process or of many (`tf.distribute`): each runs the step on its part of a
batch, and what they find is added up."""

import atexit
import contextlib
import functools
import json
import os
import weakref

import keras
import numpy as np

from keras_t2i.training.distribution.world import World
from keras_t2i.training.distribution.world import end_at_once
from keras_t2i.training.distribution.world import forget_functions
from keras_t2i.training.distribution.world import parts_of


class TensorFlow(World):
    parts_batches = True

    def __init__(self, devices=None):
        import tensorflow as tf

        kind = "GPU" if tf.config.list_logical_devices("GPU") else "CPU"
        found = [device.name for device in tf.config.list_logical_devices(kind)][:devices]
        reduction = tf.distribute.ReductionToOneDevice() if kind == "CPU" else None
        self._share_by(tf.distribute.MirroredStrategy(found, cross_device_ops=reduction))

    def _share_by(self, strategy):
        import tensorflow as tf

        self.strategy, self.devices = strategy, strategy.num_replicas_in_sync
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

        here = self.devices // self.processes

        def parts():
            for step in batches.steps():
                batch = batches.batch(step)
                for i in range(here):
                    yield {name: np.array_split(rows, here)[i] for name, rows in batch.items()}

        signature = keras.tree.map_structure(
            lambda part: tf.TensorSpec(part.shape, part.dtype), next(parts())
        )
        data = tf.data.Dataset.from_generator(parts, output_signature=signature).prefetch(2 * here)
        return self.strategy.distribute_datasets_from_function(lambda context: data)

    def end(self):
        self.creating.close()


class TensorFlowWorkers(TensorFlow):
    """The devices of several processes (`tf.distribute.MultiWorkerMirroredStrategy`), which TF_CONFIG names.

    A variable made in the scope of the strategy, or on all devices by `_mirrored`, is made by all of them at
    once, as TensorFlow sends the value of the first: what one of them does alone, it does outside.
    """

    def __init__(self):
        import tensorflow as tf

        # First of all that TensorFlow does here: before it has looked for devices.
        strategy = tf.distribute.MultiWorkerMirroredStrategy()
        strategy.reduce = functools.partial(self._reduce, strategy.reduce)
        self.processes, self.process = _processes_of_tensorflow()
        names = ("Unavailable", "Aborted", "Cancelled", "Internal", "FailedPrecondition", "DeadlineExceeded")
        self.errors = tuple(getattr(tf.errors, f"{name}Error") for name in names)
        self.within, self.is_alone = None, False  # the objective that trains
        # TensorFlow would wait at its end for the others, who wait for this process or are gone.
        atexit.register(end_at_once)
        self._share_by(strategy)

    def _mirrored(self, next_creator, **kwargs):
        return next_creator(**kwargs) if self.is_alone else super()._mirrored(next_creator, **kwargs)

    def _reduce(self, reduce, operation, value, axis=None):
        """The strategy's own, but for what would wait for others, and what Keras asks in vain: the mean of
        batches, which are dicts, and that of a step's figures, which are scalars, over an axis."""
        import tensorflow as tf

        if isinstance(value, dict):  # of which Keras wants the shapes alone
            return {name: self.strategy.experimental_local_results(of)[0] for name, of in value.items()}
        one = value.values[0] if isinstance(value, tf.distribute.DistributedValues) else value
        if self.is_alone:  # as where the state of a metric is saved
            return tf.identity(one)
        return reduce(operation, value, axis=axis if axis is None or one.shape.rank else None)

    def _enter(self, objective):
        super()._enter(objective)
        self.within, self.is_alone = objective, False

    def _exit(self, objective):
        super()._exit(objective)
        self.is_alone = True

    @contextlib.contextmanager
    def training(self, objective):
        with super().training(objective):
            yield
        self.within = None

    @contextlib.contextmanager
    def undistributed(self):
        if self.within is None or self.is_alone:
            yield
            return
        with self.alone(self.within):
            yield

    def tell(self, values):
        import tensorflow as tf

        values = [np.asarray(value) for value in values]
        sizes = [value.nbytes for value in values]
        row = b"".join(value.tobytes() for value in values)
        # Bytes as whole numbers, to which the others add zeros.
        numbers = np.frombuffer(row + bytes(-len(row) % 4), "int32")

        def add_up(part):
            return tf.distribute.get_replica_context().all_reduce(tf.distribute.ReduceOp.SUM, part)

        def of_one(context):  # the first device's; of the others nothing
            first = context.replica_id_in_sync_group == 0
            return tf.constant(numbers if first else np.zeros_like(numbers))

        parts = self.strategy.experimental_distribute_values_from_function(of_one)
        sums = self.strategy.experimental_local_results(self.strategy.run(add_up, (parts,)))[0]
        told, row, start = [], sums.numpy().tobytes(), 0
        for value, size in zip(values, sizes, strict=True):
            told.append(np.frombuffer(row[start : start + size], value.dtype).reshape(value.shape))
            start += size
        return told

    def leave(self):
        atexit.unregister(end_at_once)
        super().leave()


def start_tensorflow(devices=None):
    """The `World` of as many processes as TF_CONFIG names. Raises: ValueError where it cannot be read."""
    return TensorFlow(devices) if _processes_of_tensorflow()[0] == 1 else TensorFlowWorkers()


def _processes_of_tensorflow():
    """How many processes TF_CONFIG names, and the number of this one.

    Raises: ValueError where it does not say, or names some that do other work.
    """
    text = os.environ.get("TF_CONFIG", "")
    try:
        found = json.loads(text or "{}")
        cluster, task = found.get("cluster", {}), found.get("task", {})
        numbers = {job: len(addresses) for job, addresses in cluster.items()}
        if not numbers:
            return 1, 0
        if set(numbers) - {"chief", "worker"} or numbers.get("chief", 1) != 1:
            raise ValueError("its jobs must be worker, and at most one chief")
        before = numbers.get("chief", 0) if task["type"] == "worker" else 0
        number = before + int(task["index"])
        if task["type"] not in numbers or number >= sum(numbers.values()):
            raise ValueError("its task is none of its cluster")
        return sum(numbers.values()), number
    except (ValueError, KeyError, AttributeError, TypeError) as error:
        raise ValueError(f"TF_CONFIG does not say which processes share batches: {error}") from error


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
