"""Lesson 2: text and picture come to share one concept space of 512 numbers.

    python recipes/train_concepts.py                          # contrast: CLIP
    python recipes/train_concepts.py --objective siglip       # a yes or no for every pair by itself
    python recipes/train_concepts.py --objective regression   # text learns to predict the picture's code
    python recipes/train_concepts.py --data my_pictures       # on your own

A CNN reads the caption, a convolutional tower the picture. By contrast, both learn that a pair belongs
together and all else in the batch does not. By regression, the picture's code is the autoencoder's
(lesson 1), and the text encoder's two-layer dense head learns to match it.
"""

import common

from keras_t2i import models
from keras_t2i.data import Pipeline
from keras_t2i.data import augmentation
from keras_t2i.evaluation.metrics import retrieval
from keras_t2i.objectives.contrastive import ContrastiveAlignment
from keras_t2i.objectives.regression import ConceptRegression
from keras_t2i.training.run_folder import run_tokenizer
from keras_t2i.utils.images import make_grid

DEFAULTS = {
    **{"minutes": 7, "batch_size": 256, "learning_rate": 2e-3},  # options
    "most_epochs": 100,  # however many minutes: passes over few pictures soon only learn them by heart
    "vocabulary_size": 2048,  # word pieces that the tokenizer learns
    "sequence_length": 32,  # word pieces of a caption; the rest is cut
    "text_filters": 128,  # channels of the text encoder's convolutions
    "image_filters": (32, 64, 96),  # channels after each halving
}


def main(argv=None, **changes):
    parser = common.training_parser(__doc__, "concepts", DEFAULTS, changes)
    add, objectives = parser.add_argument, ["contrastive", "siglip", "regression"]
    add("--objective", default="contrastive", choices=objectives, help="what is learned from")
    add("--micro-batches", default=1, type=common.number(int, least=1), help="a batch is cut into so many")
    add("--autoencoder", default="autoencoder_openmoji_32", help="preset whose codes regression matches")
    args = common.start(parser, argv)
    if args.batch_size % args.micro_batches:
        parser.error(f"--micro-batches {args.micro_batches} must divide --batch-size {args.batch_size}")
    pictures, unseen = common.load_splits(args)

    captions = [caption for of_picture in pictures.captions for caption in of_picture]
    tokenizer = run_tokenizer(args.output, captions, args.vocabulary_size, args.restart)
    preprocessor = models.TextToImagePreprocessor(tokenizer, sequence_length=args.sequence_length)
    cut = (preprocessor.lengths(captions) > args.sequence_length).mean()
    moved = (augmentation.translate(2),)  # no flips: captions say "left" and "right"
    pipeline = Pipeline(pictures, preprocessor, args.batch_size, seed=args.seed, augmentations=moved)
    validation = Pipeline(unseen, preprocessor, args.batch_size, training=False)

    width, filters = (16, (8, 8)) if args.smoke else (args.text_filters, args.image_filters)
    text_encoder = models.CNNTextEncoder(
        tokenizer.vocabulary_size(), args.sequence_length, filters=width, dtype=args.precision
    )
    if args.objective == "regression":
        image_encoder = models.ConvAutoencoder.from_preset(args.autoencoder).encoder
        objective = ConceptRegression(text_encoder, image_encoder, seed=args.seed)
    else:
        image_encoder = models.ImageTower(filters=filters, blocks=[1] * len(filters), dtype=args.precision)
        kind = "siglip" if args.objective == "siglip" else "clip"
        dual_encoder = models.DualEncoder(text_encoder, image_encoder)
        objective = ContrastiveAlignment(dual_encoder, kind, args.micro_batches, seed=args.seed)
    objective.compile(common.adamw(args))

    def trained(objective):
        average = objective.average
        return models.DualEncoder(average, image_encoder) if args.objective == "regression" else average

    def draw(objective):  # a row for each of eight captions: its picture, then the seven found first
        return make_grid(retrieval.found_first(trained(objective), preprocessor, unseen, 8, 8), 8, scale=2)

    logs = common.train(args, objective, pipeline, validation, draw)
    recall = retrieval.recall(trained(objective), preprocessor, unseen)
    table = [
        *recall.table("unseen captions"),
        ("captions that were cut", f"{cut:.1%}"),
    ]
    pictures = {"retrieval.png": ("picture", draw(objective))}
    common.finish(args, logs, trained(objective), table, pictures, preprocessor=preprocessor)


if __name__ == "__main__":
    common.script(main)
