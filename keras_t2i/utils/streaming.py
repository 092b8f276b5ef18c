"""Pictures that are too large to hold, into files, a band of rows at a time: PNG and TIFF.

The bytes of a file are a function of its pixels alone, not of how they are cut into bands: bands are cut anew
into blocks, and the blocks are compressed.
"""

import importlib.util
import operator
import zlib

import numpy as np

from keras_t2i.utils.files import atomic_file
from keras_t2i.utils.files import check_writable
from keras_t2i.utils.files import expanded

BLOCK_BYTES = 2**20  # pixels compressed at once, at least a row of them
LEVEL = 2  # of zlib: level 6 takes two to three times as long for files a tenth to four tenths smaller
LARGEST_SIDE = 2**31 - 1  # PNG (third edition), 4 and 11.2.1


def check_target(path, height, width, channels=3):
    """Check, before anything is drawn, whether `write_bands` can write such a picture.

    The disk must have room for half of the pixels' bytes: an estimate, for drawn pictures take 1 to 10 % of
    them (`benchmarks/png_writers.py`), noise takes all. A disk that fills up all the same is met while
    writing, and leaves nothing.

    Returns:
        `pathlib.Path`, absolute.

    Raises:
        ValueError: the name's end is not .png, .tif or .tiff, or a number is out of range.
        ImportError: the package that writes the format, pypng or tifffile, is not installed.
        OSError: the path is a folder, its folder cannot be made or written, or the disk is full.
    """
    path = expanded(path).absolute()
    height, width, channels = map(operator.index, (height, width, channels))  # NumPy's may overflow
    if path.suffix.lower() not in FORMATS:
        raise ValueError(f"The name of the picture must end in {', '.join(FORMATS)}, got {path.name!r}")
    if not (0 < height <= LARGEST_SIDE and 0 < width <= LARGEST_SIDE) or channels not in (3, 4):
        raise ValueError(
            "A picture has a height and a width of 1 to 2**31 - 1 and 3 or 4 channels, "
            f"got {height} x {width} x {channels}"
        )
    _, module, package = FORMATS[path.suffix.lower()]
    if importlib.util.find_spec(module) is None:
        raise ImportError(
            f"To write {path.suffix} files row by row, install {package}: pip install {package}"
        )
    check_writable(path, height * width * channels // 2)
    return path


def write_bands(path, bands, height, width, channels=3, progress=None):
    """Write a picture from bands of its rows, top to bottom, holding about one band and one block.

    The file is there whole or not at all: an error or Ctrl-C leaves what was there before. Missing folders
    are made. All but the bands is checked before the first band is asked for.

    Args:
        path: its end chooses the format: `.png` (needs the package pypng), `.tif` or `.tiff` (tifffile).
        bands: iterable of uint8 `(rows, width, channels)`, RGB or RGBA (not premultiplied), of any numbers of
            rows that add up to `height`.
        height, width: int, 1 to 2**31 - 1.
        channels: 3 or 4.
        progress: function of an int, called after each band with its number of rows, such as `tqdm.update`.

    Returns:
        `pathlib.Path`, absolute.

    Raises:
        ValueError, ImportError, OSError: as of `check_target`.
        ValueError: a band of another dtype or shape, too few rows or too many.
    """
    height, width, channels = map(operator.index, (height, width, channels))
    path = check_target(path, height, width, channels)
    write, *_ = FORMATS[path.suffix.lower()]
    blocks = blocks_of(bands, height, width, channels, progress)
    with atomic_file(path) as file:
        write(file, blocks, height, width, channels)
        for _ in blocks:  # a writer need not ask whether there are more rows than it needs
            pass
    return path


def rows_of_a_block(height, width, channels):
    """int, how many rows a block has; the last may have fewer."""
    return min(height, max(1, BLOCK_BYTES // (width * channels)))


def blocks_of(bands, height, width, channels, progress=None):
    """Yield the rows of bands in blocks, uint8 `(rows, width, channels)`; each overwrites the one before.

    Raises: ValueError for a band of another dtype or shape, too few rows or too many.
    """
    block = np.empty((rows_of_a_block(height, width, channels), width, channels), "uint8")
    filled = done = 0
    for number, band in enumerate(bands):
        band = np.asarray(band)
        if band.dtype != np.uint8 or band.ndim != 3 or band.shape[1:] != (width, channels):
            raise ValueError(
                f"Band {number} must be uint8 (rows, {width}, {channels}), got {band.dtype} {band.shape}"
            )
        rows = len(band)
        done += rows
        if done > height:
            raise ValueError(f"The bands have too many rows: {done} by band {number}, the height is {height}")
        while len(band):
            part = band[: len(block) - filled]
            block[filled : filled + len(part)] = part
            filled, band = filled + len(part), band[len(part) :]
            if filled == len(block):
                yield block
                filled = 0
        if progress is not None:
            progress(rows)
    if done < height:
        raise ValueError(f"The bands have too few rows: {done}, the height is {height}")
    if filled:
        yield block[:filled]


def write_png(file, blocks, height, width, channels):
    """A PNG of 8 bits, RGB or RGBA, of blocks of rows."""
    import png

    writer = png.Writer(width, height, greyscale=False, alpha=channels == 4, bitdepth=8, compression=LEVEL)
    writer.write_packed(file, (row.data for block in blocks for row in block.reshape(len(block), -1)))


def write_tiff(file, blocks, height, width, channels):
    """A TIFF of a compressed strip a block, each pixel less the one to its left (TIFF 6.0, section 14)."""
    import tifffile

    # Strips of pixels would be taken from a whole picture; strips of bytes are taken one by one.
    strips = (zlib.compress(_minus_left(block), LEVEL) for block in blocks)
    large = height * width * channels >= 2**32 - 2**25  # beyond 4 GiB a TIFF counts in 64 bits
    named = tifffile.FileHandle(file, name="picture.tif")  # it takes the name of an open file for a str
    with tifffile.TiffWriter(named, bigtiff=large) as tiff:
        tiff.write(
            strips,
            shape=(height, width, channels),
            dtype="uint8",
            photometric="rgb",
            planarconfig="contig",
            extrasamples=["unassalpha"] if channels == 4 else None,
            rowsperstrip=rows_of_a_block(height, width, channels),
            compression="zlib",
            predictor="horizontal",
            metadata=None,
            software=False,
        )


def _minus_left(block):
    differences = block.copy()
    differences[:, 1:] -= block[:, :-1]
    return differences


FORMATS = {  # a name's end: the writer, the module that it needs, the package that brings it
    ".png": (write_png, "png", "pypng"),
    ".tif": (write_tiff, "tifffile", "tifffile"),
    ".tiff": (write_tiff, "tifffile", "tifffile"),
}
