"""Pictures without a grid: smooth fields, read at any place, and the softmax that makes edges of them.

A picture is cut into regions, "slots". Each slot has a field of logits and a field of colors, both coarse
grids of nodes. A pixel is a mix of the slots' colors, by the softmax of their logits; the larger the drawing,
the steeper the softmax. So an edge is a level set of smooth functions, sharp at every size.
"""

from keras import ops

STEEPNESS_ONE = 8.0  # output pixels per input pixel at which the softmax takes the logits as they are


def spline_matrix(positions, count, per_pixel, cubic=True):
    """How much each node of a row counts at some positions: a cubic B-spline, or linear interpolation.

    Nodes lie evenly, `per_pixel` in a pixel, the first at `0.5 / per_pixel`; beyond the border the outermost
    node goes on. Rows sum to 1. A cubic B-spline smooths: it has two continuous derivatives (Unser 1999,
    "Splines: a perfect fit for signal and image processing").

    Args:
        positions: float32 `(..., p)`, in pixels, within the picture.
        count: int or int scalar tensor, nodes of the row.
        per_pixel: int.
        cubic: bool.

    Returns:
        float32 `(..., p, count)`.
    """
    places = positions[..., None] * per_pixel - 0.5
    reach = 2 if cubic else 1
    nodes = ops.cast(ops.arange(-reach, count + reach), "float32")
    distance = ops.abs(places - nodes)
    if cubic:
        near = 2.0 / 3.0 - distance**2 + distance**3 / 2.0
        taps = ops.where(distance < 1.0, near, ops.maximum(2.0 - distance, 0.0) ** 3 / 6.0)
    else:
        taps = ops.maximum(1.0 - distance, 0.0)
    first = ops.sum(taps[..., : reach + 1], axis=-1, keepdims=True)
    last = ops.sum(taps[..., -reach - 1 :], axis=-1, keepdims=True)
    if isinstance(count, int) and count == 1:
        return ops.ones_like(first)
    return ops.concatenate([first, taps[..., reach + 1 : -reach - 1], last], axis=-1)


def read_field(field, rows, columns):
    """A field at the places of a grid: `rows @ field @ columns^T`, channel by channel.

    Args:
        field: float32 `(n, h, w, c)`.
        rows: float32 `(n, p, h)`, of `spline_matrix`; columns: `(n, q, w)`.

    Returns:
        float32 `(n, p, q, c)`.
    """
    n, h, w = ops.shape(field)[0], ops.shape(field)[1], ops.shape(field)[2]
    p, q, c = ops.shape(rows)[1], ops.shape(columns)[1], field.shape[-1]
    x = ops.reshape(ops.matmul(rows, ops.reshape(field, (n, h, w * c))), (n, p, w, c))
    x = ops.reshape(ops.transpose(x, (0, 2, 1, 3)), (n, w, p * c))
    return ops.transpose(ops.reshape(ops.matmul(columns, x), (n, q, p, c)), (0, 2, 1, 3))


def mix_slots(logits, colors, scale):
    """Pixels of fields that were read at their places.

    Args:
        logits: float32 `(n, p, q, k)`, one for each slot.
        colors: float32 `(n, p, q, 4 k)`: red, green, blue on white, opacity of the first slot, then the next.
        scale: float32 `(n,)`, output pixels per input pixel: how steep an edge is.

    Returns:
        float32 `(n, p, q, 4)`.
    """
    shares = ops.softmax(logits * ops.reshape(scale / STEEPNESS_ONE, (-1, 1, 1, 1)), axis=-1)
    parts = [shares[..., k : k + 1] * colors[..., 4 * k : 4 * k + 4] for k in range(logits.shape[-1])]
    return sum(parts[1:], parts[0])


def draw_fields(fields, rows, columns, scale, nodes_per_pixel, colors_per_pixel):
    """Fields to pixels.

    Args:
        fields: dict of `logits`, float32 `(n, h * nodes_per_pixel, w * nodes_per_pixel, k)`, and `colors`,
            `(n, h * colors_per_pixel, w * colors_per_pixel, 4 k)`.
        rows, columns: float32 `(n, p)`, `(n, q)`: where the pixels' middles lie, in input pixels.
        scale: float32 `(n,)`, output pixels per input pixel.

    Returns:
        float32 `(n, p, q, 4)`: red, green, blue on white, about [-1, 1], and opacity in [0, 1].
    """

    def read(field, per_pixel, cubic):
        across = spline_matrix(columns, ops.shape(field)[2], per_pixel, cubic)
        return read_field(field, spline_matrix(rows, ops.shape(field)[1], per_pixel, cubic), across)

    logits = read(fields["logits"], nodes_per_pixel, True)
    return mix_slots(logits, read(fields["colors"], colors_per_pixel, False), scale)
