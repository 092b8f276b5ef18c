"""Lesson 3: words become a picture. Text -> code 1 -> picture -> image encoder -> code 2.

    python recipes/train_decoder.py                    # the form that works
    python recipes/train_decoder.py --form naive       # the lesson: how an encoder is fooled
    python recipes/train_decoder.py --data my_pictures --dual-encoder runs/concepts/preset

The encoders of lesson 2 stand still. A decoder of transposed convolutions draws a caption's concept (text
embedding), the image encoder encodes the drawing, and the decoder learns from the difference of the two
codes. Left to that alone ("naive") it finds patterns that the encoder takes for the concept and a person for
noise: watch "outside", the opinion of an encoder that the loss never uses. "fixed" adds what keeps it honest:
random changes before the encoder sees the drawing, a second encoder, and the true picture.
"""

import common

from keras_t2i import models
from keras_t2i.data import Pipeline
from keras_t2i.objectives.consistency import CodeConsistency

DEFAULTS = {
    **{"minutes": 10, "batch_size": 16, "learning_rate": 1.5e-3},  # options
    "noise_scale": 0.1,  # how far chance moves a concept, whose length is 1
    "pixel_weight": 5.0,  # of the true picture's pixels, in the fixed form
}


def main(argv=None, **changes):
    parser = common.training_parser(__doc__, "decoder", DEFAULTS, changes)
    add = parser.add_argument
    add("--form", default="fixed", choices=["fixed", "naive"], help="what the decoder learns from")
    add("--dual-encoder", default="dual_encoder_openmoji_32", help=common.DUAL_ENCODER)
    add("--critics", default=[], nargs="*", help="further presets of lesson 2 that see the drawing")
    add("--outside", default="autoencoder_openmoji_32", help="preset of lesson 1 whose encoder only watches")
    args = common.start(parser, argv)
    dual_encoder, preprocessor, _ = common.open_encoders(args)
    pictures, unseen = common.load_splits(args, dual_encoder.image_size, preprocessor)
    pipeline = Pipeline(pictures, preprocessor, args.batch_size, seed=args.seed)
    validation = Pipeline(unseen, preprocessor, args.batch_size, training=False)

    sizes = {"image_size": dual_encoder.image_size, "code_dim": dual_encoder.code_dim}
    sizes |= {"filters": (8, 8, 8), "blocks": (0, 0, 0)} if args.smoke else {}
    decoder = models.ConceptDecoder(**sizes, dtype=args.precision)
    decoder.adapt(common.plain_concepts(dual_encoder, preprocessor, pictures), args.noise_scale)
    objective = CodeConsistency(
        decoder,
        dual_encoder,
        critics=[models.DualEncoder.from_preset(critic).image_encoder for critic in args.critics],
        outside=models.ConvAutoencoder.from_preset(args.outside).encoder,
        form=args.form,
        noise_scale=args.noise_scale,
        pixel_weight=args.pixel_weight,
        seed=args.seed,
    )
    objective.compile(common.adamw(args))

    stages = [models.TextStage(dual_encoder), models.OnePassStage(objective.average, args.noise_scale)]
    generator = models.Generator(models.TextToImageBackbone(stages), preprocessor)
    shown = pictures.spread(12)
    concepts = generator.encode_text(shown.plain_captions)

    def draw(objective):  # true pictures over drawn ones
        return common.rows(shown.pictures, generator.decode(concepts))

    logs = common.train(args, objective, pipeline, validation, draw)
    table = common.figures(logs, "val_consistency", "val_pixels", "val_outside")
    pictures = {"drawings.png": ("picture: true over drawn", draw(objective))}
    common.finish(args, logs, generator, table, pictures)


if __name__ == "__main__":
    common.script(main)
