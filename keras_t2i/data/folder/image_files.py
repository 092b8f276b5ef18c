"""Reads picture files of many kinds as square uint8 arrays of one size."""

import contextlib
import io
import os
import warnings
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from PIL import Image
from PIL import ImageOps
from PIL import UnidentifiedImageError
from PIL import features
from tqdm.auto import tqdm

from keras_t2i.data.folder.png_text import without_text
from keras_t2i.data.folder.rgb import rgb_on_white
from keras_t2i.data.folder.rgb import scale_transparency

# Of what Pillow reads, the kinds that people keep pictures in and say what they are in their first bytes, as
# TGA does not. None of them starts another program, as EPS does. HEIF, where a plugin is installed.
WANTED = ("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF", "AVIF", "JPEG2000", "PPM", "QOI", "HEIF")
Image.init()
FORMATS = tuple(
    kind for kind in WANTED if kind in Image.OPEN and (kind != "AVIF" or features.check("avif") is not False)
)
OF_FORMATS = {suffix for suffix, kind in Image.registered_extensions().items() if kind in FORMATS}
PICTURE_SUFFIXES = tuple(sorted(OF_FORMATS | {".jfif", ".mpo"}))
# Pictures too, but of kinds that are not read: they are named, not passed over.
OTHERS = """
    ai arw avif avifs cr2 cr3 cur dcx dds dib dng emf eps exr fits hdr heic heics heif hif icns ico jxl jxr
    kra nef orf pcx pef psb psd raf raw rw2 sgi svg svgz tga wdp wmf xbm xcf xpm"""
OTHER_SUFFIXES = tuple(sorted({f".{kind}" for kind in OTHERS.split()} - set(PICTURE_SUFFIXES)))
KINDS = ", ".join(FORMATS[:-1]) + f" or {FORMATS[-1]}"
# A picture that claims more is taken for a decompression bomb. This is also where Pillow starts to warn.
MAX_PIXELS = 2**30 // 12


def read_square_picture(content, size):
    """Reads one picture, of a path or of a file's bytes: uint8 `(size, size, 3)`, RGB.

    Turned upright by its EXIF tag, laid on white where it is transparent, resized with antialiasing so
    that its short side is `size`, and cut at both ends of its long side. Of an animation, the first frame.
    Color profiles are not applied; what grey of more than 8 bits means is said at `rgb_on_white`.

    Raises:
        ValueError: if it has too many pixels, or is fully transparent.
        OSError or another error of Pillow: if it cannot be read.
    """
    try:
        return _read(io.BytesIO(content) if isinstance(content, bytes) else content, size)
    except ValueError:
        # Pillow refuses a PNG with more than 1 MB of compressed text. The picture is fine without it.
        slim = without_text(content)
        if slim is None:
            raise
    return _read(io.BytesIO(slim), size)


def _read(file, size):
    with Image.open(file, formats=FORMATS) as image:
        width, height = image.size
        if width * height > MAX_PIXELS:
            raise ValueError(f"{width} x {height} pixels are more than {MAX_PIXELS}: a decompression bomb?")
        # JPEG can be decoded at a half, a quarter or an eighth of its size, which is much faster.
        image.draft(None, (2 * size, 2 * size))
        scale_transparency(image)
        image.load()
        picture = rgb_on_white(_upright(image), image)
    side = min(picture.size)
    left, top = (picture.width - side) / 2, (picture.height - side) / 2
    box = (left, top, left + side, top + side)
    return np.asarray(picture.resize((size, size), Image.Resampling.LANCZOS, box=box, reducing_gap=3.0))


def _upright(image):
    try:
        return ImageOps.exif_transpose(image)
    except Exception:  # a broken tag may raise anything, and the picture itself is fine
        return image


def _explain(error, name):
    if isinstance(error, UnidentifiedImageError):
        suffix = Path(name).suffix.lower()
        if suffix in OTHER_SUFFIXES:
            return f"is of a kind that is not read ({suffix[1:]}): save it as PNG or JPEG"
        return f"is not a {KINDS} picture, or is damaged"
    reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return f"cannot be read: {reason}"


def read_square_pictures(folder, names, size):
    """As `decode_square_pictures`, of n files whose paths in a folder are their names."""
    return decode_square_pictures(names, lambda name: Path(folder, name), size)


def decode_square_pictures(names, content, size, progress=None):
    """Reads many pictures in threads, with a progress bar if it takes more than a second.

    Args:
        names: list of n different str.
        content: function of a name to what `read_square_picture` reads.
        size: int, pixels.
        progress: an open bar of tqdm to count on instead, or `None`.

    Returns:
        uint8 `(m, size, size, 3)`; the list of the m names that could be read, in the same order; and a
        dict of name -> problem of the others.
    """
    pictures = np.empty((len(names), size, size, 3), dtype="uint8")
    problems = {}

    def read(first):
        chunk = range(first, min(first + 32, len(names)))
        for i in chunk:
            try:
                pictures[i] = read_square_picture(content(names[i]), size)
            except Exception as error:  # damaged files raise nearly every kind of error
                problems[names[i]] = _explain(error, names[i])
        return len(chunk)

    pool = ThreadPoolExecutor(min(8, os.cpu_count() or 1))
    if progress is None:
        own = progress = tqdm(total=len(names), desc="Reading pictures", unit="picture", delay=1)
    else:
        own = contextlib.nullcontext()
    # Pillow warns about what is either decided here or does not matter.
    with warnings.catch_warnings(), own:
        warnings.filterwarnings("ignore", module=r"PIL(\.|$)")
        try:
            for count in pool.map(read, range(0, len(names), 32)):
                progress.update(count)
        finally:
            pool.shutdown(cancel_futures=True)
    readable = [i for i, name in enumerate(names) if name not in problems]
    return keep_rows(pictures, readable), [names[i] for i in readable], problems


def keep_rows(array, indices):
    """`array[indices]` for ascending indices, without a second array when most rows are kept.

    The rows of `array` are moved, so it is of no use afterwards.
    """
    indices = np.asarray(indices, dtype="int64")
    if len(indices) < len(array) / 2:
        return array[indices]
    if len(indices) < len(array):
        for first in range(0, len(indices), 1024):
            chunk = indices[first : first + 1024]
            array[first : first + len(chunk)] = array[chunk]
    return array[: len(indices)]
