"""Pictures without a grid: smooth fields, read at any place, and the softmax that makes edges of them.

A picture is cut into regions, "slots". Each slot has a field of logits and a field of colors, both coarse
grids of nodes. A pixel is a mix of the slots' colors, by the softmax of their logits; the larger the drawing,
the steeper the softmax. So an edge is a level set of smooth functions, sharp at every size.

The functions take NumPy arrays as well as tensors: training draws windows in its graph, a person's picture is
drawn tile by tile with no backend's compiler between, and to the same bits on all of them.
"""

import numpy as np

STEEPNESS_ONE = 1.0


def namespace(x):
    """NumPy of an array; `keras.ops` of a tensor, which there is only where there is Keras."""
    if isinstance(x, np.ndarray):
        return np
    from keras import ops

    return ops


def spline_matrix(positions, count, per_pixel, cubic=True):
    """How much each node of a row counts at some positions: a cubic B-spline, or linear interpolation.

    Nodes lie evenly, `per_pixel` in a pixel, the first at `0.5 / per_pixel`; beyond the border the outermost
    node goes on. Rows sum to 1. A cubic B-spline smooths: it has two continuous derivatives (Unser 1999,
    "Splines: a perfect fit for signal and image processing").

    Args:
        positions: float32 `(..., p)`, in pixels, within the picture.
        count: int, nodes of the row.
        per_pixel: int.
        cubic: bool.

    Returns:
        float32 `(..., p, count)`.
    """
    xp = namespace(positions)
    places = positions[..., None] * per_pixel - 0.5
    reach = 2 if cubic else 1
    distance = xp.abs(places - np.arange(-reach, count + reach, dtype="float32"))
    if cubic:
        near = 2.0 / 3.0 - distance**2 + distance**3 / 2.0
        taps = xp.where(distance < 1.0, near, xp.maximum(2.0 - distance, 0.0) ** 3 / 6.0)
    else:
        taps = xp.maximum(1.0 - distance, 0.0)
    first = xp.sum(taps[..., : reach + 1], axis=-1, keepdims=True)
    last = xp.sum(taps[..., -reach - 1 :], axis=-1, keepdims=True)
    if count == 1:
        return xp.ones_like(first)
    return xp.concatenate([first, taps[..., reach + 1 : -reach - 1], last], axis=-1)


def read_field(field, rows, columns):
    """A field at the places of a grid, channel by channel: `rows @ field @ columns^T`.

    Args:
        field: float32 `(..., h, w, c)`; leading axes of it and of the others may be 1 for many.
        rows: float32 `(..., p, h)`, of `spline_matrix`.
        columns: the same, `(..., q, w)`.

    Returns:
        float32 `(..., c, p, q)`.
    """
    xp = namespace(field)
    planes = xp.moveaxis(field, -1, -3)
    if xp is np:
        planes = np.ascontiguousarray(planes)  # else NumPy multiplies them without BLAS
    return xp.matmul(xp.matmul(rows[..., None, :, :], planes), xp.swapaxes(columns, -1, -2)[..., None, :, :])


def mix_slots(logits, colors, scale):
    """Pixels of fields that were read at their places.

    Args:
        logits: float32 `(..., k, p, q)`, one for each slot.
        colors: float32 `(..., 4 k, p, q)`: red, green, blue on white, opacity of one slot, then of the next.
        scale: float32 `(...)`, output pixels per input pixel: how steep an edge is.

    Returns:
        float32 `(..., 4, p, q)`: red, green, blue on white, about [-1, 1], and opacity in [0, 1].
    """
    shares = softmax(logits * (scale / STEEPNESS_ONE)[..., None, None, None])
    slots = range(logits.shape[-3])
    parts = [shares[..., k : k + 1, :, :] * colors[..., 4 * k : 4 * k + 4, :, :] for k in slots]
    return sum(parts[1:], parts[0])


def softmax(x):
    """Over the third axis from the end."""
    if (xp := namespace(x)) is not np:
        return xp.softmax(x, axis=-3)
    x = np.exp(x - x.max(axis=-3, keepdims=True))
    return x / x.sum(axis=-3, keepdims=True)


def draw_fields(fields, rows, columns, scale, nodes_per_pixel):
    """Fields to pixels.

    Args:
        fields: dict of `logits`, float32 `(..., h * nodes, w * nodes, k)`, and `colors`, float32
            `(..., h * nodes, w * nodes, 4 k)`, with numbers of nodes per pixel of their own.
        rows, columns: float32 `(..., p)`, `(..., q)`: where the pixels' middles lie, in input pixels.
        scale: float32 `(...)`, output pixels per input pixel.
        nodes_per_pixel: dict of ints, of `logits` and `colors`.

    Returns:
        float32 `(..., p, q, 4)`, as of `mix_slots`.
    """
    read = {}
    for name, field in fields.items():
        *_, h, w, _ = field.shape
        nodes, cubic = nodes_per_pixel[name], name == "logits"
        down, across = (spline_matrix(at, n, nodes, cubic) for at, n in ((rows, h), (columns, w)))
        read[name] = read_field(field, down, across)
    xp = namespace(read["logits"])
    return xp.moveaxis(mix_slots(read["logits"], read["colors"], scale), -3, -1)
