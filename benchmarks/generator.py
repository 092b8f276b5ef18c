"""Does a drawing show its caption? R-precision, judged by an encoder that no generator was trained with.

    python benchmarks/generator.py runs/naive/preset generator_openmoji_32 --evaluator runs/evaluator/preset

For each drawing the evaluator ranks 100 captions: its own and 99 others. Beside every generator stand the
ceiling (the real pictures), and two floors: drawings judged by other drawings' captions, and the mean
picture. A PNG shows real pictures over each generator's drawings.
"""

import argparse
from pathlib import Path

import numpy as np

from keras_t2i.data import load
from keras_t2i.data.randomness import generator as random_generator
from keras_t2i.evaluation import retrieval
from keras_t2i.models import DualEncoder
from keras_t2i.models import Generator
from keras_t2i.models import TextToImagePreprocessor
from keras_t2i.pictures import make_grid
from keras_t2i.pictures import save_png


def cell(codes, text_codes, own, easy, hard):
    """R-precision of pictures' codes against captions' codes; several drawings of each caption follow."""
    repeat = len(codes) // len(easy)
    found = []
    for distractors in (easy * repeat, hard * repeat):
        ranks = retrieval.ranks(codes, text_codes, np.tile(own, repeat), distractors)
        found.append(retrieval.summarise(ranks, distractors))
    low, high = found[0].interval(repeats=repeat)
    return f"{found[0].at_1:.2f} ({low:.2f} to {high:.2f}), {found[0].at_5:.2f}; {found[1].at_1:.2f}"


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("presets", nargs="+", help="generators: names or folders")
    parser.add_argument(
        "--evaluator", required=True, help="a dual encoder that none of them was trained with"
    )
    parser.add_argument("--captions", default=500, type=int, help="training captions (default: 500)")
    parser.add_argument("--seeds", default=4, type=int, help="drawings of a caption (default: 4)")
    parser.add_argument("--output", default="runs/generators.png", type=Path)
    args = parser.parse_args()

    judge = DualEncoder.from_preset(args.evaluator)
    preprocessor = TextToImagePreprocessor.from_preset(args.evaluator)
    train, test = load("openmoji", "train"), load("openmoji", "test")
    order = random_generator(0, "captions").permutation(len(train))[: args.captions]
    sets = {
        "training captions": (train.take(order), train),
        "held-out combinations": (test, test.joined(train)),
    }
    generators = {preset: Generator.from_preset(preset) for preset in args.presets}

    print(
        "| "
        + " | ".join(["drawings", *(f"{name}: random R@1 (95 %), R@5; hard R@1" for name in sets)])
        + " |"
    )
    print("|---" * (len(sets) + 1) + "|")
    rows, shown = {}, {}

    def see(pictures):
        return retrieval.codes(judge, preprocessor, pictures, ["a"])[0]

    for name, (asked, pool) in sets.items():
        plain = [phrasings[0] for phrasings in asked.captions]
        pool_captions = [phrasings[0] for phrasings in pool.captions]
        image_codes, text_codes = retrieval.codes(judge, preprocessor, asked.pictures, pool_captions)
        near = retrieval.hard_distractors(asked, pool)
        easy = retrieval.filled_up([np.zeros(0, "int64")] * len(asked), asked, pool)
        hard = [f if len(n) else n for n, f in zip(near, retrieval.filled_up(near, asked, pool), strict=True)]
        own = np.array([pool.names.index(n) for n in asked.names])

        rows.setdefault("real pictures (ceiling)", []).append(cell(image_codes, text_codes, own, easy, hard))
        few = np.linspace(0, len(asked) - 1, 16).astype("int64")
        shown[name] = [asked.pictures[few]]
        for preset, generator in generators.items():
            drawn = [generator.generate(plain, seed=1000 * s, batch_size=64) for s in range(args.seeds)]
            codes = see(np.concatenate(drawn))
            rows.setdefault(preset, []).append(cell(codes, text_codes, own, easy, hard))
            shown[name].append(drawn[0][few])
        shuffled = random_generator(1, "shuffled").permutation(len(asked))
        rows.setdefault("last one, captions permuted (floor)", []).append(
            cell(see(drawn[0])[shuffled], text_codes, own, easy, hard)
        )
        mean = train.pictures.mean(axis=0).round().astype("uint8")[None].repeat(len(asked), axis=0)
        rows.setdefault("mean picture (floor)", []).append(cell(see(mean), text_codes, own, easy, hard))
    for name, cells in rows.items():
        print(f"| {name} | " + " | ".join(cells) + " |")
    grid = np.concatenate([np.concatenate(rows_of) for rows_of in shown.values()])
    save_png(make_grid(grid, columns=16, scale=2), args.output)
    print(f"\nReal pictures over {', over '.join(args.presets)}, for both sets: {args.output}")


if __name__ == "__main__":
    main()
