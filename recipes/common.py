"""What the recipes share: data, encoders, the run, and the table at its end. Each imports this first."""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # before TensorFlow is imported
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")  # as `keras_t2i` does, which comes after Keras here

import sys
import traceback
from pathlib import Path

import keras
import numpy as np
from command_line import DUAL_ENCODER as DUAL_ENCODER
from command_line import LOGS as LOGS
from command_line import Parser as Parser
from command_line import add_distribute as add_distribute
from command_line import command_of
from command_line import existing_file as existing_file
from command_line import filled as filled
from command_line import folder as folder
from command_line import number as number
from command_line import sentence
from command_line import training_parser as training_parser
from opening import build_unet as build_unet
from opening import drafts_left_out as drafts_left_out
from opening import keep_left_out
from opening import open_decoder as open_decoder
from opening import open_encoders as open_encoders
from opening import plain_concepts as plain_concepts
from opening import trainable_copy as trainable_copy

import keras_t2i
from keras_t2i.data import load
from keras_t2i.data.registry import DATA_SETS
from keras_t2i.data.registry import load_sample
from keras_t2i.evaluation.flatness import matching_smoothing
from keras_t2i.models import Generator
from keras_t2i.objectives.denoising import OVER_A_DRAFT
from keras_t2i.objectives.diffusion import LEVELS
from keras_t2i.presets.cards import training_card
from keras_t2i.presets.saving import save_preset
from keras_t2i.training import distribution
from keras_t2i.training import optimizers
from keras_t2i.training import run
from keras_t2i.training.logs import check_logs
from keras_t2i.training.snapshots import SaveSnapshots
from keras_t2i.training.snapshots import choose_average
from keras_t2i.utils.files import check_writable
from keras_t2i.utils.folders import check_apart
from keras_t2i.utils.gif import save_frames
from keras_t2i.utils.images import make_grid
from keras_t2i.utils.images import save_png
from keras_t2i.utils.memory import peak_memory

SMOKE_PICTURES = 48
DRAWN_FOR_SMOOTHING = 64  # training captions
LOG_VIEWERS = {  # what shows a log, for the table at the end
    "tensorboard": "logs (tensorboard --logdir)",
    "csv": "logs (epochs.csv)",
    "wandb": "logs (wandb sync)",
    "mlflow": "logs (mlflow ui --backend-store-uri)",
}
MOST_VALIDATED = 4096  # pictures, which are in memory
MOST_MEASURED = 2**15  # pictures, of which what needs all is measured
PRESETS = ("start", "decoder", "dual_encoder", "autoencoder", "outside", "generator")  # options that name one


def start(parser, argv=None):
    """Read the command line and seed everything.

    Args:
        parser: of `training_parser`.
        argv: list of str, or `None`: the command line.

    Returns:
        Namespace of options and hyperparameters, and of `settings`, a dict of those that must be the same
        when the run is resumed.
    """
    args = parser.parse_args(argv)
    check_output(args)
    check_logs(args.log)
    if args.smoke:
        args.epochs, args.batch_size = 2, 8
    if args.epochs is not None:
        args.minutes = None
    distribution.start(args.distribute)
    keras.utils.set_random_seed(args.seed)
    if args.precision != "float32" and not has_arithmetic(small := args.precision.removeprefix("mixed_")):
        print(
            f"This processor has no {small} arithmetic: unless a GPU does the work, --precision float32 is "
            "several times as fast.",
            file=sys.stderr,
        )
    free = {"output", "restart", "epochs", "minutes", "log", "distribute"}
    command = command_of(parser, args)
    args.settings = {k: str(v) if isinstance(v, Path) else v for k, v in vars(args).items() if k not in free}
    args.command = command  # no setting: the same options may be given in other words
    return args


def check_one_process(kind):
    """Check that several lessons in a row can have `--distribute kind`: each of them has its own `start`.

    Raises: ValueError where there are several processes, whose others end with the first lesson.
    """
    processes = distribution.start(kind).processes
    distribution.start()
    if processes > 1:
        raise ValueError(
            f"several lessons in a row have one process, of any number of devices, and here are {processes}: "
            "run the lessons one by one (train_concepts.py, train_captions.py, train_diffusion.py)"
        )


def check_output(args):
    """Check before any work that files can be written below `--output`, which is apart from `--data`.

    Raises: ValueError, OSError.
    """
    if args.data not in DATA_SETS:  # then it is a folder
        check_apart(args.output, args.data)
    check_writable(args.output / "file", 0)


def has_arithmetic(dtype, cpuinfo=Path("/proc/cpuinfo")):
    """Whether the processor multiplies bfloat16 or float16 in hardware; True where that cannot be told."""
    try:
        flags = next(line for line in cpuinfo.read_text().splitlines() if line.startswith("flags"))
    except (OSError, StopIteration):
        return True
    able = {"bfloat16": {"avx512_bf16", "amx_bf16"}, "float16": {"avx512_fp16", "amx_fp16"}}
    return not able[dtype].isdisjoint(flags.split())


def load_splits(args, size=32, preprocessor=None):
    """Training and validation pictures of `--data`, of the latter at most `MOST_VALIDATED`; a few of them for
    `--smoke`. A preprocessor no longer reads words of their captions as others (`nearest_words`)."""
    if args.smoke and args.data in DATA_SETS:
        pictures = load_sample(args.data, size, SMOKE_PICTURES)
        args.source = pictures.source
        return pictures.take(range(8, len(pictures))), pictures.take(range(8))
    train, validation = load(args.data, "train", size), load(args.data, "validation", size)
    args.source = train.source
    validation = validation.spread(MOST_VALIDATED)
    if preprocessor is not None and preprocessor.tokenizer.nearest_words:
        preprocessor.tokenizer.learn_words_of(caption for own in train.captions for caption in own)
    return (train.take(range(min(SMOKE_PICTURES, len(train)))) if args.smoke else train), validation


def rows(*pictures):
    """Rows of pictures, each uint8 `(n, s, s, 3)`, one above the other: a grid, three times as large."""
    return make_grid(np.concatenate(pictures), columns=len(pictures[0]), scale=3)


def chosen(args, *names):
    """Some of the options and hyperparameters, as a dict."""
    return {name: getattr(args, name) for name in names}


def times_and_weight(args, unet):
    """What `Denoising` takes by these names: those of the page, or `OVER_A_DRAFT`."""
    return OVER_A_DRAFT if unet.draft_features else chosen(args, "times", "weight")


def adamw(args, learning_rate=None, **options):
    """`training.optimizers.adamw` by the options; its length is set when the run's is known."""
    return optimizers.adamw(learning_rate or args.learning_rate, accumulate=args.accumulate, **options)


def snapshots(args):
    """What stores averages of the weights on the way, for `finish_diffusion`."""
    return SaveSnapshots(args.output / "snapshots", times=10)


def train(args, objective, pipeline, validation, draw=None, callbacks=()):
    """`training.run.train` by the options: prints what it will cost, resumes, saves, draws, logs."""
    presets = [getattr(args, name, None) for name in PRESETS]
    callbacks = [*callbacks, *keep_left_out(args, objective, pipeline)]
    return run.train(
        objective,
        pipeline,
        args.epochs,
        args.output,
        validation=validation,
        draw=draw,
        settings=args.settings if args.epochs is None else {**args.settings, "epochs": args.epochs},
        restart=args.restart,
        callbacks=callbacks,
        presets=[*filter(None, presets), *getattr(args, "critics", [])],
        minutes=args.minutes,
        most_epochs=getattr(args, "most_epochs", None),
        log=args.log,
    )


def figures(logs, *names):
    """Rows of the table: those of the last epoch's metrics that there are."""
    return [(name.replace("val_", "validation "), logs[name]) for name in names if name in logs]


def finish(args, logs, model, table, pictures=None, **options):
    """Save the preset and the pictures, and print the table.

    Args:
        args: Namespace; all is written below `output`.
        logs: dict of `train`.
        model: the network, or the `Generator`, that becomes the preset.
        table: list of (what, figure).
        pictures: dict, the name of a file to (what it shows, a grid of `rows`, or frames of a moving GIF).
        options: of `presets.saving.save_preset`.
    """
    places = []
    for name, (shows, picture) in (pictures or {}).items():
        save = save_frames if name.endswith(".gif") else save_png
        places.append((shows, save(picture, args.output / name)))
    options.setdefault("card", card(args, logs, model))
    save_preset(model, args.output / "preset", weights_dtype="float16", **options)
    places += [
        ("preset", args.output / "preset"),
        *((LOG_VIEWERS[name], args.output / "logs") for name in args.log),
    ]
    cost = [("minutes", logs["seconds"] / 60)]
    if (peak := peak_memory()) is not None:
        cost.append(("peak memory, MiB", peak))
    table = [*table, *cost, *places]
    width = max(len(what) for what, _ in table)
    for what, value in table:
        print(f"  {what:{width}}  {f'{value:.4g}' if isinstance(value, float) else value}")
    if isinstance(model, Generator):
        print(f'\nTry: python recipes/generate.py "a red apple" --preset {args.output / "preset"}')


def card(args, logs, model):
    """The card of a run's preset: data and command anew, below what is there already; `None`, which leaves it
    as it is, where it is a person's own or damaged."""
    file, known = args.output / "preset" / "README.md", DATA_SETS.get(str(args.data))
    facts = {"pipeline_tag": "text-to-image"} if isinstance(model, Generator) else {}
    if known:
        facts |= {"license": known.license, "language": "en", "datasets": [str(args.data)]}
    about = (
        f"{logs['seconds'] / 60:.3g} minutes on {keras.config.backend()}, keras_t2i {keras_t2i.__version__}."
    )
    name, source = args.output.resolve().name, getattr(args, "source", "")
    try:
        there = file.read_text("utf-8") if file.is_file() else ""
        if there and "<!-- training: begin -->" not in there:
            return None
        return training_card(there, name, args.command, facts, about, source)
    except (ValueError, OSError) as error:  # of a person's own words
        print(f"{file} stays as it is: {sentence(error)}", file=sys.stderr)
        return None


def finish_diffusion(args, logs, objective, validation, generator, draw, pictures):
    """`finish` of a diffusion model: validation chooses among averages of the weights, pixels are smoothed
    until fills are as flat as those of true pictures, and a drawing is shown as it evolves.

    Args:
        args, logs: as of `finish`.
        objective: trained `DiffusionObjective`, whose average is in `generator`.
        validation: `Pipeline`.
        generator: `Generator`, which becomes the preset.
        draw: function of the objective and a number of steps (`None`: the preset's) to a grid.
        pictures: `CaptionedImages` that were trained on.
    """
    best, metrics = choose_average(objective, validation, args.output / "snapshots")
    table = [(f"validation loss, average of width {w}", of_width["loss"]) for w, of_width in metrics.items()]
    table += [(f"validation error, {level}", metrics[best][f"error_{level}"]) for level in LEVELS]
    table.append(("average of width", best))
    if generator.base.produces == "image":
        some = pictures.spread(DRAWN_FOR_SMOOTHING)
        drawn = generator.generate(some.plain_captions, seed=0, smoothing=0.0)
        generator.base.smoothing = matching_smoothing(some.pictures, drawn)
        table.append(("smoothing", generator.base.smoothing))
    caption = pictures.spread(1).plain_captions[0]
    files = {
        "drawings.png": ("picture: true over drawn", draw(objective, num_steps=None)),
        "evolution.gif": ("a picture as it evolves", generator.generate_frames(caption, seed=0)),
    }
    finish(args, logs, generator, table, files)


def script(main, argv=None):
    """Run a recipe. A person's mistake ends in one sentence and exit code 2; Ctrl-C in one that says where
    the run stands, and exit code 130. An error from elsewhere keeps its traceback."""
    try:
        main(argv)
    except KeyboardInterrupt as stop:
        sys.exit(_say(str(stop) or "Stopped before training began.", 130))
    except (ValueError, TypeError, OSError, ImportError, FloatingPointError) as error:
        if not (isinstance(error, OSError) or _raised_by_us(error)):
            raise
        sys.exit(_say(f"{Path(sys.argv[0]).name}: error: {sentence(error)}", 2))


def _raised_by_us(error):
    """Whether a `raise` of this package or of a recipe made the error, in words for people."""
    last = traceback.extract_tb(error.__traceback__)[-1]
    ours = Path(keras_t2i.__file__).resolve().parent, Path(__file__).resolve().parent
    file = Path(last.filename).resolve()
    return last.line.startswith("raise") and any(folder in file.parents for folder in ours)


def _say(sentence, code):
    print(f"\n{sentence}", file=sys.stderr)
    return code
