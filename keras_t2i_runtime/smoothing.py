"""Flat fills where a network drew mottled ones: a filter of few pixels that sees far."""

import numpy as np

COUNTS = (3 / 8, 1 / 4, 1 / 16)  # the pixel itself, and those one and two gaps away: a cubic B-spline
GAPS = (8, 4, 2, 1)  # pixels between those that count, of one pass after another


def smoothed(images, color):
    """Pictures whose pixels are means of those around, of like ones alone, so that edges stay where they are.

    Each pass takes 5 x 5 pixels, gaps apart; one c away in color counts `exp(-c^2 / (2 color^2))` of what it
    would by its place (the edge-avoiding a-trous transform, of color alone: Dammertz et al. 2010,
    "Edge-Avoiding A-Trous Wavelet Transform for fast Global Illumination Filtering"). They go from the
    narrowest gaps to the widest; here the widest are first, so that the last leaves no pattern of gaps.

    Args:
        images: float32 `(n, h, w, 3)` in about [-1, 1]; a color beyond counts as what is shown of it.
        color: float, 0 or more: in the units of colors from 0 to 1, Euclidean. 0: nothing changes.

    Returns:
        float32 like `images`.
    """
    if not color:
        return images
    images = np.clip(images, -1.0, 1.0)
    for gap in GAPS:
        images = _one_pass(images, color, gap)
    return images


def _one_pass(images, color, gap):
    change = np.zeros_like(images)
    total = np.full((*images.shape[:-1], 1), COUNTS[0] ** 2, "float32")
    falloff = np.float32(-1 / (2 * (2 * color) ** 2))  # colors here go from -1 to 1
    reach = len(COUNTS) - 1
    for i in range(reach + 1):
        for j in range(-reach if i else 1, reach + 1):  # of two neighbors each sees the other
            down, right = i * gap, j * gap
            if down >= images.shape[1] or abs(right) >= images.shape[2]:
                continue
            here = np.s_[:, : -down or None, max(0, -right) : -right if right > 0 else None]
            there = np.s_[:, down:, max(0, right) : right if right < 0 else None]
            difference = images[there] - images[here]
            squares = np.einsum("nhwc,nhwc->nhw", difference, difference)[..., None]
            weight = np.float32(COUNTS[i] * COUNTS[abs(j)]) * np.exp(squares * falloff)
            difference *= weight
            change[here] += difference
            change[there] -= difference
            total[here] += weight
            total[there] += weight
    return images + change / total
