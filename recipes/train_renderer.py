"""Lesson 8: a small picture drawn at any size, with sharp edges.

    python recipes/train_renderer.py                        # on OpenMoji
    python recipes/train_renderer.py --data emoji --generator diffusion_emoji

A network turns the small picture into two kinds of smooth fields: for each of four slots, how much a place
belongs to it, and its color. Anywhere the picture is the mix of the colors by the softmax of the belongings,
the steeper the larger it is drawn. Edges are level sets of smooth functions, so they stay sharp.

It learns from vector art, of which the true picture is there at every size: the input is 32 pixels wide, the
targets are windows of the truth at 4 to 64 times that. Inputs are clean, noisy and blurred, and some are what
--generator makes of them, or windows of it, for that is what it will be given.
"""

import common
import numpy as np

from keras_t2i.data.registry import load_truths
from keras_t2i.data.rendering_pipeline import RenderingPipeline
from keras_t2i.models import Generator
from keras_t2i.models import Renderer
from keras_t2i.models import RendererStage
from keras_t2i.models.networks.renderer import GENERATED
from keras_t2i.models.stages.renderer import Canvas
from keras_t2i.objectives.rendering import Rendering
from keras_t2i.utils.images import to_uint8

DEFAULTS = {"minutes": 60, "batch_size": 8, "learning_rate": 1e-3, "redrawings": ((0.3, 2), (0.55, 3))}


def redraw(args, data, count=2000):
    """What a generator makes of the first pictures, at its own size: some noise put on, and taken off again,
    by strengths and steps. uint8 `(count, v, t, t, 3)`."""
    generator = Generator.from_preset(args.generator)
    if generator.image_size > data.pictures.shape[1]:
        data, _ = common.load_splits(args, generator.image_size)
    data, versions = data.take(range(min(count, len(data)))), []
    for strength, num_steps in args.redrawings:
        options = {"image": data.pictures, "strength": strength, "num_steps": num_steps, "seed": args.seed}
        print(f"Redrawing {len(data)} pictures, strength {strength}", flush=True)
        versions.append(generator.generate(data.plain_captions, **options, batch_size=50, progress=True))
    return np.stack(versions, axis=1)


def main(argv=None, **changes):
    parser = common.training_parser(__doc__, "renderer", DEFAULTS, changes)
    parser.add_argument("--generator", help="a preset, some of whose redrawings are inputs; None: none")
    parser.add_argument("--start", help="preset of a renderer to go on from; None: anew")
    args = common.start(parser, argv)
    data, unseen = common.load_splits(args)
    unseen = unseen.spread(96)
    parts = (("train", data), ("validation", unseen))
    truths = [load_truths(args.data, split, part, sample=args.smoke) for split, part in parts]
    options = {"batch_size": args.batch_size, "seed": args.seed, "target_size": 16 if args.smoke else 64}
    redrawn = redraw(args, data) if args.generator else None
    steps = None if args.smoke else 100  # of an epoch; None: one pass over the pictures
    pipeline = RenderingPipeline(data, truths[0], redrawn, GENERATED, steps_per_epoch=steps, **options)
    validation = RenderingPipeline(unseen, truths[1], **options, training=False)

    size = {"filters": (8, 16, 16), "blocks": (1, 1, 1, 1), "fine_filters": (8, 8)} if args.smoke else {}
    start = RendererStage.from_preset(args.start, dtype=args.precision) if args.start else None
    renderer = start.renderer if start else Renderer(**size, dtype=args.precision)
    objective = Rendering(renderer, seed=args.seed)  # the mean of |drawn - true|, of pixels and of edges
    objective.compile(common.adamw(args))

    stage = RendererStage(objective.average)
    shown = np.linspace(0, len(unseen) - 1, 8).astype(int)

    def draw(objective, size=128):  # small, drawn, true
        small = unseen.pictures[shown]
        true = np.stack([truths[1][i].window(0, 0, 1, size) for i in shown])
        enlarged = small.repeat(size // 32, axis=1).repeat(size // 32, axis=2)
        return common.rows(enlarged, stage.render(small, Canvas(size, size)), to_uint8(true[..., :3]))

    logs = common.train(args, objective, pipeline, validation, draw)
    table = common.figures(logs, "val_loss", "val_psnr")
    pictures = {"drawn.png": ("small, drawn, true", draw(objective))}
    common.finish(args, logs, stage, table, pictures)


if __name__ == "__main__":
    common.script(main)
