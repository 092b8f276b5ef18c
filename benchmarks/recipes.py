"""What each recipe costs on each backend: one epoch of the default data, measured, times its epochs.

    python benchmarks/recipes.py --backends jax torch

Start-up, compiling and evaluation are in "fixed"; the rest grows with epochs.
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


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--backends", nargs="+", default=["tensorflow", "jax", "torch"])
    parser.add_argument(
        "--recipes", nargs="+", default=["train_autoencoder", "train_concepts", "train_decoder"]
    )
    parser.add_argument("--precision", default="float32")
    args = parser.parse_args()
    print(
        "| recipe | backend | ms a step | one epoch, s | all epochs, min | fixed, s | peak memory, MiB |\n"
        "|---|---|---|---|---|---|---|"
    )
    for recipe in args.recipes:
        epochs = int(re.search(r"epochs=(\d+)", (RECIPES / f"{recipe}.py").read_text()).group(1))
        for backend in args.backends:
            with tempfile.TemporaryDirectory() as folder:
                start = time.perf_counter()
                done = subprocess.run(
                    [
                        sys.executable,
                        RECIPES / f"{recipe}.py",
                        "--epochs",
                        "1",
                        "--precision",
                        args.precision,
                        "--output",
                        folder,
                    ],
                    env={**os.environ, "KERAS_BACKEND": backend},
                    capture_output=True,
                    text=True,
                    check=True,
                )
                whole = time.perf_counter() - start
            step = int(re.search(r"at (\d+) ms", done.stderr).group(1))
            epoch = 60 * float(re.search(r"minutes +([\d.]+)", done.stdout).group(1))
            memory = re.search(r"peak memory, MiB +([\d.]+)", done.stdout).group(1)
            total = (epoch * epochs + whole - epoch) / 60
            print(
                f"| {recipe} | {backend} | {step} | {epoch:.0f} | {total:.0f} "
                f"| {whole - epoch:.0f} | {memory} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
