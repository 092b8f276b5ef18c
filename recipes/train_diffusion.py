"""Lesson 4: pictures out of noise. The network learns to remove noise, conditioned on words.

    python recipes/train_diffusion.py                           # the default data
    python recipes/train_diffusion.py --start diffusion_emoji_32     # go on from what a preset has learned
    python recipes/train_diffusion.py --data my_pictures --dual-encoder runs/concepts/preset

Add noise: x_t = alpha x_0 + sigma noise, at a random time t. Predict: the network, given x_t, its noise level
and the caption (by the text encoder of lesson 2, which stands still), says what the picture was. Weigh each
error by its time, and square it: that is the loss. To draw, start from nothing but noise and remove it step
by step. One caption in ten is withheld, so the network also learns to draw without; to go from that towards
what it draws with the caption, and further, is guidance.

Watch "error_noisiest" to "error_clearest": how far the estimate of the picture is off, by noise level. Layout
and color are decided where it is noisy, edges where it is clear.
"""

import common

from keras_t2i import models
from keras_t2i.data import Pipeline
from keras_t2i.data import concept_shares
from keras_t2i.models.networks.unet import SIZES
from keras_t2i.objectives.denoising import Denoising

DEFAULTS = {  # as in 2020: "parameterization": "epsilon", "weight": "none", "times": "uniform"
    **{"minutes": 70, "batch_size": 64, "learning_rate": 1e-3},  # options
    "process": "rectified_flow",  # how alpha and sigma change with t
    "times": "logit_normal",  # how often each t is trained
    "parameterization": "x0",  # what is predicted
    "weight": "velocity",  # how much each t counts
    "caption_dropout": 0.1,  # how often a caption is withheld
    "adapt": True,  # measure first how captions differ
    "balance": 0.5,  # 0: every picture as often; 1: every thing, in however many tones it is drawn
    "threshold": 0.98,  # pixels beyond it are shown as black or white
    "num_steps": 8,  # of drawings while training
}


def main(argv=None, **changes):
    parser = common.training_parser(__doc__, "diffusion", DEFAULTS, changes)
    add = parser.add_argument
    add("--size", default="tiny", choices=list(SIZES), help="of the network: 2, 5, 14, 13, 16 M parameters")
    add("--image-size", default=32, type=int, choices=[32, 64], help="width and height of pictures")
    add("--dual-encoder", default="dual_encoder_openmoji_32", help=common.DUAL_ENCODER)
    add("--start", default="", help="preset of this lesson to go on from, with its encoders; none: anew")
    add("--guidance", default=2.0, type=common.number(float, least=0), help="scale, of drawings and preset")
    args = common.start(parser, argv)
    dual_encoder, preprocessor, start = common.open_encoders(args, models.DiffusionStage, "lesson 4")
    pictures, unseen = common.load_splits(args, args.image_size, preprocessor)
    shares = concept_shares(pictures, args.balance)
    pipeline = Pipeline(pictures, preprocessor, args.batch_size, seed=args.seed, shares=shares)
    validation = Pipeline(unseen, preprocessor, args.batch_size, training=False)
    unet = common.build_unet(args, dual_encoder, pipeline, start, image_size=args.image_size)
    form = common.times_and_weight(args, unet)
    objective = Denoising(
        unet,
        dual_encoder.text_encoder,
        process=args.process,  # add noise
        times=form["times"],
        parameterization=args.parameterization,  # predict
        weight=form["weight"],  # weigh, square
        caption_dropout=args.caption_dropout,
        data_std=unet.data_std,
        seed=args.seed,
    )
    objective.compile(common.adamw(args))

    unet = models.DiffusionStage(
        objective.average,
        **common.chosen(args, "process", "parameterization", "threshold"),
        data_std=objective.data_std,
        guidance_scale=args.guidance,
    )
    backbone = models.TextToImageBackbone([models.TextStage(dual_encoder), unet])
    generator = models.Generator(backbone, preprocessor)
    shown = pictures.spread(12)

    def draw(objective, num_steps=args.num_steps):  # true pictures over drawn ones
        drawn = generator.generate(shown.plain_captions, seed=0, num_steps=num_steps)
        return common.rows(shown.pictures, drawn)

    logs = common.train(args, objective, pipeline, validation, draw, [common.snapshots(args)])
    common.finish_diffusion(args, logs, objective, validation, generator, draw, pictures)


if __name__ == "__main__":
    common.script(main)
