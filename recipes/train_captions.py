"""Lesson 2, once more: captions that say the same come to one place.

    python recipes/train_concepts.py --data emoji
    python recipes/train_captions.py --data emoji --dual-encoder runs/concepts/preset

A picture has many captions: "apple", "an emoji of an apple", "an apple, fruit". By contrast with pictures
alone, two captions of one apple end up about as far apart as an apple and a pear. Here another text encoder,
as wide as you like, learns by regression that every caption of a picture has the code that the first encoder
gave to the plain one. Codes are learned whitened: what tells an apple from a pear is small beside what tells
fruit from faces, and counts as much. Pictures keep their codes, so it takes the first encoder's place.

Watch the table: how near a caption is to the plain caption of its picture, beside the nearest of another.
"""

import common
import keras

from keras_t2i import models
from keras_t2i.data import Pipeline
from keras_t2i.evaluation.metrics import phrasing
from keras_t2i.evaluation.metrics import retrieval
from keras_t2i.layers import Whitening
from keras_t2i.objectives.regression import CaptionRegression

DEFAULTS = {
    **{"minutes": 15, "batch_size": 256, "learning_rate": 2e-3},  # options
    "most_epochs": 100,  # however many minutes: few pictures are soon learned
    "text_filters": 128,  # channels of the text encoder's convolutions
    "text_blocks": 3,  # convolutions after the first
    "embedding_dim": 128,  # numbers a word piece
    "hidden_dim": 1024,  # of the head
    "directions": 256,  # in which codes are told apart
    "noise_variance": 1e-5,  # smaller differences than its root are not blown up
}


def main(argv=None, **changes):
    parser = common.training_parser(__doc__, "captions", DEFAULTS, changes)
    parser.add_argument("--dual-encoder", default="dual_encoder_openmoji_32", help=common.DUAL_ENCODER)
    args = common.start(parser, argv)
    before, preprocessor, _ = common.open_encoders(args)
    pictures, unseen = common.load_splits(args, preprocessor=preprocessor)
    plain, unseen_plain = (common.plain_concepts(before, preprocessor, data) for data in (pictures, unseen))
    whitening = Whitening.of(plain, args.directions, args.noise_variance)
    codes, unseen_codes = (keras.ops.convert_to_numpy(whitening(of)) for of in (plain, unseen_plain))
    size = {"batch_size": args.batch_size, "seed": args.seed}
    pipeline = Pipeline(pictures, preprocessor, **size, image_features={"codes": codes})
    other = phrasing.otherwise(unseen)  # validation asks with another caption than the plain one
    validation = Pipeline(other, preprocessor, **size, image_features={"codes": unseen_codes}, training=False)

    text_encoder = models.CNNTextEncoder(
        before.text_encoder.vocabulary_size,
        before.text_encoder.sequence_length,
        filters=16 if args.smoke else args.text_filters,
        blocks=args.text_blocks,
        embedding_dim=args.embedding_dim,
        hidden_dim=args.hidden_dim,
        code_dim=args.directions,
        dtype=args.precision,
    )
    objective = CaptionRegression(text_encoder, seed=args.seed)
    objective.compile(common.adamw(args))

    logs = common.train(args, objective, pipeline, validation)
    after = models.DualEncoder(objective.average.projected(*whitening.inverse()), before.image_encoder)
    table = []
    for when, dual_encoder in (("before", before), ("after", after)):
        table += phrasing.agreement(dual_encoder, preprocessor, unseen).table(f"unseen pictures, {when}")
        table += retrieval.recall(dual_encoder, preprocessor, unseen).table(f"unseen captions, {when},")[:1]
    common.finish(args, logs, after, table, preprocessor=preprocessor)


if __name__ == "__main__":
    common.script(main)
