"""What a generator of DALL-E 2's parts does with concepts, in figures and pictures.

    python benchmarks/concepts.py unclip_emoji_32 --output runs/unclip_figures

Prior: R-precision (as `recipes/evaluate.py` takes it) of what is drawn of the prior's concepts, of text
concepts in their place, and of the true pictures' own. Inversion: PSNR of a picture drawn again. Variations:
how often a judge finds the source's caption among 100 in them, and how much they differ. Text diffs: how
often a judge finds the new caption rather than the old one in the changed picture, by how far it was turned.
Interpolation: PSNR of its two ends. Pictures: inversion.png, variations.png, interpolation.png,
text_diff.png, inpainting.png, picture_to_picture.png.
"""

import argparse
import os
from pathlib import Path

import numpy as np
from recognition import Recognition

from keras_t2i.evaluation.judges.evaluator import PACKAGED_JUDGES
from keras_t2i.evaluation.judges.evaluator import Judges
from keras_t2i.evaluation.metrics.alignment import r_precision
from keras_t2i.evaluation.prompt_sets import load_prompt_sets
from keras_t2i.models import Generator
from keras_t2i.models import TextToImageBackbone
from keras_t2i.models.editing import decode_inverted
from keras_t2i.utils.images import make_grid
from keras_t2i.utils.images import psnr
from keras_t2i.utils.images import save_png
from keras_t2i.utils.images import to_float

THETAS = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5)
CHANGES = {  # in the caption: what stands there, what is to stand there
    "skin tone": (", light skin tone", ", dark skin tone"),
    "hair": ("red hair", "white hair"),
    "design": ("", ", fluent 3d"),
}
INVERSION_STEPS = (64, 32, 16, 8)
PARTS = ("prior", "inversion", "variations", "text_diffs", "interpolation", "by_words")


def table(title, header, rows):
    print(f"\n{title}\n\n| {' | '.join(header)} |\n|{'---|' * len(header)}")
    for row in rows:
        print(f"| {' | '.join(str(cell) for cell in row)} |", flush=True)


def the_prior(generator, recognition, sets):
    """R-precision by what the decoder is given."""
    prior = generator.stage("image_embedding")
    others = [stage for stage in generator.stages if stage is not prior]
    without = Generator(TextToImageBackbone(others), generator.preprocessor)
    rows = []
    for name, drawer in (("the prior's", generator), ("the text's", without)):
        cells, _ = recognition.figures(drawer)
        rows.append([name, "and words", *cells[:-1]])
        cells = []
        for prompts in sets:
            drawer_codes = drawer.encode_text(prompts.prompts)
            if drawer is generator:
                drawer_codes = prior.sample_codes(drawer_codes, seed=0)
            cells.append(recognised(drawer.decode(drawer_codes, seed=0, batch_size=64), prompts, recognition))
        rows.append([name, "no words", *cells])
    own = [generator.decode(generator.encode_image(s.images.pictures), seed=0, batch_size=64) for s in sets]
    rows.append(["the true picture's", "no words", *map(recognised, own, sets, [recognition] * len(sets))])
    rows.append(["(real pictures)", "", *(recognised(s.images.pictures, s, recognition) for s in sets)])
    table("R-precision@1, by concept", ["concept", "", *(f"{s.name} ({len(s)})" for s in sets)], rows)


def recognised(pictures, prompts, recognition, seeds_per_prompt=1):
    judge = np.tile(recognition.judge_of[prompts.name], seeds_per_prompt)
    codes = recognition.judges.encode_image(pictures, judge)
    estimate = r_precision(codes, recognition.pools[prompts.name], prompts.trials, seeds_per_prompt)[
        "r1_random"
    ]
    return f"{estimate.value:.2f} ({estimate.low:.2f} to {estimate.high:.2f})"


def inversion(generator, pictures, output):
    codes, rows = generator.encode_image(pictures), []
    for steps in INVERSION_STEPS:
        noise = generator.invert(pictures, steps, batch_size=64)
        again = decode_inverted(generator, codes, noise, steps, batch_size=64)
        found = psnr(to_float(pictures), to_float(again))
        figures = (found.mean(), np.median(found), np.quantile(found, 0.1), noise.mean(), noise.std())
        rows.append([steps, *(f"{value:.1f}" for value in figures[:3]), *(f"{v:.2f}" for v in figures[3:])])
        if steps == 16:
            save_png(make_grid(np.concatenate([pictures[:12], again[:12]]), 12, 3), output / "inversion.png")
    header = ["steps", "mean PSNR, dB", "median", "lowest tenth below", "mean of the noise", "deviation"]
    table(f"Inversion and back, {len(pictures)} pictures of concepts never seen", header, rows)


def variations(generator, prompts, recognition, output, n=4):
    images = prompts.images
    found = np.stack([generator.variations(p, n, seed=0) for p in images.pictures], axis=1)
    flat = found.reshape(-1, *found.shape[2:])
    spread = np.abs(found[1:].astype("float64") - found[0]).mean() / 255
    rows = [
        ["variations", recognised(flat, prompts, recognition, n), f"{spread:.3f}"],
        ["their sources", recognised(images.pictures, prompts, recognition), ""],
    ]
    header = ["", "R-precision@1 of the source's caption", "mean difference of two, 0 to 1"]
    table(f"Variations of {len(images)} pictures, {prompts.name}", header, rows)
    shown = np.linspace(0, len(images) - 1, 12).astype(int)
    rows = np.concatenate([images.pictures[shown][None], found[:, shown]])
    save_png(make_grid(rows.reshape(-1, *rows.shape[2:]), 12, 3), output / "variations.png")


def text_diffs(generator, sets, recognition, output, limit):
    rows, strips = [], []
    for name, (before, after) in CHANGES.items():
        cases = []
        for prompts in sets:
            judge = recognition.judge_of[prompts.name]
            for i, caption in enumerate(prompts.prompts):
                if before in caption and not (before == "" and "," in caption):
                    changed = caption.replace(before, after) if before else caption + after
                    cases.append((prompts.images.pictures[i], caption, changed, judge[i]))
        cases = cases[:: max(1, len(cases) // limit)][:limit]
        drawn = np.stack(
            [generator.text_diff(picture, caption, changed, THETAS) for picture, caption, changed, _ in cases]
        )
        captions = recognition.judges.encode_text([c for case in cases for c in case[1:3]])
        captions = captions.reshape(len(cases), 2, -1)
        cells = []
        for k in range(len(THETAS)):
            codes = recognition.judges.encode_image(drawn[:, k], np.array([case[3] for case in cases]))
            old, new = np.einsum("nd,ncd->cn", codes, captions)
            cells.append(f"{np.mean(new > old):.2f}, {np.mean(new - old):+.2f}")
        rows.append([name, len(cases), *cells])
        strips += list(drawn[:2])
    header = ["changed", "pictures", *(f"theta {theta:g}" for theta in THETAS)]
    table("Text diffs: share judged to show the new caption, mean difference of cosines", header, rows)
    save_png(make_grid(np.concatenate(strips), len(THETAS), 3), output / "text_diff.png")


def interpolation(generator, pictures, output, n=8):
    strips, ends = [], []
    for a, b in zip(pictures[0::2], pictures[1::2], strict=False):
        strip = generator.interpolate(a, b, n)
        ends += [psnr(*map(to_float, pair))[0] for pair in ((a[None], strip[:1]), (b[None], strip[-1:]))]
        strips.append(strip)
    print(f"\nInterpolation: its {len(ends)} ends have {np.mean(ends):.1f} dB, the lowest {np.min(ends):.1f}")
    save_png(make_grid(np.concatenate(strips[:4]), n, 3), output / "interpolation.png")


def by_words(generator, output):
    """Inpainting and picture to picture: sources over what the words make of them."""
    before = ["man cook, light skin tone", "woman judge, dark skin tone", "grinning face", "red heart"]
    after = ["woman cook, light skin tone", "man judge, dark skin tone", "crying face", "blue heart"]
    pictures = generator.generate(before, seed=0)
    mask = np.zeros((generator.image_size,) * 2, bool)
    mask[: generator.image_size // 2] = True
    for name, options in (
        ("inpainting", {"image": pictures, "mask": mask}),
        ("picture_to_picture", {"image": pictures, "strength": 0.8}),
    ):
        drawn = generator.generate(after, seed=1, **options)
        save_png(make_grid(np.concatenate([pictures, drawn]), len(before), 3), output / f"{name}.png")


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("preset", help="of a generator with a prior: name or folder")
    parser.add_argument("--prompts", type=int, default=126, help="training captions")
    parser.add_argument("--pictures", type=int, default=64, help="that are inverted")
    parser.add_argument("--diffs", type=int, default=24, help="pictures changed in each way")
    parser.add_argument("--only", nargs="+", default=PARTS, choices=PARTS, help="some of the figures")
    parser.add_argument("--output", type=Path, default=Path("runs/concepts_figures"), help="of the pictures")
    args = parser.parse_args()
    generator = Generator.from_preset(args.preset)
    judges = Judges.from_presets(PACKAGED_JUDGES)
    sets, _ = load_prompt_sets("openmoji", generator.image_size, args.prompts, things=0)
    recognition = Recognition(sets, judges)
    unseen = sets[-1]
    some = unseen.images.pictures[np.linspace(0, len(unseen) - 1, args.pictures).astype(int)]
    parts = {
        "prior": lambda: the_prior(generator, recognition, sets),
        "inversion": lambda: inversion(generator, some, args.output),
        "variations": lambda: variations(generator, unseen, recognition, args.output),
        "text_diffs": lambda: text_diffs(generator, sets, recognition, args.output, args.diffs),
        "interpolation": lambda: interpolation(generator, some[:16], args.output),
        "by_words": lambda: by_words(generator, args.output),
    }
    for name in args.only:
        parts[name]()
    print(f"\nPictures: {args.output}")


if __name__ == "__main__":
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    main()
