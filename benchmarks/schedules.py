"""How many steps, and when? PSNR and likeness of what a diffusion preset draws, without a judge.

    python benchmarks/schedules.py diffusion_emoji --data emoji --steps 1 2 4 8 --power 1 0.5
    python benchmarks/schedules.py runs/my_pictures/diffusion/preset --data my_pictures

Likeness is the mean cosine between drawing and true picture in the features of the preset's own image
encoder. By `power` times lie nearer to the noise (below 1) or to the picture (above 1). What suits a preset
is to be read off the training captions, which are what it was trained on anyway.
"""

import argparse
import os

from keras_t2i.data import load
from keras_t2i.data.registry import splits_of
from keras_t2i.models import Generator
from keras_t2i.utils.images import psnr
from keras_t2i.utils.images import to_float


def cell(generator, pictures, codes, **settings):
    """PSNR in dB and, in brackets, likeness, of what is drawn of the captions of `CaptionedImages`."""
    seeds = list(range(len(pictures)))
    drawn = generator.generate(pictures.plain_captions, seed=seeds, batch_size=32, **settings)
    likeness = (generator.encode_image(drawn) * codes).sum(axis=1).mean()
    return f"{psnr(to_float(pictures.pictures), to_float(drawn)).mean():.2f} ({likeness:.3f})"


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("preset", help="of a diffusion generator: name or folder")
    parser.add_argument("--data", default="emoji", help="data set, or folder of captioned pictures")
    parser.add_argument("--pictures", type=int, default=160, help="captions of each set, at most")
    parser.add_argument("--steps", nargs="+", type=int, default=[2, 4, 8])
    parser.add_argument("--power", nargs="+", type=float, default=[2, 1, 0.7, 0.5])
    parser.add_argument("--guidance", nargs="+", type=float, help="scales; default: the preset's")
    args = parser.parse_args()
    generator = Generator.from_preset(args.preset)
    base, sets = generator.base, {}
    for split in splits_of(args.data):
        pictures = load(args.data, split, generator.image_size).spread(args.pictures)
        sets[split] = pictures, generator.encode_image(pictures.pictures)
    print(f"| guidance | steps | power | {' | '.join(sets)} |\n|---|---|---|{'---|' * len(sets)}")
    for scale in args.guidance or [base.guidance_scale]:
        for steps in args.steps:
            for base.power in args.power:
                settings = {"num_steps": steps, "guidance_scale": scale}
                cells = [cell(generator, *of, **settings) for of in sets.values()]
                print(f"| {scale:g} | {steps} | {base.power:g} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    main()
