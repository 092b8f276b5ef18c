"""What a run asks of the devices and processes that it has; here of one."""

import contextlib
import os
import sys

import keras
import numpy as np


class World:
    """One device: what there is without `start`, and what the others are a change of.

    Attributes:
        devices: int, how many train.
        shares: int, into how many parts a batch goes: one for each device, but where weights are parted.
        processes, process: ints, how many there are, and the number of this one.
        parts_batches: bool, whether a step on a device sees only that device's part of a batch.
        errors: exceptions of the engine that may mean that another process is gone.
        present: the `World` of this program, which `start` sets.
    """

    present = None
    devices, processes, process, parts_batches, errors = 1, 1, 0, False, ()

    @property
    def first(self):
        """Whether this is the process that writes, draws and reports."""
        return self.process == 0

    @property
    def shares(self):
        return self.devices

    def check(self, objective, batch_size):
        """Raise a ValueError where an objective's batch cannot be shared, or not evenly."""
        if objective.needs_whole_batch and self.parts_batches and self.devices > 1:
            raise ValueError(
                f"{type(objective).__name__} needs the whole batch in one place, and each of {self.devices} "
                "devices would see a part: train it with KERAS_BACKEND=jax, or without --distribute"
            )
        parts = parts_of(objective.optimizer)
        if self.parts_batches and any(getattr(part, "gradient_accumulation_steps", None) for part in parts):
            raise ValueError(
                "TensorFlow does not accumulate the gradients of several devices: leave --accumulate out and "
                "give a larger --batch-size, or train with KERAS_BACKEND=jax"
            )
        if batch_size % self.shares:
            raise ValueError(
                f"a batch of {batch_size} cannot be shared by {self.devices} devices evenly: give a "
                f"--batch-size that is a multiple of {self.devices}"
            )

    def build(self, objective):
        """Make the variables of a compiled objective's optimizer, into which a saved state can be loaded."""
        if not objective.optimizer.built:
            objective.optimizer.build(objective.trainable_variables)

    @contextlib.contextmanager
    def training(self, objective):
        """Within, a compiled `objective` with a built optimizer trains on all devices."""
        yield

    def assign(self, variables, values):
        """Give variables values, NumPy arrays that every process has."""
        for variable, value in zip(variables, values, strict=True):
            variable.assign(value)

    def spread(self, objective):
        """Give all variables of an objective everywhere the values that they have in the first process."""
        if self.devices > 1:
            variables = variables_of(objective)
            self.assign(variables, self.tell([keras.ops.convert_to_numpy(v) for v in variables]))

    @contextlib.contextmanager
    def undistributed(self):
        """Within `training`, for what one process does: variables made here are its own."""
        yield

    @contextlib.contextmanager
    def alone(self, objective):
        """Within `training`: as if there were this process and its first device alone."""
        yield

    def feeds(self, batches, held_out=None):
        """Arguments of `fit`: its `x`, and its validation data where there are such."""
        return {"x": batches, "validation_data": held_out}

    def tell(self, values):
        """The arrays of the first process, in each: a list of NumPy arrays of the same shapes everywhere."""
        return values

    def in_the_first(self, work):
        """What a function of nothing returns, which only the first process calls; elsewhere `None`.

        Raises: what it raises; elsewhere then a ConnectionError.
        """
        found = error = None
        if self.first:
            try:
                with self.undistributed():
                    found = work()
            except BaseException as raised:
                error = raised
        failed = bool(self.tell([np.array(error is not None)])[0])
        if error is not None:
            raise error
        if failed:
            raise ConnectionError("the first process ended before training began: it says why")
        return found

    def number(self, value):
        """The int that the first process has."""
        return int(self.tell([np.array(value)])[0])

    def lost(self, error):
        """In place of `leave`, raise a ConnectionError for one of `errors`; itself where memory is short."""
        if "RESOURCE_EXHAUSTED" in str(error):
            raise error
        words = " ".join(str(error).split())[:200]
        raise ConnectionError(
            f"another of the {self.processes} processes of this run is gone. Start all of them again: "
            f"the run goes on after its last whole epoch ({words})"
        ) from error

    def end(self):
        """After `training`, or where it failed: what is made from now on has one device."""

    def leave(self):
        """After `training`: the first process goes on, on one device; the others end here."""
        self.end()
        World.present = World()
        if not self.first:
            sys.exit(0)


World.present = World()


def end_at_once():
    """For `atexit`: end with code 2, without what the engine does at its end."""
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError):  # as where nobody reads any more
            stream.flush()
    os._exit(2)


def parts_of(optimizer):
    """An optimizer, and those that it is made of."""
    inner = [*getattr(optimizer, "optimizers", ()), getattr(optimizer, "inner_optimizer", None)]
    return [optimizer, *(part for one in inner if one is not None for part in parts_of(one))]


def variables_of(objective):
    """All that a step of a compiled objective may change: a list of variables."""
    return [*objective.variables, *objective.optimizer.variables, *objective.metrics_variables]


def forget_functions(objective):
    """Let Keras compile a step anew, as variables have moved."""
    objective.train_function = objective.test_function = objective.predict_function = None
