import ast
import errno
import json
import os
import shutil
import signal
import stat
import subprocess
import sys
import threading
import time
from pathlib import Path
from types import SimpleNamespace

import keras
import numpy as np
import pytest
from full_disk import full_disk
from killed_swap import own

from keras_t2i.utils import files
from keras_t2i.utils.files import Manifest
from keras_t2i.utils.files import atomic_file
from keras_t2i.utils.files import check_room
from keras_t2i.utils.files import current_set
from keras_t2i.utils.files import replace_set
from keras_t2i.utils.files import staged_folder
from keras_t2i.utils.files import sweep
from keras_t2i.utils.files import weights_in_memory
from keras_t2i.utils.files import write_bytes
from keras_t2i.utils.files import write_text
from keras_t2i.utils.folders import check_apart

pytestmark = pytest.mark.once


def test_home_and_a_person_who_does_not_exist(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    assert files.expanded("~/a") == tmp_path / "a"
    for path in ("~nouser/a", "a/~", "", "/x"):
        assert files.expanded(path) == Path(path)


def contents(folder):
    return {p.relative_to(folder).as_posix(): p.read_text() for p in folder.rglob("*") if p.is_file()}


def fill(folder, texts):
    for name, text in texts.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


def test_a_file_is_written_whole_or_not_at_all(tmp_path):
    file = tmp_path / "new" / "state.txt"
    write_text(file, "öne")
    assert file.read_bytes() == "öne".encode()
    with pytest.raises(OSError, match="disk gone"), atomic_file(file) as opened:
        opened.write(b"tw")
        raise OSError("disk gone")
    assert contents(tmp_path) == {"new/state.txt": "öne"}


def test_a_replaced_file_keeps_its_permissions_and_its_links(tmp_path):
    file, link = tmp_path / "a", tmp_path / "link"
    write_text(file, "one")
    usual = tmp_path / "usual"
    usual.touch()
    assert file.stat().st_mode == usual.stat().st_mode
    file.chmod(0o640)
    link.symlink_to(file)
    write_text(link, "two")
    assert link.is_symlink() and file.read_text() == "two" and stat.S_IMODE(file.stat().st_mode) == 0o640


def test_a_full_disk_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: SimpleNamespace(total=1, free=2**20))
    with pytest.raises(OSError, match=r"2\.0 MiB are needed, 1\.0 MiB are free") as error:
        check_room(tmp_path, 2**21)
    assert error.value.errno == errno.ENOSPC
    with pytest.raises(OSError, match="the disk is full"):
        write_bytes(tmp_path / "a", bytes(2**21))
    write_bytes(tmp_path / "b", b"1")
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: SimpleNamespace(total=0, free=0))
    write_bytes(tmp_path / "b", b"2")  # a file system that cannot tell
    assert contents(tmp_path) == {"b": "2"}


def test_hdf5_on_a_full_disk_raises(tmp_path):
    model = keras.Sequential([keras.layers.Input((100,)), keras.layers.Dense(100)])
    content = weights_in_memory(model)
    assert len(content) > 40_000
    with full_disk(free=20_000), pytest.raises(OSError, match="too large"):
        write_bytes(tmp_path / "a.weights.h5", content)
    assert contents(tmp_path) == {}


def test_weights_in_memory_are_those_of_a_file(tmp_path):
    model = keras.Sequential([keras.layers.Input((3,)), keras.layers.Dense(4)])
    model.compile("adam", "mse")
    model.fit(np.ones((2, 3)), np.ones((2, 4)), verbose=0)
    before = [keras.ops.convert_to_numpy(v) for v in (*model.weights, *model.optimizer.variables)]
    write_bytes(tmp_path / "a.weights.h5", weights_in_memory(model))
    model.fit(np.ones((2, 3)), np.ones((2, 4)), verbose=0)
    model.load_weights(tmp_path / "a.weights.h5")
    for old, new in zip(before, (*model.weights, *model.optimizer.variables), strict=True):
        np.testing.assert_array_equal(old, keras.ops.convert_to_numpy(new))


WRITING = {"write_text", "write_bytes", "unlink", "rmtree", "rename", "rmdir", "NamedTemporaryFile"}


def test_no_other_module_writes_or_removes_files():
    package, found = Path(files.__file__).parents[1], []
    for file in package.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            called = node.func.attr if isinstance(node, ast.Call) and hasattr(node.func, "attr") else None
            if called in WRITING and file != Path(files.__file__):
                found.append(f"{file.relative_to(package)}:{node.lineno}: {called}")
    assert not found


# What killed processes leave

KILLED = """
import importlib.util, sys, os, time
spec = importlib.util.spec_from_file_location("files", sys.argv[1])
files = importlib.util.module_from_spec(spec)
spec.loader.exec_module(files)
from pathlib import Path
with files.staged_folder(Path(sys.argv[2])) as staged, files.atomic_file(sys.argv[2] + "/a") as file:
    (staged / "half").write_text("half")
    file.write(b"half")
    file.flush()
    print("ready", flush=True)
    time.sleep(600)
"""


@pytest.mark.skipif(files.fcntl is None, reason="no locks on folders")
def test_leftovers_of_the_dead_are_swept_and_those_of_the_living_stay(tmp_path):
    command = [sys.executable, "-c", KILLED, files.__file__, str(tmp_path)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE)
    process.stdout.readline()
    try:
        assert len(list(tmp_path.iterdir())) == 2
        assert sweep(tmp_path) == 0
        (tmp_path / ".12.partial").write_text("another's")
        (tmp_path / ".keras_t2i-0123456789aX.partial").write_text("another's")
    finally:
        process.kill()
        process.communicate()
    assert sweep(tmp_path) == 2
    with atomic_file(tmp_path / "b") as mine:
        assert sweep(tmp_path) == 0
        mine.write(b"b")
    assert {*contents(tmp_path)} == {".12.partial", ".keras_t2i-0123456789aX.partial", "b"}


def test_without_locks_age_tells(tmp_path, monkeypatch):
    monkeypatch.setattr(files, "fcntl", None)
    old, new = (tmp_path / f".keras_t2i-{12 * digit}.partial" for digit in "01")
    old.write_text("old"), new.write_text("new")
    os.utime(old, (time.time() - 2 * files.DAY,) * 2)
    write_text(tmp_path / "a", "a")
    assert contents(tmp_path) == {new.name: "new", "a": "a"}


def test_many_writers_at_once(tmp_path):
    def write(text):
        for _ in range(20):
            write_text(tmp_path / "a", text)
            sweep(tmp_path)

    threads = [threading.Thread(target=write, args=[text * 50_000]) for text in "abcd"]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        if (tmp_path / "a").exists():
            text = (tmp_path / "a").read_text()
            assert len(text) == 50_000 and len({*text}) == 1
    for thread in threads:
        thread.join()
    assert [*contents(tmp_path)] == ["a"]


# Files that belong together

OLD = {"index": "old", "weights.h5": "old", "words": "same", "task": "old", "note": "old"}
NEW = {"index": "new", "weights.h5": "new", "words": "same", "assets/a": "new", "note": "new"}
OTHERS = {".git/HEAD": "mine", "assets/b": "mine", "train.py": "mine"}


def replace(folder, texts):
    with staged_folder(folder) as staged:
        replace_set(folder, fill(staged, texts), own, "index", inert={"note"})


def set_in(folder):
    found = contents(current_set(folder))
    return {name: text for name, text in found.items() if text != "mine" and "keras_t2i" not in name}


def test_a_set_is_replaced_and_the_files_of_others_stay(tmp_path):
    replace(tmp_path / "folder", OLD)
    fill(tmp_path / "folder", OTHERS)
    replace(tmp_path / "folder", NEW)
    assert contents(tmp_path / "folder") == {**NEW, **OTHERS}
    (tmp_path / "folder" / "assets" / "b").unlink()
    replace(tmp_path / "folder", OLD)
    assert not (tmp_path / "folder" / "assets").exists()
    mine = {".git/HEAD": "mine", "train.py": "mine"}
    assert contents(tmp_path / "folder") == {**OLD, **mine}


def test_what_is_equal_is_left_alone(tmp_path):
    replace(tmp_path, OLD)
    before = {p: p.stat().st_ino for p in tmp_path.iterdir()}
    replace(tmp_path, OLD)
    assert before == {p: p.stat().st_ino for p in tmp_path.iterdir()}


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="no kill -9")
@pytest.mark.parametrize("new", [NEW, {**OLD, "weights.h5": "new", "note": "new"}], ids=["all", "weights"])
def test_a_kill_before_any_step_leaves_the_old_set_or_the_new(tmp_path, new):
    source = fill(tmp_path / "source", new)
    results = []
    for step in range(200):
        folder = fill(tmp_path / f"{step}", {**OLD, **OTHERS})
        command = [sys.executable, "-S", Path(__file__).with_name("killed_swap.py"), files.__file__]
        code = subprocess.run([*command, folder, source, str(step)], check=False).returncode
        results.append(set_in(folder))
        assert results[-1] in (OLD, new), step
        # A reader that knows nothing of all this finds a set of one piece, or no index.
        plain = {n: t for n, t in contents(folder).items() if n in {*OLD, *new} - {"note"}}
        whole = [{n: t for n, t in texts.items() if n != "note"} for texts in (OLD, new)]
        assert plain in whole or "index" not in plain, step
        replace(folder, {"index": "newest"})  # and the next one tidies up
        assert contents(folder) == {"index": "newest", "note": results[-1]["note"], **OTHERS}
        if code == 0:
            break
        assert code == -signal.SIGKILL
    changes = [i for i in range(1, len(results)) if results[i] != results[i - 1]]
    assert len(changes) == 1 and step > 10  # one moment parts old from new


def test_a_set_where_there_are_no_links(tmp_path, monkeypatch):
    def refuse(self, target):
        raise OSError(errno.EPERM, "no links here")

    monkeypatch.setattr(Path, "hardlink_to", refuse)
    replace(tmp_path, OLD)
    replace(tmp_path, NEW)
    assert contents(tmp_path) == NEW


def test_a_failed_set_leaves_the_old_one_and_no_new_folder(tmp_path):
    replace(tmp_path / "there", OLD)
    for folder in ("there", "new"):
        with pytest.raises(OSError, match="disk"), staged_folder(tmp_path / folder) as staged:
            fill(staged, NEW)
            raise OSError("disk full")
    assert contents(tmp_path) == {f"there/{name}": text for name, text in OLD.items()}
    assert not (tmp_path / "new").exists()


def test_many_sets_at_once(tmp_path):
    def save(text):
        for _ in range(10):
            replace(tmp_path, dict.fromkeys(("index", "weights.h5", "words"), text))

    threads = [threading.Thread(target=save, args=[text]) for text in "abc"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({*contents(tmp_path).values()}) == 1 and len(contents(tmp_path)) == 3


# What a run wrote


def test_exactly_what_was_written_is_removed(tmp_path):
    run, other = tmp_path / "run", tmp_path / "other"
    fill(run, {"mine.txt": "mine", "pictures/mine.png": "mine"}), fill(other, {"a": "other"})
    manifest = Manifest(run, "state/list")
    for name in ("state/settings", "pictures/1.png", "new\nline.txt", "only/ours/a"):
        write_text(run / name, "ours")
    write_text(other / "b", "other")
    (run / "logs").mkdir()
    (run / "logs" / "events").write_text("by another module")
    files.record(run / "logs" / "events")
    replace(run / "preset", OLD)
    listed = {"state/settings", "pictures/1.png", "new\nline.txt", "only/ours/a", "logs/events"}
    assert {*manifest.names()} == listed | {f"preset/{name}" for name in OLD}
    with (run / "state" / "list").open("a") as file:  # what a list must not be able to do
        file.write('"../other/a"\n')
        file.write(json.dumps(str(other / "b")) + '\n"pictures"\n17\n"half')
    again = Manifest(run, "state/list")
    write_text(run / "after a cut", "ours")
    assert "after a cut" in Manifest(run, "state/list").names()
    again.remove(last=["state/settings"])
    assert contents(tmp_path) == {
        "run/mine.txt": "mine",
        "run/pictures/mine.png": "mine",
        "other/a": "other",
        "other/b": "other",
    }
    assert {p.name for p in run.iterdir()} == {"mine.txt", "pictures"}


def test_links_are_not_followed_to_remove(tmp_path):
    elsewhere = fill(tmp_path / "elsewhere", {"1.png": "mine", "2.png": "mine"})
    manifest = Manifest(tmp_path / "run", "list")
    for name in ("pictures/1.png", "2.png"):
        write_text(tmp_path / "run" / name, "ours")
    shutil.rmtree(tmp_path / "run" / "pictures")
    (tmp_path / "run" / "pictures").symlink_to(elsewhere)
    (tmp_path / "run" / "2.png").unlink()
    (tmp_path / "run" / "2.png").symlink_to(elsewhere / "2.png")
    manifest.remove()
    assert len(contents(elsewhere)) == 2


def test_the_current_folder_is_not_removed(tmp_path, monkeypatch):
    manifest = Manifest(tmp_path / "run", "list")
    write_text(tmp_path / "run" / "inside" / "a", "ours")
    monkeypatch.chdir(tmp_path / "run" / "inside")
    manifest.remove()
    assert Path.cwd() == tmp_path / "run" / "inside" and contents(tmp_path) == {}


IN_DATA = ("data", "data/", "data/runs/x", ".", "link", "link/runs", "holds", "new/../data", "data/../data/x")


@pytest.mark.parametrize("output", IN_DATA)
def test_an_output_in_the_data_is_refused(tmp_path, monkeypatch, output):
    fill(tmp_path, {"data/a.png": "", "holds/inner/a.png": ""})
    (tmp_path / "link").symlink_to(tmp_path / "data")
    (tmp_path / "holds" / "link").symlink_to(tmp_path / "data")
    monkeypatch.chdir(tmp_path)
    data = "holds/inner" if output == "holds" else "data"
    for there in (data, tmp_path / data, "link" if data == "data" else data):
        with pytest.raises(ValueError, match="Choose an output folder beside the data"):
            check_apart(output, there)


def test_an_output_beside_the_data_is_fine(tmp_path, monkeypatch):
    fill(tmp_path, {"data/a.png": ""})
    monkeypatch.chdir(tmp_path / "data")
    for output in ("../runs", "../data2", tmp_path / "data.new", "../link"):
        check_apart(output, ".")
    check_apart("runs", "no such folder")
    with pytest.raises(ValueError, match="holds it"):
        check_apart(".", ".")


def test_an_output_in_the_data_through_a_mount(tmp_path):
    data, mount = fill(tmp_path / "data", {"a.png": ""}), tmp_path / "mount"
    mount.mkdir()
    if subprocess.run(["mount", "--bind", data, mount], check=False, capture_output=True).returncode:
        pytest.skip("needs the right to mount")
    try:
        with pytest.raises(ValueError, match="lies in it"):
            check_apart(mount / "runs", data)
        replace(mount, OLD)  # a mount cannot be renamed
        assert contents(data) == {"a.png": "", **OLD}
    finally:
        subprocess.run(["umount", mount], check=True)
