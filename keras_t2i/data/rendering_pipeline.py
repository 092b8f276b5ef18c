"""Batches for a renderer: small pictures, and windows of the true ones at random scales."""

import numpy as np

from keras_t2i.data.pipeline import Pipeline
from keras_t2i.data.windows import digest_of
from keras_t2i.utils.images import to_float
from keras_t2i.utils.random_streams import random_stream

LARGEST_INPUT = 128  # pixels of the side of the whole picture, of which the input may be a window
SMALLEST_SCALE, LARGEST_SCALE = 4.0, 64.0  # output pixels per input pixel


class RenderingPipeline(Pipeline):
    """Feeds `objectives.Rendering`; a batch is a pure function of (seed, step), as of `Pipeline`.

    The input is the whole picture, or a window of it as it would be at up to 128 pixels. 35 of 100 are noisy,
    half of these blurred too, and 25 are what a generator makes of the small picture (where there are such):
    what a renderer will be given. The targets are windows of the truth, most with an edge in them: the larger
    the scale, the less of the input a window shows, and the rest is flat.

    A share of windows, `steep`, has the softmax up to 8 times steeper than the scale asks for. Without them,
    slots that mix to one color fall apart into speckles beyond the scales of training.

    Args:
        data: `CaptionedImages`, the pictures as a generator draws them, uint8 `(n, s, s, 3)`.
        truths: n `VectorPicture` or `RasterPicture`.
        redrawn: uint8 `(m, v, t, t, 3)`, v redrawings of each of the first m pictures, or `None`; t is s or
            more: the input is a window of s pixels of them.
        redrawn_level: float, the noise level that these are given as.
        num_windows: int, windows of a picture.
        target_size: int, pixels of a window.
        steep: float in [0, 1].
        batch_size, seed, steps_per_epoch, training: as of `Pipeline`.
    """

    def __init__(
        self,
        data,
        truths,
        redrawn=None,
        redrawn_level=0.2,
        num_windows=4,
        target_size=64,
        steep=0.3,
        **options,
    ):
        super().__init__(data, **options)
        if len(truths) != len(data):
            raise ValueError(f"there are {len(data)} pictures and {len(truths)} truths")
        size = data.pictures.shape[1]
        if redrawn is not None and redrawn.shape[2] < size:
            raise ValueError(f"redrawings of {redrawn.shape[2]} pixels are smaller than pictures of {size}")
        self.truths, self.redrawn, self.redrawn_level = truths, redrawn, redrawn_level
        self.num_windows, self.target_size, self.steep = num_windows, target_size, steep

    def batch(self, step):
        """The batch of `step`: see `objectives.Rendering`."""
        step = int(step)
        examples = []
        for place, picture in enumerate(self.indices(step)):
            key = (step, place) if self.training else (int(picture), 0)
            rng = random_stream(self.seed, "rendering" if self.training else "rendering validation", *key)
            examples.append(self.example(int(picture), rng))
        return {name: np.stack([example[name] for example in examples]) for name in examples[0]}

    def example(self, picture, rng):
        """One example, without the batch's axis."""
        kind = rng.choice(["clean", "noise", "redrawn"], p=[0.4, 0.35, 0.25])
        if kind == "redrawn" and self.redrawn is None:
            kind = "clean"
        if kind == "redrawn":
            picture = rng.integers(len(self.redrawn))
        size, truth = self.data.pictures.shape[1], self.truths[picture]
        if kind == "redrawn":
            drawn = self.redrawn[picture, rng.integers(self.redrawn.shape[1])]
            x, y = rng.integers(len(drawn) - size + 1, size=2)
            zoom, left, top = len(drawn) / size, x / len(drawn), y / len(drawn)
            images = to_float(drawn[y : y + size, x : x + size])
        else:
            zoom = 1.0
            if rng.random() < 0.6:
                most = min(LARGEST_INPUT, truth.detail / 2) / size
                zoom = float(np.exp(rng.uniform(0.0, np.log(max(most, 1.0)))))
            left, top = rng.uniform(0.0, 1.0 - 1.0 / zoom, 2)
            if zoom == 1.0:
                images = to_float(self.data.pictures[picture])
            else:
                images = truth.window(left, top, 1.0 / zoom, size)[..., :3]
        share = 1.0 / (size * zoom)  # of the whole picture, of one input pixel
        windows = [self.window(truth, left, top, share, images, rng) for _ in range(self.num_windows)]
        example = {name: np.stack([window[name] for window in windows]) for name in windows[0]}
        noise_level = {"clean": 0.0, "noise": rng.uniform(0.02, 0.16), "redrawn": self.redrawn_level}[kind]
        if kind == "noise":
            images = degrade(images, noise_level, rng)
        example |= {"images": images, "noise_level": noise_level}
        example = mirrored(example, size) if rng.random() < 0.5 else example
        if rng.random() < 0.3:
            order = rng.permutation(3)
            example["images"] = example["images"][..., order]
            example["target"] = example["target"][..., [*order, 3]]
        return {name: np.asarray(value, "float32") for name, value in example.items()}

    def window(self, truth, left, top, share, images, rng):
        """One window of the truth, at a scale that it has the detail for: a dict of `target`, `rows`,
        `columns` and `scale`.

        Args:
            truth: `VectorPicture` or `RasterPicture`.
            left, top: floats, where the input begins in it.
            share: float, of the truth's side, of one pixel of the input.
            images: float `(s, s, 3)`, the input, without noise.
        """
        largest = min(LARGEST_SCALE, max(SMALLEST_SCALE, truth.detail * share))
        scale = np.exp(rng.uniform(np.log(SMALLEST_SCALE), np.log(largest)))
        extent = min(self.target_size / scale, len(images))
        scale = self.target_size / extent
        x, y = window_on_edge(images, extent, rng)
        target = truth.window(left + x * share, top + y * share, extent * share, self.target_size)
        middles = (np.arange(self.target_size) + 0.5) / scale
        steeper = np.exp(rng.uniform(0.0, np.log(8.0))) if rng.random() < self.steep else 1.0
        return {"target": target, "rows": y + middles, "columns": x + middles, "scale": scale * steeper}

    def fingerprint(self):
        # A network made the redrawings, not to the last bit the same at each start.
        shape = None if self.redrawn is None else self.redrawn.shape
        return super().fingerprint() | {"truths": digest_of(self.truths), "redrawings": str(shape)}


def window_on_edge(images, extent, rng):
    """Left and top, in pixels, of a window of a picture, with an edge in its middle part.

    Args:
        images: float `(s, s, 3)`.
        extent: float, width and height of the window in pixels.

    Returns:
        two floats in [0, s - extent].
    """
    size = len(images)
    padded = np.pad(images, ((1, 1), (1, 1), (0, 0)), "edge")
    slopes = np.abs(padded[2:, 1:-1] - padded[:-2, 1:-1]) + np.abs(padded[1:-1, 2:] - padded[1:-1, :-2])
    weights = slopes.max(axis=-1).ravel() + 0.02
    row, column = divmod(rng.choice(size * size, p=weights / weights.sum()), size)
    middle = np.array([column, row]) + rng.random(2)
    corner = middle - extent * (0.5 + rng.uniform(-0.35, 0.35, 2))
    return np.clip(corner, 0.0, size - extent)


def degrade(images, noise_level, rng):
    """A picture with noise; half of them are blurred before, by up to 0.7 of a binomial filter of 3x3."""
    share = rng.uniform(0.0, 0.7) * (rng.random() < 0.5)
    near, taps = np.pad(images, ((1, 1), (1, 1), (0, 0)), "edge"), (0.25, 0.5, 0.25)
    h, w, _ = images.shape
    soft = sum(near[i : i + h, j : j + w] * taps[i] * taps[j] for i in range(3) for j in range(3))
    noisy = images + share * (soft - images) + rng.normal(0.0, noise_level, images.shape)
    return np.clip(noisy, -1.0, 1.0)


def mirrored(example, size):
    """An example seen in a mirror: left becomes right."""
    return {
        **example,
        "images": example["images"][:, ::-1],
        "target": example["target"][:, :, ::-1],
        "columns": size - example["columns"][:, ::-1],
    }
