"""Lesson 3: words become a picture. Text -> code 1 -> picture -> image encoder -> code 2.

    python recipes/train_decoder.py                    # the form that works
    python recipes/train_decoder.py --form naive       # the lesson: how an encoder is fooled
    python recipes/train_decoder.py --data my_pictures --dual-encoder runs/concepts/preset

The encoders of lesson 2 stand still. A decoder of transposed convolutions draws a caption's concept, the
image encoder looks at the drawing, and the decoder learns from the difference of the two codes. Left to
that alone ("naive") it finds patterns that the encoder takes for the concept and a person for noise: watch
"outside", the opinion of an encoder that the loss never uses. "fixed" adds what keeps it honest: random
changes before the encoder looks, a second encoder, and the true picture.
"""

import numpy as np

from keras_t2i.data import Pipeline
from keras_t2i.models import ConceptDecoder
from keras_t2i.models import ConvAutoencoder
from keras_t2i.models import DualEncoder
from keras_t2i.models import Generator
from keras_t2i.models import GeneratorBackbone
from keras_t2i.models import TextToImagePreprocessor
from keras_t2i.objectives.consistency import CodeConsistency
from keras_t2i.training.options import adamw
from keras_t2i.training.options import load_splits
from keras_t2i.training.options import prepare
from keras_t2i.training.options import print_table
from keras_t2i.training.options import training_parser
from keras_t2i.training.run import peak_memory
from keras_t2i.training.run import train
from keras_t2i.utils.images import make_grid
from keras_t2i.utils.images import save_png


def main(argv=None):
    parser = training_parser(__doc__, "decoder", epochs=30, batch_size=16, learning_rate=1.5e-3)
    parser.add_argument(
        "--form", default="fixed", choices=["fixed", "naive"], help="what the decoder learns from"
    )
    parser.add_argument(
        "--dual-encoder", default="dual_encoder_openmoji_32", help="preset of lesson 2: name or folder"
    )
    parser.add_argument(
        "--critics", default=[], nargs="*", help="further presets of lesson 2 that look at the drawing"
    )
    parser.add_argument(
        "--outside", default="autoencoder_openmoji_32", help="preset of lesson 1 whose encoder only watches"
    )
    parser.add_argument(
        "--noise-scale", default=0.1, type=float, help="how far chance moves a concept (of length 1)"
    )
    parser.add_argument(
        "--pixel-weight", default=5.0, type=float, help="weight of the true picture's pixels (fixed)"
    )
    args = parser.parse_args(argv)
    settings = prepare(args)
    dual_encoder = DualEncoder.from_preset(args.dual_encoder)
    preprocessor = TextToImagePreprocessor.from_preset(args.dual_encoder)
    pictures, unseen = load_splits(args, dual_encoder.image_size)

    small = {"filters": (8, 8, 8), "blocks": (0, 0, 0)} if args.smoke else {}
    decoder = ConceptDecoder(dual_encoder.image_size, **small, dtype=args.precision)
    plain = preprocessor.generate_preprocess(pictures.plain_captions)
    codes = dual_encoder.text_encoder.predict(plain, batch_size=256, verbose=0)
    decoder.whiten(codes / np.linalg.norm(codes, axis=1, keepdims=True), args.noise_scale)
    objective = CodeConsistency(
        decoder,
        dual_encoder,
        critics=[DualEncoder.from_preset(critic).image_encoder for critic in args.critics],
        outside=ConvAutoencoder.from_preset(args.outside).encoder,
        form=args.form,
        noise_scale=args.noise_scale,
        pixel_weight=args.pixel_weight,
        seed=args.seed,
    )
    pipeline = Pipeline(pictures, preprocessor, args.batch_size, seed=args.seed)
    objective.compile(optimizer=adamw(args, args.epochs * len(pipeline)))

    examples = pictures.take(np.linspace(0, len(pictures) - 1, min(12, len(pictures))))
    examples_ids = preprocessor.generate_preprocess(examples.plain_captions)
    concepts = dual_encoder.predict(
        {"images": examples.pictures / 127.5 - 1, "token_ids": examples_ids}, verbose=0
    )

    def draw(objective):  # true pictures over drawn ones
        drawn = generator_of(objective).decode(concepts["text_codes"])
        return make_grid(np.concatenate([examples.pictures, drawn]), columns=len(drawn), scale=3)

    def generator_of(objective):
        return Generator(GeneratorBackbone(dual_encoder, objective.average, args.noise_scale), preprocessor)

    logs = train(
        objective,
        pipeline,
        args.epochs,
        args.output,
        validation=Pipeline(unseen, preprocessor, args.batch_size, training=False),
        draw=draw,
        settings=settings,
        restart=args.restart,
    )

    generator = generator_of(objective)
    save_png(draw(objective), args.output / "drawings.png")
    generator.save_to_preset(args.output / "preset", weights_dtype="float16")
    print_table(
        [
            *(
                (f"validation {name}", logs[f"val_{name}"])
                for name in ("consistency", "pixels", "outside")
                if f"val_{name}" in logs
            ),
            ("minutes", logs["seconds"] / 60),
            ("peak memory, MiB", peak_memory()),
            ("picture: true over drawn", args.output / "drawings.png"),
            ("preset", args.output / "preset"),
            ("logs (tensorboard --logdir)", args.output / "logs"),
        ]
    )
    print(f'\nTry: python recipes/generate.py "a red apple" --preset {args.output / "preset"}')


if __name__ == "__main__":
    main()
