"""A few colors that a picture is mostly made of."""

import numpy as np

BINS = 32  # a channel: pixels of one bin count as one point


def find_palette(pixels, error, most):
    """Colors by binary splitting (Orchard and Bouman 1991, "Color quantization of images", IEEE Transactions
    on Signal Processing 39): what varies most is cut in two, across the direction in which it varies most,
    until little is left; then k-means.

    Args:
        pixels: float `(n, c)` in [0, 1].
        error: float, the mean square error, summed over channels, to get below.
        most: int, colors at most.

    Returns:
        float64 `(m, c)`.
    """
    points, weights = binned(pixels)
    groups = [np.arange(len(points))]
    spread = [spread_of(points, weights, groups[0])]
    while len(groups) < most and sum(total for total, _ in spread) > error * weights.sum():
        widest = int(np.argmax([total for total, _ in spread]))
        group, (_, axis) = groups[widest], spread[widest]
        along = points[group] @ axis
        low = along <= np.average(along, weights=weights[group])
        if low.all():
            break
        parts = [group[low], group[~low]]
        groups[widest : widest + 1] = parts
        spread[widest : widest + 1] = [spread_of(points, weights, part) for part in parts]
    palette = np.stack([np.average(points[g], axis=0, weights=weights[g]) for g in groups])
    for _ in range(8):
        labels = nearest(points, palette)
        counts = np.bincount(labels, weights, len(palette))
        sums = np.stack([np.bincount(labels, weights * p, len(palette)) for p in points.T], axis=1)
        palette = sums[counts > 0] / counts[counts > 0, None]
    return palette


def binned(pixels):
    """Means and numbers of the pixels that fall into one bin: float64 `(m, c)`, `(m,)`."""
    cells = np.clip((pixels * BINS).astype(int), 0, BINS - 1)
    code = cells @ (BINS ** np.arange(pixels.shape[1]))
    _, inverse, counts = np.unique(code, return_inverse=True, return_counts=True)
    sums = np.stack([np.bincount(inverse, p, len(counts)) for p in pixels.T], axis=1)
    return sums / counts[:, None], counts.astype("float64")


def spread_of(points, weights, group):
    """The square error of a group around its mean, and the direction in which it varies most."""
    own, weight = points[group], weights[group]
    gap = own - np.average(own, axis=0, weights=weight)
    values, vectors = np.linalg.eigh((gap * weight[:, None]).T @ gap)
    return float(values.sum()), vectors[:, -1]


def nearest(points, palette):
    """For each point its nearest color: int `(n,)`."""
    return (2.0 * points @ palette.T - (palette**2).sum(axis=1)).argmax(axis=1)
