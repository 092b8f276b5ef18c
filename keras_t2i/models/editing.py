"""What can be done with pictures and concepts: functions of any generator whose stages allow it."""

import numpy as np

from keras_t2i.models.canvas import on_canvas
from keras_t2i.models.given_picture import encode_start
from keras_t2i.models.inputs import as_seeds
from keras_t2i.models.inputs import check_images
from keras_t2i.models.stages.cascade import resolve_settings
from keras_t2i.models.stages.cascade import sample_stages
from keras_t2i.models.stages.renderer import Canvas
from keras_t2i.models.stages.sampling import Draw
from keras_t2i.models.stages.sampling import sample_in_batches
from keras_t2i.models.words import Words
from keras_t2i.utils.batching import at_least_one
from keras_t2i.utils.batching import predict_in_batches
from keras_t2i.utils.embeddings import check_embeddings
from keras_t2i.utils.embeddings import l2_normalize
from keras_t2i.utils.embeddings import slerp
from keras_t2i.utils.images import to_float
from keras_t2i.utils.images import to_uint8


def decode(
    generator,
    concepts,
    seed=None,
    noise=None,
    num_steps=None,
    sampler=None,
    guidance_scale=None,
    size=None,
    background="white",
    batch_size=16,
):
    """Pictures of concepts (image embeddings), with no words.

    Args:
        generator: `Generator` that draws from a concept: in one pass, which takes no other setting than
            `batch_size`, or by a U-Net with an `image_code`.
        concepts: float `(n, code_dim)`, brought to length 1: of `encode_image`, or of the prior.
        seed: int, the first picture's; picture i has `seed + i`. Or one int per picture.
        noise: float `(n, s, s, c)` of `invert`, in place of noise by the seed.
        num_steps, sampler, guidance_scale: as of `generate`; guidance goes away from what is drawn with no
            concept.
        size, background: as of `generate`.

    Returns:
        uint8 `(n, s, s, 3)`, or as large as `size` says.

    Raises:
        NotImplementedError: this generator draws from words alone.
        TypeError: a setting that it has not.
        ValueError: other shapes, a number that is not finite or out of range, an unknown sampler.
    """
    codes = check_embeddings("concepts", concepts, generator.stage("text").dual_encoder.code_dim)
    codes, base = l2_normalize(codes), generator.base
    options = {"num_steps": num_steps, "sampler": sampler, "guidance_scale": guidance_scale}
    settings = resolve_settings(generator.base_stages, **options)
    canvas = Canvas.of(size, background, len(codes))
    draws = [Draw(one) for one in as_seeds(seed, len(codes))]
    words = Words.none(generator, draws)
    if not base.editable:
        if not hasattr(base, "decoder"):
            raise NotImplementedError(f"a {type(base).__name__} draws from words, with chance: use generate")
        drawn = to_uint8(predict_in_batches(base.decoder, codes, batch_size))
        return on_canvas(generator, drawn, canvas, words)
    check_draws_embeddings(generator)
    shape = (len(codes), *base.noise_shape)
    noise = None if noise is None else np.asarray(noise, "float32")
    if noise is not None and noise.shape != shape:
        raise ValueError(f"noise must be {shape}, got {noise.shape}")

    def sample_batch(batch):
        conditions = embedding_conditions(generator, codes[batch.rows])
        own = None if noise is None else noise[batch.rows]
        return sample_stages(generator.base_stages, conditions, batch, settings, noise=own)

    return on_canvas(generator, sample_in_batches(sample_batch, draws, batch_size), canvas, words)


def variations(generator, image, n=4, seed=None, **options):
    """Other pictures of what is in a picture (arXiv 2204.06125, section 3.1): the same concept, other noise.

    Args:
        image: uint8 `(s, s, 3)`.
        n: int, how many.
        seed, **options: as of `decode`.

    Returns:
        uint8 `(n, s, s, 3)`.
    """
    codes = generator.encode_image(check_images(image, generator.image_size, 1))
    return decode(generator, np.repeat(codes, at_least_one("n", n), axis=0), seed=seed, **options)


def invert(generator, image, num_steps=16, refinements=2, batch_size=16):
    """The noise out of which DDIM draws this picture again, given its concept (arXiv 2204.06125, section 3).

    `decode(encode_image(image), noise=invert(image), num_steps=16, sampler="ddim", guidance_scale=1)` is
    the picture. Many more steps bring it back no better, and what they find is noise too large to be
    drawn at random, which spoils what lies between two pictures.

    Args:
        image: uint8 `(n, s, s, 3)`, or one, `(s, s, 3)`.
        num_steps: int, of `decode` too.
        refinements: int, of `diffusion.ddim_inversion`.

    Returns:
        float32 `(n, s, s, c)`, about standard normal.
    """
    check_draws_embeddings(generator)
    image = np.asarray(image)
    pictures = check_images(image, generator.image_size, len(image) if image.ndim == 4 else 1)
    x = np.concatenate([encode_start(generator, to_float(picture[None])) for picture in pictures])
    codes = generator.encode_image(pictures, batch_size)

    def sample_batch(batch):
        conditions = embedding_conditions(generator, codes[batch.rows])
        return generator.base.invert_batch(conditions, x[batch.rows], num_steps, refinements)

    return sample_in_batches(sample_batch, [Draw(0)] * len(x), batch_size)


def interpolate(generator, a, b, n=8, num_steps=16, refinements=2, batch_size=16, **options):
    """Pictures on the way from one to another (arXiv 2204.06125, section 3.2): between their concepts, and
    between the noises that they are drawn from.

    Args:
        a, b: uint8 `(s, s, 3)`.
        n: int, how many, with the two ends, which are `a` and `b` as `invert` brings them back.
        **options: `size` and `background`, as of `decode`.

    Returns:
        uint8 `(n, s, s, 3)`.
    """
    ends = np.concatenate([check_images(image, generator.image_size, 1) for image in (a, b)])
    fractions = np.linspace(0.0, 1.0, at_least_one("n", n))
    noise = slerp(*invert(generator, ends, num_steps, refinements), fractions)
    codes = slerp(*generator.encode_image(ends), fractions)
    return decode_inverted(generator, codes, noise, num_steps, batch_size, **options)


def text_diff(
    generator, image, before, after, theta=0.3, num_steps=16, refinements=2, batch_size=16, **options
):
    """A picture changed as words change (arXiv 2204.06125, section 3.3): its concept is turned towards the
    difference of the concepts of two captions, and drawn from the picture's own noise.

    Args:
        image: uint8 `(s, s, 3)`.
        before: `str`, what the picture shows, or "" for none: then towards `after` itself.
        after: `str`, what it is to become.
        theta: float in [0, 1], or several: how far to turn; 0.25 to 0.5 in the paper. 0 is the picture.
        **options: `size` and `background`, as of `decode`.

    Returns:
        uint8 `(s, s, 3)`, or `(n, s, s, 3)` for several.

    Raises: ValueError where `theta` is out of range, or the captions' concepts do not differ.
    """
    theta = np.asarray(theta, "float64")
    if theta.ndim > 1 or not theta.size or not ((theta >= 0) & (theta <= 1)).all():
        raise ValueError(f"theta must be in [0, 1], or several such numbers, got {theta}")
    picture = check_images(image, generator.image_size, 1)
    difference = generator.encode_text(after) - (generator.encode_text(before) if before else 0.0)
    if np.linalg.norm(difference) < 1e-6:
        raise ValueError(f"{before!r} and {after!r} have one concept: there is nothing to turn to")
    codes = slerp(generator.encode_image(picture)[0], l2_normalize(difference)[0], np.atleast_1d(theta))
    noise = np.repeat(invert(generator, picture, num_steps, refinements), len(codes), axis=0)
    pictures = decode_inverted(generator, codes, noise, num_steps, batch_size, **options)
    return pictures if theta.ndim else pictures[0]


def decode_inverted(generator, codes, noise, num_steps, batch_size, **options):
    """Pictures of concepts out of noise that `invert` found: by DDIM, as it was found."""
    as_found = {"sampler": "ddim", "guidance_scale": 1.0, "batch_size": batch_size}
    return decode(generator, codes, seed=0, noise=noise, num_steps=num_steps, **as_found, **options)


def check_draws_embeddings(generator):
    """Raise a NotImplementedError where the generator does not draw from image embeddings."""
    if not (generator.base.editable and generator.base.unet.image_code):
        raise NotImplementedError(
            "this generator draws from words alone: for concepts take one with an image embedding, such as "
            "unclip_emoji_32"
        )


def embedding_conditions(generator, codes):
    """Conditions of image embeddings `(n, code_dim)` with no words."""
    embedding = {"image_code": codes, "image_condition_mask": np.ones(len(codes), "float32")}
    return {"text": generator.stage("text").null_text(len(codes)), "image_embedding": embedding}
