"""Train a judge: an encoder of text and picture that only evaluates.

    python recipes/prepare_data.py                                      # once: emoji in six designs
    python recipes/train_evaluator.py                                   # convolutions and GRU, half 0
    python recipes/train_evaluator.py --architecture attentive --half 1 --seed 102 --output runs/evaluator_1
    python recipes/train_evaluator.py --data my_pictures                # for your own

Who marks an exam must not have written it. A judge has another architecture, another seed and other
pictures than any generator's encoders. Two are trained, each on one half of the pictures, of the held-out
ones too, so that each picture can be judged by the one that has never seen it. Nothing that trains, guides
or ranks may use a judge.
"""

import functools

import common

from keras_t2i.data import CaptionedImages
from keras_t2i.data import Pipeline
from keras_t2i.data import augmentation
from keras_t2i.data import load
from keras_t2i.data.registry import splits_of
from keras_t2i.evaluation.judges.card import judge_card
from keras_t2i.evaluation.judges.evaluator import HALVES
from keras_t2i.evaluation.judges.evaluator import TOWERS
from keras_t2i.evaluation.judges.evaluator import Evaluator
from keras_t2i.evaluation.judges.evaluator import half_of
from keras_t2i.evaluation.metrics import retrieval
from keras_t2i.models import TextToImagePreprocessor
from keras_t2i.objectives.contrastive import ContrastiveAlignment
from keras_t2i.training.run_folder import run_tokenizer
from keras_t2i.utils.images import make_grid

DEFAULTS = {
    **{"minutes": 8, "batch_size": 256, "learning_rate": 1.5e-3, "data": "emoji", "seed": 101},  # options
    "vocabulary_size": 1536,  # word pieces that the tokenizer learns
    "sequence_length": 32,  # word pieces of a caption; the rest is cut
    "watched": 256,  # pictures of the other half that validation looks at
}


def main(argv=None, **changes):
    parser = common.training_parser(__doc__, "evaluator", DEFAULTS, changes)
    add = parser.add_argument
    add("--architecture", default="convolutional", choices=sorted(TOWERS), help="of both towers")
    add("--half", default=0, type=int, choices=range(HALVES), help="of the pictures to learn from")
    args = common.start(parser, argv)
    if args.smoke:
        parts = common.load_splits(args)
    else:
        parts = [load(args.data, split) for split in splits_of(args.data)]
    every = functools.reduce(CaptionedImages.joined, parts)
    halves = half_of(every)
    pictures, others = (every.take((halves == half).nonzero()[0]) for half in (args.half, 1 - args.half))
    others = others.take(range(0, len(others), max(1, len(others) // args.watched)))

    captions = [caption for of_picture in pictures.captions for caption in of_picture]
    tokenizer = run_tokenizer(args.output, captions, args.vocabulary_size, args.restart)
    preprocessor = TextToImagePreprocessor(tokenizer, sequence_length=args.sequence_length)
    moved = (augmentation.translate(3),)
    pipeline = Pipeline(pictures, preprocessor, args.batch_size, seed=args.seed, augmentations=moved)
    validation = Pipeline(others, preprocessor, args.batch_size, training=False)
    text_tower, image_tower = TOWERS[args.architecture]
    network = Evaluator(
        text_tower(tokenizer.vocabulary_size(), args.sequence_length, dtype=args.precision),
        image_tower(every.pictures.shape[1], dtype=args.precision),
        half=args.half,
    )
    objective = ContrastiveAlignment(network, "clip", seed=args.seed)
    objective.compile(common.adamw(args))

    def draw(objective):  # a row for each of eight captions: its picture, then the seven found first
        return make_grid(retrieval.found_first(objective.average, preprocessor, others, 8, 8), 8, scale=2)

    logs = common.train(args, objective, pipeline, validation, draw)
    found = retrieval.recall(objective.average, preprocessor, others)
    card = judge_card(objective.average, args.architecture, found, every.source)
    table = found.table("captions of the other half")
    drawn = {"retrieval.png": ("picture", draw(objective))}
    common.finish(args, logs, objective.average, table, drawn, card=card, preprocessor=preprocessor)


if __name__ == "__main__":
    common.script(main)
