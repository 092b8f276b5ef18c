"""Lesson 2: text and picture come to share one concept space of 512 numbers.

    python recipes/train_concepts.py                          # contrast: CLIP
    python recipes/train_concepts.py --objective siglip       # every pair judged by itself
    python recipes/train_concepts.py --objective regression   # text learns to say the picture's code
    python recipes/train_concepts.py --data my_pictures       # on your own

A CNN reads the caption, a convolutional tower the picture. By contrast, both learn that a pair belongs
together and all else in the batch does not. By regression, the picture's code is the autoencoder's
(lesson 1), and the text encoder's two-layer dense head learns to match it.
"""

from keras_t2i.data import Pipeline
from keras_t2i.data import augmentation
from keras_t2i.evaluation.metrics import retrieval
from keras_t2i.models import CaptionTokenizer
from keras_t2i.models import CNNTextEncoder
from keras_t2i.models import ConvAutoencoder
from keras_t2i.models import DualEncoder
from keras_t2i.models import ImageTower
from keras_t2i.models import TextToImagePreprocessor
from keras_t2i.objectives.contrastive import ContrastiveAlignment
from keras_t2i.objectives.regression import ConceptRegression
from keras_t2i.presets.saving import save_preset
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
    parser = training_parser(__doc__, "concepts", epochs=50, batch_size=256, learning_rate=2e-3)
    parser.add_argument(
        "--objective",
        default="contrastive",
        choices=["contrastive", "siglip", "regression"],
        help="what the encoders learn from",
    )
    parser.add_argument(
        "--micro-batches", default=1, type=int, help="parts of a batch in memory at once (contrast only)"
    )
    parser.add_argument(
        "--vocabulary-size", default=2048, type=int, help="word pieces that the tokenizer learns"
    )
    parser.add_argument(
        "--sequence-length", default=32, type=int, help="word pieces of a caption; the rest is cut"
    )
    parser.add_argument(
        "--text-filters", default=128, type=int, help="channels of the text encoder's convolutions"
    )
    parser.add_argument(
        "--image-filters", default=[32, 64, 96], type=int, nargs="+", help="channels after each halving"
    )
    parser.add_argument(
        "--autoencoder", default="autoencoder_openmoji_32", help="preset whose codes regression matches"
    )
    args = parser.parse_args(argv)
    settings = prepare(args)
    if args.batch_size % args.micro_batches:
        parser.error(f"--micro-batches {args.micro_batches} must divide --batch-size {args.batch_size}")
    pictures, unseen = load_splits(args)

    captions = [caption for phrasings in pictures.captions for caption in phrasings]
    tokenizer = CaptionTokenizer.learn(captions, vocabulary_size=args.vocabulary_size)
    preprocessor = TextToImagePreprocessor(tokenizer, sequence_length=args.sequence_length)
    cut = (preprocessor.lengths(captions) > args.sequence_length).mean()

    if args.smoke:
        args.text_filters, args.image_filters = 16, [8, 8]
    text_encoder = CNNTextEncoder(
        tokenizer.vocabulary_size(), args.sequence_length, filters=args.text_filters, dtype=args.precision
    )
    shared = {"seed": args.seed}
    if args.objective == "regression":
        image_encoder = ConvAutoencoder.from_preset(args.autoencoder).encoder
        objective = ConceptRegression(text_encoder, image_encoder, **shared)
    else:
        blocks = [1] * len(args.image_filters)
        image_encoder = ImageTower(filters=args.image_filters, blocks=blocks, dtype=args.precision)
        kind = "siglip" if args.objective == "siglip" else "clip"
        dual_encoder = DualEncoder(text_encoder, image_encoder)
        objective = ContrastiveAlignment(dual_encoder, kind, args.micro_batches, **shared)

    # No flips: captions say "left" and "right".
    pipeline = Pipeline(
        pictures, preprocessor, args.batch_size, seed=args.seed, augmentations=(augmentation.translate(2),)
    )
    objective.compile(optimizer=adamw(args, args.epochs * len(pipeline)))

    def trained(objective):
        average = objective.average
        return DualEncoder(average, image_encoder) if args.objective == "regression" else average

    def draw(objective):  # a row for each of eight captions: its picture, then the seven found first
        return make_grid(
            retrieval.found_first(trained(objective), preprocessor, unseen, rows=8, columns=8), 8, scale=2
        )

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

    best = trained(objective)
    save_png(draw(objective), args.output / "retrieval.png")
    save_preset(best, args.output / "preset", weights_dtype="float16", preprocessor=preprocessor)
    recall = retrieval.recall(best, preprocessor, unseen)
    print_table(
        [
            (f"unseen captions whose picture is found first, of {recall.candidates}", recall.at_1),
            ("the same within the first five", recall.at_5),
            ("by chance", 1 / recall.candidates),
            ("captions that were cut", f"{cut:.1%}"),
            ("minutes", logs["seconds"] / 60),
            ("peak memory, MiB", peak_memory()),
            ("picture", args.output / "retrieval.png"),
            ("preset", args.output / "preset"),
            ("logs (tensorboard --logdir)", args.output / "logs"),
        ]
    )


if __name__ == "__main__":
    main()
