"""A generator put together out of stages that were trained apart: each a preset, or a network in memory."""

from pathlib import Path

import keras_hub

from keras_t2i.models.backbone import Backbone
from keras_t2i.models.networks.decoder import ConceptDecoder
from keras_t2i.models.networks.dual_encoder import DualEncoder
from keras_t2i.models.networks.prior import Prior
from keras_t2i.models.networks.renderer import Renderer
from keras_t2i.models.networks.text_encoder import CNNTextEncoder
from keras_t2i.models.networks.vae import VAE
from keras_t2i.models.stages import OnePassStage
from keras_t2i.models.stages import PriorStage
from keras_t2i.models.stages import RendererStage
from keras_t2i.models.stages import Stage
from keras_t2i.models.stages import TextStage
from keras_t2i.models.stages import VAEStage
from keras_t2i.models.text.preprocessor import TextToImagePreprocessor
from keras_t2i.models.text_to_image_backbone import TextToImageBackbone
from keras_t2i.presets.errors import MissingPartError

# What stage a network alone is.
STAGE_OF = {
    DualEncoder: TextStage,
    Prior: PriorStage,
    ConceptDecoder: OnePassStage,
    VAE: VAEStage,
    Renderer: RendererStage,
}


def assemble(decoder, text_encoder=None, prior=None, upsampler=None, renderer=None, preprocessor=None):
    """Stages that were trained apart as one backbone, or a generator's with one of them swapped.

    Each is a preset (name, folder, handle), a generator to take it from, a stage, or a network. Concepts must
    have as many numbers at each joint; that they mean the same is for you to see to: a decoder and a prior
    draw sense only with the encoders that they were trained with.

    Args:
        decoder: what makes the image: any generator, `DiffusionStage`, `OnePassStage`, `ConceptDecoder`
            or conditional `VAE`.
        text_encoder: `DualEncoder`; or a `CNNTextEncoder`, which then replaces that of the decoder's dual
            encoder; or `None`: the decoder's.
        prior: `Prior`, for a decoder of image concepts; or `None`: the decoder's.
        upsampler: `UpsamplerStage`, which draws several times as large; or `None`: the decoder's, if any.
        renderer: `RendererStage` or `Renderer`, which draws at any size; or `None`: the decoder's, if any.
        preprocessor: `TextToImagePreprocessor`, where the text encoder is a network without one.

    Returns:
        `(TextToImageBackbone, TextToImagePreprocessor)`, of which a `Generator` is made.

    Raises: ValueError where sizes do not agree (it names both), or a stage is of another kind.
    """
    stages, own_preprocessor = opened("decoder", decoder, "image")
    if text_encoder is not None:
        texts, own_preprocessor = opened("text_encoder", text_encoder, "text", own=stages.get("text"))
        stages["text"] = texts["text"]
    if prior is not None:
        stages["image_embedding"] = opened("prior", prior, "image_embedding")[0]["image_embedding"]
    if upsampler is not None:
        stages["large_image"] = opened("upsampler", upsampler, "large_image")[0]["large_image"]
    if renderer is not None:
        stages["rendering"] = opened("renderer", renderer, "rendering")[0]["rendering"]
    preprocessor = preprocessor or own_preprocessor
    if preprocessor is None:
        raise ValueError("the text encoder brings no tokenizer: name a preset that has one, or preprocessor=")
    if "text" not in stages:
        raise ValueError("a decoder alone needs a DualEncoder as text_encoder")
    if "image_embedding" in stages and not getattr(stages.get("latent", stages["image"]), "unet", None):
        raise ValueError("a prior makes image concepts, and this OnePassStage does not draw from them")
    order = ("text", "image_embedding", "latent", "image", "large_image", "rendering")
    return TextToImageBackbone([stages[name] for name in order if name in stages]), preprocessor


def opened(name, source, needed, own=None):
    """A source's stages by what they produce, and its preprocessor or `None`.

    Args:
        name: `str`, of the argument, for errors.
        source: see `assemble`.
        needed: `str`, what one of the stages must produce.
        own: `TextStage` whose image encoder a text encoder alone is joined with.
    """
    if source is None:
        raise ValueError(f"there must be a {name}")
    preprocessor = None
    if isinstance(source, str | Path):
        source, preprocessor = Backbone.from_preset(source), preprocessor_of(source)
    elif isinstance(source, keras_hub.models.Task):
        source, preprocessor = source, source.preprocessor
    if isinstance(source, CNNTextEncoder):
        if own is None:
            raise ValueError("a decoder alone needs a DualEncoder as text_encoder")
        source = DualEncoder(source, own.dual_encoder.image_encoder)
    stages = stages_of(source)
    found = {stage.produces: stage for stage in stages}
    if needed not in found and not (needed == "image" and "latent" in found):
        raise ValueError(
            f"{name} must be a preset or network that makes {needed}, got a {type(source).__name__}"
        )
    return found, preprocessor


def stages_of(source):
    """The stages of a generator, a backbone (of today or of 0.5), a stage or a network; else none."""
    if isinstance(source, Stage):
        return [source]
    if type(source) in STAGE_OF:
        return [STAGE_OF[type(source)](source)]
    if hasattr(source, "as_stages"):
        return source.as_stages()
    return list(getattr(source, "stages", ()))


def preprocessor_of(preset):
    """The text preparation of a preset, or `None`."""
    try:
        return TextToImagePreprocessor.from_preset(preset)
    except MissingPartError:
        return None
