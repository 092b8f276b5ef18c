import contourpy
import numpy as np
from PIL import Image
from PIL import ImageDraw

from keras_t2i.utils.bezier import fit_closed
from keras_t2i.utils.palette import find_palette

UNIT = 10


def vectorize(pixels, error=0.0002, most=48, tolerance=0.2, hidden=0.6, under=1, smallest=6.0, stats=None, pre=0.0, unit=10, sigmas=(0, 1, 1.5, 2, 2.5)):
    """pixels float (h, w, 3) in [0,1]"""
    h, w, c = pixels.shape
    global UNIT
    UNIT = unit
    original = pixels
    if pre:
        pixels = blurred(pixels, pre).astype("float32")
    palette = find_palette(pixels.reshape(-1, c), error, most)
    palette = palette[np.argsort(-palette @ np.array([0.3, 0.59, 0.11]))]
    padded = np.pad(pixels, ((2, 2), (2, 2), (0, 0)), "edge")
    scores = (padded.reshape(-1, c) @ (2 * palette.T.astype("float32")) - (palette**2).sum(axis=1).astype("float32")).T
    scores = np.ascontiguousarray(scores).reshape(len(palette), h + 4, w + 4)
    remove_specks(scores, smallest)
    labels = scores.argmax(axis=0)
    colors, sigma = refit(original, labels[2:-2, 2:-2], palette, sigmas)
    colors = [c if (labels == k).any() else None for k, c in enumerate(colors)]
    m = len(palette)
    later = np.full_like(scores, -1e3)
    for k in range(m - 2, -1, -1):
        np.maximum(later[k + 1], scores[k + 1], out=later[k])
    earlier = np.full_like(scores[0], -1e3)
    paths, count = [], 0
    axis_x, axis_y = np.arange(w + 4) - 1.5, np.arange(h + 4) - 1.5
    for k in range(m):
        if colors[k] is None:
            continue
        visible = np.maximum(scores[k], later[k]) - earlier
        own = dilated(scores[k] - later[k], under)
        field = np.minimum(visible, own)
        field[[0, -1]] = field[:, [0, -1]] = -1e-3
        np.maximum(earlier, scores[k], out=earlier)
        data = ""
        for outer, *holes in polygons(field, axis_x, axis_y):
            if abs(area_of(outer)) < smallest:
                continue
            for line in (outer, *(hole for hole in holes if has_earlier(hole, labels, k, smallest))):
                seen = at(visible, line) < at(own, line)
                tol = np.where(seen, tolerance, hidden)
                curves = fit_closed(line, tol)
                count += len(curves)
                data += path_of(curves)
        if data:
            paths.append(f'<path d="{data}" fill="{hex_of(colors[k])}"/>')
    if stats is not None:
        stats.update(m=m, curves=count)
    head = f'<svg xmlns="http://www.w3.org/2000/svg" width="{w}" height="{h}" viewBox="0 0 {w * UNIT} {h * UNIT}">'
    if sigma:
        e = 8 * UNIT
        paths = [f'<filter id="b" filterUnits="userSpaceOnUse" x="{-e}" y="{-e}" width="{w * UNIT + 2 * e}" height="{h * UNIT + 2 * e}" color-interpolation-filters="sRGB"><feGaussianBlur stdDeviation="{sigma * UNIT}"/></filter><g filter="url(#b)">', *paths, "</g>"]
    if stats is not None:
        stats.update(sigma=sigma)
    return "\n".join([head, *paths, "</svg>\n"])


def gauss(n, sigma):
    x = np.arange(n)
    far = np.arange(-16, n + 16)
    g = np.exp(-((x[:, None] - far) ** 2) / (2 * sigma**2))
    g[:, 16] += g[:, :16].sum(axis=1)
    g[:, -17] += g[:, -16:].sum(axis=1)
    g = g[:, 16:-16]
    return (g / g.sum(axis=1, keepdims=True)).astype("float32")


def blurred(x, sigma):
    a, b = gauss(x.shape[0], sigma), gauss(x.shape[1], sigma)
    return np.moveaxis(a @ np.moveaxis(x, -1, 0) @ b.T, 0, -1)


def half(x):
    return 0.25 * (x[::2, ::2] + x[1::2, ::2] + x[::2, 1::2] + x[1::2, 1::2])


def refit(pixels, labels, palette, sigmas):
    target = half(pixels)
    flat = half(palette.astype("float32")[labels])
    errors = [np.mean((target - (blurred(flat, s / 2) if s else flat)) ** 2) for s in sigmas]
    sigma = sigmas[int(np.argmin(errors))]
    maps = half(np.eye(len(palette), dtype="float32")[labels])
    if sigma:
        maps = blurred(maps, sigma / 2)
    a = maps.reshape(-1, len(palette))
    m = a.T @ a + 1e-2 * len(a) / 1e3 * np.eye(len(palette))
    return np.linalg.solve(m, a.T @ target.reshape(-1, 3) + 1e-2 * len(a) / 1e3 * palette).clip(0, 1), sigma


def remove_specks(scores, smallest):
    labels = scores.argmax(axis=0)
    for k in range(len(scores)):
        mask = np.where(labels == k, 1.0, -1.0)
        if not (labels == k).any():
            continue


def dilated(field, times):
    for _ in range(times):
        field = field.copy()
        for axis in (0, 1):
            f = np.moveaxis(field, axis, 0)
            low, high = f[:-1].copy(), f[1:].copy()
            np.maximum(f[1:], low, out=f[1:])
            np.maximum(f[:-1], high, out=f[:-1])
    return field


def at(field, line):
    x, y = np.rint(line.T + 1.5).astype(int)
    return field[np.clip(y, 0, field.shape[0] - 1), np.clip(x, 0, field.shape[1] - 1)]


def has_earlier(hole, labels, k, smallest):
    low, high = np.floor(hole.min(axis=0) + 1.5).astype(int), np.ceil(hole.max(axis=0) + 1.5).astype(int) + 1
    mask = Image.new("1", tuple(int(v) for v in high - low))
    ImageDraw.Draw(mask).polygon([tuple(p) for p in (hole + 1.5 - low)], fill=1)
    inside = labels[low[1] : high[1], low[0] : high[0]]
    return ((inside < k) & np.asarray(mask)[: inside.shape[0], : inside.shape[1]]).sum() >= smallest


def polygons(field, xs, ys):
    made = contourpy.contour_generator(xs, ys, field, fill_type=contourpy.FillType.OuterOffset)
    points, offsets = made.filled(0.0, np.inf)
    return [
        [line[a : b - 1] for a, b in zip(cuts[:-1], cuts[1:], strict=True)]
        for line, cuts in zip(points, offsets, strict=True)
    ]


def area_of(line):
    x, y = line.T
    return 0.5 * float(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1)))


def path_of(curves):
    curves = np.rint(curves * UNIT).astype(int)
    curves[:-1, 3] = curves[1:, 0]
    x, y = curves[0, 0]
    parts = [f"M{x} {y}"]
    for curve in curves:
        moves = (curve[1:] - curve[0]).ravel().tolist()
        parts.append("c" + " ".join(map(str, moves)))
    return "".join(parts).replace(" -", "-") + "z"


def hex_of(color):
    return "#" + "".join(f"{int(v * 255 + 0.5):02x}" for v in np.clip(color, 0, 1))
