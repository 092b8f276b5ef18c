"""The classes of version 0.5, so that every preset that ever shipped opens.

Each backbone of 0.5 keeps its layout of weights and says what stages it is (`as_stages`). What
`Generator.from_preset` opens is made of these stages, so what is saved again is in today's format.
"""

import warnings

import keras
from keras import layers

from keras_t2i.models.backbone import Backbone
from keras_t2i.models.generator import Generator
from keras_t2i.models.networks.text_encoder import token_features
from keras_t2i.models.stages import DiffusionStage
from keras_t2i.models.stages import LatentDecoder
from keras_t2i.models.stages import OnePassStage
from keras_t2i.models.stages import PriorStage
from keras_t2i.models.stages import TextStage
from keras_t2i.models.stages.one_pass import ConceptNoise
from keras_t2i.models.text_to_image_backbone import check_stages


@keras.saving.register_keras_serializable(package="keras_t2i")
class GeneratorBackbone(Backbone):
    """Text encoder, noise, decoder: `TextStage` and `OnePassStage`, whose arguments it takes."""

    nested = ("dual_encoder", "decoder")

    def __init__(self, dual_encoder, decoder, noise_scale=0.3, dtype=None, **kwargs):
        text_encoder = dual_encoder.text_encoder
        token_ids = keras.Input(text_encoder.input_shape[1:], dtype="int32", name="token_ids")
        noise = keras.Input(decoder.input_shape[1:], dtype="float32", name="noise")
        concepts = layers.UnitNormalization(dtype="float32", name="concept")(text_encoder(token_ids))
        concepts = ConceptNoise(noise_scale, dtype="float32", name="concept_noise")(concepts, noise)
        images = layers.Activation("linear", dtype="float32", name="images")(decoder(concepts))
        inputs = {"token_ids": token_ids, "noise": noise}
        super().__init__(inputs=inputs, outputs=images, dtype=dtype, **kwargs)
        self.dual_encoder, self.decoder = dual_encoder, decoder
        self.noise_scale = float(noise_scale)

    def as_stages(self):
        return [TextStage(self.dual_encoder), OnePassStage(self.decoder, self.noise_scale)]

    def get_config(self):
        return {**super().get_config(), "noise_scale": self.noise_scale}


@keras.saving.register_keras_serializable(package="keras_t2i")
class DiffusionBackbone(Backbone):
    """Text encoder and U-Net: `TextStage`, `DiffusionStage` and perhaps `LatentDecoder`, whose arguments it
    takes."""

    nested = ("dual_encoder", "unet", "guide", "autoencoder")

    def __init__(self, dual_encoder, unet, guide=None, autoencoder=None, dtype=None, **settings):
        settings, kwargs = self._split(settings)
        text_encoder = dual_encoder.text_encoder
        token_ids = keras.Input(text_encoder.input_shape[1:], dtype="int32", name="token_ids")
        inputs = {
            name: keras.Input(tensor.shape[1:], dtype="float32", name=name)
            for name, tensor in unet.input.items()
            if not name.startswith("text_")  # those come from the text encoder
        }
        outputs = unet({**inputs, **token_features(text_encoder)(token_ids)})
        super().__init__(inputs={"token_ids": token_ids, **inputs}, outputs=outputs, dtype=dtype, **kwargs)
        self.dual_encoder, self.unet = dual_encoder, unet
        self.guide, self.autoencoder = guide, autoencoder
        self.settings = settings

    @staticmethod
    def _split(options):
        """Settings of the stage, and what every backbone has."""
        of_all = {name: options.pop(name) for name in ("name", "trainable") if name in options}
        return options, of_all

    def as_stages(self):
        settings = dict(self.settings)
        if "prediction" in settings:
            settings["parameterization"] = settings.pop("prediction")
        latent = self.autoencoder is not None
        stages = [
            TextStage(self.dual_encoder),
            DiffusionStage(self.unet, self.guide, latent=latent, **settings),
        ]
        return [*stages, LatentDecoder(self.autoencoder)] if latent else stages

    def get_config(self):
        return {**super().get_config(), **self.settings}


@keras.saving.register_keras_serializable(package="keras_t2i")
class UnCLIPBackbone(DiffusionBackbone):
    """The same with a U-Net that draws image embeddings, and perhaps a prior: `PriorStage`."""

    nested = (*DiffusionBackbone.nested, "prior")

    def __init__(self, dual_encoder, unet, *args, prior=None, **settings):
        super().__init__(dual_encoder, unet, *args, **settings)
        self.prior = prior

    def as_stages(self):
        text, *others = super().as_stages()
        return [text, *([] if self.prior is None else [PriorStage(self.prior)]), *others]


class _Former(Generator):
    """A Task of 0.5: what KerasHub opens a preset of 0.5 as."""

    def __init__(self, backbone, preprocessor, **kwargs):
        stages = backbone.as_stages()
        check_stages(stages)
        # Untracked: the backbone has all weights.
        object.__setattr__(self, "_as_stages", tuple(stages))
        super().__init__(backbone, preprocessor, **kwargs)

    @property
    def stages(self):
        return list(self._as_stages)

    @classmethod
    def from_preset(cls, preset, load_weights=True, **options):
        message = f"{cls.__name__} is now Generator: use Generator.from_preset"
        warnings.warn(message, DeprecationWarning, stacklevel=2)
        return Generator.from_preset(preset, load_weights, **options)


@keras.saving.register_keras_serializable(package="keras_t2i")
class OnePassGenerator(_Former):
    backbone_cls = GeneratorBackbone


@keras.saving.register_keras_serializable(package="keras_t2i")
class DiffusionGenerator(_Former):
    backbone_cls = DiffusionBackbone


@keras.saving.register_keras_serializable(package="keras_t2i")
class UnCLIPGenerator(_Former):
    backbone_cls = UnCLIPBackbone
