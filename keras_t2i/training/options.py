"""What the training recipes share: their options, their data, and the table at the end."""

import argparse
import sys
from pathlib import Path

import keras

from keras_t2i.data import load
from keras_t2i.data import load_openmoji
from keras_t2i.utils.files import check_apart

SMOKE_PICTURES = 48


class HelpFormatter(argparse.ArgumentDefaultsHelpFormatter, argparse.RawDescriptionHelpFormatter):
    """Every option with its default, and the description as it was written."""


def training_parser(description, name, epochs, batch_size, learning_rate):
    """The options that every training recipe has, with this recipe's defaults.

    Args:
        description: str, shown by `--help`.
        name: str, the run's folder below `runs/`.
        epochs, batch_size, learning_rate: this recipe's defaults.

    Returns:
        `argparse.ArgumentParser`.
    """
    parser = argparse.ArgumentParser(description=description, formatter_class=HelpFormatter)
    add = parser.add_argument
    add(
        "--data",
        default="openmoji",
        help='"openmoji", "emoji" (see prepare_data.py), or a folder of captioned pictures',
    )
    add(
        "--output",
        default=f"runs/{name}",
        type=Path,
        help="the run's folder: preset, pictures, logs, state to resume from",
    )
    add("--epochs", default=epochs, type=int, help="passes over the training pictures")
    add("--batch-size", default=batch_size, type=int, help="pictures in a step")
    add(
        "--learning-rate",
        default=learning_rate,
        type=float,
        help="largest learning rate; it rises, then falls to zero",
    )
    add(
        "--precision",
        default="float32",
        choices=["float32", "mixed_bfloat16"],
        help="arithmetic inside the networks",
    )
    add("--accumulate", default=1, type=int, help="steps whose gradients are averaged into one update")
    add("--seed", default=0, type=int, help="of weights, order and noise")
    add("--restart", action="store_true", help="throw away an earlier run in --output instead of resuming it")
    add("--smoke", action="store_true", help="a tiny model, a few pictures, seconds: does everything run?")
    return parser


def prepare(args):
    """Seed everything, shrink what `--smoke` shrinks; returns what a resumed run must have the same.

    Raises: ValueError where `--output` is, holds or lies in the folder of the pictures.
    """
    if args.data not in ("openmoji", "emoji"):  # then it is a folder
        check_apart(args.output, args.data)
    keras.utils.set_random_seed(args.seed)
    if args.smoke:
        args.epochs, args.batch_size = 2, 8
    if args.precision == "mixed_bfloat16" and not has_bfloat16():
        print(
            "This processor has no bfloat16 arithmetic: unless a GPU does the work, --precision float32 is "
            "several times as fast.",
            file=sys.stderr,
        )
    free = {"output", "restart"}
    return {k: str(v) if isinstance(v, Path) else v for k, v in vars(args).items() if k not in free}


def has_bfloat16(cpuinfo=Path("/proc/cpuinfo")):
    """Whether the processor multiplies bfloat16 in hardware; True where that cannot be told."""
    try:
        flags = next(line for line in cpuinfo.read_text().splitlines() if line.startswith("flags"))
    except (OSError, StopIteration):
        return True
    return not {"avx512_bf16", "amx_bf16"}.isdisjoint(flags.split())


def load_splits(args, size=32):
    """Training and validation pictures of `--data`; a few of them for `--smoke`."""
    if args.smoke and args.data == "openmoji":
        pictures = load_openmoji("train", size=size, limit=SMOKE_PICTURES)
        return pictures.take(range(8, len(pictures))), pictures.take(range(8))
    train, validation = load(args.data, "train", size), load(args.data, "validation", size)
    return (
        (train.take(range(min(SMOKE_PICTURES, len(train)))), validation)
        if args.smoke
        else (train, validation)
    )


def adamw(args, steps, learning_rate=None, **options):
    """AdamW with a short rise and a cosine fall to zero over the run's `steps`, accumulated ones too.

    `learning_rate`: the largest, that of `args` by default. `options`: of `keras.optimizers.AdamW`.
    """
    highest = args.learning_rate if learning_rate is None else learning_rate
    rise = min(100 * args.accumulate, steps // 10)
    schedule = keras.optimizers.schedules.CosineDecay(
        0.0, max(1, steps - rise), alpha=0.01, warmup_target=highest, warmup_steps=max(1, rise)
    )
    return keras.optimizers.AdamW(
        schedule,
        weight_decay=1e-4,
        global_clipnorm=1.0,
        gradient_accumulation_steps=args.accumulate if args.accumulate > 1 else None,
        **options,
    )


def print_table(rows):
    """Two columns, aligned: what, and its figure or place."""
    width = max(len(name) for name, _ in rows)
    for name, value in rows:
        print(f"  {name:{width}}  {f'{value:.4g}' if isinstance(value, float) else value}")
