"""Does a held-out caption find its picture? Every dual encoder beside chance and a bag of words.

    python benchmarks/retrieval.py dual_encoder_openmoji_32 runs/siglip/preset runs/regression/preset

100 candidates a trial: random ones, and hard ones (all pictures that differ in one attribute that the
caption names, filled up with random ones). Candidates come from all of OpenMoji; captions are those of
the held-out combinations, each plain caption once.
"""

import argparse

import numpy as np

from keras_t2i.data import load
from keras_t2i.evaluation.baselines.bag_of_words import BagOfWords
from keras_t2i.evaluation.metrics import retrieval
from keras_t2i.models import DualEncoder
from keras_t2i.models import TextToImagePreprocessor
from keras_t2i.utils.images import to_float


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("presets", nargs="+", help="dual encoders: names or folders")
    parser.add_argument(
        "--split",
        default="test",
        choices=["test", "validation", "train"],
        help="whose captions (default: test)",
    )
    args = parser.parse_args()

    images, train = load("openmoji", args.split), load("openmoji", "train")
    pool = train if args.split == "train" else images.joined(train)
    right = np.arange(len(images))
    hard = retrieval.hard_distractors(images, pool)
    kinds = {
        "random": retrieval.filled_up([np.zeros(0, "int64")] * len(images), images, pool),
        "hard": retrieval.filled_up(hard, images, pool),
    }
    # Only captions that have a hard distractor are asked the hard question.
    kinds["hard"] = [d if len(h) else h for d, h in zip(kinds["hard"], hard, strict=True)]
    near = np.array([len(h) for h in hard])
    print(
        f"{len(images)} captions ({args.split}), {len(pool)} pictures; {(near > 0).sum()} have hard ones, "
        f"{near[near > 0].mean():.1f} on average\n"
    )
    print(f"| {'encoder':40} | " + " | ".join(f"{kind} R@1 (95 %), R@5" for kind in kinds) + " |")
    print("|---|" + "---|" * len(kinds))

    def row(name, text_codes, image_codes):
        cells = []
        for distractors in kinds.values():
            found = retrieval.summarize(
                retrieval.ranks(text_codes, image_codes, right, distractors), distractors
            )
            low, high = found.interval()
            cells.append(f"{found.at_1:.2f} ({low:.2f} to {high:.2f}), {found.at_5:.2f}")
        print(f"| {name:40} | " + " | ".join(cells) + " |", flush=True)

    plain = images.plain_captions
    for preset in args.presets:
        encoder, preprocessor = DualEncoder.from_preset(preset), TextToImagePreprocessor.from_preset(preset)
        image_codes, _ = retrieval.codes(encoder, preprocessor, pool.pictures, plain[:1])
        _, text_codes = retrieval.codes(encoder, preprocessor, pool.pictures[:1], plain)
        row(preset, text_codes, image_codes)

    # A bag of words, matched to the first 512 principal components of the training pictures.
    flat = to_float(train.pictures).reshape(len(train), -1)
    mean = flat.mean(axis=0)
    components = np.linalg.eigh((flat - mean).T @ (flat - mean))[1][:, ::-1][:, :512]
    pool_codes = (to_float(pool.pictures).reshape(len(pool), -1) - mean) @ components
    train_codes = (flat - mean) @ components
    pool_codes /= np.linalg.norm(pool_codes, axis=1, keepdims=True)
    token_ids = preprocessor.generate_preprocess(train.plain_captions)
    bag = BagOfWords(token_ids, train_codes, preprocessor.tokenizer.vocabulary_size())
    row("bag of words", bag(preprocessor.generate_preprocess(plain)), pool_codes)
    print(f"| {'chance':40} | 0.01, 0.05 | 0.01, 0.05 |")


if __name__ == "__main__":
    main()
