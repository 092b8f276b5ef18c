"""Devices of JAX: a step is that of the whole batch, whatever it is, for arrays in parts are one array.

Either all variables lie on all devices while a run trains, and a batch is in parts
(`keras.distribution.DataParallel`), of one process or of many; or all devices of one process see the whole
batch, and kernels are in parts (`keras.distribution.ModelParallel`).
"""

import atexit
import contextlib
import os
import re

import keras
import numpy as np

from keras_t2i.training.distribution.world import World
from keras_t2i.training.distribution.world import end_at_once
from keras_t2i.training.distribution.world import forget_functions
from keras_t2i.training.distribution.world import variables_of

MOST = 8  # devices that a CPU is made: a batch of `--smoke` goes into as many parts


class Jax(World):
    cores_are_devices = True

    def __init__(self, devices=None):
        import jax

        if (wanted := _processes_of_jax()) is not None:  # {}: JAX finds them
            jax.config.update("jax_cpu_collectives_implementation", "gloo")  # where there is no GPU
            # It would take SIGTERM to be a question, which nobody asks about here, and live on.
            jax.config.update("jax_enable_preemption_service", False)
            jax.distributed.initialize(**wanted)
        elif self.cores_are_devices:
            _make_cores_devices()
        with _threads_enough():
            found = jax.devices()
        devices = sorted(found, key=lambda device: (device.process_index, device.id))[:devices]
        self.devices, self.processes, self.process = len(devices), jax.process_count(), jax.process_index()
        if self.processes > 1:
            self.errors = (jax.errors.JaxRuntimeError,)
            # JAX would wait at its end for the others, who wait for this process or are gone, and then abort.
            # What is registered last is called first.
            atexit.register(end_at_once)
        self.names = [f"{device.platform}:{device.id}" for device in devices]
        # Each process hands over its own rows: `Share`.
        self.distribution = keras.distribution.DataParallel(devices=self.names, auto_shard_dataset=False)
        self.first_device = devices[0]

    @contextlib.contextmanager
    def training(self, objective):
        self.spread(objective)
        forget_functions(objective)
        try:
            with self.distribution.scope():
                yield
        except BaseException:
            with contextlib.suppress(Exception):  # a step that broke leaves variables without values
                self._gather(objective)
            raise
        else:
            self._gather(objective)
        finally:
            forget_functions(objective)

    def _gather(self, objective):
        """Put variables that lie on all devices on the first of this process."""
        for variable in variables_of(objective):
            variable.assign(self._on_one(variable.value))

    def _on_one(self, value):
        return value.addressable_data(0)

    def _seen_alone(self, value):
        """What of an array work sees that is not distributed."""
        return value.addressable_data(0)

    def assign(self, variables, values):
        import jax

        def spread(variable, value):  # `device_put` would compare processes, one message a variable
            layout = self.distribution.get_variable_layout(variable).backend_layout
            return jax.make_array_from_callback(value.shape, layout, lambda index: value[index])

        super().assign(variables, map(spread, variables, values))

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
        here = [self._seen_alone(value).copy() for value in everywhere]
        for variable, value in zip(variables, here, strict=True):
            variable.assign(value)
        try:
            with self.undistributed():
                yield
        finally:
            for variable, own, shared in zip(variables, here, everywhere, strict=True):
                now, before = variable.value, self._seen_alone(shared)
                if now is not own and not np.array_equal(now, before, equal_nan=True):
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
            atexit.unregister(end_at_once)
        super().leave()


class JaxModel(Jax):
    """All devices of one process, which share the kernels of dense layers and convolutions, with all that is
    as large: averages, and what the optimizer keeps for each."""

    shares, cores_are_devices = 1, False

    def __init__(self, devices=None):
        if _processes_of_jax() is not None:
            raise ValueError(
                "weights are parted among the devices of one process: start one, or share batches among "
                "several by --distribute data"
            )
        super().__init__(devices)

    @contextlib.contextmanager
    def training(self, objective):
        self.distribution = self._distribution(objective)
        with super().training(objective):
            yield

    def _distribution(self, objective):
        """A `ModelParallel` by the shapes of variables: their last axis is parted, or else the one before."""
        ways, whole = {}, set()
        for variable in variables_of(objective):
            way = self._way(variable.shape)
            # A network and its average have the same paths; those of others may be the same by chance.
            if way is None or ways.setdefault(variable.path, way) != way:
                whole.add(variable.path)
        ways = {path: way for path, way in ways.items() if path not in whole}
        if not ways:
            raise ValueError(
                f"no weight of this {type(objective).__name__} can be parted among {self.devices} devices "
                "evenly: take a number of devices that divides its channels, such as 2, or --distribute data"
            )
        mesh = keras.distribution.DeviceMesh((1, self.devices), ("batch", "model"), self.names)
        layouts = keras.distribution.LayoutMap(mesh)
        for way in sorted(set(ways.values()), key=str):  # few patterns: Keras tries each for each layer
            paths = [re.escape(path) for path in ways if ways[path] == way]
            layouts["|".join(paths)] = way
        return keras.distribution.ModelParallel(layout_map=layouts, auto_shard_dataset=False)

    def _way(self, shape):
        """A name or `None` for each axis of a kernel, or of what is as large; `None` for what stays whole."""
        axes = range(len(shape) - 1, len(shape) - 3, -1) if len(shape) > 1 else ()
        parted = next((axis for axis in axes if shape[axis] % self.devices == 0), None)
        return None if parted is None else tuple("model" if a == parted else None for a in range(len(shape)))

    def _on_one(self, value):
        import jax

        return jax.device_put(value, self.first_device)

    def _seen_alone(self, value):
        return value  # in parts: a device need not hold all


def _make_cores_devices():
    """Let a CPU be 2, 4 or 8 devices, as many as it has cores, where nothing says how many it is.

    XLA computes a convolution of large maps on one core. Where there are GPUs, they are JAX's devices.
    """
    import jax

    if not _devices_of_cpu():
        with contextlib.suppress(RuntimeError):  # JAX has found its devices before
            jax.config.update("jax_num_cpu_devices", 2 ** (min(_cores(), MOST).bit_length() - 1))


def _devices_of_cpu():
    """How many devices the CPU is to be, as JAX's option or XLA's says; 0 where neither does."""
    import jax

    flag = re.search(r"xla_force_host_platform_device_count=(\d+)", os.environ.get("XLA_FLAGS", ""))
    return max(jax.config.jax_num_cpu_devices, int(flag[1]) if flag else 0, 0)


def _cores():
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@contextlib.contextmanager
def _threads_enough():
    """Within, XLA finds its devices, and makes two threads for each that a CPU is, not one.

    A device waits in one thread for the others, and its convolutions are computed in parts, by any thread:
    where each waited, none would be left for the parts, and XLA would end the process after 40 s.
    """
    before = os.environ.get("NPROC")  # of all variables the one that XLA reads
    if before is None:
        os.environ["NPROC"] = str(2 * max(_cores(), _devices_of_cpu()))
    try:
        yield
    finally:
        if before is None:
            del os.environ["NPROC"]


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
