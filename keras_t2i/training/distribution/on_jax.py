"""Devices of JAX, of one process or of many (`keras.distribution.DataParallel`): variables lie on all of them
while a run trains, and a batch is one array in parts: a step is that of the whole batch, whatever it is."""

import atexit
import contextlib
import os
import sys

import keras
import numpy as np

from keras_t2i.training.distribution.world import World
from keras_t2i.training.distribution.world import forget_functions
from keras_t2i.training.distribution.world import variables_of


class Jax(World):
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
        forget_functions(objective)
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
            forget_functions(objective)

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


def _here(variables):
    """Put variables that lie on all devices on the first of this process."""
    for variable in variables:
        variable.assign(variable.value.addressable_data(0))
