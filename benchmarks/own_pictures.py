"""What does a person get out of a folder of captioned pictures, anew and on from a preset?

    python benchmarks/own_pictures.py my_pictures --counts 100 300 900 --minutes 30

For each count that many pictures of the folder, evenly spread, are copied with their captions, and
`recipes/train.py` is run on them, anew ("none") and with `--start diffusion_emoji`. Prints its minutes, and
how many drawings are recognized, of pictures that were trained on and of those kept for validation. A run
that is there is gone on with; a finished one is judged again, and its minutes are those of that. Run it when
nothing else runs.
"""

import argparse
import re
import subprocess
import sys
import time
from pathlib import Path

from keras_t2i.data.folder.captioned_folder import read_captioned_folder
from keras_t2i.utils.files import write_text
from keras_t2i.utils.images import save_png

TRAIN = Path(__file__).parents[1] / "recipes" / "train.py"
SETS = ("trained on", "never seen")
SIZE = 64


def copied(pictures, folder):
    """A folder of these `CaptionedImages`."""
    for i, captions in enumerate(pictures.captions):
        save_png(pictures.pictures[i], folder / f"{i:05}.png")
        write_text(folder / f"{i:05}.txt", "\n".join(captions) + "\n")
    return folder


def trained(folder, start, minutes, output):
    """Minutes that `train.py` took, and what it says of each set."""
    command = [sys.executable, TRAIN, folder, "--minutes", str(minutes), "--output", output, "--start", start]
    began = time.perf_counter()
    said = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    found = [re.search(rf"pictures {name}: recognized (.*); true over", said)[1] for name in SETS]
    return (time.perf_counter() - began) / 60, found


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", help="of captioned pictures, see docs/your_pictures.md")
    parser.add_argument("--counts", nargs="+", type=int, default=[100, 300, 900])
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--starts", nargs="+", default=["none", "diffusion_emoji"])
    parser.add_argument("--output", type=Path, default=Path("runs/own_pictures"), help="folder of the runs")
    args = parser.parse_args()
    pictures, report = read_captioned_folder(args.folder, SIZE)
    print(report, file=sys.stderr)
    print(f"| pictures | from | minutes | {' | '.join(SETS)} |\n|---|---|---|---|---|", flush=True)
    for count in args.counts:
        folder = copied(pictures.spread(count), args.output / f"{count}_pictures")
        for start in args.starts:
            run = args.output / f"{count}_from_{Path(start).name}"
            minutes, found = trained(folder, "" if start == "none" else start, args.minutes, run)
            print(f"| {count} | {start} | {minutes:.1f} | {' | '.join(found)} |", flush=True)


if __name__ == "__main__":
    main()
