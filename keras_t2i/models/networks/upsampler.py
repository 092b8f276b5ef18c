"""The network that takes noise off a large picture, given the small one, window by window."""

import keras
from keras import layers

from keras_t2i.layers import Conv2D
from keras_t2i.layers import DepthToSpace
from keras_t2i.layers import SpaceToDepth
from keras_t2i.layers import WordAttention
from keras_t2i.layers import condition_of
from keras_t2i.layers import conditions
from keras_t2i.layers import modulated_pixel_block
from keras_t2i.models.backbone import Backbone
from keras_t2i.models.networks.renderer import NoiseLevelPlane
from keras_t2i.models.networks.unet import DiffusionUNet


@keras.saving.register_keras_serializable(package="keras_t2i")
class Upsampler(Backbone):
    """A noisy large picture, its noise level, the small picture and a caption to the clean large picture.

    The small picture, enlarged, lies beside the noisy one (SR3: Saharia et al. 2021, arXiv 2104.07636). It is
    noisy itself, and the network is told how much: so it learns to mend what another network drew (Ho et al.
    2021, arXiv 2106.15282). What it says is what has to be added to the enlarged picture.

    A U-Net of convolutions alone. `DiffusionUNet` normalizes by the whole grid, and its places attend to each
    other: a pixel depends on the whole picture. Here a pixel depends on those at most `reach` away, so a
    picture that is drawn window by window is, but for rounding, the picture drawn at once.

    Args:
        factor: int, 2 or more, how many times larger the picture becomes.
        patch_size: int, width and height of the blocks of pixels that become one place.
        filters: channels of each level, finest first. Each level halves the grid; places of the coarsest
            look at the caption's words.
        blocks: residual blocks of each level, on the way down and again on the way up.
        head_dim: int, channels per head of attention; divides the last of `filters`.
        condition_dim, code_dim, token_dim, whitened_dim: as of `DiffusionUNet`.

    Call: a dict of `images`, `log_snr`, `text_code`, `text_tokens`, `text_mask`, `condition_mask` as of
    `DiffusionUNet`, images `(n, h, w, 3)` with h and w multiples of `stride`;
        `low_resolution`: float `(n, h, w, 3)` in about [-1, 1], the small picture, noisy, enlarged;
        `noise_level`: float `(n,)`, the standard deviation of the noise in it;
    to float32 `(n, h, w, 3)`, the estimate of the clean picture.

    Raises: ValueError where sizes do not fit together.
    """

    image_code = False

    def __init__(
        self,
        factor=4,
        patch_size=2,
        filters=(48, 96, 128),
        blocks=(1, 1, 2),
        head_dim=32,
        condition_dim=128,
        code_dim=512,
        token_dim=128,
        whitened_dim=128,
        dtype=None,
        **kwargs,
    ):
        check_sizes(factor, patch_size, filters, blocks, head_dim)
        inputs = {
            "images": keras.Input((None, None, 3), dtype="float32", name="images"),
            "log_snr": keras.Input((), dtype="float32", name="log_snr"),
            "text_code": keras.Input((code_dim,), dtype="float32", name="text_code"),
            "text_tokens": keras.Input((None, token_dim), dtype="float32", name="text_tokens"),
            "text_mask": keras.Input((None,), dtype="float32", name="text_mask"),
            "condition_mask": keras.Input((), dtype="float32", name="condition_mask"),
            "low_resolution": keras.Input((None, None, 3), dtype="float32", name="low_resolution"),
            "noise_level": keras.Input((), dtype="float32", name="noise_level"),
        }
        # === Layers and functional model ===
        parts, tokens, present, _ = conditions(inputs, condition_dim, whitened_dim, dtype)
        condition = condition_of(parts)

        def level(x, i, name):
            for j in range(blocks[i]):
                x = modulated_pixel_block(x, condition, dtype, f"{name}_block{j}")
            return x

        low = inputs["low_resolution"]
        given = NoiseLevelPlane(dtype=dtype, name="noise_level_plane")(low, inputs["noise_level"])
        x = layers.Concatenate(dtype=dtype, name="beside")([inputs["images"], given])
        x = SpaceToDepth(patch_size, dtype=dtype, name="patches")(x)
        x = Conv2D(filters[0], 3, padding="same", dtype=dtype, name="conv")(x)
        skips = []
        for i, width in enumerate(filters):
            if i:
                x = SpaceToDepth(2, dtype=dtype, name=f"down{i}_grid")(x)
                x = layers.Dense(width, dtype=dtype, name=f"down{i}")(x)
            x = level(x, i, f"down{i}")
            skips.append(x)
        x = WordAttention(head_dim, dtype=dtype, name="attention")(x, tokens, present)
        for i in reversed(range(len(filters) - 1)):
            x = layers.Dense(4 * filters[i], dtype=dtype, name=f"up{i}")(x)
            x = DepthToSpace(2, dtype=dtype, name=f"up{i}_grid")(x)
            x = layers.Add(dtype=dtype, name=f"up{i}_sum")([x, skips[i]])
            x = level(x, i, f"up{i}")
        x = layers.Activation("silu", dtype=dtype, name="head_silu")(x)
        # What is said is summed up over steps: it stays float32.
        last = {"kernel_initializer": "zeros", "dtype": "float32", "name": "head"}
        x = Conv2D(3 * patch_size**2, 3, padding="same", **last)(x)
        x = DepthToSpace(patch_size, dtype="float32", name="detail")(x)
        x = layers.Add(dtype="float32", name="prediction")([x, low])
        super().__init__(inputs=inputs, outputs=x, dtype=dtype, **kwargs)

        # === Config ===
        self.factor = factor
        self.patch_size = patch_size
        self.filters = tuple(filters)
        self.blocks = tuple(blocks)
        self.head_dim = head_dim
        self.condition_dim = condition_dim
        self.code_dim = code_dim
        self.token_dim = token_dim
        self.whitened_dim = whitened_dim

    adapt = DiffusionUNet.adapt  # the conditions are the same

    @property
    def stride(self):
        """int, pixels of a place of the coarsest grid: what heights and widths must be multiples of."""
        return self.patch_size * 2 ** (len(self.filters) - 1)

    @property
    def reach(self):
        """int, how far away, in pixels, a pixel may be that another depends on; a multiple of `stride`."""
        last = len(self.filters) - 1
        places = [2 * blocks * (1 if i == last else 2) for i, blocks in enumerate(self.blocks)]
        places[0] += 2  # the first convolution and the head
        pixels = self.patch_size * sum(count * 2**i for i, count in enumerate(places))
        # A place's own pixels may lie up to a stride less one further away.
        return -(-(pixels + self.stride - 1) // self.stride) * self.stride

    def get_config(self):
        return {
            **super().get_config(),
            "factor": self.factor,
            "patch_size": self.patch_size,
            "filters": self.filters,
            "blocks": self.blocks,
            "head_dim": self.head_dim,
            "condition_dim": self.condition_dim,
            "code_dim": self.code_dim,
            "token_dim": self.token_dim,
            "whitened_dim": self.whitened_dim,
        }


def check_sizes(factor, patch_size, filters, blocks, head_dim):
    if len(filters) != len(blocks) or not filters or min(blocks) < 1:
        raise ValueError(
            f"filters {filters} and blocks {blocks} must name a number, 1 or more, for each level"
        )
    if factor < 2 or patch_size < 1:
        raise ValueError(f"factor must be 2 or more and patch_size 1 or more, got {factor} and {patch_size}")
    if filters[-1] % head_dim:
        raise ValueError(f"the last level has {filters[-1]} channels: make them a multiple of {head_dim}")
