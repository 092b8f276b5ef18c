"""Pictures as arrays: between numbers for people and numbers for networks, side by side, into files."""

import math

import numpy as np
from keras import ops
from PIL import Image

from keras_t2i.utils.files import atomic_file
from keras_t2i.utils.files import expanded
from keras_t2i_runtime import pixels


def to_float(pictures):
    """uint8 0 to 255 to float32 in [-1, 1]; NumPy stays NumPy, a tensor stays a tensor."""
    if isinstance(pictures, np.ndarray):
        return pixels.to_float(pictures)
    return ops.cast(pictures, "float32") / 127.5 - 1.0


def to_uint8(images):
    """Float in [-1, 1] to uint8 0 to 255, clipped and rounded: the inverse of `to_float`."""
    if isinstance(images, np.ndarray):
        return pixels.to_uint8(images)
    return ops.cast(ops.clip(ops.round((ops.cast(images, "float32") + 1.0) * 127.5), 0, 255), "uint8")


def downsample(images, size):
    """Means of blocks of pixels: float `(n, s, s, c)`, s a multiple of `size`, to `(n, size, size, c)`."""
    block = images.shape[1] // size
    if block <= 1:
        return images
    shape = (-1, size, block, size, block, images.shape[-1])
    if isinstance(images, np.ndarray):
        return images.reshape(shape).mean(axis=(2, 4))
    return ops.mean(ops.reshape(images, shape), axis=(2, 4))


def enlarge(images, factor):
    """Pictures so many times as large, by cubic interpolation (Keys 1981, a = -1/2).

    Args:
        images: float32 `(n, h, w, c)`, NumPy.
        factor: int.

    Returns:
        float32 `(n, h * factor, w * factor, c)`; by up to a seventh, edges overshoot.
    """
    n, h, w, c = images.shape
    planes = np.moveaxis(images, -1, 1).reshape(-1, h, w)
    shape = (w * factor, h * factor)
    large = [np.asarray(Image.fromarray(plane).resize(shape, Image.Resampling.BICUBIC)) for plane in planes]
    return np.ascontiguousarray(np.moveaxis(np.reshape(large, (n, c, *shape[::-1])), 1, -1), "float32")


def psnr(true, predicted):
    """Peak signal-to-noise ratio of each picture in dB: `10 log10(2^2 / mean square error)`.

    Args:
        true, predicted: float `(n, h, w, c)` in [-1, 1], arrays or tensors; `predicted` is clipped.

    Returns:
        float `(n,)`, NumPy for NumPy; 100 dB where the two are equal.
    """
    xp = np if isinstance(true, np.ndarray) and isinstance(predicted, np.ndarray) else ops
    error = xp.mean(xp.square(true - xp.clip(predicted, -1.0, 1.0)), axis=(1, 2, 3))
    return 10.0 * xp.log10(4.0 / xp.maximum(error, 4e-10))


def in_square(height, width):
    """Where a picture lies in the middle of a square: the square's side, and the picture's top and left."""
    side = max(height, width)
    return side, (side - height) // 2, (side - width) // 2


def fit_square(pictures, size):
    """Pictures of any height and width, as large as fits into a white square, in the middle.

    Args:
        pictures: uint8 `(n, h, w, 3)`.
        size: int.

    Returns:
        uint8 `(n, size, size, 3)`, means of pixels where they become fewer; the pictures themselves where
        they have that size.
    """
    n, height, width, _ = pictures.shape
    if (height, width) == (size, size):
        return pictures
    side, top, left = in_square(height, width)
    square = np.full((n, side, side, 3), 255, "uint8")
    square[:, top : top + height, left : left + width] = pictures
    how = Image.Resampling.BOX if side > size else Image.Resampling.BICUBIC
    return np.stack([np.asarray(Image.fromarray(one).resize((size, size), how)) for one in square])


def make_grid(pictures, columns=None, scale=1, gap=2):
    """Pictures in rows, enlarged without smoothing, on white; on nothing, where they are transparent.

    Args:
        pictures: uint8 `(n, h, w, 3)`, row by row; or straight RGBA, `(n, h, w, 4)`.
        columns: pictures in a row; default: as square as it gets, or up to twice as wide as high where that
            leaves no place empty. `columns=n` makes a strip.
        scale: int, how many times larger a pixel becomes.
        gap: white pixels between pictures.

    Returns:
        uint8 `(H, W, 3)`, or RGBA. One picture has no border.

    Raises:
        ValueError: `pictures` are of another kind, or none, or a number is too small.
    """
    pictures = np.asarray(pictures)
    if (
        pictures.dtype != np.uint8
        or pictures.ndim != 4
        or pictures.shape[-1] not in (3, 4)
        or not len(pictures)
    ):
        raise ValueError(f"pictures must be uint8 (n, h, w, 3 or 4), got {pictures.dtype} {pictures.shape}")
    n, height, width, channels = pictures.shape
    if columns is None:
        square = math.ceil(math.sqrt(n))
        full = (c for c in range(square, n + 1) if n % c == 0 and c <= 2 * (n // c))
        columns = next(full, square)
    if columns < 1 or scale < 1 or gap < 0:
        raise ValueError(f"columns and scale must be at least 1, gap 0, got {columns}, {scale}, {gap}")
    height, width = height * scale, width * scale
    rows = math.ceil(n / columns)
    shape = (rows * (height + gap) - gap, columns * (width + gap) - gap, channels)
    grid = np.full(shape, 255 if channels == 3 else 0, dtype="uint8")
    for i, picture in enumerate(pictures):
        top, left = (i // columns) * (height + gap), (i % columns) * (width + gap)
        grid[top : top + height, left : left + width] = picture.repeat(scale, axis=0).repeat(scale, axis=1)
    return grid


def show(pictures, columns=None, scale=None):
    """Pictures as one image, which a notebook shows where a cell ends in it.

    Args:
        pictures: uint8 `(n, h, w, 3 or 4)`, or one, `(h, w, 3 or 4)`; or a list of images of Pillow, all of a
            size.
        columns: as of `make_grid`.
        scale: int, how many times larger a pixel becomes; `None`: so many that a side has about 128 pixels.

    Returns:
        `PIL.Image.Image`.

    Raises: ValueError, as of `make_grid`.
    """
    if isinstance(pictures, list | tuple):
        pictures = np.stack([np.asarray(picture) for picture in pictures])
    pictures = np.asarray(pictures)
    if pictures.ndim == 3:
        pictures = pictures[None]
    if scale is None:
        scale = max(1, round(128 / max(pictures.shape[1:3], default=1)))
    return Image.fromarray(make_grid(pictures, columns, scale))


class Images(list):
    """A list of images of Pillow, all of a size, that a notebook shows as a grid; slices of it are too.

    Pictures as arrays stay plain arrays: a part or a sum of an array is not always a picture, and a kind of
    array that shows itself would be handed on to both. `show` makes an image of them.
    """

    def __getitem__(self, place):
        found = super().__getitem__(place)
        return Images(found) if isinstance(place, slice) else found

    def _repr_png_(self):
        return show(self)._repr_png_() if self else None


def save_png(picture, file):
    """Write one picture, uint8 `(h, w, 3)` or straight RGBA, `(h, w, 4)`; the file is there whole or not at
    all. Makes missing folders.

    Returns:
        `pathlib.Path`, absolute.

    Raises:
        ValueError: the name doesn't end in `.png`, or `picture` is of another kind.
    """
    file = expanded(file).absolute()
    picture = np.asarray(picture)
    if file.suffix.lower() != ".png":
        raise ValueError(f"The name of the picture must end in .png, got {file.name!r}")
    if picture.dtype != np.uint8 or picture.ndim != 3 or picture.shape[-1] not in (3, 4):
        raise ValueError(f"picture must be uint8 (h, w, 3 or 4), got {picture.dtype} {picture.shape}")
    with atomic_file(file) as opened:
        Image.fromarray(picture).save(opened, format="PNG")
    return file
