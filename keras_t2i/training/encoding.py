"""What frozen encoders make of a whole data set, computed once before training. NumPy in, NumPy out."""

import numpy as np

from keras_t2i.data.leaving_out import leave_out_groups
from keras_t2i.models.networks.autoencoder import code_grid
from keras_t2i.models.networks.text_encoder import token_features
from keras_t2i.models.networks.unet import draft_size
from keras_t2i.utils.batching import predict_in_batches
from keras_t2i.utils.batching import spread
from keras_t2i.utils.embeddings import l2_normalize
from keras_t2i.utils.images import downsample
from keras_t2i.utils.images import to_float

BLOCK = 256  # pictures that are float32 at a time
MOST_DRAFTED = 2**15  # pictures that a draft is fitted to: they are in memory, as large as a draft
MOST_MEASURED = 1024  # pictures that drafts of each kind are compared with, at full size


def encode_images(encoder, images, batch_size=64):
    """Codes of all pictures.

    Args:
        encoder: Backbone of one input and an `image_size`: `ImageEncoder`, `ImageTower`.
        images: uint8 `(n, s, s, 3)`, in memory or in shards, n at least 1, s a multiple of the encoder's
            `image_size`: they are downsampled.
        batch_size: int.

    Returns:
        float32 `(n, code_dim)`.
    """
    blocks = (to_float(images[start : start + BLOCK]) for start in range(0, len(images), BLOCK))
    codes = [predict_in_batches(encoder, downsample(b, encoder.image_size), batch_size) for b in blocks]
    return np.concatenate(codes)


def encode_latents(encoder, images, batch_size=64):
    """Codes of all pictures as grids: float32 `(n, side, side, channels)`, what latent diffusion works on.

    Args: as of `encode_images`; encoder: `ImageEncoder`.
    """
    side, channels = code_grid(encoder.image_size, encoder.filters, encoder.code_dim)
    return encode_images(encoder, images, batch_size).reshape(-1, side, side, channels)


def image_embeddings(encoder, images, batch_size=256):
    """Concepts (image embeddings) of all pictures, of length 1; else as `encode_images`."""
    return l2_normalize(encode_images(encoder, images, batch_size))


def text_embeddings(encoder, token_ids, batch_size=256):
    """Concepts (text embeddings) of captions.

    Args:
        encoder: `CNNTextEncoder`, or another Backbone of token ids.
        token_ids: int32 `(n, l)`: a `Pipeline`'s `token_table`, or what a preprocessor's
            `generate_preprocess` makes of captions.
        batch_size: int.

    Returns:
        float32 `(n, code_dim)` of length 1.
    """
    return l2_normalize(predict_in_batches(encoder, token_ids, batch_size))


def adapt_conditions(unet, dual_encoder, token_ids, images, most=4096):
    """Before training: show a U-Net how captions, and image concepts if it takes them, differ.

    Args:
        unet: `DiffusionUNet`, see its `adapt`.
        dual_encoder: `DualEncoder` that makes its conditions.
        token_ids: int32 `(m, l)`, of all training captions.
        images: uint8 `(n, s, s, 3)`, the training pictures.
        most: int, captions that are looked at, evenly spread over all.
    """
    some = spread(len(token_ids), most)
    features = predict_in_batches(token_features(dual_encoder.text_encoder), token_ids[some], 256)
    concepts = image_embeddings(dual_encoder.image_encoder, images, 64) if unet.image_code else None
    unet.adapt(features["text_code"], features["text_tokens"][features["text_mask"] > 0], concepts)


def adapt_draft(unet, dual_encoder, pipeline, captions=3, plain=1.0, ridge=1e-3):
    """Before training, after `adapt_conditions`: find a U-Net's drafts of training captions in closed form.

    Of more pictures than `MOST_DRAFTED` so many are remembered, evenly spread over all. How far off drafts
    of plain captions are is measured, of those that know their picture and of those that do not.

    A draft that knew one caption of a picture alone would be lost with another phrasing. The plain caption
    counts `plain` times as much as all the others together: it says best what the picture shows.

    Args:
        unet: `DiffusionUNet` with `draft_features`.
        dual_encoder: `DualEncoder` that makes its conditions.
        pipeline: `Pipeline` of the training pictures, or of their "latents"; its `shares` count here too.
        captions: int, of a picture with more of them: the plain one, and some evenly spread over the others.
        plain: float above 0.
        ridge: float, of `KernelRegression.adapt`.

    Returns:
        dict of what `Denoising` and `Pipeline.image_features` take: "left_out_components", float16
        `(n, g, components)`, and "left_out_doubt", float32 `(n, g)`: drafts of each picture's plain caption
        that do not know the picture, any picture of the same thing in another style, any picture of it at all
        (`data.leave_out_groups`). Doubt is -1 where the picture was not remembered at all.
    """
    n = len(pipeline.data)
    chosen = spread(n, MOST_DRAFTED)
    images, examples = pipeline.data.pictures, pipeline.image_features.get("latents")
    if examples is None:
        size = draft_size(unet.image_size, unet.patch_size)
        blocks = (images[chosen[start : start + BLOCK]] for start in range(0, len(chosen), BLOCK))
        examples = np.concatenate([downsample(to_float(block), size) for block in blocks])
    else:
        examples = examples[chosen]
    pictures = plain_rows = np.arange(len(chosen))
    weights = np.ones(len(chosen)) if pipeline.shares is None else pipeline.shares[chosen]
    if unet.image_code:
        codes = image_embeddings(dual_encoder.image_encoder, images.take(chosen, axis=0), 64)
    else:
        counts, first = pipeline.caption_counts[chosen], pipeline.first_captions[chosen]
        kept = np.minimum(counts, captions)
        pictures = np.repeat(pictures, kept)
        place = np.arange(len(pictures)) - np.repeat(np.cumsum(kept) - kept, kept)
        rows = first[pictures] + place * counts[pictures] // kept[pictures]
        codes = text_embeddings(dual_encoder.text_encoder, pipeline.token_table[rows])
        plain_rows = np.flatnonzero(place == 0)
        others = np.maximum(kept[pictures] - 1, 1)  # a picture counts its share, however many captions it has
        parts = np.where(place == 0, plain, 1 / others) / np.where(kept > 1, plain + 1, plain)[pictures]
        weights = weights[pictures] * parts
    groupings = [groups[chosen][pictures] for groups in leave_out_groups(pipeline.data)]
    found = unet.adapt_draft(codes, examples[pictures], weights, ridge, groupings=groupings)
    left_out = [(components[plain_rows], doubts[plain_rows]) for components, doubts in found]
    some = spread(len(chosen), MOST_MEASURED)
    if "latents" in pipeline.image_features:
        truths = examples[some]
    else:
        truths = downsample(to_float(images.take(chosen[some], axis=0)), unet.image_size)
    measured = [unet.drafts(codes[plain_rows[some]])]
    measured += [(unet.drafts_of(components[some]), doubts[some]) for components, doubts in left_out]
    drafts, doubts = (np.concatenate(parts) for parts in zip(*measured, strict=True))
    unet.measure_drafts(drafts, doubts, np.concatenate([truths] * len(measured)))
    shape = (n, len(left_out))
    rows = {
        "left_out_components": np.zeros((*shape, left_out[0][0].shape[1]), "float16"),
        "left_out_doubt": np.full(shape, -1, "float32"),
    }
    for i, (components, doubts) in enumerate(left_out):
        rows["left_out_components"][chosen, i] = components
        rows["left_out_doubt"][chosen, i] = doubts
    return rows


def data_std(examples):
    """Root mean square of what is diffused, as `Denoising` wants it: arrays of any shape to a float."""
    return float(np.sqrt(np.mean(np.square(examples))))
