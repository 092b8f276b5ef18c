"""A generator as a folder that `keras_t2i_runtime` draws from."""

import json

import keras

from keras_t2i._version import __version__
from keras_t2i.export.network import check_format
from keras_t2i.export.network import export_network
from keras_t2i.export.schedules import schedule
from keras_t2i.models.stages import DiffusionStage
from keras_t2i.models.stages import OnePassStage
from keras_t2i.models.stages import PriorStage
from keras_t2i.models.stages.prior import PURPOSE as PRIOR_PURPOSE
from keras_t2i.utils.files import expanded
from keras_t2i.utils.files import remove
from keras_t2i.utils.files import write_text
from keras_t2i.utils.folders import check_ours
from keras_t2i_runtime.networks import FORMATS
from keras_t2i_runtime.networks import file_of
from keras_t2i_runtime.random_streams import hash_purpose
from keras_t2i_runtime.runtime import FORMAT
from keras_t2i_runtime.runtime import UNFINISHED
from keras_t2i_runtime.tiling import BLOCK
from keras_t2i_runtime.tiling import MARGIN

MOST_STEPS = 32
PURPOSE = "picture"  # of the random stream, as of `sampling.noise_of`
NETWORKS = ("text_encoder", "prior", "draft", "base", "renderer")


def export_generator(generator, folder, renderer=None, most_steps=MOST_STEPS, format="onnx"):
    """Write the networks, the tokenizer's tables and `settings.json`, which says until the
    end that all is not there yet.

    Args:
        generator: `Generator` of a text encoder, perhaps a prior, and a diffusion of pixels or one pass.
        folder: path, of nothing or of an earlier export, which is replaced.
        renderer: `RendererStage`, to draw at any size; `None`: small pictures alone.
        most_steps: int: the runtime is asked for so many steps at most (or the preset's own number).
        format: of the networks' files, a name out of `export.network.FORMATS`.

    Returns:
        `pathlib.Path` of the folder.

    Raises:
        ValueError: a part of the generator is not exported, or there is no such format; which, is said.
        FileExistsError: the folder holds what is no export.
        NotImplementedError, ImportError: as of `export_network`.
    """
    check_format(format)
    check(generator, renderer)
    text, base = generator.stage("text"), generator.base
    folder = expanded(folder)
    check_ours(folder, "settings.json", lambda held: held.keys() >= {"format", "keras_t2i"})
    (folder / "tokenizer").mkdir(parents=True, exist_ok=True)
    unfinished = {"format": UNFINISHED, "keras_t2i": __version__}
    write_text(folder / "settings.json", json.dumps(unfinished))
    generator.preprocessor.tokenizer.save_assets(str(folder / "tokenizer"))
    remove_networks(folder)

    def export(network, name, *length):
        export_network(network, file_of(folder, name, format), *length, format=format)

    export(text.features, "text_encoder")
    settings = {
        "format": FORMAT,
        "files": format,
        "keras_t2i": __version__,
        "sequence_length": text.sequence_length,
        "nearest_words": bool(generator.preprocessor.tokenizer.nearest_words),
        **stream_of(PURPOSE),
        "noise_shape": base.noise_shape,
        "image_size": base.image_size,
    }
    if isinstance(base, OnePassStage):
        settings |= {"defaults": {"temperature": 1.0}}
        export(base, "base")
    else:
        settings |= diffusion_settings(base, max(most_steps, base.num_steps))
        unet = base.unet
        if unet.draft_features:  # depends on the caption alone: once a picture, not at every step
            export(unet.draft_network(), "draft")
            unet = unet.with_drafts()
        export(unet, "base", text.sequence_length)
    for stage in generator.base_stages:
        if isinstance(stage, PriorStage):
            settings["prior"] = prior_settings(stage)
            export(stage.prior, "prior")
    if renderer is not None:
        settings["renderer"] = renderer_settings(renderer)
        side = min(base.image_size + -base.image_size % 4, BLOCK + 2 * MARGIN)  # what it sees at once
        export(renderer.renderer, "renderer", side)
    write_text(folder / "settings.json", json.dumps(settings, allow_nan=False))
    return folder


def stream_of(purpose):
    """What the runtime is told of a random stream; the hash for JavaScript: no number there holds 64 bits."""
    return {"purpose": purpose, "purpose_hash": str(hash_purpose(purpose))}


def diffusion_settings(stage, most_steps):
    """What the runtime is told of a diffusion."""
    told = {name: getattr(stage, name) for name in ("parameterization", "process", "sampler", "data_std")}
    return {
        **told,  # for people: the schedules have it all
        "defaults": {"num_steps": stage.num_steps, "guidance_scale": stage.guidance_scale},
        "threshold": stage.threshold,
        "smoothing": stage.smoothing,
        "with_text": stage.with_text,
        "image_code": bool(stage.unet.image_code),
        "draft": bool(stage.unet.draft_features),
        "schedules": {str(n): schedule(stage, n) for n in range(1, most_steps + 1)},
    }


def prior_settings(stage):
    """What the runtime is told of a prior."""
    prior = stage.prior
    of_codes = prior.standardization
    return {
        **stream_of(PRIOR_PURPOSE),
        "best_of": stage.best_of,
        "guidance_scale": prior.guidance_scale,
        "schedule": schedule(stage, prior.num_steps),
        "mean": keras.ops.convert_to_numpy(of_codes.mean).tolist(),
        "spread": keras.ops.convert_to_numpy(of_codes.scale).tolist(),
    }


def remove_networks(folder):
    """Networks of an earlier export, perhaps of other formats."""
    for name in NETWORKS:
        for format in FORMATS:
            file = file_of(folder, name, format)
            for one in (file, file.with_suffix(".bin")):  # OpenVINO has two
                remove(one)


def renderer_settings(stage):
    """What the runtime is told of a renderer."""
    network = stage.renderer
    return {"noise_level": stage.noise_level, "slots": network.slots, "nodes": network.nodes}


def check(generator, renderer):
    """Raise a ValueError that says what is not exported."""
    for stage in generator.base_stages[1:]:
        if not isinstance(stage, DiffusionStage | OnePassStage | PriorStage):
            raise ValueError(
                f"a {type(stage).__name__} is not exported: text, a prior, and a base of pixels, alone are"
            )
    if getattr(generator.base, "guide", None) is not None:
        raise ValueError("a generator with a guide is not exported")
    if renderer is not None and renderer.second_pass:
        raise ValueError("a renderer that draws twice (second_pass) is not exported")
    if any(layer.quantization_mode for layer in generator.backbone._flatten_layers()):
        raise ValueError("a quantized generator is not exported: export it before")
