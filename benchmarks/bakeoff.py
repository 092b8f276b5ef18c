"""Which network draws what was asked for, after the same time? All have one budget and one set of pictures.

    python benchmarks/bakeoff.py --minutes 20
    python benchmarks/bakeoff.py --minutes 20 --only wide "wide, velocity" --seeds 3

2,000 pictures of single things, in all designs. Minutes are of processor time on two cores: other work on the
machine does not change what a candidate gets. "Recognized": nearer to the true picture than to 99 others of
the design, in the features of our own image tower, by which a candidate may be chosen, and in ImageNet's,
which only report. Killed and started again it goes on; what is finished is not run again. Sheets of drawings
lie beside the figures.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")  # as `keras_t2i` does, which comes after Keras here

import numpy as np
from ablations import folder

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "recipes"))

CORES = 2  # that a minute of the budget counts
STEPS_AN_EPOCH = 32
CANDIDATES = {  # "size" of the U-Net and changes of it, then of the objective and of the optimizer
    "as in 0.5": {"size": "tiny", "image_size": 32},
    "64 pixels": {"size": "tiny"},
    "more of all": {"size": "small"},
    "wide": {"size": "wide", "unet": {"concept_dim": 0}},
    "wide, map of the concept": {"size": "wide"},
    "wide, map, velocity": {"size": "wide", "objective": {"parameterization": "flow"}},
    "wide, map, uniform times": {"size": "wide", "objective": {"times": "uniform"}},
    "wide, map, twice the rate": {"size": "wide", "optimizer": {"learning_rate": 2e-3}},
    "wide, map, batch of 32": {"size": "wide", "batch_size": 32},
    "draft": {"size": "draft"},
    "draft, at 32 pixels": {"size": "draft", "image_size": 32},
}


def subset(split, size, count, smoke):
    """Single things, evenly spread over the designs and code points."""
    from keras_t2i.data.registry import load
    from keras_t2i.data.registry import load_sample
    from keras_t2i.evaluation.single_things import single_things

    data = load_sample("emoji", size) if smoke else load("emoji", split, size)
    return data.take(np.flatnonzero(single_things(data))).spread(count)


def processor_seconds(objective, pipeline):
    """Seconds of a step on `CORES` cores that do nothing else, by the processor time that it takes."""
    from keras_t2i.training.run import PROBE_STEPS
    from keras_t2i.training.run import time_a_step

    time_a_step(objective, pipeline)  # compiles
    start = time.process_time()
    time_a_step(objective, pipeline)
    return (time.process_time() - start) / CORES / PROBE_STEPS


def train(name, seed, place, minutes, smoke):
    """Train a candidate, in a process of its own; its figures go into a file."""
    import keras
    from common import rows

    from keras_t2i import models
    from keras_t2i.data.pipeline import Pipeline
    from keras_t2i.evaluation.judges.imagenet import ImageNetFeatures
    from keras_t2i.evaluation.metrics.recognition import recognized
    from keras_t2i.evaluation.recognition import ImageTowerFeatures
    from keras_t2i.evaluation.single_things import designs_of
    from keras_t2i.objectives.denoising import OVER_A_DRAFT
    from keras_t2i.objectives.denoising import Denoising
    from keras_t2i.training import encoding
    from keras_t2i.training import optimizers
    from keras_t2i.training import run
    from keras_t2i.utils.images import save_png
    from keras_t2i.utils.images import to_float

    keras.utils.set_random_seed(seed)
    candidate = CANDIDATES[name]
    size = candidate.get("image_size", 64)
    data, unseen = (subset(split, size, n, smoke) for split, n in (("train", 2000), ("validation", 200)))
    start = models.Generator.from_preset("diffusion_emoji_32")
    dual_encoder, preprocessor = start.stage("text").dual_encoder, start.preprocessor
    pipeline = Pipeline(data, preprocessor, candidate.get("batch_size", 64), seed, STEPS_AN_EPOCH)
    validation = Pipeline(unseen, preprocessor, 64, training=False)
    encoder = dual_encoder.text_encoder
    codes = {"code_dim": encoder.code_dim, "token_dim": encoder.filters}

    def build():
        std = encoding.data_std(to_float(data.pictures))
        sizes = {**codes, "data_std": std, **candidate.get("unet", {})}
        unet = models.DiffusionUNet.from_size(candidate["size"], size, **sizes)
        encoding.adapt_conditions(unet, dual_encoder, pipeline.token_table, data.pictures)
        if unet.draft_features:
            pipeline.add_image_features(encoding.adapt_draft(unet, dual_encoder, pipeline))
        form = {**(OVER_A_DRAFT if unet.draft_features else {}), **candidate.get("objective", {})}
        objective = Denoising(unet, encoder, data_std=std, seed=seed, **form)
        rate = {"learning_rate": 1e-3, **candidate.get("optimizer", {})}
        objective.compile(optimizers.adamw(**rate))
        return objective

    budget = place / "budget.json"
    if not budget.exists():  # measured once, so that a run that goes on has the length that it began with
        probe = build()
        probe.build()
        seconds = processor_seconds(probe, pipeline)
        epochs = 1 if smoke else run.epochs_in(minutes, seconds, STEPS_AN_EPOCH)
        budget.write_text(json.dumps({"epochs": epochs, "milliseconds": 1000 * seconds}))
    budget = json.loads(budget.read_text())
    objective = build()
    stage = models.DiffusionStage(
        objective.average,
        process=objective.process,
        parameterization=objective.parameterization.kind,
        data_std=objective.data_std,
        threshold=0.98,
        guidance_scale=2.0,
    )
    backbone = models.TextToImageBackbone([models.TextStage(dual_encoder), stage])
    generator = models.Generator(backbone, preprocessor)
    run.train(objective, pipeline, budget["epochs"], place / "run", validation, settings={"candidate": name})

    asked = data.spread(300)
    options = {"size": size, "num_steps": 16, "batch_size": 50}
    drawings = generator.generate(asked.plain_captions, seed=0, **options)
    pairs = [(asked.pictures[i : i + 24], drawings[i : i + 24]) for i in (0, 100, 200)]
    save_png(rows(*(row for pair in pairs for row in pair)), place / "sheet.png")
    shown = (drawings, asked.pictures, designs_of(asked))
    others = {"others": data.pictures, "other_designs": designs_of(data)}
    figures = {
        "recognized, our tower": recognized(*shown, ImageTowerFeatures(), **others).value,
        "recognized, ImageNet": recognized(*shown, ImageNetFeatures(128), **others).value,
        "validation loss": loss_of(objective, validation),
        "training loss": loss_of(objective, Pipeline(asked, preprocessor, 64, training=False)),
        "million parameters": stage.unet.count_params() / 1e6,
        "milliseconds a step": budget["milliseconds"],
        "thousand pictures seen": budget["epochs"] * STEPS_AN_EPOCH * pipeline.batch_size / 1000,
    }
    (place / "figures.json").write_text(json.dumps(figures))


def loss_of(objective, pipeline):
    return objective.evaluate(pipeline, verbose=0, return_dict=True)["loss"]


def table(output, names, seeds):
    """One row a candidate, those by which one may choose first: mean, and lowest to highest of the seeds."""
    found = {}
    for name in names:
        files = [folder(output, name, seed) / "figures.json" for seed in range(seeds)]
        found[name] = [json.loads(file.read_text()) for file in files if file.exists()]
    titles = list(next(figures[0] for figures in found.values() if figures))
    print(f"| candidate | {' | '.join(titles)} |")
    print("|---|" + "---|" * len(titles))

    def best(name):
        return -statistics.mean(each[titles[0]] for each in found[name])

    for name in sorted(filter(found.get, found), key=best):
        cells = []
        for title in titles:
            values = [each[title] for each in found[name]]
            spread = f" ({min(values):.3g} to {max(values):.3g})" if len(values) > 1 else ""
            cells.append(f"{statistics.mean(values):.3g}{spread}")
        print(f"| {name} | {' | '.join(cells)} |")


def main():
    formatter = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=formatter)
    add = parser.add_argument
    add("--minutes", type=float, default=20, help="of two cores, for each candidate")
    add(
        "--only",
        nargs="+",
        choices=list(CANDIDATES),
        default=list(CANDIDATES),
        metavar="NAME",
        help="of them",
    )
    add("--seeds", type=int, default=1)
    add("--output", type=Path, default=Path("runs/bakeoff"))
    add("--smoke", action="store_true", help="one epoch of a few pictures each: does everything run?")
    add("--one", nargs=2, metavar=("NAME", "SEED"), help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.one:
        name, seed = args.one[0], int(args.one[1])
        return train(name, seed, folder(args.output, name, seed), args.minutes, args.smoke)
    for seed in range(args.seeds):
        for name in args.only:
            place = folder(args.output, name, seed)
            place.mkdir(parents=True, exist_ok=True)
            if not (place / "figures.json").exists():
                again = [sys.executable, __file__, *sys.argv[1:], "--one", name, str(seed)]
                subprocess.run(again, check=True)
    table(args.output, args.only, args.seeds)


if __name__ == "__main__":
    main()
