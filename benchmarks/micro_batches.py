"""Does gradient caching keep memory flat? Peak memory of a contrastive step on a large batch, cut up or not.

    python benchmarks/micro_batches.py --backends tensorflow jax torch

Each setting runs in a process of its own; "before" is the memory once the model is built.
"""

import argparse
import os
import subprocess
import sys

import numpy as np


def measure(batch, parts):
    import keras

    from keras_t2i.models import CNNTextEncoder
    from keras_t2i.models import DualEncoder
    from keras_t2i.models import ImageTower
    from keras_t2i.objectives.contrastive import ContrastiveAlignment
    from keras_t2i.utils.memory import peak_memory

    rng = np.random.default_rng(0)
    x = {
        "images": rng.integers(0, 256, (batch, 32, 32, 3)).astype("uint8"),
        "token_ids": rng.integers(1, 2048, (batch, 32)).astype("int32"),
        "groups": np.arange(batch, dtype="int32"),
    }
    objective = ContrastiveAlignment(DualEncoder(CNNTextEncoder(2048), ImageTower()), micro_batches=parts)
    objective.compile(optimizer=keras.optimizers.SGD(0.0))
    before = peak_memory()
    objective.fit(x, batch_size=batch, epochs=2, verbose=0)
    print(f"{before:.0f} {peak_memory():.0f}")


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--backends", nargs="+", default=["tensorflow", "jax", "torch"])
    parser.add_argument("--batch", type=int, default=1024)
    parser.add_argument("--parts", type=int, nargs="+", default=[1, 4, 16])
    parser.add_argument("--measure", type=int, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.measure:
        return measure(args.batch, args.measure)
    print(f"| backend | parts of {args.batch} | MiB before | MiB at the peak |\n|---|---|---|---|")
    for backend in args.backends:
        for parts in args.parts:
            done = subprocess.run(
                [sys.executable, __file__, "--measure", str(parts), "--batch", str(args.batch)],
                env={**os.environ, "KERAS_BACKEND": backend},
                capture_output=True,
                text=True,
                check=True,
            )
            before, peak = done.stdout.split()[-2:]
            print(f"| {backend} | {parts} | {before} | {peak} |", flush=True)


if __name__ == "__main__":
    main()
