"""How well a small picture is drawn large: against the true large picture, and by itself."""

import numpy as np

from keras_t2i.utils.images import psnr

CONTRAST = 0.5  # of an edge that counts, of the range 2


def edge_energy(pictures):
    """Mean square of the differences between neighboring pixels, of each picture: float `(n, h, w, c)` to
    float64 `(n,)`."""
    pictures = np.asarray(pictures, "float64")
    across, down = np.diff(pictures, axis=2), np.diff(pictures, axis=1)
    return np.square(across).mean(axis=(1, 2, 3)) + np.square(down).mean(axis=(1, 2, 3))


def rendering_figures(true, drawn):
    """Figures of pictures drawn large.

    Args:
        true, drawn: float32 `(n, s, s, 3)` in [-1, 1].

    Returns:
        `(psnr, edges)`, float arrays `(n,)`: PSNR in dB; and the drawn picture's `edge_energy` as a share of
        the true one's: 1 is as sharp, less is softer.
    """
    energy = edge_energy(true)
    return np.asarray(psnr(true, drawn)), edge_energy(drawn) / np.maximum(energy, 1e-12)


def edge_width(picture, reach):
    """How many pixels wide the edges of a picture are: along rows and columns, the contrast within `reach`
    pixels of a place where brightness changes fastest, over how fast it changes there. The median of these
    places; 1 is an edge between two pixels, one with antialiasing is up to 2.

    Args:
        picture: float `(h, w, 3)` in [-1, 1].
        reach: int.

    Returns:
        float; not a number where there is no edge of `CONTRAST`.
    """
    brightness, widths = np.asarray(picture, "float32").mean(axis=-1), []
    for lines in (brightness, brightness.T):
        steps = np.abs(np.diff(lines, axis=1))
        ends = np.pad(lines, ((0, 0), (reach - 1, reach - 1)), "edge")
        values = np.lib.stride_tricks.sliding_window_view(ends, 2 * reach, axis=1)
        near = np.lib.stride_tricks.sliding_window_view(
            np.pad(steps, ((0, 0), (reach, reach))), 2 * reach + 1, axis=1
        )
        contrast = values.max(axis=-1) - values.min(axis=-1)
        fastest = (steps == near.max(axis=-1)) & (contrast >= CONTRAST)
        widths.append(contrast[fastest] / steps[fastest])
    widths = np.concatenate(widths)
    return float(np.median(widths)) if len(widths) else float("nan")
