"""What each recipe costs on each backend: its own estimate from measured steps, and its peak memory.

    python benchmarks/recipes.py --backends tensorflow jax torch

Each recipe is started with its defaults (and `--precision`), measures a few real steps of training, prints
what the whole run will take, and is then stopped. On Linux (memory is read from /proc).
"""

import argparse
import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

RECIPES = Path(__file__).parent.parent / "recipes"


def cost(recipe, backend, precision):
    """`(steps, ms a step, s until trained steps begin, peak MiB)` of one recipe."""
    start, lines = time.perf_counter(), []
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, RECIPES / f"{recipe}.py", "--precision", precision, "--output", folder]
        run = subprocess.Popen(
            command,
            env={**os.environ, "KERAS_BACKEND": backend},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        for line in run.stderr:
            lines.append(line)
            found = re.search(r"([\d,]+) steps of \d+ at (\d+) ms", line)
            if found:
                break
        else:
            raise RuntimeError(f"{recipe} on {backend} ended early:\n{''.join(lines[-20:])}")
        ready = time.perf_counter() - start
        status = Path(f"/proc/{run.pid}/status").read_text()
        run.kill()
        run.wait()
    steps, milliseconds = (int(g.replace(",", "")) for g in found.groups())
    return steps, milliseconds, ready, int(re.search(r"VmHWM:\s+(\d+)", status).group(1)) / 1024


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--backends", nargs="+", default=["tensorflow", "jax", "torch"])
    parser.add_argument(
        "--recipes", nargs="+", default=["train_autoencoder", "train_concepts", "train_decoder"]
    )
    parser.add_argument("--precision", default="float32", choices=["float32", "mixed_bfloat16"])
    args = parser.parse_args()
    print("| recipe | backend | ms a step | steps | minutes of training | start-up, s | peak memory, MiB |")
    print("|---|---|---|---|---|---|---|")
    for recipe in args.recipes:
        for backend in args.backends:
            steps, milliseconds, ready, memory = cost(recipe, backend, args.precision)
            minutes = steps * milliseconds / 60e3
            print(
                f"| {recipe} | {backend} | {milliseconds} | {steps:,} | {minutes:.0f} "
                f"| {ready:.0f} | {memory:.0f} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
