"""A generator put together out of stages: each a preset, or a network in memory."""

from pathlib import Path

import keras_hub

from keras_t2i.models.backbone import Backbone
from keras_t2i.models.diffusion_backbone import DiffusionBackbone
from keras_t2i.models.diffusion_generator import DiffusionGenerator
from keras_t2i.models.generator import Generator
from keras_t2i.models.generator_backbone import GeneratorBackbone
from keras_t2i.models.networks.decoder import ConceptDecoder
from keras_t2i.models.networks.dual_encoder import DualEncoder
from keras_t2i.models.networks.prior import Prior
from keras_t2i.models.networks.text_encoder import CNNTextEncoder
from keras_t2i.models.text.preprocessor import TextToImagePreprocessor
from keras_t2i.models.unclip_backbone import UnCLIPBackbone
from keras_t2i.models.unclip_generator import UnCLIPGenerator


def from_stages(decoder, text_encoder=None, prior=None, upsampler=None, preprocessor=None):
    """See `Generator.from_stages`."""
    if upsampler is not None:
        raise ValueError("there is no upsampler yet: upsampler must be None")
    decoder, own_preprocessor = _opened(
        "decoder", decoder, (ConceptDecoder, GeneratorBackbone, DiffusionBackbone)
    )
    text, its_preprocessor = _opened(
        "text_encoder", text_encoder, (CNNTextEncoder, DualEncoder, GeneratorBackbone, DiffusionBackbone)
    )
    prior, _ = _opened("prior", prior, (Prior, UnCLIPBackbone))
    prior = getattr(prior, "prior", prior)
    preprocessor = preprocessor or (own_preprocessor if text is None else its_preprocessor)
    if preprocessor is None:
        raise ValueError("the text encoder brings no tokenizer: name a preset that has one, or preprocessor=")
    dual_encoder = _dual_encoder(getattr(text, "dual_encoder", text), decoder)
    if isinstance(decoder, UnCLIPBackbone):
        parts = {"dual_encoder": dual_encoder, **({} if prior is None else {"prior": prior})}
        return UnCLIPGenerator(decoder.with_parts(**parts), preprocessor)
    if prior is not None:
        raise ValueError(
            f"a prior makes image concepts, and this {type(decoder).__name__} does not draw from them: take "
            "the decoder of `train_diffusion.py --condition image_code`"
        )
    if isinstance(decoder, DiffusionBackbone):
        return DiffusionGenerator(decoder.with_parts(dual_encoder=dual_encoder), preprocessor)
    scale = {"noise_scale": decoder.noise_scale} if isinstance(decoder, GeneratorBackbone) else {}
    network = getattr(decoder, "decoder", decoder)
    return Generator(GeneratorBackbone(dual_encoder, network, **scale), preprocessor)


def _opened(name, stage, kinds):
    """A stage's network and, where it has one, its preprocessor."""
    if stage is None:
        if name == "decoder":
            raise ValueError("there must be a decoder")
        return None, None
    preprocessor = None
    if isinstance(stage, str | Path):
        network = Backbone.from_preset(stage)
        try:
            preprocessor = TextToImagePreprocessor.from_preset(stage)
        except ValueError:  # a preset without one
            preprocessor = None
    elif isinstance(stage, keras_hub.models.Task):
        network, preprocessor = stage.backbone, stage.preprocessor
    else:
        network = stage
    if not isinstance(network, kinds):
        names = ", ".join(kind.__name__ for kind in kinds)
        raise ValueError(f"{name} must be a preset or network of {names}, got a {type(network).__name__}")
    return network, preprocessor


def _dual_encoder(text, decoder):
    """The dual encoder to draw with: that of the text stage, or the decoder's with another text encoder."""
    own = getattr(decoder, "dual_encoder", None)
    if isinstance(text, DualEncoder):
        return text
    if own is None:
        raise ValueError(f"a {type(decoder).__name__} alone needs a DualEncoder as text_encoder")
    return own if text is None else DualEncoder(text, own.image_encoder)
