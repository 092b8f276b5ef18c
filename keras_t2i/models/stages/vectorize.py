"""A drawing as an SVG: its colors are cut into a few, and each is painted where it is the nearest.

Where two colors meet lies a level set of the drawing's smooth colors, found between samples (contourpy) and
fitted by Bezier curves. Colors are painted from light to dark, and each goes on a little beneath those that
are painted over it, so no gap can open between them. A drawing with soft edges is blurred by what fits it
best, and the colors are those that, blurred, come nearest to it; large regions may have a gradient.
"""

from typing import NamedTuple

import numpy as np
from tqdm.auto import tqdm

from keras_t2i.utils.contours import area_of
from keras_t2i.utils.contours import check_contours
from keras_t2i.utils.contours import grown
from keras_t2i.utils.contours import polygons
from keras_t2i.utils.contours import within
from keras_t2i.utils.images import to_float
from keras_t2i.utils.palette import blurred
from keras_t2i.utils.palette import find_palette
from keras_t2i.utils.palette import refit
from keras_t2i.utils.svg import blurred_group
from keras_t2i.utils.svg import document
from keras_t2i.utils.svg import hexadecimal
from keras_t2i.utils.svg import linear_gradient
from keras_t2i.utils.svg import path
from keras_t2i.utils.svg import path_data
from keras_t2i_runtime.tiling import Placement

SIDE = 512  # samples along the longer side of a picture
UNITS = 2  # of the document in a sample: coordinates are whole numbers
PAD = 2  # samples beyond the border, in which regions end
REACH = 8  # how many times farther out they are painted, since a blur takes from there
LUMINANCE = (0.299, 0.587, 0.114)
UNDER = 3  # samples that a color goes on beneath: the tolerances of both lines, so that no gap can open
NEVER = -1e3  # below any score
SIGMAS = (0.0, 0.7, 1.0, 1.5, 2.0)  # blurs, in samples
CLEAR, SOLID = 0.03, 0.97  # opacities: below, not painted; above, opaque


class Detail(NamedTuple):
    """How closely a drawing is followed.

    colors: int, at most; error: float, mean square error of the colors, summed over channels in [0, 1], at
    which there are enough; tolerance: float, samples, how far a curve may be from an edge, and hidden, where
    another region lies over it; smooth: float, samples, of the blur before edges are looked for; smallest:
    float, square samples, the area of what is left out; gradient: float, how much of the error of all
    samples (a share of their number) a gradient must take away to be worth its bytes.
    """

    colors: int = 24
    error: float = 1e-3
    tolerance: float = 1.0
    hidden: float = 2.0
    smooth: float = 1.0
    smallest: float = 40.0
    gradient: float = 4e-6


def vector_drawings(stage, pictures, canvas, noise_level=0.0, progress=False, window=None):
    """Drawings of pictures by a `RendererStage`, as SVG documents.

    Args:
        pictures: uint8 `(n, h, w, 3)`.
        canvas: `Canvas`: height and width of the documents in pixels, and their background.
        noise_level, window: as of `RendererStage.bands`.
        progress: bool, whether to show a progress bar, of pictures.

    Returns:
        list of str.

    Raises: ImportError without contourpy.
    """
    check_contours()
    height, width = pictures.shape[1:3] if window is None else window[2:]
    place = Placement.of(height, width, SIDE, SIDE)
    samples, found = canvas._replace(height=place.rows, width=place.columns), []
    for image in tqdm(pictures, unit="picture", disable=not progress):
        bands, _ = stage.placed_bands(to_float(image), samples, noise_level, window=window)
        found.append(to_svg(np.concatenate(list(bands), axis=1), canvas))
    return found


def to_svg(drawn, canvas, detail=Detail()):  # noqa: B008 (a tuple)
    """A drawing as an SVG document.

    Args:
        drawn: float32 `(4, h, w)`: red, green, blue on white in [-1, 1], opacity in [0, 1].
        canvas: `Canvas`: height and width of the document in pixels, and its background.
        detail: `Detail`.

    Returns:
        str, XML of at most a few paths a color, without scripts and references to other files.
    """
    pixels = painted(drawn, canvas.background)
    h, w, _ = pixels.shape
    place = Placement.of(h, w, canvas.height, canvas.width)
    return document(elements_of(pixels, detail), (w * UNITS, h * UNITS), canvas, place)


def painted(drawn, background):
    """A drawing on its background, float32 `(h, w, 3)` in [0, 1]; premultiplied, `(h, w, 4)`, without one."""
    on_white, opacity = (np.clip(drawn[:3], -1, 1) + 1) / 2, np.clip(drawn[3:], 0, 1)
    if background is None:
        pixels = np.concatenate([(on_white - (1 - opacity)).clip(0, 1), opacity])
    else:
        paper = np.float32(background)[:, None, None] / 255
        pixels = (on_white + (1 - opacity) * (paper - 1)).clip(0, 1)
    return np.ascontiguousarray(pixels.transpose(1, 2, 0), "float32")


def elements_of(pixels, detail):
    """Elements of an SVG: those that paint float32 `(h, w, 3)`, or premultiplied `(h, w, 4)`."""
    h, w, channels = pixels.shape
    palette = in_order(find_palette(pixels.reshape(-1, channels), detail.error, detail.colors))
    scores = scores_of(blurred(pixels, detail.smooth), palette)
    labels = scores.argmax(axis=0)
    inner = labels[PAD:-PAD, PAD:-PAD]
    colors, sigma, residuals = refit(pixels, inner, palette, SIGMAS)
    opacities = colors[:, 3] if channels == 4 else np.ones(len(colors))
    opacities = np.where(opacities > SOLID, 1.0, opacities)
    later = np.full_like(scores, NEVER)
    for k in range(len(scores) - 2, -1, -1):
        np.maximum(later[k + 1], scores[k + 1], out=later[k])
    earlier, paths, gradients = np.full_like(scores[0], NEVER), [], []
    for k, (color, opacity) in enumerate(zip(colors, opacities, strict=True)):
        solid, own, seen = opacity == 1, scores[k] - later[k], scores[k] - earlier
        if solid:  # what is painted later hides what goes on beneath it
            own, seen = grown(own, UNDER), np.maximum(scores[k], later[k]) - earlier
        np.maximum(earlier, scores[k], out=earlier)
        if opacity < CLEAR or not (labels == k).any():
            continue
        flat = ""
        for outer, data in regions(own, seen, labels, k if solid else None, detail):
            found = gradient_of(outer, inner == k, residuals, color, detail) if solid else None
            if found is None:
                flat += data
            else:
                name = f"g{len(gradients)}"
                gradients.append(linear_gradient(name, found[0] * UNITS, found[1]))
                paths.append(path(data, f"url(#{name})"))
        if flat:
            paths.append(path(flat, hexadecimal(color[:3] / max(opacity, 1e-3)), opacity))
    return [*gradients, *blurred_group(paths, sigma * UNITS, w * UNITS, h * UNITS)]


def regions(own, seen, labels, solid, detail):
    """Yield the regions of a color: the outer line, in samples, and path data.

    Args:
        own, seen: float32 `(h, w)`, positive where the color is nearer than those painted later and earlier.
        labels: int `(h, w)`, the nearest color.
        solid: int, the color, where it is opaque: holes in which only later ones lie are left out.
    """
    field = np.minimum(own, seen)
    field[[0, -1]] = field[:, [0, -1]] = -1e-3  # closes the lines
    for outer, *holes in polygons(field):
        if abs(area_of(outer)) >= detail.smallest:
            kept = [hole for hole in holes if solid is None or shows(hole, labels, solid, detail.smallest)]
            data = ""
            for line in (outer, *kept):
                x, y = np.rint(line.T).astype(int)
                tolerance = np.where(seen[y, x] < own[y, x], detail.tolerance, detail.hidden)
                data += path_data(outwards(line + 0.5 - PAD, labels.shape), tolerance, UNITS)
            yield outer, data


def in_order(palette):
    """Colors in the order in which they are painted: what is clear, what is translucent, light to dark."""
    light = palette[:, :3] @ LUMINANCE
    if palette.shape[1] == 4:
        light = light - 2 * np.where(palette[:, 3] < SOLID, palette[:, 3] - 3, 0)
    return palette[np.argsort(-light, kind="stable")]


def scores_of(pixels, palette):
    """How near each sample is to each color: float32 `(m, h + 2 PAD, w + 2 PAD)`, the largest the nearest.

    Differences of two are linear in the samples' colors, so where they vanish is found well by interpolation.
    """
    padded = np.pad(pixels, ((PAD, PAD), (PAD, PAD), (0, 0)), "edge")
    values = palette.astype("float32")
    found = (2 * values) @ padded.reshape(-1, values.shape[1]).T - (values**2).sum(axis=1)[:, None]
    return found.reshape(-1, *padded.shape[:2])


def outwards(line, shape):
    """A line in samples, with what lies beyond the border moved farther out: a blur finds color there."""
    sides = np.array(shape[::-1]) - 2.0 * PAD
    nearest = line.clip(0.0, sides)
    return nearest + REACH * (line - nearest)


def shows(hole, labels, k, smallest):
    """Whether colors that were painted before color k show in a hole of it."""
    part, mask = within(hole, labels.shape)
    return ((labels[part] < k) & mask).sum() >= smallest


def gradient_of(outer, mask, residuals, color, detail):
    """The linear gradient that explains what is left of a region, or `None` where it is flat.

    Least squares of a plane in each channel, of which the direction that explains most is kept.

    Returns:
        (ends float64 `(2, 2)` (x, y) in samples, colors float64 `(2, 3)`).
    """
    if abs(area_of(outer)) < 0.01 * mask.size:
        return None
    part, inside = within((outer - PAD) / 2, residuals.shape[:2])
    rows, columns = np.nonzero(inside & mask[::2, ::2][part])
    if len(rows) < 16:
        return None
    places = np.stack([columns + part[1].start, rows + part[0].start], axis=1) * 2.0 + 1.0
    left = residuals[part][rows, columns, :3].astype("float64")
    middle, mean = places.mean(axis=0), left.mean(axis=0)
    slopes = np.linalg.lstsq(places - middle, left - mean, rcond=None)[0]
    directions, sizes, channels = np.linalg.svd(slopes)
    direction, change = directions[:, 0], sizes[0] * channels[0]
    along = (places - middle) @ direction
    explained = 4.0 * ((left**2).sum() - ((left - mean - np.outer(along, change)) ** 2).sum())
    if explained < detail.gradient * mask.size:
        return None
    reach = np.array([along.min(), along.max()])
    return middle + np.outer(reach, direction), color[:3] + mean + np.outer(reach, change)
