"""A picture that evolves, as a file: a GIF that moves, or a strip of pictures side by side."""

import numpy as np
from PIL import Image

from keras_t2i.utils.files import atomic_file
from keras_t2i.utils.files import expanded
from keras_t2i.utils.images import make_grid
from keras_t2i.utils.images import save_png


def save_frames(frames, file, scale=8, milliseconds=100, hold=1500):
    """Write frames as a GIF or a strip; the file is there whole or not at all. Makes missing folders.

    Args:
        frames: uint8 `(n, h, w, 3)`.
        file: its name ends in `.gif` (endless) or `.png` (a strip).
        scale: int, how many times larger a pixel becomes.
        milliseconds, hold: how long a frame of a GIF stays, and the last.

    Returns:
        `pathlib.Path`, absolute.

    Raises:
        ValueError: another ending, `frames` of another kind, or no frame.
    """
    file = expanded(file).absolute()
    frames = np.asarray(frames)
    if file.suffix.lower() == ".png":
        return save_png(make_grid(frames, columns=max(1, len(frames)), scale=scale), file)
    if file.suffix.lower() != ".gif":
        raise ValueError(f"The name of the frames must end in .gif or .png, got {file.name!r}")
    # Each through `make_grid`, which checks and enlarges.
    large = [make_grid(frames[i : i + 1], scale=scale) for i in range(max(1, len(frames)))]
    # One palette for all frames, of all their colours: else colours flicker from frame to frame.
    together = np.concatenate(large[::-1])
    palette = Image.fromarray(together).quantize(256, dither=Image.Dither.NONE)
    images = [Image.fromarray(one).quantize(palette=palette, dither=Image.Dither.NONE) for one in large]
    durations = [milliseconds] * (len(images) - 1) + [hold]
    with atomic_file(file) as opened:
        images[0].save(
            opened, format="GIF", save_all=True, append_images=images[1:], duration=durations, loop=0
        )
    return file
