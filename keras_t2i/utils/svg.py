"""Elements of an SVG document, as text. Coordinates are whole numbers, so files are short."""

import numpy as np

from keras_t2i.utils.bezier import fit_closed


def path_data(line, tolerance, scale):
    """A closed line as cubic Bezier curves, in whole numbers.

    Args:
        line: float64 `(n, 2)`.
        tolerance: float or float64 `(n,)`: see `fit_closed`.
        scale: float, units of the document in a unit of `line`.

    Returns:
        str, of an SVG path's `d`. Moves are relative to rounded points, so their errors do not add up.
    """
    curves = np.rint(fit_closed(line, tolerance) * scale).astype(int)
    x, y = curves[0, 0].tolist()
    parts = [f"M{x} {y}"]
    for curve in curves:
        moves = (curve[1:] - curve[0]).ravel().tolist()
        flat = np.ptp(curve, axis=0).tolist()
        if flat == [0, 0]:
            continue
        if is_straight(curve):
            parts.append(f"l{moves[4]} {moves[5]}")
        else:
            parts.append("c" + " ".join(map(str, moves)))
    return "".join(parts).replace(" -", "-") + "z"


def is_straight(curve):
    """Whether no control point is farther than half a unit from the line between a curve's ends."""
    chord = curve[3] - curve[0]
    crossed = chord[0] * (curve[1:3, 1] - curve[0, 1]) - chord[1] * (curve[1:3, 0] - curve[0, 0])
    along = (curve[1:3] - curve[0]) @ chord
    return bool(
        (np.abs(crossed) <= 0.5 * np.hypot(*chord)).all()
        and (along >= 0).all()
        and (along <= chord @ chord).all()
    )


def path(data, fill, opacity=1.0):
    """An element that fills path data with a color, or with what `url(#name)` says."""
    clear = "" if opacity == 1 else f' fill-opacity="{opacity:.2f}"'
    return f'<path d="{data}" fill="{fill}"{clear}/>'


def linear_gradient(name, ends, colors):
    """An element, for the fill `url(#name)`: ends float `(2, 2)` (x, y), colors `(2, 3)` in [0, 1]."""
    (x1, y1), (x2, y2) = np.rint(ends).astype(int).tolist()
    first, last = (hexadecimal(color) for color in colors)
    return (
        f'<linearGradient id="{name}" gradientUnits="userSpaceOnUse" x1="{x1}" y1="{y1}" x2="{x2}" '
        f'y2="{y2}"><stop stop-color="{first}"/><stop offset="1" stop-color="{last}"/></linearGradient>'
    )


def blurred_group(elements, sigma, width, height):
    """Elements as a group that is blurred by a Gaussian; sigma, width and height in units of the document."""
    if not sigma:
        return elements
    reach = int(4 * sigma) + 2
    box = f'x="{-reach}" y="{-reach}" width="{width + 2 * reach}" height="{height + 2 * reach}"'
    space = 'filterUnits="userSpaceOnUse" color-interpolation-filters="sRGB"'
    blur = f'<feGaussianBlur stdDeviation="{sigma:g}"/>'
    return [f'<filter id="blur" {space} {box}>{blur}</filter>', '<g filter="url(#blur)">', *elements, "</g>"]


def document(elements, view, canvas, place):
    """A whole document.

    Args:
        elements: list of str.
        view: (width, height) of them in their units.
        canvas: (height, width, background), of the document in pixels, and three ints, or `None`: no paper.
        place: `Placement` of the view in the canvas: where there is a margin, it is left as paper.
    """
    height, width, background = canvas
    body, box = "\n".join(elements), f'viewBox="0 0 {view[0]} {view[1]}"'
    paper = ""
    if background is not None:
        paper = f'<rect width="100%" height="100%" fill="{hexadecimal(np.array(background) / 255)}"/>\n'
    if abs(place.rows - height) <= 1 and abs(place.columns - width) <= 1:
        inner, frame = f"{paper}{body}", f" {box}"
    else:
        sides = f'x="{place.left}" y="{place.top}" width="{place.columns}" height="{place.rows}"'
        inner, frame = f"{paper}<svg {sides} {box}>\n{body}\n</svg>", ""
    start = f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}"{frame}>'
    return f"{start}\n{inner}\n</svg>\n"


def hexadecimal(color):
    """Three floats in [0, 1] as "#rrggbb"."""
    return "#" + "".join(f"{int(value * 255 + 0.5):02x}" for value in np.clip(color, 0, 1))
