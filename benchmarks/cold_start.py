"""From the start of a process to the first picture's file: the exported generator, and Keras.

    python recipes/export.py diffusion_emoji_32 exported
    python benchmarks/cold_start.py exported --preset diffusion_emoji_32

Each draws in processes of its own, the first of which warms the disk's cache and is not counted. Then how far
the pictures of the folder are from those that Keras draws here.
"""

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

KERAS = (
    "import sys; from keras_t2i import Generator; "
    "Generator.from_preset(sys.argv[1]).generate(sys.argv[2], seed=0, output='pil').save(sys.argv[3])"
)
PROMPT = "a red apple"
PROMPTS = [PROMPT, "green apple", "flag of France", "three o'clock", "pizza", "blue heart"]


def measured(command, environment):
    """(seconds, processor seconds, peak MB) of a process."""
    start = time.perf_counter()
    child = os.posix_spawn(command[0], command, os.environ | environment)
    _, status, usage = os.wait4(child, 0)
    if status:
        sys.exit(f"{command} failed")
    unit = 1e6 if sys.platform == "darwin" else 1e3
    return time.perf_counter() - start, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / unit


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", help="what export.py wrote")
    parser.add_argument("--preset", default="diffusion_emoji_32", help="what it was written from")
    parser.add_argument("--backends", nargs="*", default=["tensorflow", "torch"])
    parser.add_argument("--repeats", type=int, default=3)
    args = parser.parse_args()
    file = str(Path(tempfile.mkdtemp()) / "picture.png")
    python = [sys.executable, "-m", "keras_t2i_runtime", args.folder, PROMPT, file]
    commands = {"keras_t2i_runtime": (python, {})}
    for backend in args.backends:
        command = [sys.executable, "-c", KERAS, args.preset, PROMPT, file]
        commands[f"Keras on {backend}"] = command, {"KERAS_BACKEND": backend, "TF_CPP_MIN_LOG_LEVEL": "3"}
    print("| | seconds to the first picture | of the processor | peak memory |\n|---|---|---|---|")
    for name, command in commands.items():
        rows = [measured(*command) for _ in range(args.repeats + 1)][1:]
        wall, processor, memory = np.median(rows, axis=0)
        print(f"| {name} | {wall:.1f} | {processor:.1f} | {memory:.0f} MB |", flush=True)

    from keras_t2i import Generator
    from keras_t2i_runtime import Runtime

    generator, runtime = Generator.from_preset(args.preset), Runtime.open(args.folder)
    wanted, found = (one.generate(PROMPTS, seed=0).astype("int16") for one in (generator, runtime))
    token_ids = generator.preprocessor.generate_preprocess(PROMPTS)
    text = generator.stage("text").encode(token_ids)
    said = runtime.text({"token_ids": token_ids})
    off = max(float(np.abs(values - text[name]).max()) for name, values in said.items())
    print(f"\ntext features: {off:.1e}; pictures: {np.abs(wanted - found).max()}/255")


if __name__ == "__main__":
    main()
