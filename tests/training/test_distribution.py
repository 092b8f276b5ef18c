"""A batch shared by devices and processes: the run is that of one device."""

import csv
import json
import os
import re
import socket
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
from distributed_run import OF_PAIR
from distributed_run import RANDOM
from distributed_run import UNET
from distributed_run import trained
from tiny_objectives import tiny_objective
from tiny_objectives import tiny_pipeline

from keras_t2i.training import distribution
from keras_t2i.training.distribution import World
from keras_t2i.training.distribution.sharing import Share
from keras_t2i.training.run import train

BACKEND = keras.config.backend()
SCRIPT = Path(__file__).with_name("distributed_run.py")
EPOCHS = 3
LONGEST = 900  # seconds: far more than these processes take, where others have the processors


def world_of(devices, processes=1, process=0, parts_batches=False):
    world = World()
    world.devices, world.processes, world.process = devices, processes, process
    world.parts_batches = parts_batches
    return world


def run_of(mode, folder, environments, devices=1):
    """Processes of distributed_run.py, one for each dict of variables: exit codes and messages.

    On JAX each has so many devices of its CPU.
    """
    flags = f"--xla_force_host_platform_device_count={devices}"
    shared = {"KERAS_BACKEND": BACKEND, "XLA_FLAGS": f"{os.environ['XLA_FLAGS']} {flags}"}
    processes = [
        subprocess.Popen(
            [sys.executable, "-W", "ignore", SCRIPT, mode, folder],
            env={**os.environ, **shared, **environment},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        for environment in environments
    ]
    try:
        said = [process.communicate(timeout=LONGEST)[1] for process in processes]
    except subprocess.TimeoutExpired:
        for process in processes:
            process.kill()
        said = [process.communicate()[1][-2000:] for process in processes]
        pytest.fail(f"{mode}: not ended after {LONGEST} seconds, having said {said}")
    return [(process.returncode, text) for process, text in zip(processes, said, strict=True)]


def losses(folder):
    """Those of each epoch, with those of validation."""
    with (folder / "logs" / "epochs.csv").open() as file:
        return [{name: float(value) for name, value in row.items()} for row in csv.DictReader(file)]


def assert_goes_on_as_one(name, folder, tmp_path):
    """What several began ends, on one device, as what one device did from the start; its losses too."""
    shared = trained(name, folder, distribution.start(), EPOCHS)
    whole = trained(name, tmp_path / "whole", distribution.start(), EPOCHS)
    np.testing.assert_allclose(shared, whole, rtol=1e-5, atol=1e-5)
    both = losses(folder), losses(tmp_path / "whole")
    assert len(both[1]) == EPOCHS
    for of_shared, of_whole in zip(*both, strict=True):
        assert of_shared == pytest.approx(of_whole, rel=1e-5)


@pytest.mark.skipif(BACKEND == "torch", reason="on torch a run has one device")
def test_an_epoch_on_two_devices_one_on_four_and_one_on_one_are_all_on_one(tmp_path):
    ((code, said),) = run_of("devices", tmp_path, [{}], devices=4)
    assert code == 0, said[-3000:]
    assert len(losses(tmp_path / "shared")) == EPOCHS - 1
    assert_goes_on_as_one(RANDOM, tmp_path / "shared", tmp_path)


@pytest.mark.skipif(BACKEND != "jax", reason="weights are parted by JAX")
def test_weights_in_parts_and_then_whole_learn_what_whole_ones_do(tmp_path):
    ((code, said),) = run_of("model", tmp_path, [{}], devices=2)
    assert code == 0, said[-3000:]
    assert len(losses(tmp_path / "shared")) == EPOCHS - 1
    shares = [float(share) for share in re.search(r"shares (\S+) (\S+)", said).groups()]
    assert all(1 / 2 <= share < 0.7 for share in shares)  # with what stays whole: biases, tiny as all is
    assert_goes_on_as_one(UNET, tmp_path / "shared", tmp_path)


def pair_of_processes():
    """What two processes of this machine are told by their environments."""
    with socket.socket() as one, socket.socket() as other:
        one.bind(("127.0.0.1", 0))
        other.bind(("127.0.0.1", 0))
        addresses = [f"127.0.0.1:{free.getsockname()[1]}" for free in (one, other)]
    if BACKEND == "jax":
        cluster = {"JAX_COORDINATOR_ADDRESS": addresses[0], "JAX_NUM_PROCESSES": "2"}
        return [{**cluster, "JAX_PROCESS_ID": str(i)} for i in (0, 1)]
    tasks = [{"cluster": {"worker": addresses}, "task": {"type": "worker", "index": i}} for i in (0, 1)]
    return [{"TF_CONFIG": json.dumps(task)} for task in tasks]


@pytest.mark.skipif(BACKEND == "torch", reason="on torch a run has one process")
def test_what_a_dead_process_ends_goes_on_in_one(tmp_path):
    """One device begins, two processes go on, of which the last dies: on JAX the loss is one of all pairs."""
    trained(OF_PAIR, tmp_path / "pair", distribution.start(), 1)
    (code, said), (dead, _) = run_of("pair", tmp_path, pair_of_processes())
    assert (code, dead) == (2, 1), said[-3000:]
    assert "error: another of the 2 processes of this run is gone" in said
    # Only the first has written.
    assert not (tmp_path / "other").exists()
    assert {p.name for p in (tmp_path / "pair").iterdir()} == {"logs", "pictures", "state"}
    assert len(losses(tmp_path / "pair")) == EPOCHS - 1
    assert_goes_on_as_one(OF_PAIR, tmp_path / "pair", tmp_path)


@pytest.mark.parametrize("training", [True, False])
def test_processes_have_the_rows_of_a_batch(training):
    """Together all of them, in order; of a validation batch of seven the last is left out."""
    pipeline = tiny_pipeline(training=training, batch_size=8)
    whole = pipeline.batch(0)
    shares = [Share(pipeline, world_of(4, 2, process)) for process in range(2)]
    for name, rows in whole.items():
        np.testing.assert_array_equal(np.concatenate([share[0][name] for share in shares]), rows)


def test_what_cannot_be_shared_is_left_out_of_validation():
    pipeline = tiny_pipeline(training=False, batch_size=6)  # six pictures, and two
    four, two = (Share(pipeline, world_of(n)) for n in (3, 2))
    assert [len(four), four.left_out, len(two), two.left_out] == [1, 2, 2, 0]
    assert len(four[0]["images"]) == 6
    with pytest.raises(ValueError, match="8 validation pictures are too few for 9 devices"):
        Share(tiny_pipeline(training=False, batch_size=9), world_of(9))


def test_batches_that_cannot_be_shared_are_refused(tmp_path, monkeypatch):
    objective = tiny_objective("clip")
    monkeypatch.setattr(World, "present", world_of(3))
    with pytest.raises(ValueError, match=r"a batch of 8 cannot be shared by 3 devices evenly.*multiple of 3"):
        train(objective, tiny_pipeline(), 1, tmp_path / "run")
    monkeypatch.setattr(World, "present", world_of(2, parts_batches=True))
    with pytest.raises(ValueError, match="ContrastiveAlignment needs the whole batch in one place"):
        train(objective, tiny_pipeline(), 1, tmp_path / "run")
    objective = tiny_objective(
        "reconstruction", optimizer=lambda: keras.optimizers.SGD(gradient_accumulation_steps=2)
    )
    with pytest.raises(ValueError, match="leave --accumulate out"):
        train(objective, tiny_pipeline(), 1, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_unknown_kinds_are_refused():
    with pytest.raises(ValueError, match="distribute must be one of none, data, model, received 'pipe'"):
        distribution.start("pipe")


@pytest.mark.skipif(BACKEND == "jax", reason="what the others say")
def test_weights_are_parted_on_jax_alone():
    with pytest.raises(ValueError, match=r"each device holds all weights: set KERAS_BACKEND=jax"):
        distribution.start("model")


@pytest.mark.skipif(BACKEND != "jax", reason="what JAX is told")
@pytest.mark.parametrize(
    "environment, told",
    [
        ({"SLURM_NTASKS": "1"}, []),
        ({"SLURM_NTASKS": "2"}, [{}]),
        (
            {
                "JAX_COORDINATOR_ADDRESS": "here:1",
                "JAX_NUM_PROCESSES": "2",
                "JAX_PROCESS_ID": "1",
            },
            [{"coordinator_address": "here:1", "num_processes": 2, "process_id": 1}],
        ),
    ],
)
def test_jax_is_told_of_processes_where_there_are_several(environment, told, monkeypatch):
    """By Slurm's variables it finds them itself."""
    import jax

    calls = []
    monkeypatch.setattr(jax.distributed, "initialize", lambda **options: calls.append(options))
    monkeypatch.setattr(jax.config, "update", lambda *option: None)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert distribution.start("data").devices == 1
    assert calls == told


@pytest.mark.skipif(BACKEND != "jax", reason="JAX's devices")
@pytest.mark.parametrize(
    "kind, cores, flags, devices",
    [
        ("data", 1, "", 1),
        ("data", 2, "", 2),
        ("data", 7, "", 4),  # into which a batch of 64 goes
        ("data", 40, "", 8),
        ("data", 7, "--xla_force_host_platform_device_count=3", None),
        ("model", 7, "", None),  # which would not be faster
    ],
)
def test_each_core_of_a_cpu_is_a_device_of_jax(kind, cores, flags, devices, monkeypatch):
    import jax

    told = {}
    monkeypatch.setattr(jax.config, "update", told.__setitem__)
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: set(range(cores)), raising=False)
    monkeypatch.setenv("XLA_FLAGS", flags)
    monkeypatch.delenv("NPROC", raising=False)
    distribution.start(kind)
    assert told == ({} if devices is None else {"jax_num_cpu_devices": devices})
    assert "NPROC" not in os.environ


@pytest.mark.skipif(BACKEND != "jax", reason="weights are parted by JAX")
def test_weights_are_parted_in_one_process(monkeypatch):
    monkeypatch.setenv("SLURM_NTASKS", "2")
    with pytest.raises(ValueError, match="among the devices of one process: start one, or share batches"):
        distribution.start("model")


@pytest.mark.skipif(BACKEND != "tensorflow", reason="what TensorFlow says")
@pytest.mark.parametrize(
    "cluster, task, problem",
    [
        ({"ps": ["a:1"], "worker": ["b:1"]}, {"type": "worker", "index": 0}, "its jobs must be worker"),
        ({"worker": ["a:1", "b:1"]}, {"type": "worker", "index": 2}, "its task is none of its cluster"),
        ({"worker": ["a:1", "b:1"]}, {}, "which processes share batches"),
    ],
)
def test_a_cluster_of_tensorflow_that_cannot_be_read_is_refused(cluster, task, problem, monkeypatch):
    monkeypatch.setenv("TF_CONFIG", json.dumps({"cluster": cluster, "task": task}))
    with pytest.raises(ValueError, match=problem):
        distribution.start("data")


@pytest.mark.skipif(BACKEND != "torch", reason="what torch says")
def test_torch_says_what_to_do(monkeypatch):
    with pytest.raises(ValueError, match="on torch a run has one device: set KERAS_BACKEND=jax"):
        distribution.start("data", 2)
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(ValueError, match="on torch a run has one device"):
        distribution.start("data")
    monkeypatch.delenv("WORLD_SIZE")
    assert distribution.start("data").devices == 1
