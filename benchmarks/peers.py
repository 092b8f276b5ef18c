"""The diffusion U-Net against diffusers' `UNet2DConditionModel`: training, sampling, first picture, memory.

    pip install ".[peers,jax]" && python benchmarks/peers.py

Every contestant has a process of its own (`contestant.py`, which says what is compared). They take turns, one
works at a time, and the median of each counts: compare ratios within a run, on a machine that does nothing
else. Memory is the peak of a process that only drew, then of one that also trained.
"""

import argparse
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

CONTESTANT = Path(__file__).with_name("contestant.py")
WORK = {"train": "training step of 16", "sample": "20 steps, 4 pictures", "guided": "the same, guided"}
REFERENCE = ("diffusers", "float32", "torch")
CONTESTANTS = [
    REFERENCE,
    ("diffusers", "bfloat16", "torch"),
    ("diffusers", "compiled", "torch"),
    ("diffusers", "compiled_bfloat16", "torch"),
    *(("keras_t2i", v, b) for b in ("tensorflow", "jax", "torch") for v in ("float32", "bfloat16")),
    ("keras_t2i", "float32_devices", "jax"),
    ("keras_t2i", "base_float32", "tensorflow"),
    ("keras_t2i", "base_bfloat16", "tensorflow"),
    ("product", "float32", "torch"),
    ("product", "bfloat16", "torch"),
]


class Contestant:
    """A running process. `first_picture`: seconds from its start to its first drawing."""

    def __init__(self, kind, variant, backend):
        environment = {**os.environ, "KERAS_BACKEND": backend}
        start = time.perf_counter()
        self.process = subprocess.Popen(
            [sys.executable, CONTESTANT, kind, variant],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env=environment,
        )
        self.parameters = int(self.answer().split()[-1])
        self.first_picture = time.perf_counter() - start

    def answer(self):
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError(f"{' '.join(map(str, self.process.args))} ended early: run it by hand")
        return line

    def do(self, work):
        print(work, file=self.process.stdin, flush=True)
        return float(self.answer())


def measure(contestants, rounds, pause):
    """Medians of the seconds of each kind of work: `{contestant: {work: seconds}}`."""
    found = {name: {work: [] for work in WORK} for name in contestants}
    for i in range(rounds + 2):
        for name, contestant in contestants.items():
            for work in WORK:
                seconds = contestant.do(work)
                if i > 1:  # the first ones compile and warm up
                    found[name][work].append(seconds)
            time.sleep(pause)  # its threads go to sleep
        print(f"round {i + 1} of {rounds + 2}", file=sys.stderr)
    return {
        name: {work: statistics.median(times) for work, times in each.items()} for name, each in found.items()
    }


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--pause", type=float, default=0.3, help="seconds between two turns")
    parser.add_argument("--only", nargs="+", default=[], help="contestants whose name holds one of these")
    args = parser.parse_args()
    contestants, drawing = {}, {}
    for name in CONTESTANTS:
        if args.only and name != REFERENCE and not any(word in " ".join(name) for word in args.only):
            continue
        try:
            alone = Contestant(*name)
            drawing[name] = alone.do("quit")
            contestants[name] = Contestant(*name)  # the second start, with files in the system's memory
        except RuntimeError as error:
            print(f"left out: {error}", file=sys.stderr)
    found = measure(contestants, args.rounds, args.pause)
    flops = {name: c.do("flops") for name, c in contestants.items() if name[2] == "torch"}
    memory = {name: c.do("quit") for name, c in contestants.items()}
    rates = {
        v: 10 * flops["product", v, "torch"] / found["product", v, "torch"]["train"]
        for v in ("float32", "bfloat16")
        if ("product", v, "torch") in found
    }
    for precision, rate in rates.items():
        print(f"Matrix products in {precision}: {rate / 1e9:.0f} GFLOP/s. ", end="")
    looks = {kind: value for (kind, variant, _), value in flops.items() if variant == "float32"}
    print(f"One look at a picture: {', '.join(f'{k} {v / 1e9:.2f} GFLOP' for k, v in looks.items())}.\n")
    titles = " | ".join(f"{title}, s | speed" for title in WORK.values())
    print(f"| network, arithmetic, backend | million parameters | {titles} ", end="")
    print("| training, share of matrix products | first picture, s | MiB drawing | MiB training |")
    print("|" + "---|" * (6 + 2 * len(WORK)))
    for name, contestant in contestants.items():
        if name[0] == "product":
            continue
        cells = [" ".join(name), f"{contestant.parameters / 1e6:.2f}"]
        for work in WORK:
            cells += [
                f"{found[name][work]:.3f}",
                f"{found[REFERENCE][work] / found[name][work]:.2f}",
            ]
        rate = rates.get("bfloat16" if "bfloat16" in name[1] else "float32")
        known = rate and "base" not in name[1] and name[0] in looks
        # A step is three looks' worth of products at 16 pictures.
        share = 3 * 16 * looks[name[0]] / found[name]["train"] / rate if known else None
        cells.append(f"{share:.0%}" if share else "-")
        cells += [f"{contestant.first_picture:.1f}", f"{drawing[name]:.0f}", f"{memory[name]:.0f}"]
        print(f"| {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
