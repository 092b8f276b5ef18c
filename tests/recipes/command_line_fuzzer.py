"""Command lines as people mistype them, of every recipe and of keras-t2i: each runs, or ends in a sentence.

    python tests/recipes/command_line_fuzzer.py --cases 1000 --seed 1

A case is a function of its seed and number alone. It starts from a line that works, and changes it. Recipes
run in this process; what takes long once a line is accepted is left out: the steps of training, the drawings
of an evaluation, a network's ONNX, what is sent to a hub, the page that is served. Failures are: an error
that keeps its traceback, an exit status that is not 0 or 2, status 2 without a sentence, more than 10
seconds, more than 2 GiB, a file that is changed or made outside of what `--output` and its like name, or the
folders of `export` and `prepare`, and a command in a prompt that was executed.
"""

import argparse
import contextlib
import importlib
import io
import os
import random
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import time
import traceback
from collections import Counter
from pathlib import Path

if __name__ == "__main__":
    folder = Path(__file__).resolve()
    sys.path[:0] = map(str, (folder.parents[1], folder.parents[2], folder.parents[2] / "recipes"))

import numpy as np
from PIL import Image
from tiny import CAPTIONS
from tiny import tiny_preprocessor
from tiny_diffusion import tiny_diffusion_generator
from tiny_renderer import tiny_stage
from tiny_upsampler import tiny_upsampler_stage

import keras_t2i_cli
from keras_t2i.data.emoji import designs
from keras_t2i.demo import page
from keras_t2i.evaluation.judges.evaluator import TOWERS
from keras_t2i.evaluation.judges.evaluator import Evaluator
from keras_t2i.export import folder as export_folder
from keras_t2i.models import CNNTextEncoder
from keras_t2i.models import ConceptDecoder
from keras_t2i.models import ConvAutoencoder
from keras_t2i.models import DualEncoder
from keras_t2i.models import Generator
from keras_t2i.models import ImageDecoder
from keras_t2i.models import ImageEncoder
from keras_t2i.models import ImageTower
from keras_t2i.models import OnePassStage
from keras_t2i.models import TextStage
from keras_t2i.models import TextToImageBackbone
from keras_t2i.models.stages import vectorize
from keras_t2i.presets import hub
from keras_t2i.presets.saving import save_preset
from keras_t2i.training import run as training_run
from keras_t2i.training.objective import Objective
from keras_t2i.utils.memory import peak_memory

ROOT = Path(__file__).resolve().parents[2]
SECONDS, MEBIBYTES = 10, 2048
SAID = 2000  # characters that a sentence has at most, whatever was given
TRAINING = tuple(sorted(file.stem for file in (ROOT / "recipes").glob("train_*.py")))
OF_WORDS = ("train", "prepare_data", "export", "push", "demo")  # most of what they take has no option
APART = (
    "generate",
    "evaluate",
    "prepare_data",
    "export",
    "push",
    *TRAINING,
)  # no page that is served for ever
CLI = ("keras-t2i",)

NUMBERS = ["0", "-1", "nan", "inf", "-inf", "1e400", "1e-400", "1e38", str(2**40), "9" * 30, "9" * 5000]
NUMBERS += ["1.5", "", " ", "x", "0x10", "1e3", "1_0", "\u0663", "-0", "None", "True", "1,5", "7 "]
LARGE = [
    "1",
    "2",
    "3",
    "7",
    "1000",
    "70000",
    "1" + 9 * "0",
    str(2**31),
    str(2**40),
    "9" * 30,
    "1e-30",
    "1e38",
    "1e300",
]
WORDS = [
    "",
    " ",
    "x",
    "\n",
    "\u2028",
    "日本",
    "\U0001f34e" * 50,
    "\x1b[31mred",
    "a\rb",
    "\udcff",
    "e\u0301" * 9,
]
WORDS += [
    "a" * 100_000,
    "a " * 50_000,
    "%s%n%d",
    "{0}{x}",
    "--",
    "-",
    "@file",
    "\u202eabc",
    "\u200b",
    "%(prog)s",
]
WORDS += ["$(touch ran)", "`touch ran`", "; touch ran", "__import__('os').system('touch ran')", "|touch ran"]
PATHS = ["data", "data/0.png", "data/sub", "presets/generator", "presets/dual_encoder/config.json", "others"]
PATHS += [
    "others/notes.txt",
    "others/notes.txt/x",
    "link",
    "link_to_file",
    "circle",
    "nowhere",
    "nowhere/x/y",
]
PATHS += [
    "pipe",
    "empty",
    "..",
    ".",
    "/",
    "/proc/nowhere",
    "/dev/null",
    "/dev/full",
    "/dev/null/x",
    "~",
    "~nouser",
    "~/x",
]
PATHS += [
    "out.png",
    "out.gif",
    "out.svg",
    "out.jpg",
    "out",
    "file://x",
    "hf://",
    "hf:",
    "kaggle://x",
    "a/" * 3000,
]
PATHS += ["text", "out/.png", ".", "link/x", "presets/no_preset", "presets/canary.py", "presets"]
VALID = {  # of options whose defaults would take long, or lie elsewhere
    "--data": "data",
    "--output": "out",
    "--dual-encoder": "presets/dual_encoder",
    "--autoencoder": "presets/autoencoder",
    "--outside": "presets/autoencoder",
    "--data-dir": "out",
}
LINES = {  # which work
    **{name: ["--smoke"] for name in TRAINING},
    "train_few_steps": ["--smoke", "--start", "presets/diffusion"],
    "train_upsampler": ["--smoke", "--generator", "presets/generator"],
    "generate": ["a red apple", "--preset", "presets/generator", "--size", "24", "--output", "out.png"],
    "evaluate": ["--smoke", "--preset", "presets/generator", "--no-cards", "--sizes", "40", "--judges"],
    "prepare_data": ["--smoke", "--size", "8"],
    "train": ["data", "--smoke", "--output", "out"],
    "export": ["presets/diffusion", "out", "--renderer", "presets/renderer"],
    "push": ["presets/generator", "user/name", "--license", "cc-by-4.0", "--language", "en"],
    "demo": ["--preset", "presets/generator", "presets/diffusion", "--port", "7861"],
}
LINES["evaluate"] += ["presets/judge_0", "presets/judge_1"]
LINES["generate"] += ["--renderer", "presets/renderer"]
MORE = {  # what ways of drawing need others for
    "generate": [
        ["--preset", "presets/diffusion", "--num-steps", "2", "--frames", "out.gif"],
        ["--svg", "--output", "out.svg"],
        ["a car"],
        ["--num-images", "2"],
        ["--transparent", "--best-of", "2"],
        ["--preset", "presets/diffusion", "--upsampler", "presets/upsampler"],
    ],
    "train": [["--log", "csv", "tensorboard"]],
    "prepare_data": [["data", "out"]] * 3,
    "push": [["--datasets", "mine", "openmoji"], ["--private", "--message", "the first"]],
    "demo": [["--renderer", "presets/renderer", "--host", "0.0.0.0"]],
}
REPOSITORIES = [
    "user/name",
    "name",
    "user/",
    "/name",
    "a/b/c",
    "hf://user/name",
    "user/..",
    "-/-",
    "u/" + "n" * 200,
]
REPOSITORIES += [
    "user/na me",
    "us\u00e9r/name",
    "user/name.git",
    "https://huggingface.co/user/name",
    "diffusion_emoji_32",
]

COMMANDS = [[], ["--help"], ["--version"], ["presets"], ["train"], ["train", "--help"], ["doctor", "--help"]]
COMMANDS += [["presets", "x"], ["doctor", "--backends", "x"], ["doctor", "x"], ["doctor", "--backends"]]


class HangError(BaseException):
    """Past `Exception`, so that nobody on the way takes it for an ordinary one."""


class AcceptedError(BaseException):
    """The line was accepted: from here on it would be long work."""


def accept(*args, **kwargs):
    raise AcceptedError


# The world that command lines speak of


def build(folder):
    """Pictures, presets and other files below `folder / "world"`, which `folder / "pristine"` is like."""
    world = folder / "pristine"
    (world / "data" / "sub").mkdir(parents=True)
    rng = np.random.default_rng(0)
    for i in range(14):
        file = world / "data" / ("sub" if i > 11 else ".") / f"{i}.png"
        Image.fromarray(rng.integers(0, 256, (40, 40, 3), dtype="uint8")).save(file)
        file.with_suffix(".txt").write_text(f"{CAPTIONS[i % len(CAPTIONS)]} number {i}")
    build_presets(world / "presets")
    for name, text in {"notes.txt": "mine", "run/a.py": "import", "README.md": "# Mine"}.items():
        (world / "others" / name).parent.mkdir(parents=True, exist_ok=True)
        (world / "others" / name).write_text(text)
    for name in ("empty", "home", "cwd", "temporary", "presets/no_preset"):
        (world / name).mkdir()
    (world / "presets" / "canary.py").write_text("open('ran', 'w')")
    (world / "text").write_text("a\nb\n")
    (world / "link").symlink_to("others")
    (world / "link_to_file").symlink_to("others/notes.txt")
    (world / "circle").symlink_to("circle")
    os.mkfifo(world / "pipe")
    renew(folder)


def build_presets(folder):
    preprocessor = tiny_preprocessor()
    pieces, small = preprocessor.tokenizer.vocabulary_size(), {"filters": (8,), "blocks": (0,)}
    picture = {"filters": (8, 8, 8), "blocks": (0, 0, 0), "code_dim": 512}
    autoencoder = ConvAutoencoder(ImageEncoder(32, **picture), ImageDecoder(32, **picture))
    text = {"embedding_dim": 8, "filters": 8, "blocks": 0, "hidden_dim": 16, "code_dim": 32}
    tower = ImageTower(32, filters=(8, 8), blocks=(0, 0), poolings=2, code_dim=32)
    dual_encoder = DualEncoder(CNNTextEncoder(pieces, 8, **text), tower)
    stages = [TextStage(dual_encoder), OnePassStage(ConceptDecoder(32, **small, code_dim=32))]
    save_preset(autoencoder, folder / "autoencoder")
    save_preset(dual_encoder, folder / "dual_encoder", preprocessor=preprocessor)
    Generator(TextToImageBackbone(stages), preprocessor).save_to_preset(folder / "generator")
    tiny_diffusion_generator().save_to_preset(folder / "diffusion")
    tiny_stage().save_to_preset(folder / "renderer")
    tiny_upsampler_stage().save_to_preset(folder / "upsampler")
    text, image = TOWERS["convolutional"]
    for half in (0, 1):
        towers = (
            text(pieces, 8, embedding_dim=8, units=8, code_dim=8),
            image(32, (8, 8), squeezed=2, code_dim=8),
        )
        save_preset(Evaluator(*towers, half=half), folder / f"judge_{half}", preprocessor=preprocessor)


def renew(folder):
    for path in (folder / "world").rglob("*") if (folder / "world").exists() else ():
        if not path.is_symlink() and path.is_dir():
            path.chmod(0o755)
    shutil.rmtree(folder / "world", ignore_errors=True)
    world = folder / "world"
    world.mkdir()
    for path in sorted((folder / "pristine").rglob("*")):
        copy = world / path.relative_to(folder / "pristine")
        if path.is_symlink():
            copy.symlink_to(path.readlink())
        elif path.is_dir():
            copy.mkdir()
        elif path.is_fifo():
            os.mkfifo(copy)
        else:
            shutil.copy2(path, copy)


def state_of(world):
    """Of each path below: what it is and when it was changed, or of a folder that it is one."""
    found = {}
    for path in world.rglob("*"):
        about = path.lstat()
        kind = stat.S_IFMT(about.st_mode)
        content = (about.st_mtime_ns, about.st_size, about.st_ino) if kind != stat.S_IFDIR else ()
        found[path.relative_to(world).as_posix()] = (kind, *content)
    return found


def misplaced(world, before, after, line):
    """Paths that were changed though they were there, or made where the line does not say so.

    A file that `--output`, `--frames` or `--leaderboard` names is replaced: so it is said.
    """
    named = [os.path.realpath(world / at_home(world, w)) for w in [*values_of(line), *words_of(line)]]
    named += [os.path.realpath(world / place) for place in ("runs", "pictures", "cache", "temporary")]
    wrong = []
    for name in sorted({*before, *after}):
        path = os.path.realpath(world / name)
        if before.get(name) == after.get(name):
            continue
        if name in before:
            may = (path in named and "generate" in line[0]) or "--leaderboard" in line
        else:
            may = any(path == n or path.startswith(n.rstrip("/") + "/") for n in named)
            may = may or (after[name][0] == stat.S_IFDIR and any(n.startswith(path + "/") for n in named))
        if not may:
            wrong.append(name)
    return wrong


def at_home(world, path):
    return world / "home" / path[2:] if path.split("/")[0] == "~" else path


def values_of(line):
    """The values of options that name what is written, also as "--output=x" and shortened: any of them."""
    found = []
    for word, after in zip(line, [*line[1:], ""], strict=True):
        option, _, value = word.partition("=")
        if len(option) > 2 and any(o.startswith(option) for o in ("--output", "--frames", "--data-dir")):
            found.append(value or after)
    return [value for value in found if len(value) < 4000 and "\0" not in value]


def words_of(line):
    """Words of a line that has a folder to be written without an option: any of them."""
    pages = ("recipes/export.py", "recipes/prepare_data.py")
    if line[0] not in pages and line[1:2] not in (["export"], ["prepare"]):
        return []
    return [word for word in line[1:] if word[:2] != "--" and len(word) < 4000 and "\0" not in word]


# Lines


def options_of(recipe, known={}):  # noqa: B006 (it is a cache)
    """The actions of a recipe's parser, whatever options it has today."""
    if recipe not in known:

        def keep(parser, *args, **kwargs):
            known[recipe] = [
                a for a in parser._actions if a.option_strings and a.help is not argparse.SUPPRESS
            ]
            raise AcceptedError

        original, argparse.ArgumentParser.parse_args = argparse.ArgumentParser.parse_args, keep
        try:
            importlib.import_module(recipe).main([])
        except AcceptedError:
            pass
        finally:
            argparse.ArgumentParser.parse_args = original
    return known[recipe]


def a_value(rng, action):
    """A value that an option may have been given by mistake, or rightly."""
    if action.choices and rng.random() < 0.5:
        return str(rng.choice(list(action.choices)))
    is_path = action.type in (None, Path) or "file" in getattr(action.type, "__name__", "")
    lists = [PATHS, PATHS, PATHS, WORDS] if is_path else [*[NUMBERS] * 4, *[LARGE] * 5, PATHS, WORDS]
    return rng.choice(rng.choice(lists))


def add_option(rng, recipe, line):
    action = rng.choice(options_of(recipe))
    name = action.option_strings[-1]
    if action.nargs == 0:
        return [*line, name]
    values = [a_value(rng, action) for _ in range(rng.choice([*[1] * 15, 0, 2]))]
    if len(values) == 1 and rng.random() < 0.4:
        return [*line, f"{name}={values[0]}"]
    return [*line, name, *values]


def change_value(rng, recipe, line):
    """Another value in the place of one that is there."""
    at = [i for i, word in enumerate(line) if i and line[i - 1].startswith("--") and word[:2] != "--"]
    if not at:
        return add_option(rng, recipe, line)
    i = rng.choice(at)
    actions = {option: action for action in options_of(recipe) for option in action.option_strings}
    action = actions.get(line[i - 1])
    value = a_value(rng, action) if action is not None else rng.choice(WORDS)
    return [*line[:i], value, *line[i + 1 :]]


def drop(rng, recipe, line):
    i = rng.randrange(len(line))
    return line if line[i] == "--smoke" and recipe == "prepare_data" else [*line[:i], *line[i + 1 :]]


def unknown(rng, recipe, line):
    word = rng.choice(
        ["--no-such", "--sead", "-z", "--epochs", "--Data", "---", "--=", "-5", "--data=", "--o"]
    )
    return [*line, word, *([rng.choice(WORDS)] if rng.random() < 0.5 else [])]


def word(rng, recipe, line):
    """A prompt, where the recipe takes some."""
    at = rng.randrange(len(line) + 1)
    return [*line[:at], rng.choice(WORDS), *line[at:]]


def twice(rng, recipe, line):
    return line + line[: rng.randrange(1, len(line) + 1)]


def change_word(rng, recipe, line):
    """Another word in the place of one that no option takes."""
    takers = {o for action in options_of(recipe) if action.nargs != 0 for o in action.option_strings}
    at = [i for i, word in enumerate(line) if word[:2] != "--" and not (i and line[i - 1] in takers)]
    if not at:
        return word(rng, recipe, line)
    lists = [PATHS, PATHS, WORDS, REPOSITORIES]
    i = rng.choice(at)
    return [*line[:i], rng.choice(rng.choice(lists)), *line[i + 1 :]]


def shuffled(rng, recipe, line):
    return rng.sample(line, len(line))


CHANGES = (*[add_option] * 14, *[change_value] * 9, drop, unknown, word, twice, shuffled)
CHANGES_OF_WORDS = (*[change_word] * 14, *[word] * 4, *[shuffled] * 4, *CHANGES)


def make_line(rng, apart=False):
    """(recipe, [program, *arguments]): a line that works, changed up to four times."""
    if rng.random() < 0.08:
        line = list(rng.choice(COMMANDS))
        if rng.random() < 0.5:
            line.insert(
                rng.randrange(len(line) + 1), rng.choice([*WORDS, "generate", "tran", "train", "gan"])
            )
        return "keras-t2i", ["keras-t2i", *line]
    kinds = ["generate"] * 4 + ["evaluate"] * 2 + [*TRAINING, *OF_WORDS, "export", "push"]
    recipe = rng.choice([kind for kind in kinds if kind in APART] if apart else kinds)
    line = list(LINES[recipe])
    for name in (o for action in options_of(recipe) for o in action.option_strings):
        if name in VALID and name not in line and (recipe in TRAINING or name in ("--data-dir", "--data")):
            line += [name, VALID[name]]
    if recipe == "evaluate":
        line += ["--output", "out"]
    more = rng.choice([*MORE.get(recipe, []), []])
    line = more + line if more and more[0][:2] != "--" else line + more
    changes = CHANGES_OF_WORDS if recipe in OF_WORDS else CHANGES
    for _ in range(rng.choice([1, 1, 1, 2, 2, 3, 4])):
        line = rng.choice(changes)(rng, recipe, line)
    if recipe == "prepare_data" and "--smoke" not in line:
        line.append("--smoke")  # without it packages are fetched
    if recipe in (*TRAINING, "train") and "--smoke" in line and rng.random() < 0.3:
        line.remove("--smoke")
    if rng.random() < 0.15:
        names = {"prepare_data": ["prepare"], "train": ["train"]} | {
            t: ["train", t[6:].replace("_", "-")] for t in TRAINING
        }
        return "keras-t2i", ["keras-t2i", *names.get(recipe, [recipe]), *line]
    return recipe, [f"recipes/{recipe}.py", *line]


# Running them


def alarm(*_):
    raise HangError


@contextlib.contextmanager
def shortened():
    """What is long once a line is accepted, cut: `AcceptedError`."""
    evaluate, cut = importlib.import_module("evaluate"), []
    cut = [(training_run, "time_a_step", lambda *args: (1.0, 0.01)), (Objective, "fit", accept)]
    cut += [(evaluate.Evaluation, "__init__", accept), (designs, "prepare", accept)]
    cut += [(export_folder, "export_network", accept), (hub, "unreachable", accept)]
    cut += [(page, "find_spec", lambda name: True), (page, "lay_out", accept)]
    cut += [(vectorize, "path_data", lambda *args: "")]  # of an untrained renderer there are thousands
    cut += [(keras_t2i_cli, "PROBE", "raise SystemExit('not tried')")]
    before = [(owner, name, getattr(owner, name)) for owner, name, _ in cut]
    for owner, name, new in cut:
        setattr(owner, name, new)
    try:
        yield
    finally:
        for owner, name, old in before:
            setattr(owner, name, old)


@contextlib.contextmanager
def inside(world):
    """The process as if it was started there."""
    kept = sys.argv, list(sys.path), Path.cwd(), {name: os.environ.get(name) for name in environment(world)}
    os.environ.update(environment(world))
    os.chdir(world)
    try:
        yield
    finally:
        sys.argv, sys.path[:] = kept[0], kept[1]
        os.chdir(kept[2])
        for name, value in kept[3].items():
            os.environ.pop(name, None) if value is None else os.environ.update({name: value})


def environment(world):
    caches = dict.fromkeys(("KERAS_T2I_CACHE", "TFDS_DATA_DIR", "KERAS_HOME"), str(world / "cache"))
    return {"HOME": str(world / "home"), "HF_HUB_OFFLINE": "1", "HF_TOKEN": "", **caches}


def start(recipe, line):
    """What the command does; returns its exit status."""
    sys.argv = list(line)
    if recipe == "keras-t2i":
        return keras_t2i_cli.main()
    module = importlib.import_module(recipe)
    if recipe in ("generate", "export", "push", "demo"):
        module.main(sys.argv[1:])
    elif recipe == "prepare_data":
        module.main()
    else:
        importlib.import_module("common").script(module.main)
    return 0


def run_here(recipe, line, world, seconds):
    """(exit status or None where it was accepted, what it said, a traceback or "")."""
    trace = ""
    signal.signal(signal.SIGALRM, alarm)
    out = io.TextIOWrapper(io.BytesIO(), "utf-8", write_through=True)  # as strict as a terminal's
    error = io.TextIOWrapper(io.BytesIO(), "utf-8", "backslashreplace", write_through=True)
    with shortened(), inside(world), contextlib.redirect_stdout(out), contextlib.redirect_stderr(error):
        signal.setitimer(signal.ITIMER_REAL, seconds)
        try:
            status = start(recipe, line)
        except AcceptedError:
            status = None
        except SystemExit as stop:
            status = stop.code or 0
        except HangError:
            status, trace = "hangs", traceback.format_exc()[-1500:]
        except BaseException as exception:
            status, trace = f"raises {type(exception).__name__}", traceback.format_exc()[-2500:]
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
    return status, error.buffer.getvalue().decode(errors="replace"), trace


def run_apart(recipe, line, world, seconds):
    """The same as a process of its own, with nothing left out."""
    program = ROOT / ("keras_t2i_cli.py" if recipe == "keras-t2i" else line[0])
    paths = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
    env = os.environ | environment(world) | {"PYTHONPATH": paths}
    try:
        done = subprocess.run(
            [sys.executable, program, *line[1:]], cwd=world, env=env, capture_output=True, timeout=seconds
        )
    except subprocess.TimeoutExpired:
        return "hangs", "", ""
    said = done.stderr.decode(errors="replace")
    return done.returncode, said, said[-2500:] if "Traceback (most" in said else ""


def verdict(status, said, trace, line):
    last = ([*filter(None, said.strip().split("\n"))] or [""])[-1]
    if isinstance(status, str):
        return status if status == "hangs" or trace else "exits with text, status 1"
    if trace:
        return "prints a traceback"
    if status is None or status == 0:
        return "ran"
    if status != 2:
        return "1 of doctor" if "doctor" in line and status == 1 else f"exits {status}"
    if not last or len(last) > SAID:
        return f"says {len(last)} characters"
    return "refused" if ": error: " in last or line[0] == "keras-t2i" else "has no sentence"


def run_case(folder, seed, number, apart=False, seconds=SECONDS):
    """What came of a case: (recipe, line, outcome, what was said)."""
    rng, world = random.Random(f"{seed} {number}"), folder / "world"
    recipe, line = make_line(rng, apart)
    before, memory = state_of(world), peak_memory() or 0
    begin = time.monotonic()
    status, said, trace = (run_apart if apart else run_here)(recipe, line, world, seconds)
    took, after = time.monotonic() - begin, state_of(world)
    outcome = verdict(status, said, trace, line)
    wrong = misplaced(world, before, after, line)
    if any(path.name == "ran" for path in world.rglob("ran")):
        outcome = "executes"
    elif wrong:
        outcome = f"touches {', '.join(wrong[:3])}"
    elif not apart and (peak_memory() or 0) - memory > MEBIBYTES:
        outcome = f"takes {peak_memory() - memory:.0f} MiB"
    elif took > seconds and outcome == "refused":
        outcome = "hangs"
    if before != after:
        renew(folder)
    return recipe, line, outcome, f"{took:.1f} s\n{trace or said.strip()[-600:]}"


def run(folder, seed, cases, first=0, apart=False, seconds=SECONDS, report=None):
    """Counts of (recipe, outcome), and the failures: (number, line, outcome, what was said)."""
    counts, failures = Counter(), []
    for number in range(first, first + cases):
        recipe, line, outcome, said = run_case(folder, seed, number, apart, seconds)
        counts[recipe, outcome.split()[0]] += 1
        if outcome not in ("ran", "refused", "1 of doctor"):
            failures.append((number, [word[:80] for word in line], outcome, said))
        if report:
            report(number, [word[:80] for word in line], outcome, said)
    return counts, failures


def main():
    form = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=form)
    parser.add_argument("--cases", type=int, default=1000)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--seconds", type=float, default=SECONDS, help="more where the machine is busy")
    parser.add_argument("--apart", action="store_true", help="each as a process of its own, nothing left out")
    parser.add_argument("--verbose", action="store_true")
    args = parser.parse_args()

    def report(number, line, outcome, said):
        if args.verbose or outcome not in ("ran", "refused"):
            short = outcome in ("ran", "refused")
            print(number, line, outcome.upper(), said.split("\n")[-1] if short else said, flush=True)

    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder).resolve()
        build(folder)
        begin = time.monotonic()
        of_run = args.apart, args.seconds, report
        counts, failures = run(folder, args.seed, args.cases, args.first, *of_run)
        took = time.monotonic() - begin
    for (recipe, outcome), count in sorted(counts.items()):
        print(f"{recipe:24} {outcome:12} {count}")
    print(f"{args.cases} cases, {len(failures)} failures, {took:.0f} s")
    return bool(failures)


if __name__ == "__main__":
    sys.exit(main())
