"""Lesson 10: a diffusion model learns to draw in one step, or in a few.

    python recipes/train_few_steps.py --start runs/diffusion/preset --data my_pictures
    python recipes/generate.py "a red apple" --preset runs/few_steps/preset --num-steps 1

Asked at pure noise what the picture is, the network of lesson 4 says the mean of all that it may be: a blur.
So it takes many small steps, each towards a mean of fewer. Here it learns to say at once where those steps
end. It is its own teacher: of one picture with more and with less of the same noise, what it says of the
second is what it is to say of the first. At the least noise that is the picture itself, and from there it is
handed on. The two are far apart at first and come nearer in stages (Easy Consistency Tuning).

More steps still help: put new, weaker noise on what was drawn, and ask again. Guidance, if the preset has it,
is learned along: it is drawn without.

Watch "detail_one_step", how far neighboring pixels differ in drawings of one step, beside those of pictures:
far below 1 is a blur. The loss is another in each stage.
"""

import common

from keras_t2i import models
from keras_t2i.data import Pipeline
from keras_t2i.data import concept_shares
from keras_t2i.objectives.distillation import ConsistencyTuning
from keras_t2i.training.averages import PowerFunctionEMA

DEFAULTS = {
    **{"minutes": 15, "batch_size": 32, "learning_rate": 3e-4},  # options
    "times": {"name": "normal_log_snr", "mean": 0.5, "std": 3.0},  # how often each t is trained
    "weight": "edm",  # how much each t counts
    "stages": 6,  # in which the two come nearer: 1 / q as far apart in each as before
    "q": 2.0,
    "huber": 1e-3,  # the loss is the square of smaller errors, and the size of larger ones
    "caption_dropout": 0.1,  # how often a caption is withheld
    "balance": 0.5,  # as in lesson 4
    "num_steps": 2,  # of the preset
    "power": 2.0,  # times of the steps: at 2 steps the second begins at t = 0.5 ** power
}


def main(argv=None, **changes):
    parser = common.training_parser(__doc__, "few_steps", DEFAULTS, changes)
    of_start = {"default": "diffusion_emoji_32", "type": common.filled, "help": "preset of lesson 4"}
    parser.add_argument("--start", **of_start)
    args = common.start(parser, argv)
    dual_encoder, preprocessor, start = common.open_encoders(args, models.DiffusionStage, "lesson 4")
    if start.unet.image_code or start.guide is not None:
        raise ValueError(f"--start {args.start} has a guide or image concepts: give a preset of lesson 4")
    pictures, unseen = common.load_splits(args, start.image_size, preprocessor)
    shares = concept_shares(pictures, args.balance)
    pipeline = Pipeline(pictures, preprocessor, args.batch_size, seed=args.seed, shares=shares)
    validation = Pipeline(unseen, preprocessor, args.batch_size, training=False)
    unet = common.trainable_copy(start.unet, args.precision)
    if unet.draft_features:  # a draft is of the training pictures
        pipeline.add_image_features(common.drafts_left_out(args, unet, dual_encoder, pipeline))
    form = {name: getattr(start, name) for name in ("process", "parameterization", "data_std")}
    objective = ConsistencyTuning(
        unet,
        dual_encoder.text_encoder,
        **common.chosen(args, "times", "weight", "stages", "q", "huber", "caption_dropout"),
        teacher=None if start.guidance_scale == 1 else start.unet,
        guidance_scale=start.guidance_scale,
        averages=PowerFunctionEMA((0.1,)),
        **{"seed": args.seed, **form},
    )
    objective.compile(common.adamw(args))

    def generator_of(stage):
        backbone = models.TextToImageBackbone([models.TextStage(dual_encoder), stage])
        return models.Generator(backbone, preprocessor)

    options = {"sampler": "consistency", "guidance_scale": 1.0, **common.chosen(args, "num_steps", "power")}
    options |= {"threshold": start.threshold, "smoothing": start.smoothing}
    generator = generator_of(models.DiffusionStage(objective.average, **options, **form))
    shown = pictures.spread(12)
    before = generator_of(start).generate(shown.plain_captions, seed=0)

    def draw(objective):  # true pictures; drawn in many steps, before; in one; in a few
        drawn = [generator.generate(shown.plain_captions, seed=0, num_steps=n) for n in (1, args.num_steps)]
        return common.rows(shown.pictures, before, *drawn)

    logs = common.train(args, objective, pipeline, validation, draw)
    names = [name for name in logs if name.startswith("val_")]
    what = f"true, in {start.num_steps} steps before, in 1, in {args.num_steps}", draw(objective)
    common.finish(args, logs, generator, common.figures(logs, *names), {"drawings.png": what})


if __name__ == "__main__":
    common.script(main)
