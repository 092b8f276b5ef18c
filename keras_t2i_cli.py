"""`keras-t2i`: every recipe, from an installed package.

It stands beside the package, for to import that takes seconds, and a list of commands should not.
"""

import ast
import importlib.util
import json
import os
import subprocess
import sys
from importlib import metadata
from pathlib import Path

COMMANDS = {
    "generate": "generate.py",
    "train": "train.py",
    "evaluate": "evaluate.py",
    "prepare": "prepare_data.py",
    "export": "export.py",
    "words": "add_words.py",
    "push": "push.py",
    "demo": "demo.py",
}
BACKENDS = ("tensorflow", "jax", "torch")
LIBRARIES = ("keras-t2i", "keras", "keras-hub", *BACKENDS, "tensorflow-datasets", "numpy", "pillow")
PROBE = """
import json, time
start = time.perf_counter()
import keras
from keras_t2i.models import Generator
generator = Generator.from_preset("diffusion_emoji")
opened = time.perf_counter() - start
generator.generate("a red apple", seed=0, size=512)
start = time.perf_counter()
generator.generate("a red apple", seed=0, size=512)
drawn = time.perf_counter() - start
try:
    devices = [str(device) for device in keras.distribution.list_devices()]
except Exception as error:
    devices = [f"unknown: {error}"]
if keras.config.backend() == "torch":
    import torch
    devices = [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())] or ["cpu"]
print("\\n" + json.dumps({"opened": opened, "drawn": drawn, "devices": devices}))
"""


def package_folder():
    """The folder of keras_t2i, which is not imported."""
    return Path(importlib.util.find_spec("keras_t2i").submodule_search_locations[0])


def recipes_folder():
    """Where the recipes are: in the package, or beside it in a checkout."""
    package = package_folder()
    folder = next(f for f in (package / "recipes", package.parent / "recipes") if f.is_dir())
    return folder.resolve()


def shared():
    """The module that recipes share which needs no Keras: it keeps what a mistake prints to one line."""
    if str(recipes_folder()) not in sys.path:
        sys.path.insert(0, str(recipes_folder()))
    return importlib.import_module("command_line")


def refuse(text):
    """Print a sentence; returns the exit code of a mistake."""
    print(shared().sentence(text), file=sys.stderr)
    return 2


def is_folder(name):
    """Whether there is a folder of this name, whatever a person typed; "~" is home."""
    try:
        return Path(name).expanduser().is_dir()
    except (OSError, RuntimeError):  # too long a name, one that may not be looked at; the home of nobody
        return False


def lessons():
    """dict, a lesson's name to its file's."""
    files = sorted(recipes_folder().glob("train_*.py"))
    return {file.stem.removeprefix("train_").replace("_", "-"): file.name for file in files}


def summary(file):
    """The first line of what a recipe says of itself."""
    tree = ast.parse((recipes_folder() / file).read_text(encoding="utf-8"))
    return ast.get_docstring(tree).splitlines()[0]


def listed(commands):
    """Lines of a help text: a command, and what it does."""
    width = max(map(len, commands))
    return "\n".join(f"  {name:{width}}  {text}" for name, text in commands.items())


def usage():
    """What `--help` prints."""
    named = COMMANDS | {"train FOLDER": COMMANDS["train"]}
    known = {name: summary(file) for name, file in named.items() if name != "train"}
    known |= {
        "train LESSON": "One of the lessons below.",
        "presets": "List the packaged presets.",
        "doctor": "What is installed, which backends work, how fast?",
    }
    taught = {name: summary(file) for name, file in lessons().items()}
    return (
        f"usage: keras-t2i COMMAND ...\n\nPictures from words, learned from scratch.\n\n{listed(known)}\n\n"
        f"lessons:\n{listed(taught)}\n\nEach has --help. KERAS_BACKEND chooses tensorflow, jax or torch."
    )


def run(file, arguments, name):
    """Run a recipe as `python recipes/FILE ...` does."""
    folder = recipes_folder()
    sys.path.insert(0, str(folder))  # where they find what they share
    sys.argv = [name, *arguments]
    page = folder / file  # not by runpy, which would put its path for the name in what a person is told
    code = compile(page.read_text(encoding="utf-8"), str(page), "exec")
    exec(code, {"__name__": "__main__", "__file__": str(page)})


def presets(arguments):
    """Print the packaged presets."""
    shared().Parser("keras-t2i presets", description="List the packaged presets.").parse_args(arguments)
    for config in sorted((package_folder() / "presets" / "packaged").glob("*/config.json")):
        about = json.loads(config.with_name("metadata.json").read_text(encoding="utf-8"))
        network = json.loads(config.read_text(encoding="utf-8"))["class_name"]
        kind = "Generator" if about.get("tasks") else network
        megabytes = sum(file.stat().st_size for file in config.parent.rglob("*") if file.is_file()) / 1e6
        millions = about["parameter_count"] / 1e6
        print(f"{config.parent.name:28} {kind:18} {millions:5.1f} M parameters {megabytes:5.1f} MB")


def doctor(arguments):
    """Print versions, and draw a picture on every backend that is installed.

    Returns: int, the exit code: 1 where an installed backend does not draw.
    """
    description = "What is installed, which backends work, how fast?"
    parser = shared().Parser("keras-t2i doctor", description=description)
    parser.add_argument("--backends", nargs="+", choices=BACKENDS, default=BACKENDS, help="which to try")
    tried = parser.parse_args(arguments).backends
    print(f"Python {sys.version.split()[0]}, {sys.platform}, {os.cpu_count()} processors")
    found = {}
    for name in LIBRARIES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    print(", ".join(f"{name} {version}" for name, version in found.items()))
    failed = 0
    for backend in tried:
        if importlib.util.find_spec(backend) is None:
            print(f'{backend}: not installed: pip install "keras-t2i[{backend}]"')
            continue
        environment = os.environ | {"KERAS_BACKEND": backend, "TF_CPP_MIN_LOG_LEVEL": "3"}
        command = [sys.executable, "-c", PROBE]
        probe = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=600)
        if probe.returncode:
            failed = 1
            reason = (probe.stderr.strip() or f"exit code {probe.returncode}").splitlines()[-1]
            print(f"{backend}: does not work: {reason}")
            continue
        facts = json.loads(probe.stdout.splitlines()[-1])
        print(
            f"{backend}: works, on {', '.join(facts['devices'])}; {facts['opened']:.0f} s to open a preset, "
            f"{facts['drawn']:.1f} s a picture of 512 pixels",
            flush=True,
        )
    return failed


def main(argv=None):
    """Run a command; returns the exit code."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # hides what TensorFlow says about the machine
    arguments = list(sys.argv[1:] if argv is None else argv)
    command = arguments.pop(0) if arguments else "--help"
    if command in ("-h", "--help"):
        print(usage())
        return 0
    if command == "--version":
        print(metadata.version("keras-t2i"))
        return 0
    if command in ("presets", "doctor"):
        return {"presets": presets, "doctor": doctor}[command](arguments) or 0
    if command == "train":
        known = lessons()
        lesson = arguments.pop(0) if arguments else None
        if lesson in known:
            return run(known[lesson], arguments, f"keras-t2i train {lesson}") or 0
        if lesson and is_folder(lesson):
            return run(COMMANDS["train"], [lesson, *arguments], "keras-t2i train") or 0
        said = f"there is no lesson and no folder {lesson!r}:"
        if lesson in (None, "-h", "--help"):
            said = "which lesson, or folder?"
        elif lesson.startswith("-"):
            said = f"the lesson, or your folder, comes first, then {lesson}:"
        return refuse(f"keras-t2i train: {said} There are {', '.join(known)}")
    if command in COMMANDS:
        return run(COMMANDS[command], arguments, f"keras-t2i {command}") or 0
    known = ", ".join([*COMMANDS, "presets", "doctor"])
    return refuse(f"keras-t2i: there is no command {command!r}: there are {known}")


if __name__ == "__main__":
    sys.exit(main())
