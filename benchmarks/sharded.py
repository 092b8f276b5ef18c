"""What shards cost and save: memory, and processor seconds to prepare and to draw an epoch's batches.

    python benchmarks/sharded.py                   # 1,000 and 10,000 pictures of 64 pixels: three minutes
    python benchmarks/sharded.py --pictures 100000 1000000 --only shards    # a folder's are all in memory

Each row is a process of its own, for memory is what the system says the process holds: MiB that preparing
takes at most, beyond what its imports do; that the data take, with word pieces; and of the whole process at
most, Keras and its backend with it. Then whether batches are the same with 0, 1 and 2 workers, and behind a
resume.
"""

import argparse
import hashlib
import mmap
import multiprocessing
import tempfile
import time
from pathlib import Path

import numpy as np
from PIL import Image

SIZE, BATCH = 64, 64
COMPARED = 40  # batches


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
    """Put processor seconds, and MiB at most beyond the imports."""
    from keras_t2i.data import prepare_shards
    from keras_t2i.utils.memory import peak_memory

    before, start = peak_memory(), time.process_time()
    prepare_shards(source, shards, SIZE)
    results.put((time.process_time() - start, peak_memory() - before))


def draw(source, results):
    """Put MiB that the data takes, MiB of the process at most, processor seconds to open it and to draw an
    epoch's batches, and its steps."""
    from keras_t2i.data import Pipeline
    from keras_t2i.data import load
    from keras_t2i.models import TextToImagePreprocessor
    from keras_t2i.utils.memory import peak_memory

    preprocessor = TextToImagePreprocessor.from_preset("dual_encoder_openmoji_32")
    preprocessor.generate_preprocess(["a first one"])
    before, start = resident(), time.process_time()
    pipeline = Pipeline(load(source, "train", SIZE), preprocessor, batch_size=BATCH)
    opened = time.process_time()
    for step in range(len(pipeline)):
        pipeline.batch(step)
    took = (opened - start, time.process_time() - opened)
    results.put((resident() - before, peak_memory(), *took, len(pipeline)))


def compare(source, results):
    """Put digests of some batches of the second epoch: with 0, 1, 2 workers, and of a run resumed in it."""
    from keras_t2i.data import Pipeline
    from keras_t2i.data import load

    data, digests = load(source, "train", SIZE), []
    for workers, first in ((0, 0), (1, 0), (2, 0), (2, COMPARED // 2)):
        pipeline, found = Pipeline(data, batch_size=BATCH, workers=workers), []
        pipeline.start_at(1)
        for step in range(first, min(COMPARED, len(pipeline))):
            found.append(hashlib.sha256(pipeline[step]["images"].tobytes()).hexdigest())
        digests.append(found)
    results.put(digests)


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
    parser.add_argument("--only", nargs="+", default=["folder", "shards"], choices=["folder", "shards"])
    args = parser.parse_args()
    print(
        "| pictures | data | to prepare, s | MiB more | MiB of data | MiB of the process | open, s "
        "| an epoch's batches, s | ms a batch |\n|---|---|---|---|---|---|---|---|---|"
    )
    same = []
    for count in args.pictures:
        with tempfile.TemporaryDirectory() as folder:
            source, shards = Path(folder, "pictures"), Path(folder, "shards")
            source.mkdir()
            make_folder(source, count)
            seconds, more = apart(prepare, source, shards)
            if "folder" in args.only:
                apart(draw, source)  # fills the cache of fitted pictures, as a first run does
            for name, where in (("folder", source), ("shards", shards)):
                if name not in args.only:
                    continue
                memory, peak, opened, epoch, steps = apart(draw, where)
                prepared = f"{seconds:.1f} | {more:.0f}" if name == "shards" else "- | -"
                print(
                    f"| {count:,} | {name} | {prepared} | {memory:.0f} | {peak:.0f} | {opened:.2f} | "
                    f"{epoch:.2f} | {1000 * epoch / steps:.1f} |",
                    flush=True,
                )
            plain, *others, resumed = apart(compare, shards)
            alike = all(other == plain for other in others) and resumed == plain[COMPARED // 2 :]
            same.append(f"{count:,}: {'yes' if alike else 'NO'}, {len(plain)} batches")
    print(f"\nThe same with 0, 1, 2 workers and behind a resume: {'; '.join(same)}")


if __name__ == "__main__":
    main()
