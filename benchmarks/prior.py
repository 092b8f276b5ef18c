"""How near does a prior come to the concepts of true pictures, and nearer than what?

    python benchmarks/prior.py runs/prior/preset --dual-encoder dual_encoder_openmoji_32

For captions trained on, of unseen concepts, and of held-out combinations: how near the text concept itself is
to the concept of the true picture; how near the best matrix comes (ridge regression, its strength chosen on
unseen concepts, which favors it); and the prior. The mean of many draws is nearer than a single one, for it
need not decide; only a single one is a concept that a picture has. "First" is how often no picture of the set
is nearer than the true one.
"""

import argparse
import os

import numpy as np

from keras_t2i.data import Pipeline
from keras_t2i.data import load
from keras_t2i.data.registry import splits_of
from keras_t2i.evaluation.baselines.ridge import ridge_regression
from keras_t2i.models import DualEncoder
from keras_t2i.models import Prior
from keras_t2i.models import PriorStage
from keras_t2i.models import TextToImagePreprocessor
from keras_t2i.training.encoding import image_embeddings
from keras_t2i.training.encoding import text_embeddings
from keras_t2i.utils.embeddings import l2_normalize

RIDGES = (0.1, 1.0, 10.0, 100.0, 1000.0)


def plain_pairs(dual_encoder, preprocessor, data):
    """Text and image concepts of each picture and its plain caption: two arrays `(n, d)`."""
    token_ids = preprocessor.generate_preprocess(data.plain_captions)
    texts = text_embeddings(dual_encoder.text_encoder, token_ids)
    return texts, image_embeddings(dual_encoder.image_encoder, data.pictures)


def best_ridge(dual_encoder, preprocessor, data, texts, images):
    """Of a few strengths, the ridge regression of all captions whose codes are nearest to these pictures'."""
    pipeline = Pipeline(data, preprocessor)
    inputs = with_ones(text_embeddings(dual_encoder.text_encoder, pipeline.token_table))
    pictures = image_embeddings(dual_encoder.image_encoder, data.pictures)
    pictures = np.repeat(pictures, [len(captions) for captions in data.captions], axis=0)
    matrices = [ridge_regression(inputs, pictures, strength) for strength in RIDGES]
    return max(matrices, key=lambda matrix: cosine(l2_normalize(with_ones(texts) @ matrix), images))


def ways(stage, matrix, texts):
    """What each way makes of text concepts: a dict of float `(n, d)`."""
    seeds = [[seed] * len(texts) for seed in range(8)]
    draws = [stage.sample_codes(texts, seed=one, best_of=1) for one in seeds]
    return {
        "the text concept": texts,
        "ridge regression": l2_normalize(with_ones(texts) @ matrix),
        "the prior": draws[0],
        "the better of two draws": stage.sample_codes(texts, seed=seeds[0]),
        "two draws, guidance 2": stage.sample_codes(texts, seed=seeds[0], guidance_scale=2.0),
        "mean of 8 draws": l2_normalize(np.mean(draws, axis=0)),
    }


def cosine(codes, others):
    return float(np.mean(np.sum(codes * others, axis=1)))


def first(codes, images):
    """How often no picture is nearer than the true one."""
    cosines = codes @ images.T
    return float(np.mean(cosines.max(axis=1) <= np.diagonal(cosines) + 1e-6))


def with_ones(codes):
    return np.concatenate([codes, np.ones((len(codes), 1), codes.dtype)], axis=1)


def main(argv=None):
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("preset", help="of a prior: name or folder")
    parser.add_argument("--dual-encoder", default="dual_encoder_openmoji_32", help="that it was trained with")
    parser.add_argument("--data", default="openmoji", help='"openmoji", "emoji", or a folder')
    parser.add_argument("--captions", type=int, default=500, help="of training")
    args = parser.parse_args(argv)
    dual_encoder = DualEncoder.from_preset(args.dual_encoder)
    preprocessor = TextToImagePreprocessor.from_preset(args.dual_encoder)
    stage = PriorStage(Prior.from_preset(args.preset))
    train, unseen = (load(args.data, split, dual_encoder.image_size) for split in ("train", "validation"))
    seen = train.spread(args.captions)
    sets = {"training captions": seen, "unseen concepts": unseen}
    if "test" in splits_of(args.data):
        sets["held-out combinations"] = load(args.data, "test", dual_encoder.image_size)
    sets = {name: plain_pairs(dual_encoder, preprocessor, data) for name, data in sets.items()}
    matrix = best_ridge(dual_encoder, preprocessor, train, *sets["unseen concepts"])
    found = {name: ways(stage, matrix, texts) for name, (texts, _) in sets.items()}
    print(f"| cosine to the true picture's concept, first | {' | '.join(sets)} |\n|---|{'---|' * len(sets)}")
    for way in found["training captions"]:
        pairs = [(found[name][way], images) for name, (_, images) in sets.items()]
        cells = [f"{cosine(*pair):.3f}, {first(*pair):.2f}" for pair in pairs]
        print(f"| {way} | {' | '.join(cells)} |")


if __name__ == "__main__":
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    main()
