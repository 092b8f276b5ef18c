"""A batch shared by several devices, of one process or of many: the one file that knows how engines do it.

On JAX the variables of a run lie on all devices while it trains, and a batch is one array in parts
(`keras.distribution.DataParallel`): a step is that of the whole batch, whatever it computes. On TensorFlow
each device runs the step on its part (`tf.distribute`), and what they find is added up.
"""

import atexit
import contextlib
import functools
import os
import sys
import weakref

import keras
import numpy as np

from keras_t2i.training.backend import BACKEND

KINDS = ("none", "data")


class World:
    """One device: what there is without `start`, and what the others are a change of.

    Attributes:
        devices: int, how many share a batch.
        processes, process: ints, how many there are, and the number of this one.
        parts_batches: bool, whether a step on a device sees only that device's part of a batch.
        errors: exceptions of the engine that may mean that another process is gone.
    """

    devices, processes, process, parts_batches, errors = 1, 1, 0, False, ()

    @property
    def first(self):
        """Whether this is the process that writes, draws and reports."""
        return self.process == 0

    def check(self, objective, batch_size):
        """Raise a ValueError where an objective's batch cannot be shared, or not evenly."""
        if objective.needs_whole_batch and self.parts_batches and self.devices > 1:
            raise ValueError(
                f"{type(objective).__name__} needs the whole batch in one place, and each of {self.devices} "
                "devices would see a part: train it with KERAS_BACKEND=jax, or without --distribute"
            )
        parts = _parts(objective.optimizer)
        if self.parts_batches and any(getattr(part, "gradient_accumulation_steps", None) for part in parts):
            raise ValueError(
                "TensorFlow does not accumulate the gradients of several devices: leave --accumulate out and "
                "give a larger --batch-size, or train with KERAS_BACKEND=jax"
            )
        if batch_size % self.devices:
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
        global _world
        self.end()
        _world = World()
        if not self.first:
            sys.exit(0)


class _Jax(World):
    def __init__(self, devices=None):
        import jax

        if wanted := _processes_of_jax():
            jax.config.update("jax_cpu_collectives_implementation", "gloo")  # where there is no GPU
            # It would take SIGTERM to be a question, which nobody asks about here, and live on.
            jax.config.update("jax_enable_preemption_service", False)
            jax.distributed.initialize(**wanted)
        devices = sorted(jax.devices(), key=lambda device: (device.process_index, device.id))[:devices]
        self.devices, self.processes, self.process = len(devices), jax.process_count(), jax.process_index()
        if self.processes > 1:
            self.errors = (jax.errors.JaxRuntimeError,)
            # JAX would wait at its end for the others, who wait for this process or are gone, and then abort.
            # What is registered last is called first.
            atexit.register(_end_at_once)
        # Each process hands over its own rows: `Share`.
        names = [f"{device.platform}:{device.id}" for device in devices]
        self.distribution = keras.distribution.DataParallel(devices=names, auto_shard_dataset=False)
        mesh = jax.sharding.Mesh(np.array(devices), ("batch",))
        self.everywhere = jax.sharding.NamedSharding(mesh, jax.sharding.PartitionSpec())

    @contextlib.contextmanager
    def training(self, objective):
        self.spread(objective)
        _forget_functions(objective)
        try:
            with self.distribution.scope():
                yield
        except BaseException:
            with contextlib.suppress(Exception):  # a step that broke leaves variables without values
                _here(variables_of(objective))
            raise
        else:
            _here(variables_of(objective))
        finally:
            _forget_functions(objective)

    def assign(self, variables, values):
        import jax

        def spread(value):  # `device_put` would compare processes, one message a variable
            return jax.make_array_from_callback(value.shape, self.everywhere, lambda index: value[index])

        super().assign(variables, map(spread, values))

    @contextlib.contextmanager
    def undistributed(self):
        # Keras makes variables even to load a state, and one that is distributed waits for all processes.
        before = keras.distribution.distribution()
        keras.distribution.set_distribution(None)
        try:
            yield
        finally:
            keras.distribution.set_distribution(before)

    @contextlib.contextmanager
    def alone(self, objective):
        variables = variables_of(objective)
        everywhere = [v.value for v in variables]
        # Copies, as `predict` gives up the arrays that it reads.
        here = [value.addressable_data(0).copy() for value in everywhere]
        for variable, value in zip(variables, here, strict=True):
            variable.assign(value)
        try:
            with self.undistributed():
                yield
        finally:
            for variable, own, shared in zip(variables, here, everywhere, strict=True):
                now = variable.value
                if now is not own and not np.array_equal(now, shared.addressable_data(0), equal_nan=True):
                    raise RuntimeError(f"a callback changed {variable.path}, in the first process alone")
                variable.assign(shared)

    def tell(self, values):
        if self.processes == 1:
            return values
        from jax.experimental import multihost_utils

        return [np.asarray(v) for v in multihost_utils.broadcast_one_to_all(values)]

    def leave(self):
        import jax

        if self.processes > 1:
            jax.distributed.shutdown()
            atexit.unregister(_end_at_once)
        super().leave()


class _TensorFlow(World):
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
        for optimizer in _parts(objective.optimizer):
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
        _forget_functions(objective)

    def _exit(self, objective):
        self.inside.close()
        objective._distribute_strategy = None
        _forget_functions(objective)

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
    changes += [(part, "_all_reduce_sum_gradients", list) for part in _parts(optimizer)]
    for part, name, function in changes:
        object.__setattr__(part, name, function)  # past what looks for variables
    try:
        yield
    finally:
        for part, name, _ in changes:
            object.__delattr__(part, name)


def _parts(optimizer):
    """An optimizer, and those that it is made of."""
    inner = [*getattr(optimizer, "optimizers", ()), getattr(optimizer, "inner_optimizer", None)]
    return [optimizer, *(part for one in inner if one is not None for part in _parts(one))]


def _end_at_once():
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError):  # as where nobody reads any more
            stream.flush()
    os._exit(2)


def _processes_of_jax():
    """What `jax.distributed.initialize` is to be told; `None` where there is one process."""
    of = os.environ.get
    if "JAX_COORDINATOR_ADDRESS" in os.environ:
        names = {"num_processes": "JAX_NUM_PROCESSES", "process_id": "JAX_PROCESS_ID"}
        numbers = {option: of(name, "") for option, name in names.items()}
        if not all(number.isdecimal() for number in numbers.values()):
            raise ValueError(
                "beside JAX_COORDINATOR_ADDRESS, set JAX_NUM_PROCESSES and JAX_PROCESS_ID, numbers"
            )
        numbers = {option: int(number) for option, number in numbers.items()}
        return {"coordinator_address": of("JAX_COORDINATOR_ADDRESS"), **numbers}
    several = any(int(of(name, "1")) > 1 for name in ("SLURM_NTASKS", "OMPI_COMM_WORLD_SIZE"))
    return {} if several or "," in of("TPU_WORKER_HOSTNAMES", "") else None  # JAX finds the rest


def variables_of(objective):
    """All that a step of a compiled objective may change: a list of variables."""
    return [*objective.variables, *objective.optimizer.variables, *objective.metrics_variables]


def _here(variables):
    """Put variables that lie on all devices on the first of this process."""
    for variable in variables:
        variable.assign(variable.value.addressable_data(0))


def _forget_functions(objective):
    """Let Keras compile a step anew, as variables have moved."""
    objective.train_function = objective.test_function = objective.predict_function = None


_world = World()


def start(kind="none", devices=None):
    """Let the runs of this program share each batch among all devices, of all processes of its cluster.

    To be called before any array or model is made, and again before another run.

    Args:
        kind: "none", or "data": each device has all weights, and its part of a batch.
        devices: int, how many of those that there are, in one process; `None`: all.

    Returns: `World`.

    Raises: ValueError for an unknown kind, and on torch where there are several devices or processes.
    """
    global _world
    if kind not in KINDS:
        raise ValueError(f"distribute must be one of {', '.join(KINDS)}, received {kind!r}")
    _world.end()
    _world = World()
    if kind == "data":
        several = {"jax": _Jax, "tensorflow": _TensorFlow, "torch": _torch}[BACKEND](devices)
        if several.devices > 1:
            _world = several
        else:
            several.leave()
    return _world


def world():
    """The `World` of the last `start`."""
    return _world


def _torch(devices=None):
    import torch

    if max(devices or torch.cuda.device_count(), int(os.environ.get("WORLD_SIZE", "1"))) > 1:
        raise ValueError(
            "on torch a run has one device: set KERAS_BACKEND=jax or tensorflow to share batches among "
            "several, or choose one by CUDA_VISIBLE_DEVICES=0 and leave --distribute out"
        )
    return World()
