"""Do drawings show all that real pictures show? By means of blocks: cheap while training, and no judge."""

import numpy as np

from keras_t2i.evaluation.metrics.manifold import precision_recall_density_coverage
from keras_t2i.utils.images import downsample
from keras_t2i.utils.images import to_float


def block_means(pictures, side=8):
    """Means of blocks of pixels: layout and colour, no detail.

    Args:
        pictures: uint8 `(n, s, s, 3)`, s a multiple of `side`.

    Returns:
        float32 `(n, side * side * 3)` in [-1, 1].

    Raises: ValueError for other pictures or sizes.
    """
    pictures = np.asarray(pictures)
    if pictures.dtype != np.uint8 or pictures.ndim != 4 or pictures.shape[-1] != 3:
        raise ValueError(f"pictures must be uint8 (n, s, s, 3), got {pictures.dtype} {pictures.shape}")
    n, size = pictures.shape[:2]
    if size % side or pictures.shape[2] != size:
        raise ValueError(f"pictures of {pictures.shape[1:3]} cannot be cut into {side}x{side} blocks")
    return downsample(to_float(pictures), side).reshape(n, -1)


def mode_coverage(drawn, real, other=None, k=5):
    """What a generator leaves out.

    Args:
        drawn: uint8 `(n, s, s, 3)`, drawings, n at least k + 1.
        real: uint8 `(m, s, s, 3)`, real pictures, best those whose captions were drawn.
        other: uint8 as `drawn`, the same captions by other seeds.
        k: int, which neighbour: see `precision_recall_density_coverage`.

    Returns:
        Dict of floats: "precision", "recall" and "coverage" of the block means; with `other`, "seeds": how
        much two drawings of a caption differ, in units of how much two real pictures do, 0 where chance
        changes nothing. Only runs of the same pictures can be compared.

    Raises: ValueError for wrong pictures, or too few.
    """
    found = precision_recall_density_coverage(block_means(drawn), block_means(real), k)
    found = {name: found[name] for name in ("precision", "recall", "coverage")}
    if other is not None:
        drawn, other, real = (to_float(np.asarray(p)) for p in (drawn, other, real))
        found["seeds"] = float(np.abs(drawn - other).mean() / np.abs(real - np.roll(real, 1, axis=0)).mean())
    return found
