"""Reads picture files of many kinds as square uint8 arrays of one size."""

import os
import warnings
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from PIL import Image
from PIL import ImageOps
from PIL import UnidentifiedImageError
from tqdm import tqdm

FORMATS = ("PNG", "JPEG", "WEBP", "GIF")
# A picture that claims more is taken for a decompression bomb. This is also where Pillow starts to warn.
MAX_PIXELS = 2**30 // 12


def read_square_picture(path, size):
    """Reads one picture: uint8 `(size, size, 3)`, RGB.

    Turned upright by its EXIF tag, laid on white where it is transparent, resized with antialiasing so
    that its short side is `size`, and cut at both ends of its long side. Of an animation, the first frame.
    Colour profiles are not applied.

    Raises:
        ValueError: if it has too many pixels, or is fully transparent.
        OSError or another error of Pillow: if it cannot be read.
    """
    with Image.open(path, formats=FORMATS) as image:
        width, height = image.size
        if width * height > MAX_PIXELS:
            raise ValueError(f"{width} x {height} pixels are more than {MAX_PIXELS}: a decompression bomb?")
        # JPEG can be decoded at a half, a quarter or an eighth of its size, which is much faster.
        image.draft(None, (2 * size, 2 * size))
        image.load()
        picture = _on_white(_upright(image))
    side = min(picture.size)
    left, top = (picture.width - side) / 2, (picture.height - side) / 2
    box = (left, top, left + side, top + side)
    return np.asarray(picture.resize((size, size), Image.Resampling.LANCZOS, box=box, reducing_gap=3.0))


def _upright(image):
    try:
        return ImageOps.exif_transpose(image)
    except Exception:  # a broken tag may raise anything, and the picture itself is fine
        return image


def _on_white(image):
    if image.mode.startswith("I"):  # 16 bit
        values = np.asarray(image).clip(0, 65535) / 257
        return Image.fromarray(values.round().astype("uint8")).convert("RGB")
    if "transparency" not in image.info and image.mode not in ("RGBA", "LA", "PA", "RGBa", "La"):
        return image.convert("RGB")
    image = image.convert("RGBA")
    if image.getchannel("A").getextrema()[1] == 0:
        raise ValueError("it is fully transparent")
    white = Image.new("RGBA", image.size, "white")
    return Image.alpha_composite(white, image).convert("RGB")


def _explain(error):
    if isinstance(error, UnidentifiedImageError):
        return "is not a PNG, JPEG, WebP or GIF picture, or is damaged"
    reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return f"cannot be read: {reason}"


def read_square_pictures(folder, names, size):
    """Reads many pictures in threads, with a progress bar if it takes more than a second.

    Args:
        folder: where the files are.
        names: list of n paths relative to it.
        size: int, pixels.

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
                pictures[i] = read_square_picture(Path(folder, names[i]), size)
            except Exception as error:  # damaged files raise nearly every kind of error
                problems[names[i]] = _explain(error)
        return len(chunk)

    pool = ThreadPoolExecutor(min(8, os.cpu_count() or 1))
    progress = tqdm(total=len(names), desc="Reading pictures", unit="picture", delay=1)
    # Pillow warns about what is either decided here or does not matter.
    with warnings.catch_warnings(), progress:
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
