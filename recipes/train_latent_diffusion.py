"""Lesson 4, in latent space: noise is put on the codes of lesson 1, and not on pixels.

    python recipes/train_latent_diffusion.py                                      # codes of lesson 1
    python recipes/train_latent_diffusion.py --autoencoder runs/vae/preset        # of lesson 6
    python recipes/train_latent_diffusion.py --data my_pictures --dual-encoder runs/concepts/preset

The 512 numbers of a code are a small picture: a grid of 8x8 places with 8 numbers each. Diffusion works on
that as it does on pixels, in a fraction of the time, and the autoencoder's decoder makes the picture
(Rombach et al. 2022, arXiv 2112.10752). No drawing is sharper than the autoencoder, and what diffusion learns
depends on how smooth its codes are: train_vae.py --equivariance 1 makes smooth ones.
"""

import common

from keras_t2i import models
from keras_t2i.data import Pipeline
from keras_t2i.models.networks.unet import SIZES
from keras_t2i.objectives.denoising import Denoising
from keras_t2i.training.encoding import encode_latents

DEFAULTS = {  # as in lesson 4
    **{"minutes": 30, "batch_size": 64, "learning_rate": 1e-3},  # options
    "process": "rectified_flow",
    "times": "logit_normal",
    "parameterization": "x0",
    "weight": "velocity",
    "caption_dropout": 0.1,
    "adapt": True,
    "num_steps": 8,
}


def main(argv=None, **changes):
    parser = common.training_parser(__doc__, "latent_diffusion", DEFAULTS, changes)
    add = parser.add_argument
    add("--size", default="tiny", choices=list(SIZES), help="of the network: 2, 5, 14, 13, 16 M parameters")
    add("--dual-encoder", default="dual_encoder_openmoji_32", help=common.DUAL_ENCODER)
    add("--autoencoder", default="autoencoder_openmoji_32", help="preset of lesson 1, or a VAE's")
    add("--guidance", default=2.0, type=common.number(float, least=0), help="scale, of drawings and preset")
    args = common.start(parser, argv)
    dual_encoder, preprocessor, _ = common.open_encoders(args)
    autoencoder = models.ConvAutoencoder.from_preset(args.autoencoder)  # or a VAE, which is one by its means
    encoder = autoencoder.encoder
    pictures, unseen = common.load_splits(args, encoder.image_size, preprocessor)
    examples = pictures.spread(2048).pictures
    autoencoder.standardize(encode_latents(encoder, examples).reshape(len(examples), -1))
    coded, unseen_coded = ({"latents": encode_latents(encoder, data.pictures)} for data in (pictures, unseen))
    data = {"preprocessor": preprocessor, "batch_size": args.batch_size}
    pipeline = Pipeline(pictures, seed=args.seed, image_features=coded, **data)
    validation = Pipeline(unseen, training=False, image_features=unseen_coded, **data)

    _, _, side, channels = coded["latents"].shape
    unet = common.build_unet(args, dual_encoder, pipeline, image_size=side, channels=channels)
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
        process=args.process,
        parameterization=args.parameterization,
        data_std=objective.data_std,
        latent=True,
        guidance_scale=args.guidance,
    )
    stages = [models.TextStage(dual_encoder), unet, models.LatentDecoder(autoencoder)]
    generator = models.Generator(models.TextToImageBackbone(stages), preprocessor)
    shown = pictures.spread(12)

    def draw(objective, num_steps=args.num_steps):  # true pictures over drawn ones
        drawn = generator.generate(shown.plain_captions, seed=0, num_steps=num_steps)
        return common.rows(shown.pictures, drawn)

    logs = common.train(args, objective, pipeline, validation, draw, [common.snapshots(args)])
    common.finish_diffusion(args, logs, objective, validation, generator, draw, pictures)


if __name__ == "__main__":
    common.script(main)
