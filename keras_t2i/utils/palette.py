"""A few colors that a picture is mostly made of, and how they are painted best."""

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
    palette = np.stack([np.average(points[group], axis=0, weights=weights[group]) for group in groups])
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


def refit(pixels, labels, palette, sigmas):
    """The blur and the colors, painted flat and blurred, that come nearest to a picture (least squares).

    Args:
        pixels: float32 `(h, w, c)` in [0, 1].
        labels: int `(h, w)`, of the palette.
        palette: float64 `(m, c)`.
        sigmas: floats, the blurs to choose from, in pixels; 0: none.

    Returns:
        (colors float64 `(m, c)`, sigma, residuals): what is left of the picture, float32
        `(h / 2, w / 2, c)`, rounded up: means of four pixels.
    """
    h, w = labels.shape
    pixels = np.pad(pixels, ((0, h % 2), (0, w % 2), (0, 0)), "edge")
    labels = np.pad(labels, ((0, h % 2), (0, w % 2)), "edge")
    target, flat = halved(pixels), halved(palette.astype("float32")[labels])
    errors = [np.mean((target - blurred(flat, sigma / 2)) ** 2) for sigma in sigmas]
    sigma = sigmas[int(np.argmin(errors))]
    m, c = palette.shape
    one = np.eye(m, dtype="float32") / 4
    shares = sum(one[labels[i::2, j::2]] for i in (0, 1) for j in (0, 1))
    shares = blurred(shares, sigma / 2).reshape(-1, m)
    pull = 1e-5 * len(shares)  # towards the palette: the colors of tiny regions are hardly determined
    matrix = shares.T @ shares + pull * np.eye(m)
    colors = np.linalg.solve(matrix, shares.T @ target.reshape(-1, c) + pull * palette).clip(0, 1)
    return colors, sigma, target - (shares @ colors.astype("float32")).reshape(target.shape)


def halved(x):
    return 0.25 * (x[::2, ::2] + x[1::2, ::2] + x[::2, 1::2] + x[1::2, 1::2])


def blurred(x, sigma):
    """A picture `(h, w, c)`, blurred by a Gaussian; the border goes on."""
    if not sigma:
        return x
    reach = int(np.ceil(3 * sigma))
    taps = np.exp(-0.5 * (np.arange(-reach, reach + 1) / sigma) ** 2)
    taps = (taps / taps.sum()).astype("float32")
    for axis in (0, 1):
        count = x.shape[axis]
        wide = [(reach, reach) if i == axis else (0, 0) for i in range(x.ndim)]
        longer = np.moveaxis(np.pad(x, wide, "edge"), axis, 0)
        x = sum(tap * longer[i : i + count] for i, tap in enumerate(taps))
        x = np.ascontiguousarray(np.moveaxis(x, 0, axis))
    return x
