"""What each process of a run does of it: its rows of a batch, and its callbacks."""

import functools
import itertools

import keras
import numpy as np

HOOKS = ("on_train_begin", "on_train_end", "on_epoch_begin", "on_train_batch_begin", "on_train_batch_end")
HOOKS += ("on_test_begin", "on_test_end", "on_test_batch_begin", "on_test_batch_end")


def share(pipeline, world):
    """What a process of a `World` feeds of a `Pipeline`, or of `None`: with one device, all of it."""
    return pipeline if pipeline is None or world.shares == 1 else Share(pipeline, world)


class Share(keras.utils.PyDataset):
    """The rows that this process has of each batch of a `Pipeline`.

    Of a last batch that cannot be shared evenly, which validation may have, the rest is left out.

    Args:
        pipeline: `Pipeline`.
        world: `World`.

    Raises: ValueError where validation has too few pictures.
    """

    def __init__(self, pipeline, world):
        super().__init__()
        self.pipeline, self.world = pipeline, world
        last = len(pipeline.data) % pipeline.batch_size
        self.left_out = 0 if pipeline.training else last % world.shares
        self.length = len(pipeline) - (0 < last == self.left_out)
        if not self.length:
            raise ValueError(
                f"{len(pipeline.data)} validation pictures are too few for {world.devices} devices"
            )

    def __len__(self):
        return self.length

    def __getitem__(self, index):
        return self.batch(self.pipeline.first_step + index)

    def batch(self, step):
        """As `Pipeline.batch`, of which these are consecutive rows."""
        batch, shares, processes = self.pipeline.batch(step), self.world.shares, self.world.processes
        rows = len(next(iter(batch.values()))) // shares * (shares // processes)
        first = self.world.process * rows
        return {name: values[first : first + rows] for name, values in batch.items()}

    def steps(self):
        """Numbers of batches for `batch`: of training on and on, of validation again and again."""
        first = self.pipeline.first_step
        return itertools.count(first) if self.pipeline.training else itertools.cycle(range(self.length))

    def on_epoch_begin(self):
        self.pipeline.on_epoch_begin()


def in_the_first(world, callbacks):
    """A list of Keras callbacks, for the first process of a `World` alone where there are several devices."""
    return callbacks if world.devices == 1 else [InTheFirst(world, callbacks)]


class InTheFirst(keras.callbacks.Callback):
    """Callbacks of the first process alone; all processes end where one of these says so.

    Args:
        world: `World`.
        callbacks: list of Keras callbacks. What they do after an epoch sees one device.
    """

    def __init__(self, world, callbacks):
        super().__init__()
        self.world, self.callbacks = world, callbacks if world.first else []
        for hook in HOOKS:
            setattr(self, hook, functools.partial(self._all, hook))

    def _all(self, hook, *args, **kwargs):
        with self.world.undistributed():
            for callback in self.callbacks:
                getattr(callback, hook)(*args, **kwargs)

    def set_params(self, params):
        super().set_params(params)
        self._all("set_params", params)

    def set_model(self, model):
        super().set_model(model)
        self._all("set_model", model)

    def on_epoch_end(self, epoch, logs=None):
        if self.world.first:
            with self.world.alone(self.model):
                self._all("on_epoch_end", epoch, logs)
        self.model.stop_training = bool(self.world.tell([np.array(self.model.stop_training)])[0])
