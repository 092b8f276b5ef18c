"""What shards cost and save: memory, and processor seconds to prepare and to draw an epoch's batches.

    python benchmarks/sharded.py      # 1,000 and 10,000 pictures of 64 pixels: three minutes
    python benchmarks/sharded.py --pictures 1000 10000 100000 --folders

Each row is a process of its own, for memory is what the system says the process held at most, less what it
held once the package was imported. Times are those of the processor, of all threads.
"""

import argparse
import multiprocessing
import tempfile
import time
from pathlib import Path

import numpy as np
from PIL import Image

SIZE, BATCH = 64, 64


def make_folder(folder, count):
    """So many pictures of a few discs in a folder, with captions in a table."""
    rng, (rows, columns) = np.random.default_rng(0), np.mgrid[:SIZE, :SIZE]
    lines = ["file_name,text"]
    for i in range(count):
        picture = np.full((SIZE, SIZE, 3), 255, "uint8")
        for y, x, radius in rng.integers(4, SIZE // 2, (6, 3)) * (2, 2, 1):
            picture[(rows - y) ** 2 + (columns - x) ** 2 < radius**2 // 4] = rng.integers(0, 256, 3)
        Image.fromarray(picture).save(folder / f"{i:06}.png", compress_level=1)
        lines.append(f"{i:06}.png,picture {i} of some discs")
    (folder / "metadata.csv").write_text("\n".join(lines))


def memory(kind):
    """MiB that this process holds now ("VmRSS") or held at most ("VmHWM")."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line.split()[1] for line in lines if line.startswith(kind))) / 2**10


def prepare(source, shards, results):
    """Put MiB that preparing takes at most, and its processor seconds."""
    from keras_t2i.data import prepare_shards

    before, start = memory("VmRSS"), time.process_time()
    prepare_shards(source, shards, SIZE)
    results.put((memory("VmHWM") - before, time.process_time() - start))


def draw(source, results):
    """Put MiB that the data takes at most, processor seconds to open it and to draw an epoch's batches, and
    how many these are."""
    from keras_t2i.data import Pipeline
    from keras_t2i.data import load

    before, start = memory("VmRSS"), time.process_time()
    pipeline = Pipeline(load(source, "train", SIZE), batch_size=BATCH)
    opened = time.process_time()
    for step in range(len(pipeline)):
        pipeline[step]
    drawn = time.process_time() - opened
    results.put((memory("VmHWM") - before, opened - start, drawn, len(pipeline)))


def apart(function, *arguments):
    """What a function puts into a queue, in a process of its own."""
    context = multiprocessing.get_context("spawn")
    results = context.SimpleQueue()
    process = context.Process(target=function, args=(*arguments, results))
    process.start()
    found = results.get()
    process.join()
    return found


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    counts = {"nargs": "+", "type": int, "default": [1000, 10_000]}
    parser.add_argument("--pictures", **counts, help="how many, a row each, of shards")
    parser.add_argument("--folders", **{**counts, "nargs": "*"}, help="the same of the folder, in memory")
    asked = parser.parse_args()
    print("| pictures | data | MiB to prepare | prepare, ms a picture | MiB to draw | open, s | ms a batch |")
    print("|---|---|---|---|---|---|---|")
    for count in sorted({*asked.pictures, *asked.folders}):
        with tempfile.TemporaryDirectory() as folder:
            source, shards = Path(folder, "pictures"), Path(folder, "shards")
            source.mkdir()
            make_folder(source, count)
            if count in asked.pictures:
                taken, seconds = apart(prepare, source, shards)
                tell(count, "shards", f"{taken:.0f} | {1000 * seconds / count:.2f}", *apart(draw, shards))
            if count in asked.folders:
                apart(draw, source)  # fills the cache of fitted pictures, as a first run does
                tell(count, "folder", "- | -", *apart(draw, source))


def tell(count, name, prepared, taken, opened, drawn, steps):
    """Print a row."""
    milliseconds = 1000 * drawn / steps
    print(
        f"| {count:,} | {name} | {prepared} | {taken:.0f} | {opened:.2f} | {milliseconds:.1f} |", flush=True
    )


if __name__ == "__main__":
    main()
