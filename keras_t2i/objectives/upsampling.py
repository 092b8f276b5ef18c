"""A large picture with noise on it, the small one and a caption: the network learns what the picture was."""

import keras
from keras import ops

from keras_t2i.objectives.denoising import Denoising


@keras.saving.register_keras_serializable(package="keras_t2i")
class Upsampling(Denoising):
    """Diffusion of crops of large pictures, given the small picture (SR3: Saharia et al. 2021, arXiv
    2104.07636), which is noisy too (noise conditioning augmentation: Ho et al. 2021, arXiv 2106.15282).

    Args:
        network: `Upsampler`.
        text_encoder, kwargs: as of `Denoising`. The network says a picture: `parameterization` stays "x0".

    Batches (`data.UpsamplingPipeline`): a dict of `images`, float `(n, s, s, 3)` in [-1, 1], crops;
    `low_resolution`, float `(n, s, s, 3)`, the same parts of the small pictures, noisy and enlarged;
    `noise_level`, float `(n,)`, the standard deviation of that noise; `token_ids`, int32 `(n, l)`.
    """

    def clean(self, x):
        return ops.cast(x["images"], "float32")

    def condition(self, x, training):
        given = {name: ops.cast(x[name], "float32") for name in ("low_resolution", "noise_level")}
        return super().condition(x, training) | given
