"""Lesson 7, second part: from the concept of words to the concept of a picture (the prior of DALL-E 2).

    python recipes/train_prior.py                              # the default data
    python recipes/train_prior.py --decoder runs/image_decoder/preset        # and put the two together
    python recipes/train_prior.py --data my_pictures --dual-encoder runs/concepts/preset
    python recipes/train_prior.py --width 256 --blocks 2 --dropout 0.2       # smaller, for small data

The encoders of lesson 2 put words and pictures into one space, but not in one place: contrast asks only that
a caption be nearer to its own picture than to others. A network that draws from image concepts has never
been given a text concept. The prior goes from one to the other. It is a diffusion model as in lesson 4, but
what it removes noise from is a concept, 512 numbers: many pictures fit a caption, and it draws the concept of
one. python benchmarks/prior.py compares it with what it has to beat.
"""

import common

from keras_t2i import models
from keras_t2i.data import Pipeline
from keras_t2i.objectives.diffusion import LEVELS
from keras_t2i.objectives.prior import PriorDenoising
from keras_t2i.training.averages import PowerFunctionEMA
from keras_t2i.training.encoding import image_embeddings
from keras_t2i.training.encoding import text_embeddings

DEFAULTS = {
    **{"minutes": 3, "batch_size": 256, "learning_rate": 1e-3},  # options
    "caption_dropout": 0.1,  # how often the text is withheld
    "guidance_scale": 1.0,  # of the preset
    "num_steps": 16,  # from noise to a concept, of the preset
}


def main(argv=None, **changes):
    parser = common.training_parser(__doc__, "prior", DEFAULTS, changes)
    add, size = parser.add_argument, common.number(int, least=1)
    add("--dual-encoder", default="dual_encoder_openmoji_32", help=common.DUAL_ENCODER)
    add("--decoder", default="", help="preset of train_image_decoder.py to put it before, with its encoders")
    add("--width", default=384, type=size, help="of the network")
    add("--blocks", default=3, type=size, help="residual blocks of the network")
    add("--dropout", default=0.1, type=common.number(float, least=0), help="against learning by heart")
    args = common.start(parser, argv)
    dual_encoder, preprocessor, decoder = common.open_decoder(args)
    pictures, unseen = common.load_splits(args, dual_encoder.image_size, preprocessor)

    def pairs(data, **options):  # of the concept of a picture and that of one of its captions
        token_ids = Pipeline(data, preprocessor).token_table
        images = {"image_codes": image_embeddings(dual_encoder.image_encoder, data.pictures)}
        texts = {"text_codes": text_embeddings(dual_encoder.text_encoder, token_ids)}
        return Pipeline(data, None, args.batch_size, image_features=images, caption_features=texts, **options)

    pipeline, validation = pairs(pictures, seed=args.seed), pairs(unseen, training=False)
    sizes = {"width": 16, "blocks": 1, "condition_dim": 16} if args.smoke else {}
    sizes = {**common.chosen(args, "width", "blocks"), **sizes, "dtype": args.precision}
    options = common.chosen(args, "dropout", "num_steps", "guidance_scale")
    prior = models.Prior(dual_encoder.code_dim, **sizes, **options)
    prior.adapt(*pipeline.caption_features.values(), *pipeline.image_features.values())
    objective = PriorDenoising(  # add noise to an image concept, predict it, given the text's, and square
        prior, caption_dropout=args.caption_dropout, averages=PowerFunctionEMA([0.1]), seed=args.seed
    )
    objective.compile(common.adamw(args))
    logs = common.train(args, objective, pipeline, validation)

    losses = objective.evaluate(validation, verbose=0, return_dict=True)
    table, drawn = [(f"validation error, {level}", losses[f"error_{level}"]) for level in LEVELS], {}
    if decoder is not None:  # draw unseen captions of their text concepts, and of those that the prior draws
        whole = models.Generator.from_stages(decoder=decoder, prior=objective.average)
        whole.save_to_preset(args.output / "generator", weights_dtype="float16")
        table.append(("preset of prior and decoder", args.output / "generator"))
        shown = unseen.spread(12)
        drawings = [generator.generate(shown.plain_captions, seed=0) for generator in (decoder, whole)]
        what = "picture: true over drawn without the prior, over with it"
        drawn = {"drawings.png": (what, common.rows(shown.pictures, *drawings))}
    common.finish(args, logs, objective.average, table, drawn)


if __name__ == "__main__":
    common.script(main)
