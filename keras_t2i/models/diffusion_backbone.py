"""The networks and the numbers that turn words and noise into a picture, as one."""

import keras
import numpy as np

from keras_t2i.diffusion import SAMPLERS
from keras_t2i.diffusion import Parameterization
from keras_t2i.diffusion import from_config
from keras_t2i.models.backbone import Backbone
from keras_t2i.models.networks.text_encoder import token_features
from keras_t2i.utils.batching import at_least_one


@keras.saving.register_keras_serializable(package="keras_t2i")
class DiffusionBackbone(Backbone):
    """Words by the text encoder, and a noisy picture by the U-Net that they steer.

    Args:
        dual_encoder: `DualEncoder`. Its image encoder makes no pictures: it ranks them.
        unet: `DiffusionUNet`.
        guide: `DiffusionUNet`, a weaker one of the same inputs for autoguidance (arXiv 2406.02507), or
            `None`.
        autoencoder: `ConvAutoencoder`, or `VAE` (its posterior means), whose codes, as a grid, are what the
            U-Net works on, or `None`: pixels.
        process: a name out of `diffusion.PROCESSES`, or what a process's `get_config` gives.
        prediction: what the U-Net says: "x0", "epsilon", "v", "score" or "flow".
        data_std: float, root mean square of pictures as the U-Net gets them.
        threshold: float in (0, 1], how far from grey, 0, what the U-Net says of a pixel is shown as black or
            white: of a white ground it says a little less, here more and there less, and that is not white.
            (Thresholding, arXiv 2205.11487, section 2.3, there above 1.) Without an autoencoder only.
        num_steps, sampler, guidance_scale: of `DiffusionGenerator.generate` where it is not told.

    Call: one look of the U-Net. `{"token_ids": int32 (n, l), "images": float (n, s, s, c), noisy and scaled
    to unit variance, "log_snr": float (n,), "condition_mask": float (n,)}` to float32 `(n, s, s, c)`.
    Raises: ValueError where sizes differ, and for names that there are not.
    """

    nested = ("dual_encoder", "unet", "guide", "autoencoder")
    image_code = False  # whether the U-Net draws from an image concept

    def __init__(
        self,
        dual_encoder,
        unet,
        guide=None,
        autoencoder=None,
        process="rectified_flow",
        prediction="x0",
        data_std=0.5,
        threshold=1.0,
        num_steps=16,
        sampler="dpm_solver_pp_2m",
        guidance_scale=2.0,
        dtype=None,
        **kwargs,
    ):
        check_parts(dual_encoder, unet, guide, autoencoder, self.image_code)
        if sampler not in SAMPLERS or SAMPLERS[sampler].inverts:
            raise ValueError(f"there is no sampler {sampler!r}; there are {', '.join(sampler_names())}")
        if not from_config(process).gaussian:
            raise ValueError(f"pictures are drawn from noise, in which {process!r} does not end")
        if not 0 < threshold <= 1:
            raise ValueError(f"threshold must be in (0, 1], got {threshold}")
        # === Functional model ===
        text_encoder = dual_encoder.text_encoder
        token_ids = keras.Input(text_encoder.input_shape[1:], dtype="int32", name="token_ids")
        inputs = {
            name: keras.Input(tensor.shape[1:], name=name)
            for name, tensor in unet.input.items()
            if not name.startswith("text_")  # those come from the text encoder
        }
        outputs = unet({**inputs, **token_features(text_encoder)(token_ids)})
        inputs = {"token_ids": token_ids, **inputs}
        super().__init__(inputs=inputs, outputs=outputs, dtype=dtype, **kwargs)

        # === Config ===
        self.dual_encoder = dual_encoder
        self.unet = unet
        self.guide = guide
        self.autoencoder = autoencoder
        self.process = from_config(process).get_config()
        self.prediction = Parameterization(prediction, from_config(process)).kind
        self.data_std = float(data_std)
        self.threshold = float(threshold)
        self.num_steps = at_least_one("num_steps", num_steps)
        self.sampler = sampler
        self.guidance_scale = float(guidance_scale)

    @property
    def latent_shape(self):
        """Shape of the noise, `(None, s, s, c)`, as KerasHub's `TextToImage` asks for it."""
        return tuple(self.unet.output_shape)

    @property
    def image_size(self):
        return self.unet.image_size if self.autoencoder is None else self.autoencoder.encoder.image_size

    @property
    def text_features(self):
        """The network that makes of token ids what the U-Net hears: see `token_features`."""
        return self.get_layer("token_features")

    def encode(self, images):
        """Pictures, float32 `(n, size, size, 3)` in [-1, 1], as the U-Net works on them: `(n, s, s, c)`."""
        if self.autoencoder is None:
            return images  # white as it was in training: brought back to the threshold, it would not be known
        codes = np.asarray(self.autoencoder.encoder.predict_on_batch(images), dtype="float32")
        return codes.reshape(-1, *self.latent_shape[1:])

    def decode(self, x):
        """What the U-Net works on, `(n, s, s, c)`, as pictures: float32 `(n, size, size, 3)`."""
        if self.autoencoder is None:
            return x / np.float32(self.threshold)
        codes = np.reshape(x, (len(x), -1))
        return np.asarray(self.autoencoder.decoder.predict_on_batch(codes), dtype="float32")

    def with_parts(self, **parts):
        """The same with other networks in place of some of `nested`; those that stay are shared."""
        settings = {name: value for name, value in self.get_config().items() if name not in self.nested}
        return type(self)(**settings, **{name: getattr(self, name) for name in self.nested} | parts)

    def get_config(self):
        return {
            **super().get_config(),
            "process": dict(self.process),
            "prediction": self.prediction,
            "data_std": self.data_std,
            "threshold": self.threshold,
            "num_steps": self.num_steps,
            "sampler": self.sampler,
            "guidance_scale": self.guidance_scale,
        }


def sampler_names():
    """The samplers that go from noise to the picture."""
    return sorted(name for name, sampler in SAMPLERS.items() if not sampler.inverts)


def check_parts(dual_encoder, unet, guide, autoencoder, image_code=False):
    text_encoder = dual_encoder.text_encoder
    said, heard = (text_encoder.code_dim, text_encoder.filters), (unet.code_dim, unet.token_dim)
    if said != heard:
        raise ValueError(
            f"the text encoder's codes and tokens have {said} numbers, those that the U-Net takes {heard}"
        )
    if unet.image_code != image_code or unet.concat_channels:
        source = "image concepts" if image_code else "words alone"
        raise ValueError(f"the U-Net must draw from {source}: image_code={image_code}, concat_channels=0")
    if guide is not None and shapes(guide) != shapes(unet):
        raise ValueError(f"guide takes {shapes(guide)}, unet {shapes(unet)}: they must take the same inputs")
    if autoencoder is not None:
        numbers = unet.image_size**2 * unet.channels
        if autoencoder.encoder.code_dim != numbers:
            raise ValueError(
                f"the U-Net works on {numbers} numbers, the autoencoder's codes have "
                f"{autoencoder.encoder.code_dim}"
            )
    elif unet.channels != 3:
        raise ValueError(f"a U-Net of {unet.channels} channels needs an autoencoder: pictures have 3")
    size = unet.image_size if autoencoder is None else autoencoder.encoder.image_size
    if size % dual_encoder.image_size:
        raise ValueError(
            f"pictures of {size} pixels cannot be shrunk to the {dual_encoder.image_size} that the dual "
            "encoder sees: take a multiple"
        )


def shapes(network):
    return {name: tuple(tensor.shape) for name, tensor in network.input.items()}
