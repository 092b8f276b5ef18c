"""Your own captioned pictures, by one command.

    python recipes/train.py my_pictures                # half an hour
    python recipes/train.py my_pictures --minutes 240  # sharper
    python recipes/train.py my_pictures --start diffusion_emoji  # on from a preset, by its encoders
    python recipes/generate.py "what your captions say" --preset runs/my_pictures/diffusion/preset

Three lessons, each a script of its own that says what it does (with --start the last alone): text and picture
come to share one space (train_concepts.py); captions that say the same come to one place in it, where
pictures have several (train_captions.py); pictures out of noise, over a draft that is remembered in closed
form (train_diffusion.py). Kill it at any moment: the same command goes on where it was.

It ends with sheets of true pictures over drawn ones, and with how many drawings are recognized: nearer to the
true picture than to 99 others, by a network that knows ImageNet. Of pictures that were trained on, it is what
it remembers; of those kept for validation, what it draws of things that it never saw.
"""

import sys
import time

import common
import keras
import train_captions
import train_concepts
import train_diffusion

from keras_t2i.data import load
from keras_t2i.evaluation.recognition import recognition_by_imagenet
from keras_t2i.models import Generator
from keras_t2i.utils.folders import check_apart
from keras_t2i.utils.images import save_png

SHARES = {"concepts": 0.3, "captions": 0.15, "diffusion": 0.55}  # of the time
ASKED, SHOWN = 200, 16  # drawings that are judged, and those on a sheet


def main(argv=None):
    parser = common.Parser(description=__doc__)
    add = parser.add_argument
    add("folder", type=common.filled, help="pictures with captions, see docs/your_pictures.md")
    add("--minutes", default=30.0, type=common.number(float, above=0), help="of training, all lessons")
    add("--start", default="", help="preset of diffusion to go on from, with its encoders; none: anew")
    add("--image-size", default=64, type=int, choices=[32, 64], help="width and height of pictures")
    add("--output", default="runs/my_pictures", type=common.folder, help="a folder for each lesson, and all")
    add("--seed", default=0, type=common.number(int, least=0, most=2**32 - 1), help="of all that is random")
    add("--restart", action="store_true", help="throw away earlier runs in --output, do not resume them")
    add("--smoke", action="store_true", help="tiny models, seconds: does everything run?")
    add("--log", nargs="+", default=["tensorboard"], choices=common.LOGS, help="where figures go")
    common.add_distribute(add)
    args = parser.parse_args(argv)
    common.check_one_process(args.distribute)
    check_apart(args.output, args.folder)
    common.check_logs(args.log)
    data = load(args.folder, "train", args.image_size)
    lessons = {} if args.start else {"concepts": train_concepts.main}
    if lessons and any(len(captions) > 1 for captions in data.captions):  # else there is nothing to learn
        lessons["captions"] = train_captions.main
    lessons["diffusion"] = train_diffusion.main
    start, dual_encoder, to_come = time.monotonic(), None, list(lessons)
    for place, (name, lesson) in enumerate(lessons.items(), 1):
        left = args.minutes - (time.monotonic() - start) / 60  # what a lesson does not need is the next ones'
        minutes = max(left, 0.1) * SHARES[name] / sum(SHARES[other] for other in to_come[place - 1 :])
        print(f"\n{place} of {len(lessons)}: {name}, about {minutes:.0f} minutes", file=sys.stderr)
        command = ["--data", args.folder, "--output", str(args.output / name), "--seed", str(args.seed)]
        command += ["--minutes", str(minutes), "--log", *args.log, "--distribute", args.distribute]
        command += [f"--{option}" for option in ("restart", "smoke") if getattr(args, option)]
        command += ["--dual-encoder", dual_encoder] if dual_encoder else []
        if name == "diffusion":
            command += ["--image-size", str(args.image_size), "--size", "draft", "--start", args.start]
        keras.utils.clear_session()  # what the last lesson held
        lesson(command)
        dual_encoder = str(args.output / name / "preset")
    generator = Generator.from_preset(args.output / "diffusion" / "preset")
    print()
    recognized = recognition_by_imagenet()
    unseen = load(args.folder, "validation", args.image_size)
    for name, of in (("trained on", data), ("never seen", unseen)):
        asked = of.spread(8 if args.smoke else ASKED)
        drawn = generator.generate(asked.plain_captions, seed=args.seed)
        found = recognized(drawn, asked.pictures)
        share = "there is no other to tell it from"
        if found.value is not None:
            share = f"{found.value:.2f} ({found.low:.2f} to {found.high:.2f}; by chance {found.chance:.2f})"
        file = args.output / f"{name.replace(' ', '_')}.png"
        save_png(common.rows(asked.pictures[:SHOWN], drawn[:SHOWN]), file)
        print(f"  pictures {name}: recognized {share}; true over drawn: {file}")


if __name__ == "__main__":
    common.script(main)
