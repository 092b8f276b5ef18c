"""Flat fills where a network drew mottled ones: the bilateral filter."""

import numpy as np

DISTANCE = 2.5  # pixels: standard deviation of how much a neighbor counts by where it is
REACH = 5  # pixels to each side


def smoothed(images, color):
    """Pictures whose pixels are means of those around, of like ones alone, so that edges stay where they are.

    A neighbor counts `exp(-d^2 / (2 DISTANCE^2) - c^2 / (2 color^2))`, d pixels away and c from the pixel in
    color (Tomasi and Manduchi 1998, "Bilateral Filtering for Gray and Color Images").

    Args:
        images: float32 `(n, h, w, 3)` in about [-1, 1]; a color beyond counts as what is shown of it.
        color: float, 0 or more: in the units of colors from 0 to 1, Euclidean. 0: nothing changes.

    Returns:
        float32 like `images`.
    """
    if not color:
        return images
    images = np.clip(images, -1.0, 1.0)
    change = np.zeros_like(images)
    total = np.ones((*images.shape[:-1], 1), "float32")
    falloff = np.float32(-1 / (2 * (2 * color) ** 2))  # colors here go from -1 to 1
    for down in range(REACH + 1):
        for right in range(-REACH if down else 1, REACH + 1):  # of two neighbors each sees the other
            here = np.s_[:, : -down or None, max(0, -right) : -right if right > 0 else None]
            there = np.s_[:, down:, max(0, right) : right if right < 0 else None]
            difference = images[there] - images[here]
            squares = np.einsum("nhwc,nhwc->nhw", difference, difference)[..., None]
            near = np.float32(-(down**2 + right**2) / (2 * DISTANCE**2))
            weight = np.exp(squares * falloff + near)
            difference *= weight
            change[here] += difference
            change[there] -= difference
            total[here] += weight
            total[there] += weight
    return images + change / total
