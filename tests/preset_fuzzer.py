"""Presets damaged in every way that chance finds: each must open, or be refused by a `PresetError`.

    python tests/preset_fuzzer.py --cases 2000 --seed 1

A case is a function of its seed and number alone. Failures are: something of the preset was executed, an
error of another kind, more than 10 seconds, or half a gigabyte of memory.
"""

import argparse
import contextlib
import copy
import json
import os
import random
import shutil
import signal
import sys
import tempfile
import time
import traceback
from collections import Counter
from pathlib import Path

import h5py
import numpy as np
from tiny import tiny_dual_encoder
from tiny import tiny_generator
from tiny import tiny_preprocessor
from tiny_diffusion import tiny_diffusion_generator

from keras_t2i.models import CaptionTokenizer
from keras_t2i.models import DualEncoder
from keras_t2i.models import Generator
from keras_t2i.models import PresetError
from keras_t2i.models import TextToImagePreprocessor
from keras_t2i.presets.saving import save_preset
from keras_t2i.utils.memory import peak_memory

SECONDS, MEBIBYTES = 10, 512
OPENED_BY = {"one_pass": Generator, "diffusion": Generator, "dual_encoder": DualEncoder}
CANARY = "fuzzed_preset_canary"
NUMBERS = (0, -1, 1, 2, 3, 7, 64, 999, 10**5, 10**6, 10**7, 10**8, 10**10, 2**31, 2**63, 10**400)
OTHERS = (1.5, 1e308, float("nan"), float("inf"), "", "x", "float16", "\0", "../../etc", True, None, [], {})


INSERTED = (b'"', b"{", b"[" * 100_000, b"\xff", b"\0", b"9" * 5000, b'{"a":' * 50_000)
FILE_ACTS = ("gone", "other", "same name", "folder", "pipe", "zero", "link", "circle", "text")
WEIGHT_ACTS = ("nan", "inf", "kind", "shape", "huge", "gone", "new", "soft", "outside", "group", "loop")


class HangError(BaseException):
    """Past `Exception`, so that nobody on the way takes it for an ordinary one."""


def build(folder):
    """Tiny presets, one of each kind, saved below `folder`."""
    tiny_generator().save_to_preset(folder / "one_pass")
    tiny_diffusion_generator().save_to_preset(folder / "diffusion")
    save_preset(tiny_dual_encoder(), folder / "dual_encoder", preprocessor=tiny_preprocessor())
    (folder / f"{CANARY}.py").write_text(
        f"import pathlib\npathlib.Path({str(folder / 'ran')!r}).touch()\nclass Evil: pass\nevil = open"
    )


def hostile(rng, folder):
    """A config that asks Keras for something that is no part of a network."""
    ran = str(folder / "ran")
    module, name, config = rng.choice(
        [
            (CANARY, "Evil", {}),
            (CANARY, "evil", {"file": ran, "mode": "w"}),
            ("builtins", "open", {"file": ran, "mode": "w"}),
            ("builtins", "function", "open"),
            ("os", "system", {"command": f"touch {ran}"}),
            ("pathlib", "Path", {}),
            ("subprocess", "Popen", {"args": ["touch", ran]}),
            ("keras.utils", "get_file", {"fname": ran, "origin": f"file://{folder}/{CANARY}.py"}),
            ("keras.saving", "load_model", {"filepath": ran}),
            ("keras", "Model", {}),
            ("keras.layers", "Lambda", {"function": "x"}),
            ("keras.layers", "TorchModuleWrapper", {"module": "gASVAAAA"}),
            ("keras.layers", "TFSMLayer", {"filepath": str(folder)}),
            ("keras.src.utils.file_utils", "File", {"path": ran, "mode": "w"}),
            ("keras_t2i.utils.files", "write_text", {"path": ran, "text": "x"}),
            ("builtins", "__lambda__", {"class_name": "__lambda__", "config": {"code": "4wEA"}}),
        ]
    )
    registered = rng.choice([name, None, f"{module}>{name}", "keras_t2i>Generator"])
    return {"module": module, "class_name": name, "config": config, "registered_name": registered}


def value(rng, folder, old):
    kind = rng.random()
    if kind < 0.45:
        return rng.choice(NUMBERS)
    if kind < 0.7:
        return copy.deepcopy(rng.choice(OTHERS))
    if kind < 0.85:
        return hostile(rng, folder)
    if kind < 0.9:
        deep = old
        for _ in range(rng.choice([5, 100, 900])):
            deep = [deep] if rng.random() < 0.5 else {"config": deep}
        return deep
    return rng.choice([[old], [old] * 3, {"class_name": old, "config": {}}, str(old), [0] * 1000])


def places(node, found=None):
    """(container, key) of every value in JSON."""
    found = [] if found is None else found
    keys = node.keys() if isinstance(node, dict) else range(len(node))
    for key in keys:
        found.append((node, key))
        if isinstance(node[key], dict | list):
            places(node[key], found)
    return found


def change_json(rng, folder, preset):
    file = rng.choice(sorted(preset.rglob("*.json")))
    content = json.loads(file.read_text())
    for _ in range(rng.choice([1, 1, 1, 2, 5])):
        node, key = rng.choice(places(content))
        act = rng.random()
        if act < 0.7:
            node[key] = value(rng, folder, node[key])
        elif act < 0.85:
            del node[key]
        elif isinstance(node, dict):
            new = rng.choice([f"{key}x", "dtype", "module", "config", "units", "shared_object_id"])
            node[new] = value(rng, folder, node[key])
        else:
            node.append(value(rng, folder, node[key]))
        if not content:
            break
    with contextlib.suppress(RecursionError):
        file.write_text(json.dumps(content))


def change_bytes(rng, folder, preset):
    file = rng.choice(sorted(p for p in preset.rglob("*") if p.is_file()))
    content = bytearray(file.read_bytes())
    act = rng.choice(["flip", "flip", "cut", "zero", "grow", "random", "insert", "empty"])
    at = rng.randrange(len(content)) if rng.random() < 0.5 else rng.randrange(min(2000, len(content)))
    if act == "flip":
        for _ in range(rng.choice([1, 1, 5, 100])):
            content[rng.randrange(len(content))] ^= 1 << rng.randrange(8)
    elif act == "cut":
        del content[at:]
    elif act == "zero":
        content[at : at + 64] = bytes(len(content[at : at + 64]))
    elif act == "grow":
        content += bytes(rng.choice([1, 1000]))
    elif act == "random":
        content[at : at + 16] = rng.randbytes(16)
    elif act == "insert":
        content[at:at] = rng.choice(INSERTED)
    else:
        content.clear()
    file.write_bytes(content)
    return f"{act} {file.name}"


def change_file(rng, folder, preset):
    file = rng.choice(sorted(p for p in preset.rglob("*") if p.is_file()))
    others = sorted(p for p in folder.glob("*/**/*") if p.is_file() and preset not in p.parents)
    act = rng.choice(FILE_ACTS)
    file.unlink()
    if act == "other":
        shutil.copyfile(rng.choice(others), file)
    elif act == "same name":
        shutil.copyfile(rng.choice([p for p in others if p.name == file.name] or others), file)
    elif act == "folder":
        file.mkdir()
    elif act == "pipe":
        os.mkfifo(file)
    elif act == "zero":
        file.symlink_to("/dev/zero")
    elif act == "link":
        file.symlink_to(rng.choice(["nowhere", "/etc/passwd", "/proc/self/mem", str(rng.choice(others))]))
    elif act == "circle":
        file.symlink_to(file.name)
    elif act == "text":
        file.write_text(rng.choice(["", "null", "[]", "{}", "7", '"x"', "NaN", "<html>", '{"config": {}}']))
    return f"{act} {file.name}"


def change_weights(rng, folder, preset):
    with h5py.File(preset / "model.weights.h5", "r+") as file:
        names = []
        file.visititems(lambda name, item: names.append(name) if isinstance(item, h5py.Dataset) else None)
        name = rng.choice(names)
        old = file[name][()]
        act = rng.choice(WEIGHT_ACTS)
        if act in ("nan", "inf") and old.dtype.kind == "f":
            values = old.ravel()
            values[rng.randrange(values.size)] = float(act)
            file[name][...] = values.reshape(old.shape)
            return act
        if act == "new":
            file[f"{name}_more"] = old
            return act
        if act == "loop":
            file[f"{name.rsplit('/', 1)[0]}/loop"] = file["/"]
            return act
        del file[name]
        if act == "kind":
            kind = rng.choice(["complex64", "int64", "int8", "S4", "bool", "float64", "float16", "uint64"])
            with np.errstate(all="ignore"):
                file[name] = np.abs(old).astype(kind)
        elif act == "shape":
            file[name] = rng.choice(
                [old.ravel(), old[None], old[..., :1], np.zeros(()), np.zeros((0,), "f4")]
            )
        elif act == "huge":
            shape = tuple(s * rng.choice([10**3, 10**6]) for s in old.shape) or (10**10,)
            with contextlib.suppress(ValueError):  # even HDF5 has a limit
                chunks = tuple(min(s, 64) for s in shape)
                file.create_dataset(name, shape, old.dtype, chunks=chunks, compression="gzip")
        elif act == "soft":
            file[name] = h5py.SoftLink("/" + rng.choice(names))
        elif act == "outside":
            if rng.random() < 0.5:
                file[name] = h5py.ExternalLink("/etc/passwd", "/x")
            else:
                outside = [("/dev/zero", 0, max(1, old.nbytes))]
                file.create_dataset(name, (max(1, old.size),), "f4", external=outside)
        elif act == "group":
            file.create_group(name)
    return act


def change_words(rng, folder, preset):
    assets = preset / "assets" / "tokenizer"
    vocabulary = json.loads((assets / "vocabulary.json").read_text())
    act = rng.choice(["more", "many", "same id", "kind", "gone", "merges", "merges"])
    piece = rng.choice(sorted(vocabulary))
    if act == "more":
        vocabulary["wholly new"] = len(vocabulary)
    elif act == "many":
        vocabulary |= {f"new {i}": len(vocabulary) + i for i in range(rng.choice([50, 5000]))}
    elif act == "same id":
        vocabulary[piece] = rng.choice([0, 5, 2**40, -1])
    elif act == "kind":
        vocabulary[piece] = rng.choice(["7", None, 1.5, [1], True])
    elif act == "gone":
        del vocabulary[piece]
    else:
        merges = (assets / "merges.txt").read_text(encoding="utf-8").splitlines()
        line = rng.choice(["", "a", "a b c", "zz yy", "\u2028", "#version", " "])
        merges.insert(rng.randrange(len(merges) + 1), line)
        (assets / "merges.txt").write_text("\n".join(merges), encoding="utf-8")
    (assets / "vocabulary.json").write_text(json.dumps(vocabulary), encoding="utf-8")
    return act


CHANGES = (change_json, change_json, change_json, change_bytes, change_file, change_weights, change_words)


def alarm(*_):
    raise HangError


def run_case(folder, seed, number):
    """What came of a case: (what was changed, "opened" or "refused" or what is wrong, the sentence)."""
    rng = random.Random(f"{seed} {number}")
    kind, change = rng.choice(sorted(OPENED_BY)), rng.choice(CHANGES)
    (folder / "case").mkdir(exist_ok=True)
    preset = folder / "case" / str(number)
    shutil.copytree(folder / kind, preset)
    before, start = peak_memory() or 0, time.monotonic()
    cls = rng.choice([OPENED_BY[kind]] * 6 + [CaptionTokenizer, TextToImagePreprocessor])
    signal.signal(signal.SIGALRM, alarm)
    act = ""
    try:
        act = change(rng, folder, preset)
        signal.setitimer(signal.ITIMER_REAL, SECONDS)
        cls.from_preset(preset)
        outcome, said = "opened", ""
    except PresetError as error:
        outcome, said = "refused", str(error)
        if not said.startswith(f"preset {preset}: file ") or "\n" in said or len(said) > 1000:
            outcome = "says too little or too much"
    except HangError:
        outcome, said = "hangs", traceback.format_exc()[-1500:]
    except Exception as error:
        outcome, said = f"raises {type(error).__name__}", traceback.format_exc()[-2500:]
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
    if (folder / "ran").exists():
        outcome = "executes"
        (folder / "ran").unlink()
    elif (peak_memory() or 0) - before > MEBIBYTES:
        outcome = f"takes {(peak_memory() - before):.0f} MiB"
    if time.monotonic() - start > SECONDS and outcome in ("opened", "refused"):
        outcome = "hangs"
    shutil.rmtree(preset)
    return f"{change.__name__} {act or ''} by {cls.__name__}", outcome, said


def run(folder, seed, cases, first=0, report=None):
    """Counts of (change, outcome), and the failures: (number, change, outcome, what was said)."""
    sys.path.insert(0, str(folder))
    counts, failures = Counter(), []
    try:
        for number in range(first, first + cases):
            change, outcome, said = run_case(folder, seed, number)
            counts[change.split()[0], outcome] += 1
            if outcome not in ("opened", "refused"):
                failures.append((number, change, outcome, said))
            if report:
                report(number, change, outcome, said)
    finally:
        sys.path.remove(str(folder))
    return counts, failures


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--cases", type=int, default=2000)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--verbose", action="store_true")
    args = parser.parse_args()

    def report(number, change, outcome, said):
        if args.verbose or outcome not in ("opened", "refused"):
            print(number, change, outcome, said, flush=True)

    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        build(folder)
        start = time.monotonic()
        counts, failures = run(folder, args.seed, args.cases, args.first, report)
        seconds = time.monotonic() - start
    for (change, outcome), count in sorted(counts.items()):
        print(f"{change:15} {outcome:30} {count}")
    print(f"{args.cases} cases, {len(failures)} failures, {seconds:.0f} s")
    return bool(failures)


if __name__ == "__main__":
    sys.exit(main())
