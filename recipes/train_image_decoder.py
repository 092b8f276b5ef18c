"""Lesson 7, first part: pictures out of noise, conditioned on the concept of a picture (DALL-E 2's decoder).

    python recipes/train_image_decoder.py                            # from scratch: as long as lesson 4
    python recipes/train_image_decoder.py --start diffusion_emoji_32 --minutes 20 --learning-rate 5e-4
    python recipes/train_image_decoder.py --data my_pictures --dual-encoder runs/concepts/preset

A diffusion model as in lesson 4, but what it is given is the concept of the very picture (its image
embedding, by the image encoder of lesson 2), and in half of the cases the caption too (Ramesh et al. 2022,
arXiv 2204.06125, section 2.1). So it draws variations of any picture; what is between two pictures; and, with
the prior of train_prior.py, which makes the concept of a picture out of words, captions.
"""

import common

from keras_t2i import models
from keras_t2i.data import Pipeline
from keras_t2i.models.networks.unet import SIZES
from keras_t2i.objectives.denoising import Denoising

DEFAULTS = {
    **{"minutes": 70, "batch_size": 64, "learning_rate": 1e-3},  # options
    "process": "rectified_flow",  # this and the next three as in lesson 4
    "times": "logit_normal",
    "parameterization": "x0",
    "weight": "velocity",
    "caption_dropout": 0.5,  # how often the caption is withheld; 1: there are no captions
    "image_dropout": 0.1,  # how often the concept is, for guidance
    "adapt": True,  # measure first how concepts and captions differ
    "threshold": 0.98,  # pixels beyond it are shown as black or white
    "num_steps": 8,  # of drawings while training
}


def main(argv=None, **changes):
    parser = common.training_parser(__doc__, "image_decoder", DEFAULTS, changes)
    add = parser.add_argument
    add("--size", default="tiny", choices=list(SIZES), help="of the network: 2, 5, 14, 13, 16 M parameters")
    add("--dual-encoder", default="dual_encoder_openmoji_32", help=common.DUAL_ENCODER)
    add("--start", default="", help="preset of lesson 4 or 7 to go on from, with its encoders; none: anew")
    add("--guidance", default=2.0, type=common.number(float, least=0), help="scale, of drawings and preset")
    args = common.start(parser, argv)
    dual_encoder, preprocessor, start = common.open_encoders(args, models.DiffusionStage, "lesson 4")
    pictures, unseen = common.load_splits(args, dual_encoder.image_size, preprocessor)
    pipeline = Pipeline(pictures, preprocessor, args.batch_size, seed=args.seed)
    validation = Pipeline(unseen, preprocessor, args.batch_size, training=False)

    sizes = {"image_size": dual_encoder.image_size, "image_code": True}
    unet = common.build_unet(args, dual_encoder, pipeline, start, **sizes)
    form = common.times_and_weight(args, unet)
    objective = Denoising(
        unet,
        dual_encoder.text_encoder,
        image_encoder=dual_encoder.image_encoder,
        process=args.process,
        times=form["times"],
        parameterization=args.parameterization,
        weight=form["weight"],
        caption_dropout=args.caption_dropout,
        image_dropout=args.image_dropout,
        data_std=unet.data_std,
        seed=args.seed,
    )
    objective.compile(common.adamw(args))

    form = {"process": args.process, "parameterization": args.parameterization, "threshold": args.threshold}
    form |= {"data_std": objective.data_std, "guidance_scale": args.guidance}
    unet = models.DiffusionStage(objective.average, with_text=args.caption_dropout < 1, **form)
    backbone = models.TextToImageBackbone([models.TextStage(dual_encoder), unet])
    generator = models.Generator(backbone, preprocessor)
    shown = pictures.spread(12)

    def draw(objective, num_steps=args.num_steps):  # true pictures over drawings of their concepts
        concepts = generator.encode_image(shown.pictures)
        return common.rows(shown.pictures, generator.decode(concepts, seed=0, num_steps=num_steps))

    logs = common.train(args, objective, pipeline, validation, draw, [common.snapshots(args)])
    common.finish_diffusion(args, logs, objective, validation, generator, draw, pictures)


if __name__ == "__main__":
    common.script(main)
