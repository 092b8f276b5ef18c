"""What shards cost and save: memory, and processor seconds to prepare and to draw an epoch's batches.

    python benchmarks/sharded.py                   # 1,000 and 10,000 pictures of 64 pixels: three minutes
    python benchmarks/sharded.py --pictures 100000

Each row is a process of its own, for memory is what the system says the process holds.
"""

import argparse
import mmap
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


def resident():
    """MiB that this process holds now."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * mmap.PAGESIZE / 2**20


def prepare(source, shards, results):
    from keras_t2i.data import prepare_shards

    start = time.process_time()
    prepare_shards(source, shards, SIZE)
    results.put(time.process_time() - start)


def draw(source, results):
    """Put MiB that the data takes, and processor seconds to open it and to draw an epoch's batches."""
    from keras_t2i.data import Pipeline
    from keras_t2i.data import load

    before, start = resident(), time.process_time()
    pipeline = Pipeline(load(source, "train", SIZE), batch_size=BATCH)
    opened = time.process_time()
    for step in range(len(pipeline)):
        pipeline.batch(step)
    results.put((resident() - before, opened - start, time.process_time() - opened, len(pipeline)))


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
    parser.add_argument(
        "--pictures", nargs="+", type=int, default=[1000, 10_000], help="how many, a row each"
    )
    print("| pictures | data | MiB resident | prepare, s | open, s | an epoch's batches, s | ms a batch |")
    print("|---|---|---|---|---|---|---|")
    for count in parser.parse_args().pictures:
        with tempfile.TemporaryDirectory() as folder:
            source, shards = Path(folder, "pictures"), Path(folder, "shards")
            source.mkdir()
            make_folder(source, count)
            seconds = apart(prepare, source, shards)
            apart(draw, source)  # fills the cache of fitted pictures, as a first run does
            for name, where, prepared in (("folder", source, "-"), ("shards", shards, f"{seconds:.1f}")):
                memory, opened, epoch, steps = apart(draw, where)
                print(
                    f"| {count:,} | {name} | {memory:.0f} | {prepared} | {opened:.2f} | {epoch:.2f} | "
                    f"{1000 * epoch / steps:.1f} |",
                    flush=True,
                )


if __name__ == "__main__":
    main()
