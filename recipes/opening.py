"""The presets that recipes build on, and networks that go on from one."""

import sys
import zipfile

import keras
import numpy as np

from keras_t2i.models import DiffusionUNet
from keras_t2i.models import DualEncoder
from keras_t2i.models import Generator
from keras_t2i.models import TextToImageBackbone
from keras_t2i.models import TextToImagePreprocessor
from keras_t2i.models.networks.unet import SIZES
from keras_t2i.training import encoding
from keras_t2i.training.checkpoint import Checkpoint
from keras_t2i.utils.files import atomic_file
from keras_t2i.utils.images import to_float

SMOKE_UNET = {"filters": (8, 16), "blocks": (1, 1), "attention_size": 8, "head_dim": 8, "condition_dim": 16}
LEFT_OUT = "state/left_out.npz"  # drafts that do not know their picture
FEATURES_OF_A_PICTURE = 4  # of a draft: its captions are several


def open_encoders(args, base=None, lesson=""):
    """The encoders that a run builds on, and with `--start` the stage to go on from.

    Args:
        args: Namespace, with `dual_encoder` and perhaps `start`, names of presets or folders.
        base: class of the stage of `--start` that makes pictures.
        lesson: str, for the error: where such presets come from.

    Returns:
        `(dual_encoder, preprocessor, stage)`, the last `None` without `--start`.

    Raises: ValueError where `--start` draws in another way.
    """
    if not getattr(args, "start", ""):
        preprocessor = TextToImagePreprocessor.from_preset(args.dual_encoder)
        return DualEncoder.from_preset(args.dual_encoder), preprocessor, None
    generator = Generator.from_preset(args.start)
    if not isinstance(generator.base, base) or generator.base.produces != "image":
        raise ValueError(
            f"--start {args.start} has no {base.__name__} of pictures: give a preset of {lesson}"
        )
    return generator.stage("text").dual_encoder, generator.preprocessor, generator.base


def open_decoder(args):
    """As `open_encoders`, but the third is the generator of `--decoder`, without a prior, or `None`.

    Raises: ValueError where it draws no image concepts.
    """
    if not args.decoder:
        return open_encoders(args)
    generator = Generator.from_preset(args.decoder)
    if not getattr(getattr(generator.base, "unet", None), "image_code", False):
        raise ValueError(f"--decoder {args.decoder} draws no image concepts: see train_image_decoder.py")
    stages = [stage for stage in generator.stages if stage.produces != "image_embedding"]
    alone = Generator(TextToImageBackbone(stages), generator.preprocessor)
    return generator.stage("text").dual_encoder, generator.preprocessor, alone


def plain_concepts(dual_encoder, preprocessor, data):
    """The concept of each picture's plain caption, float32 `(n, code_dim)` of length 1."""
    token_ids = preprocessor.generate_preprocess(data.plain_captions)
    return encoding.text_embeddings(dual_encoder.text_encoder, token_ids)


def trainable_copy(network, precision):
    """A network of the same class and weights, to be trained in this precision."""
    copy = type(network).from_config({**network.get_config(), "dtype": precision, "trainable": True})
    copy.set_weights(network.get_weights())
    return copy


def build_unet(args, dual_encoder, pipeline, start=None, **sizes):
    """A U-Net that is conditioned on captions, and on image concepts, of these encoders.

    Args:
        args: Namespace, with `size`, `adapt`, `precision`, `smoke`, `output` and `restart`.
        dual_encoder: `DualEncoder`.
        pipeline: `Pipeline` of the training data, whose conditions are measured (`DiffusionUNet.adapt`).
        start: `DiffusionStage` whose network to go on from, or `None`: the new one is of its size, but for
            detail that it lacks, which starts at zero.
        sizes: `image_size`, `channels`, `image_code` of `DiffusionUNet`.

    Returns: `DiffusionUNet`, whose `data_std` is that of the latents, if there are any, or of pictures.
    """
    text_encoder, sizes = dual_encoder.text_encoder, {**sizes, "dtype": args.precision}
    latents = pipeline.image_features.get("latents")
    some = to_float(pipeline.data.pictures[:2048]) if latents is None else latents
    sizes["data_std"] = encoding.data_std(some)
    if start is None:
        sizes |= {"code_dim": text_encoder.code_dim, "token_dim": text_encoder.filters}
        smoke = SMOKE_UNET if args.smoke else {}
        if features := SIZES[args.size].get("draft_features"):  # a few pictures need fewer to be remembered
            sizes["draft_features"] = min(features, FEATURES_OF_A_PICTURE * len(pipeline.data))
        unet = DiffusionUNet.from_size(args.size, **sizes, **smoke)
    else:
        sizes["detail_filters"] = start.unet.detail_filters or SIZES[args.size].get("detail_filters", 0)
        unet = DiffusionUNet.from_config({**start.unet.get_config(), **sizes, "trainable": True})
    if args.adapt:
        encoding.adapt_conditions(unet, dual_encoder, pipeline.token_table, pipeline.data.pictures)
    if start is not None:
        unet.load_matching_weights(start.unet)
    if unet.draft_features:  # also of one to go on from: a draft is of the training pictures
        pipeline.add_image_features(drafts_left_out(args, unet, dual_encoder, pipeline))
    return unet


def drafts_left_out(args, unet, dual_encoder, pipeline):
    """Adapt the network's draft, and return what `encoding.adapt_draft` does. A run that is gone on with has
    its draft in its state, and these and its errors beside it: the equations are not solved again."""
    if not args.restart and Checkpoint(args.output / "state").state_file.exists():
        try:
            with np.load(args.output / LEFT_OUT) as stored:
                rows = dict(stored)
            unet.get_layer("draft_variance").curve.assign(rows.pop("curve"))  # the loss is weighed by it
            return rows
        except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
            print(f"{args.output / LEFT_OUT} cannot be read ({error}): it is made again.", file=sys.stderr)
    print(
        "Learning what the pictures have in common, and remembering each: this may take minutes.",
        file=sys.stderr,
        flush=True,
    )
    rows = encoding.adapt_draft(unet, dual_encoder, pipeline)
    print(f"Mean squared error of the drafts: {unet.draft_error:.4f}", file=sys.stderr, flush=True)
    return rows


def keep_left_out(args, objective, pipeline):
    """Callbacks that write them, if there are any, once the run has begun and lists what it writes."""
    names = ("left_out_components", "left_out_doubt")
    if not all(name in pipeline.image_features for name in names):
        return []

    def write(logs):
        rows = {name: pipeline.image_features[name] for name in names}
        curve = keras.ops.convert_to_numpy(objective.network.get_layer("draft_variance").curve)
        with atomic_file(args.output / LEFT_OUT) as file:
            np.savez(file, curve=curve, **rows)

    return [keras.callbacks.LambdaCallback(on_train_begin=write)]
