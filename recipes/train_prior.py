"""Lesson 7: from the concept of words to the concept of a picture (the prior of DALL-E 2).

    python recipes/train_prior.py                              # the default data
    python recipes/train_prior.py --data emoji --decoder runs/unclip/preset    # and put the two together
    python recipes/train_prior.py --data my_pictures --dual-encoder runs/concepts/preset
    python recipes/train_prior.py --width 256 --blocks 2 --dropout 0.2       # smaller, for small data

The encoders of lesson 2 put words and pictures into one space, but not in one place: contrast asks only that
a caption be nearer to its own picture than to others. A network that draws from image concepts has never
seen a text concept. The prior goes from one to the other. It is a diffusion model as in lesson 4, but what it
takes noise off is a concept, 512 numbers: many pictures fit a caption, and it draws the concept of one.

At the end it is compared, for captions that it has not seen, with what it has to beat: how near the text
concept itself is to the concept of the true picture, and how near the best matrix comes (ridge regression).
The mean of many draws is nearer than a single one, for it need not decide; only a single one is a concept
that a picture has. "First" is how often the true picture is the nearest of all in the set.
"""

import numpy as np

from keras_t2i.data import Pipeline
from keras_t2i.data import load
from keras_t2i.data.registry import splits_of
from keras_t2i.evaluation.baselines.ridge import ridge_regression
from keras_t2i.models import DualEncoder
from keras_t2i.models import Generator
from keras_t2i.models import Prior
from keras_t2i.models import TextToImagePreprocessor
from keras_t2i.models import UnCLIPGenerator
from keras_t2i.objectives.diffusion import LEVELS
from keras_t2i.objectives.prior import PriorDenoising
from keras_t2i.training.options import adamw
from keras_t2i.training.options import load_splits
from keras_t2i.training.options import prepare
from keras_t2i.training.options import print_table
from keras_t2i.training.options import training_parser
from keras_t2i.training.run import peak_memory
from keras_t2i.training.run import train
from keras_t2i.utils.batching import predict_in_batches
from keras_t2i.utils.embeddings import l2_normalize
from keras_t2i.utils.images import make_grid
from keras_t2i.utils.images import save_png
from keras_t2i.utils.images import to_float

RIDGES = (0.1, 1.0, 10.0, 100.0, 1000.0)


def main(argv=None):
    parser = training_parser(__doc__, "prior", epochs=200, batch_size=256, learning_rate=1e-3)
    add = parser.add_argument
    add("--dual-encoder", default="dual_encoder_openmoji_32", help="preset of lesson 2: name or folder")
    add(
        "--decoder",
        default="",
        help="preset of a decoder of image concepts: its encoders are taken, and all is saved as one preset",
    )
    add("--width", default=384, type=int, help="of the network")
    add("--blocks", default=3, type=int, help="residual blocks of the network")
    add("--dropout", default=0.1, type=float, help="in the network, against learning by heart")
    add("--caption-dropout", default=0.1, type=float, help="how often the text is withheld")
    add("--guidance", default=1.0, type=float, help="guidance scale of the preset")
    add("--num-steps", default=16, type=int, help="steps from noise to a concept, of the preset")
    args = parser.parse_args(argv)
    settings = prepare(args)
    dual_encoder, preprocessor, decoder = opened(args)
    pictures, unseen = load_splits(args, dual_encoder.image_size)
    codes, unseen_codes = (codes_of(dual_encoder, preprocessor, data) for data in (pictures, unseen))

    small = {"width": 16, "blocks": 1, "condition_dim": 16} if args.smoke else {}
    sizes = {"width": args.width, "blocks": args.blocks, "dropout": args.dropout, **small}
    prior = Prior(
        dual_encoder.code_dim,
        **sizes,
        num_steps=args.num_steps,
        guidance_scale=args.guidance,
        dtype=args.precision,
    )
    prior.measure(codes["text_codes"], codes["image_codes"])
    objective = PriorDenoising(prior, caption_dropout=args.caption_dropout, widths=(0.1,), seed=args.seed)
    pipeline = pairs(pictures, codes, args.batch_size, seed=args.seed)
    validation = pairs(unseen, unseen_codes, args.batch_size, training=False)
    objective.compile(optimizer=adamw(args, args.epochs * len(pipeline)))
    logs = train(
        objective,
        pipeline,
        args.epochs,
        args.output,
        validation=validation,
        settings=settings,
        restart=args.restart,
    )

    prior = objective.average
    prior.save_to_preset(args.output / "preset", weights_dtype="float16")
    places = {"preset": args.output / "preset", "logs (tensorboard --logdir)": args.output / "logs"}
    if decoder is not None:
        places |= save_whole(decoder, prior, unseen, args.output)
    seen = pictures.take(np.linspace(0, len(pictures) - 1, min(500, len(pictures))))
    sets = {"training captions": seen, "unseen concepts": unseen}
    if "test" in splits_of(args.data) and not args.smoke:
        sets["held-out combinations"] = load(args.data, "test", dual_encoder.image_size)
    sets = {name: plain_pairs(dual_encoder, preprocessor, data) for name, data in sets.items()}
    matrix = best_ridge(pipeline, *sets["unseen concepts"])
    rows = [row for name, codes in sets.items() for row in compared(prior, matrix, name, *codes)]
    losses = objective.evaluate(validation, verbose=0, return_dict=True)
    print_table(
        [
            *rows,
            *((f"validation error, {level}", losses[f"error_{level}"]) for level in LEVELS),
            ("minutes", logs["seconds"] / 60),
            ("peak memory, MiB", peak_memory()),
            *places.items(),
        ]
    )


def opened(args):
    """The dual encoder, its preprocessor and, with `--decoder`, the generator that draws image concepts."""
    if not args.decoder:
        preprocessor = TextToImagePreprocessor.from_preset(args.dual_encoder)
        return DualEncoder.from_preset(args.dual_encoder), preprocessor, None
    decoder = Generator.from_preset(args.decoder)
    if not isinstance(decoder, UnCLIPGenerator):
        raise SystemExit(
            f"--decoder {args.decoder} draws no image concepts: see train_diffusion.py --condition"
        )
    return decoder.backbone.dual_encoder, decoder.preprocessor, decoder


def save_whole(decoder, prior, unseen, folder):
    """Put prior and decoder together: a preset, and a picture of what the prior changes."""
    whole = Generator.from_stages(decoder=decoder, prior=prior)
    whole.save_to_preset(folder / "generator", weights_dtype="float16")
    shown = unseen.take(np.unique(np.linspace(0, len(unseen) - 1, 12).astype(int)))
    captions = shown.plain_captions
    alone = type(decoder)(decoder.backbone.with_parts(prior=None), decoder.preprocessor)
    rows = [shown.pictures, *(generator.generate(captions, seed=0) for generator in (alone, whole))]
    save_png(make_grid(np.concatenate(rows), columns=len(shown), scale=3), folder / "drawings.png")
    return {
        "preset of prior and decoder": folder / "generator",
        "picture: true over drawn without the prior, over with it": folder / "drawings.png",
    }


def codes_of(dual_encoder, preprocessor, data):
    """Concepts of all pictures, and of all captions, those of the first picture first."""
    token_ids = Pipeline(data, preprocessor).token_table
    parts = [to_float(data.pictures[start : start + 256]) for start in range(0, len(data), 256)]
    images = [predict_in_batches(dual_encoder.image_encoder, part, 256) for part in parts]
    texts = predict_in_batches(dual_encoder.text_encoder, token_ids, 256)
    return {"image_codes": l2_normalize(np.concatenate(images)), "text_codes": l2_normalize(texts)}


def pairs(data, codes, batch_size, **options):
    """Batches of the concept of a picture and that of one of its captions."""
    image_codes = {"image_codes": codes["image_codes"]}
    return Pipeline(
        data,
        None,
        batch_size,
        image_features=image_codes,
        caption_features={"text_codes": codes["text_codes"]},
        **options,
    )


def plain_pairs(dual_encoder, preprocessor, data):
    """Text and image concepts of each picture and its plain caption: two arrays `(n, d)`."""
    pipeline = pairs(data, codes_of(dual_encoder, preprocessor, data), len(data), training=False)
    batch = pipeline.batch(0)
    return batch["text_codes"], batch["image_codes"]


def best_ridge(pipeline, texts, images):
    """Of a few strengths the ridge regression whose codes are nearest to these pictures': its matrix."""
    pictures = np.repeat(pipeline.image_features["image_codes"], pipeline.caption_counts, axis=0)
    inputs = with_ones(pipeline.caption_features["text_codes"])
    matrices = [ridge_regression(inputs, pictures, strength) for strength in RIDGES]
    return max(matrices, key=lambda matrix: cosine(l2_normalize(with_ones(texts) @ matrix), images))


def compared(prior, matrix, name, texts, images):
    """Rows of the table: how near each way comes to the concepts of the true pictures."""
    draws = [prior.sample(texts, seed=[seed] * len(texts), best_of=1) for seed in range(8)]
    found = {
        "the text concept": texts,
        "ridge regression": l2_normalize(with_ones(texts) @ matrix),
        "the prior": draws[0],
        "the better of two draws": prior.sample(texts, seed=[0] * len(texts)),
        "two draws, guidance 2": prior.sample(texts, seed=[0] * len(texts), guidance_scale=2.0),
        "mean of 8 draws": l2_normalize(np.mean(draws, axis=0)),
    }
    return [
        (f"{name}, {way}: cosine, first", f"{cosine(codes, images):.3f}, {first(codes, images):.2f}")
        for way, codes in found.items()
    ]


def cosine(codes, others):
    return float(np.mean(np.sum(codes * others, axis=1)))


def first(codes, images):
    """How often no picture is nearer than the true one."""
    cosines = codes @ images.T
    return float(np.mean(cosines.max(axis=1) <= np.diagonal(cosines) + 1e-6))


def with_ones(codes):
    return np.concatenate([codes, np.ones((len(codes), 1), codes.dtype)], axis=1)


if __name__ == "__main__":
    main()
