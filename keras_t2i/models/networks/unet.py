"""The network that takes noise off a picture, told how much noise there is and what the words say."""

import keras
import numpy as np
from keras import layers

from keras_t2i.layers import Conv2D
from keras_t2i.layers import DepthToSpace
from keras_t2i.layers import GroupNormalization
from keras_t2i.layers import GuessVariance
from keras_t2i.layers import KernelRegression
from keras_t2i.layers import Refinement
from keras_t2i.layers import SpaceToDepth
from keras_t2i.layers import TextAttention
from keras_t2i.layers import concept_map
from keras_t2i.layers import condition_of
from keras_t2i.layers import conditions
from keras_t2i.layers import float32
from keras_t2i.layers import guess_condition
from keras_t2i.layers import modulated_block
from keras_t2i.layers import pixel_detail
from keras_t2i.models.backbone import Backbone
from keras_t2i.models.networks.drafted import Drafted
from keras_t2i.models.networks.drafted import draft_inputs
from keras_t2i.models.networks.drafted import draft_size

# 2.1, 4.7, 13.7, 13.4 and 16.0 million parameters. Small, with a text encoder, fits a preset of 12 MB.
# Wide has its parameters where they cost fewest multiply-adds: the coarsest grid, and the map of the concept.
# Draft is tiny, and 13.8 million numbers beside it that are found before training, nearly all in closed form.
SIZES = {
    "tiny": {"filters": (64, 128, 160), "blocks": (1, 1, 1), "condition_dim": 128},
    "small": {"filters": (64, 128, 224), "blocks": (2, 2, 2), "condition_dim": 192},
    "base": {"filters": (128, 224, 384), "blocks": (2, 2, 2), "condition_dim": 256},
    "wide": {
        **{"filters": (96, 192, 384), "blocks": (1, 1, 2), "condition_dim": 256},
        **{"concept_dim": 512, "whitened_dim": 256},
    },
    "draft": {
        **{"filters": (64, 128, 160), "blocks": (1, 1, 1), "condition_dim": 128},
        **{"draft_features": 16384, "draft_components": 448, "whitened_dim": 256},
        **{"log_snr_limit": 6.0, "detail_filters": 24},
    },
}


@keras.saving.register_keras_serializable(package="keras_t2i")
class DiffusionUNet(Drafted, Backbone):
    """A noisy picture, its noise level and a caption to a prediction about the clean picture.

    A U-Net (arXiv 1505.04597, 2006.11239). Blocks of pixels become channels at the door, each level
    halves the grid, and each level's result meets the upsampled coarser one on the way back. The noise
    level and the concept of the caption scale and shift every residual block (FiLM); places of the coarse
    grids attend to each other and to the caption's tokens. It starts as the prediction zero, or as what the
    draft and the noisy picture say together.

    To move between grids, pixels are rearranged and go through a dense layer, where others have a 3x3
    convolution; and the skip connection is `Dense(fine) + Dense(coarse)`, a 1x1 convolution of the two side
    by side. That saves a quarter of the time of a step.

    Args:
        image_size: int, width and height of the picture (or latent): `patch_size * 2 ** (levels - 1)`
            times any whole number.
        channels: int, of the picture: 3, or those of the latent.
        patch_size: int, width and height of the blocks of pixels that become one place. 1: none.
        filters: channels of each level, finest first, multiples of 8; three or more levels.
        blocks: residual blocks of each level, on the way down and again on the way up.
        attention_size: int, grids of at most this width get attention; channels there are
            multiples of `head_dim`.
        head_dim: int, channels per head of attention.
        condition_dim: int, width of the vector that steers the residual blocks.
        code_dim: int, numbers of the pooled text code.
        token_dim: int, numbers of each text token.
        whitened_dim: int, in how many directions codes differ (`adapt`).
        dropout: float in [0, 1), in the residual blocks.
        image_code: bool, whether there is also an image code to draw from (DALL-E 2, arXiv 2204.06125).
        concept_dim: int, hidden numbers of a dense layer that makes a first coarse grid of the concept, see
            `layers.concept_map`. 0: none.
        draft_features: int, random features of a `layers.KernelRegression` of the concept (the image code, or
            else the text code). Its answer stands beside the noisy picture at two pixels a place of the first
            grid, and, resized, is the guess of a `layers.Refinement`: predict and refine (arXiv 2112.02475).
            So it is for a network that predicts clean pictures ("x0"). How far off the guess may be is known
            for each, and the network is told. Set by `adapt_draft` and `measure_drafts`. 0: none.
        draft_components: int, of that regression.
        log_snr_limit: float; noise levels whose logSNR is further from 0 are told to the network as that far.
            Training seldom meets them, but drawing begins at pure noise: with a limit of 20 a network says
            there, until it is well trained, what it never learned.
        detail_filters: int, channels of two convolutions at full size behind all others, see
            `layers.pixel_detail`: blocks of pixels are seldom free of grain. 0: none.
        concat_channels: int, channels of a picture given beside the noisy one, for upsampling. 0: none.
        data_std: float above 0, root mean square of the clean pictures; for a network with a draft.

    Call: a dict to float32 `(n, s, s, channels)`. What this means (noise, clean picture, velocity) is the
    objective's. The dict has

    - `images`: float `(n, s, s, channels)`, the noisy picture, scaled to unit variance;
    - `log_snr`: float `(n,)`, logarithm of its signal-to-noise ratio (of variances), infinities too;
    - `text_code`: float `(n, code_dim)` of length 1; `text_tokens`: float `(n, l, token_dim)`, any l;
      `text_mask`: float or bool `(n, l)`, 1 where a token is real: all as `token_features` makes them;
    - `condition_mask`: float or bool `(n,)`, 1: draw what the text says, 0: the text is ignored and a
      learned null stands in its place;
    - with `image_code`: `image_code` `(n, code_dim)` of length 1 and `image_condition_mask` `(n,)`;
    - with `concat_channels`: `low_resolution` `(n, s, s, concat_channels)`, brought to size before.

    Raises: ValueError where sizes do not fit together.
    """

    def __init__(
        self,
        image_size=32,
        channels=3,
        patch_size=2,
        filters=SIZES["tiny"]["filters"],
        blocks=SIZES["tiny"]["blocks"],
        attention_size=8,
        head_dim=32,
        condition_dim=SIZES["tiny"]["condition_dim"],
        code_dim=512,
        token_dim=128,
        whitened_dim=128,
        dropout=0.0,
        image_code=False,
        concat_channels=0,
        concept_dim=0,
        draft_features=0,
        draft_components=512,
        log_snr_limit=20.0,
        data_std=0.5,
        detail_filters=0,
        dtype=None,
        **kwargs,
    ):
        check_sizes(image_size, patch_size, filters, blocks, attention_size, head_dim)
        inputs = {
            "images": keras.Input((image_size, image_size, channels), dtype="float32", name="images"),
            "log_snr": keras.Input((), dtype="float32", name="log_snr"),
            "text_code": keras.Input((code_dim,), dtype="float32", name="text_code"),
            "text_tokens": keras.Input((None, token_dim), dtype="float32", name="text_tokens"),
            "text_mask": keras.Input((None,), dtype="float32", name="text_mask"),
            "condition_mask": keras.Input((), dtype="float32", name="condition_mask"),
        }
        if image_code:
            inputs["image_code"] = keras.Input((code_dim,), dtype="float32", name="image_code")
            inputs["image_condition_mask"] = keras.Input((), dtype="float32", name="image_condition_mask")
        if concat_channels:
            shape = (image_size, image_size, concat_channels)
            inputs["low_resolution"] = keras.Input(shape, dtype="float32", name="low_resolution")
        # === Layers and functional model ===
        parts, tokens, present, codes = conditions(inputs, condition_dim, whitened_dim, dtype, log_snr_limit)
        if draft_features:
            code, given = (inputs[name] for name in draft_inputs(image_code))
            side = draft_size(image_size, patch_size)
            shape = (side, side, channels)
            hidden = min(768, max(16, draft_features // 8))
            # A sum over thousands of features, found before training, which nothing trains: float32.
            options = {"hidden": hidden, "dtype": float32(dtype), "name": "draft"}
            regression = KernelRegression(draft_features, draft_components, shape, **options)
            draft, doubt = regression(code, given)
            variance = GuessVariance(data_std, dtype="float32", name="draft_variance")(doubt, given)
            parts.append(guess_condition(variance, condition_dim, dtype))
        condition = condition_of(parts)

        def level(x, i, name):
            for j in range(blocks[i]):
                x = modulated_block(x, condition, filters[i], dropout, dtype, f"{name}_block{j}")
            if x.shape[1] <= attention_size:
                x = TextAttention(head_dim, dtype=dtype, name=f"{name}_attention")(x, tokens, present)
            return x

        x = inputs["images"]
        if concat_channels:
            x = layers.Concatenate(dtype=dtype, name="beside")([x, inputs["low_resolution"]])
        x = SpaceToDepth(patch_size, dtype=dtype, name="patches")(x)
        if draft_features:
            patches = SpaceToDepth(min(patch_size, 2), dtype=dtype, name="draft_patches")(draft)
            x = layers.Concatenate(dtype=dtype, name="beside_draft")([x, patches])
        x = Conv2D(filters[0], 3, padding="same", dtype=dtype, name="conv")(x)
        skips = []
        for i, width in enumerate(filters):
            if i:
                x = SpaceToDepth(2, dtype=dtype, name=f"down{i}_grid")(x)
                x = layers.Dense(width, dtype=dtype, name=f"down{i}")(x)
            if concept_dim and i == len(filters) - 1:
                first = concept_map(codes, condition, concept_dim, x.shape[1], width, dtype)
                x = layers.Add(dtype=dtype, name="concept")([x, first])
            x = level(x, i, f"down{i}")
            skips.append(x)
        for i in reversed(range(len(filters) - 1)):
            x = layers.Dense(4 * filters[i], dtype=dtype, name=f"up{i}")(x)
            x = DepthToSpace(2, dtype=dtype, name=f"up{i}_grid")(x)
            skip = layers.Dense(filters[i], use_bias=False, dtype=dtype, name=f"up{i}_skip")(skips[i])
            x = layers.Add(dtype=dtype, name=f"up{i}_sum")([x, skip])
            x = level(x, i, f"up{i}")
        x = GroupNormalization(dtype=dtype, name="head_norm")(x)
        x = layers.Activation("silu", dtype=dtype, name="head_silu")(x)
        # What is said is summed up over steps: it stays float32.
        last = {"kernel_initializer": "zeros", "dtype": "float32", "name": "head"}
        x = Conv2D(channels * patch_size**2, 3, padding="same", **last)(x)
        x = DepthToSpace(patch_size, dtype="float32", name="change" if draft_features else "prediction")(x)
        if draft_features:
            resize = {"interpolation": "bilinear", "data_format": "channels_last", "dtype": "float32"}
            draft = layers.UpSampling2D(image_size // side, **resize, name="resized_draft")(draft)
            refinement = Refinement(data_std, dtype="float32", name="prediction")

        def prediction(x):
            if not draft_features:
                return x
            return refinement(inputs["images"], inputs["log_snr"], draft, variance, x)

        if detail_filters:
            seen = [prediction(x), inputs["images"]]
            x = layers.Add(dtype="float32", name="detailed")(
                [x, pixel_detail(seen, condition, detail_filters, channels, dtype)]
            )
        x = prediction(x)
        super().__init__(inputs=inputs, outputs=x, dtype=dtype, **kwargs)

        # === Config ===
        self.image_size = image_size
        self.channels = channels
        self.patch_size = patch_size
        self.filters = tuple(filters)
        self.blocks = tuple(blocks)
        self.attention_size = attention_size
        self.head_dim = head_dim
        self.condition_dim = condition_dim
        self.code_dim = code_dim
        self.token_dim = token_dim
        self.whitened_dim = whitened_dim
        self.dropout = dropout
        self.image_code = image_code
        self.concat_channels = concat_channels
        self.concept_dim = concept_dim
        self.draft_features = draft_features
        self.draft_components = draft_components
        self.log_snr_limit = log_snr_limit
        self.data_std = data_std
        self.detail_filters = detail_filters

    @classmethod
    def from_size(cls, name, image_size=32, **overrides):
        """A network of a size out of `SIZES`: "tiny", "small", "base", "wide" or "draft".

        Args:
            name: str.
            image_size: int. Blocks of pixels are chosen so that the first grid is 16 wide (32, 64 pixels)
                or the picture itself (16 and less: latents).
            **overrides: arguments of the class in place of the table's.

        Raises: ValueError where there is no such size.
        """
        if name not in SIZES:
            raise ValueError(f"there is no size {name!r}; choose one of {', '.join(SIZES)}")
        patch_size = min(max(image_size // 16, 1), 4)
        return cls(**{"image_size": image_size, "patch_size": patch_size, **SIZES[name], **overrides})

    def adapt(self, text_codes, text_tokens, image_codes=None, noise_scale=0.3):
        """Before training: find the directions in which captions differ, and bring them to one size.

        Args:
            text_codes: float array `(n, code_dim)` of the training captions.
            text_tokens: float array `(m, token_dim)`, their tokens without padding.
            image_codes: float array `(n, code_dim)` of the training pictures, where there is an `image_code`.
            noise_scale: float; differences smaller than this share of the vectors' spread stay small.
        """
        measured = {"text_code": text_codes, "text_tokens": text_tokens}
        if self.image_code != (image_codes is not None):
            raise ValueError("image_codes must be given if the network has an image_code, and only then")
        if self.image_code:
            measured["image_code"] = image_codes
        for name, vectors in measured.items():
            vectors = np.asarray(vectors, dtype="float64")
            spread = np.square(vectors - vectors.mean(axis=0)).mean()
            self.get_layer(f"{name}_whitening").adapt(vectors, noise_scale**2 * spread)

    def load_matching_weights(self, trained):
        """Before training: take the weights of a trained network, layer by layer, wherever one of the same
        name has weights of the same shapes. What only this network has stays as it is: an image code, say,
        for a network that so far drew from words.

        Args:
            trained: `DiffusionUNet`.

        Returns:
            list of the names of layers that start anew.

        Raises: ValueError where the picture, or the width of the first layer, is another.
        """
        fits = [(n.image_size, n.channels, n.patch_size, n.filters[0]) for n in (self, trained)]
        if fits[0] != fits[1]:
            raise ValueError(
                f"width, channels, patch_size and first filters are {fits[0]}, those to start from {fits[1]}"
            )
        theirs, anew = {layer.name: layer for layer in trained.layers}, []
        for layer in self.layers:
            there = theirs.get(layer.name)
            if there is not None and [w.shape for w in there.weights] == [w.shape for w in layer.weights]:
                layer.set_weights(there.get_weights())
            elif layer.weights:
                anew.append(layer.name)
        return anew

    def get_config(self):
        return {
            **super().get_config(),
            "image_size": self.image_size,
            "channels": self.channels,
            "patch_size": self.patch_size,
            "filters": self.filters,
            "blocks": self.blocks,
            "attention_size": self.attention_size,
            "head_dim": self.head_dim,
            "condition_dim": self.condition_dim,
            "code_dim": self.code_dim,
            "token_dim": self.token_dim,
            "whitened_dim": self.whitened_dim,
            "dropout": self.dropout,
            "image_code": self.image_code,
            "concat_channels": self.concat_channels,
            "concept_dim": self.concept_dim,
            "draft_features": self.draft_features,
            "draft_components": self.draft_components,
            "log_snr_limit": self.log_snr_limit,
            "data_std": self.data_std,
            "detail_filters": self.detail_filters,
        }


def check_sizes(image_size, patch_size, filters, blocks, attention_size, head_dim):
    if len(filters) != len(blocks) or not filters or min(blocks) < 1:
        raise ValueError(
            f"filters {filters} and blocks {blocks} must name a number, 1 or more, for each level"
        )
    grid, rest = divmod(image_size, patch_size * 2 ** (len(filters) - 1))
    if rest or grid < 1:
        raise ValueError(
            f"image_size {image_size} cannot be cut into blocks of {patch_size} (patch_size) and then halved "
            f"{len(filters) - 1} times: make it a multiple of {patch_size * 2 ** (len(filters) - 1)}, or use "
            "another patch_size or fewer levels (filters)"
        )
    for level, width in enumerate(filters):
        side = image_size // patch_size // 2**level
        if width % 8:
            raise ValueError(f"level {level} has {width} channels: make them a multiple of 8")
        if side <= attention_size and width % head_dim:
            raise ValueError(
                f"level {level} has {width} channels and attention: "
                f"make them a multiple of head_dim, {head_dim}"
            )
