"""The network that turns a small picture into fields, out of which it is drawn at any size."""

import keras
from keras import layers
from keras import ops

from keras_t2i.layers import Conv2D
from keras_t2i.layers import DepthToSpace
from keras_t2i.layers import SpaceToDepth
from keras_t2i.layers import float32
from keras_t2i.models.backbone import Backbone
from keras_t2i_runtime.fields import draw_fields

GENERATED = 0.2  # the noise level that stands for what a generator drew
COLORS_PER_PIXEL = 2
DIRECTIONS = ((-1, 0), (1, 0), (0, -1), (0, 1), (0, 0))  # down and to the right, in pixels


@keras.saving.register_keras_serializable(package="keras_t2i")
class NoiseLevelPlane(layers.Layer):
    """A picture with one channel more, the same number everywhere: five times its noise level."""

    def call(self, images, noise_level):
        level = ops.cast(ops.reshape(5.0 * noise_level, (-1, 1, 1, 1)), images.dtype)
        return ops.concatenate([images, level + ops.zeros_like(images[..., :1])], axis=-1)

    def compute_output_spec(self, images, noise_level):
        return keras.KerasTensor((*images.shape[:-1], images.shape[-1] + 1), dtype=self.compute_dtype)


@keras.saving.register_keras_serializable(package="keras_t2i")
class SlotColors(layers.Layer):
    """Residuals `(n, 2h, 2w, 4 k)` to colors: red, green, blue of each slot are added to those of a picture
    `(n, h, w, 3)`, enlarged; what is left is opacity, by a sigmoid that starts near 1.

    Each slot sees the picture moved by a pixel, in a direction of its own. At an edge, whose own pixels are
    mixtures, slots then begin with the colors of its two sides; if all began with one color, no logit would
    change anything, and it would take long to tell them apart.
    """

    def __init__(self, slots, **kwargs):
        super().__init__(**kwargs)
        self.slots = slots

    def call(self, residuals, images):
        images, parts = doubled(doubled(images, 1), 2), []
        for k in range(self.slots):
            parts.append(residuals[..., 4 * k : 4 * k + 3] + moved(images, *DIRECTIONS[k % len(DIRECTIONS)]))
            parts.append(ops.sigmoid(residuals[..., 4 * k + 3 : 4 * k + 4] + 2.0))
        return ops.concatenate(parts, axis=-1)

    def compute_output_spec(self, residuals, images):
        return keras.KerasTensor(residuals.shape, dtype=self.compute_dtype)

    def get_config(self):
        return {**super().get_config(), "slots": self.slots}


@keras.saving.register_keras_serializable(package="keras_t2i")
class Renderer(Backbone):
    """A small picture of any height and width to fields, by a U-Net without normalization.

    Fields: see `keras_t2i_runtime.fields`.

    The picture is drawn out of its fields at any size by `draw`: nothing of the network runs per pixel.

    Args:
        slots: int, how many regions meet in a place at most.
        filters: channels at full, half and quarter resolution.
        blocks: residual blocks: at full, half and quarter resolution on the way down, at full on the way up.
        fine_filters: channels at two and at four nodes per pixel.
        nodes_per_pixel: int, 4 or 8, of the logits, in each direction.

    Call: a dict of `images`, float `(n, h, w, 3)` in [-1, 1], h and w multiples of 4, and `noise_level`,
    float `(n,)`: the standard deviation of the noise in them, 0 where they are clean, `GENERATED` where a
    generator drew them; to a dict of `logits` and `colors`, as of `draw_fields`, float32.

    Raises: ValueError for another `nodes_per_pixel`.
    """

    def __init__(
        self,
        slots=4,
        filters=(48, 96, 96),
        blocks=(2, 2, 1, 3),
        fine_filters=(32, 16),
        nodes_per_pixel=4,
        dtype=None,
        **kwargs,
    ):
        if nodes_per_pixel not in (4, 8):
            raise ValueError(f"nodes_per_pixel must be 4 or 8, got {nodes_per_pixel}")
        images = keras.Input((None, None, 3), dtype="float32", name="images")
        noise_level = keras.Input((), dtype="float32", name="noise_level")

        def stack(x, width, depth, name):
            for i in range(depth):
                x = plain_block(x, width, dtype, f"{name}_block{i}")
            return x

        def dense(x, width, name, dtype=dtype):
            return layers.Dense(width, dtype=dtype, name=name)(x)

        def up(x, width, name):
            return DepthToSpace(2, dtype=dtype, name=f"{name}_grid")(dense(x, 4 * width, name))

        # === Functional model ===
        x = NoiseLevelPlane(dtype=dtype, name="noise_level_plane")(images, noise_level)
        x = Conv2D(filters[0], 3, padding="same", dtype=dtype, name="conv")(x)
        skips = []
        for i, width in enumerate(filters):
            if i:
                x = dense(SpaceToDepth(2, dtype=dtype, name=f"down{i}_grid")(x), width, f"down{i}")
            x = stack(x, width, blocks[i], f"down{i}")
            skips.append(x)
        for i, depth in ((1, 1), (0, blocks[3])):
            x = layers.Add(dtype=dtype, name=f"up{i}_sum")([skips[i], up(x, filters[i], f"up{i}")])
            x = stack(x, filters[i], depth, f"up{i}")
        x = stack(up(x, fine_filters[0], "fine2"), fine_filters[0], 1, "fine2")
        y = stack(up(x, fine_filters[1], "fine4"), fine_filters[1], 1, "fine4")
        x, y = (layers.Activation("silu", dtype=dtype, name=f"{n}_silu")(v) for n, v in (("x", x), ("y", y)))
        finest = nodes_per_pixel // 4
        small = keras.initializers.RandomNormal(0, 0.02)
        # Fields are read at thousands of pixels, where the steps of a smaller type would show: float32.
        last = {"kernel_initializer": small, "dtype": float32(dtype), "name": "logits_dense"}
        logits = layers.Dense(finest**2 * slots, **last)(y)
        logits = DepthToSpace(finest, dtype="float32", name="logits")(logits)
        residuals = dense(x, 4 * slots, "colors_dense", float32(dtype))
        colors = SlotColors(slots, dtype="float32", name="colors")(residuals, images)
        inputs = {"images": images, "noise_level": noise_level}
        super().__init__(inputs=inputs, outputs={"logits": logits, "colors": colors}, dtype=dtype, **kwargs)

        # === Config ===
        self.slots = slots
        self.filters = tuple(filters)
        self.blocks = tuple(blocks)
        self.fine_filters = tuple(fine_filters)
        self.nodes_per_pixel = nodes_per_pixel

    def draw(self, fields, rows, columns, scale):
        """Pixels of fields, as of `keras_t2i_runtime.fields.draw_fields`."""
        return draw_fields(fields, rows, columns, scale, self.nodes)

    @property
    def nodes(self):
        """dict of ints, nodes per input pixel of each field."""
        return {"logits": self.nodes_per_pixel, "colors": COLORS_PER_PIXEL}

    def get_config(self):
        return {
            **super().get_config(),
            "slots": self.slots,
            "filters": self.filters,
            "blocks": self.blocks,
            "fine_filters": self.fine_filters,
            "nodes_per_pixel": self.nodes_per_pixel,
        }


def moved(x, rows, columns):
    """An enlarged picture `(n, 2h, 2w, c)`, moved by a pixel of the small one; the border goes on."""
    for axis, pixels in ((1, rows), (2, columns)):
        # Slices, not `ops.take`: on torch that squeezes, which ONNX refuses on a longer side.
        before = (slice(None),) * axis
        if steps := abs(pixels) * COLORS_PER_PIXEL:
            if pixels > 0:
                parts = [x[*before, :1]] * steps + [x[*before, :-steps]]
            else:
                parts = [x[*before, steps:]] + [x[*before, -1:]] * steps
            x = ops.concatenate(parts, axis=axis)
    return x


def doubled(x, axis):
    """Linear interpolation to twice the size along axis 1 or 2 of `(n, h, w, c)`; the border goes on."""
    count = ops.shape(x)[axis]
    ends = [ops.take(x, [0], axis=axis), x, ops.take(x, [count - 1], axis=axis)]
    longer = ops.concatenate(ends, axis=axis)
    before, after = (longer[:, :-2], longer[:, 2:]) if axis == 1 else (longer[:, :, :-2], longer[:, :, 2:])
    both = ops.stack([0.75 * x + 0.25 * before, 0.75 * x + 0.25 * after], axis=axis + 1)
    shape = list(ops.shape(x))
    return ops.reshape(both, [2 * side if i == axis else side for i, side in enumerate(shape)])


def plain_block(x, filters, dtype=None, name=None):
    """Two 3x3 convolutions, each after SiLU, around a shortcut; the second starts near zero (EDSR: Lim et al.
    2017, arXiv 1707.02921, has none of the normalization, which would take the picture's contrast away)."""
    small = keras.initializers.RandomNormal(0, 0.005)
    y = layers.Activation("silu", dtype=dtype, name=f"{name}_1_silu")(x)
    y = Conv2D(filters, 3, padding="same", dtype=dtype, name=f"{name}_1_conv")(y)
    y = layers.Activation("silu", dtype=dtype, name=f"{name}_2_silu")(y)
    last = {"kernel_initializer": small, "dtype": dtype, "name": f"{name}_2_conv"}
    y = Conv2D(filters, 3, padding="same", **last)(y)
    return layers.Add(dtype=dtype, name=name)([x, y])
