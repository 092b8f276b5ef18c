"""Lesson 9: a small picture drawn four times as large, with detail that is not in it.

    python recipes/train_upsampler.py --data emoji --only "fluent 3d"
    python recipes/train_upsampler.py --data my_photos --generator runs/diffusion/preset

Diffusion again, as in lesson 4, of crops of the large picture. Beside the noisy crop lies the same part of
the small picture, enlarged. It has noise on it too, and the network is told how much: so it learns to mend
what a generator drew. One that sees nothing but true pictures copies each mistake.

A pixel depends on those near it alone: crops are enough to learn from, and a large picture is drawn tile by
tile without seams. For flat art take the renderer of lesson 8: there everything is in the small picture.
Texture is not; it must be drawn by chance.
"""

import common
import numpy as np

from keras_t2i import models
from keras_t2i.data.registry import load_truths
from keras_t2i.data.upsampling_pipeline import UpsamplingPipeline
from keras_t2i.objectives.upsampling import Upsampling
from keras_t2i.training import encoding
from keras_t2i.utils.images import to_float
from keras_t2i.utils.images import to_uint8

DEFAULTS = {
    **{"minutes": 60, "batch_size": 16, "learning_rate": 1e-3},  # options
    "factor": 4,  # how many times larger
    "crop": 64,  # pixels of what the network sees in training
    "truth_size": 256,  # pixels at which pictures of a folder are held
    # How often each t is trained: what is not in the small picture is decided where noise is low.
    "times": {"name": "logit_normal", "mean": -1.0, "std": 1.2},
    "caption_dropout": 0.1,  # how often a caption is withheld
    "num_steps": 8,  # from noise to picture
}


def only(data, words):
    """The pictures in whose names these words are. Raises: ValueError where there is none."""
    rows = [row for row, name in enumerate(data.names) if words in name]
    if not rows:
        raise ValueError(f"--only {words}: no picture's name has that, such as {data.names[0]!r}")
    return data.take(rows)


def main(argv=None, **changes):
    parser = common.training_parser(__doc__, "upsampler", DEFAULTS, changes)
    add, preset = parser.add_argument, "preset whose pictures are to be enlarged; it says what captions mean"
    add("--generator", default="diffusion_emoji_32", help=preset)
    add("--only", default="", help="train on the pictures in whose names this is; none: on all")
    args = common.start(parser, argv)
    generator = models.Generator.from_preset(args.generator)
    image_size, words = generator.image_size, generator.preprocessor
    data, unseen = (only(part, args.only) for part in common.load_splits(args, image_size))
    unseen = unseen.spread(96)
    parts, held = (("train", data), ("validation", unseen)), {"sample": args.smoke, "size": args.truth_size}
    truths = [load_truths(args.data, split, part, **held) for split, part in parts]
    options = {"factor": args.factor, "crop": args.crop, "batch_size": args.batch_size, "seed": args.seed}
    steps = None if args.smoke else 100  # of an epoch; None: one pass over the pictures
    pipeline = UpsamplingPipeline(data, truths[0], words, steps_per_epoch=steps, **options)
    validation = UpsamplingPipeline(unseen, truths[1], words, **options, training=False)

    dual_encoder = generator.stage("text").dual_encoder
    size = {"filters": (8, 16), "blocks": (1, 1), "head_dim": 8} if args.smoke else {}
    size |= {"code_dim": dual_encoder.code_dim, "token_dim": dual_encoder.text_encoder.filters}
    network = models.Upsampler(args.factor, **size, dtype=args.precision)
    encoding.adapt_conditions(network, dual_encoder, pipeline.token_table, data.pictures)
    std = encoding.data_std(to_float(data.pictures[:2048]))
    options = {"times": args.times, "caption_dropout": args.caption_dropout, "data_std": std}
    objective = Upsampling(network, dual_encoder.text_encoder, **options, seed=args.seed)
    objective.compile(common.adamw(args))

    stage = models.UpsamplerStage(objective.average, data_std=std, num_steps=args.num_steps)
    larger = models.Generator.from_stages(decoder=generator, upsampler=stage)
    shown = unseen.take(places := np.linspace(0, len(unseen) - 1, 8).astype(int))

    def draw(objective):
        count = image_size * args.factor
        true = np.stack([truths[1][i].window(0, 0, 1, count)[..., :3] for i in places])
        enlarged = shown.pictures.repeat(args.factor, axis=1).repeat(args.factor, axis=2)
        return common.rows(enlarged, larger.upsample(shown.pictures, shown.plain_captions, 0), to_uint8(true))

    logs = common.train(args, objective, pipeline, validation, draw)
    names = [name for name in logs if name.startswith("val_")]
    pictures = {"drawn.png": ("small, drawn, true", draw(objective))}
    common.finish(args, logs, stage, common.figures(logs, *names), pictures)


if __name__ == "__main__":
    common.script(main)
