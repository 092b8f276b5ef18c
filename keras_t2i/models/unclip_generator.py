"""Words to a picture by way of the picture's concept (DALL-E 2), and what else can be done with concepts."""

import keras
import numpy as np

from keras_t2i.diffusion import SAMPLERS
from keras_t2i.diffusion import from_config
from keras_t2i.diffusion import sampling_times
from keras_t2i.models.diffusion_generator import DiffusionGenerator
from keras_t2i.models.diffusion_generator import checked_sampler
from keras_t2i.models.diffusion_generator import guidance
from keras_t2i.models.given_pictures import given_pictures
from keras_t2i.models.guided_denoiser import GuidedDenoiser
from keras_t2i.models.prompts import as_seeds
from keras_t2i.models.unclip_backbone import UnCLIPBackbone
from keras_t2i.utils.batching import at_least_one
from keras_t2i.utils.batching import batches_of_one_size
from keras_t2i.utils.batching import fitting_batch_size
from keras_t2i.utils.embeddings import check_embeddings
from keras_t2i.utils.embeddings import l2_normalize
from keras_t2i.utils.embeddings import slerp
from keras_t2i.utils.images import to_float
from keras_t2i.utils.images import to_uint8
from keras_t2i.utils.random_streams import random_stream


@keras.saving.register_keras_serializable(package="keras_t2i")
class UnCLIPGenerator(DiffusionGenerator):
    """Prompt, text concept, prior, image concept, picture (arXiv 2204.06125).

    `generate` is that of `DiffusionGenerator`, with inpainting and pictures to start from; the prior draws
    an image concept of its own for each picture, by the picture's seed. The other methods take a picture's
    concept apart from the noise that it is drawn from.

    Args:
        backbone: `UnCLIPBackbone`.
        preprocessor: `TextToImagePreprocessor` of the text encoder's length.
    """

    backbone_cls = UnCLIPBackbone

    def decode(
        self,
        concepts,
        seed=None,
        noise=None,
        num_steps=None,
        sampler=None,
        guidance_scale=None,
        batch_size=16,
    ):
        """Pictures of image concepts, with no words.

        Args:
            concepts: float `(n, code_dim)`, brought to length 1: of `encode_image`, or of the prior.
            seed: int, the first picture's; picture i has `seed + i`. Or one int per picture.
            noise: float `(n, s, s, c)` of `invert`, in place of noise by the seed.
            num_steps, sampler, guidance_scale: as of `generate`; guidance goes away from what is drawn
                with no concept.

        Returns:
            uint8 `(n, s, s, 3)`.

        Raises: ValueError for other shapes, a number that is not finite or out of range, an unknown sampler.
        """
        backbone = self.backbone
        codes = l2_normalize(check_embeddings("concepts", concepts, backbone.dual_encoder.code_dim))
        seeds = as_seeds(seed, len(codes))
        if noise is None:
            noise = np.stack([self._noise(one, 0) for one in seeds])
        noise, shape = np.asarray(noise, "float32"), (len(codes), *self.latent_shape[1:])
        if noise.shape != shape:
            raise ValueError(f"noise must be {shape}, got {noise.shape}")
        sampler = checked_sampler(backbone.sampler if sampler is None else sampler)
        scale = guidance(backbone.guidance_scale if guidance_scale is None else guidance_scale)
        process, times = self._times(num_steps)
        x = process.start(noise, times[0])
        x = self._follow(codes, x, times, sampler, *scale, batch_size=batch_size, seeds=seeds)
        decoded = [backbone.decode(x[i : i + batch_size]) for i in range(0, len(x), batch_size)]
        return to_uint8(np.concatenate(decoded))

    def variations(self, image, n=4, seed=None, **options):
        """Other pictures of what is in a picture (section 3.1): the same concept, other noise.

        Args:
            image: uint8 `(s, s, 3)`.
            n: int, how many.
            seed, **options: as of `decode`.

        Returns:
            uint8 `(n, s, s, 3)`.
        """
        codes = self.encode_image(given_pictures(image, self.image_size, 1))
        return self.decode(np.repeat(codes, at_least_one("n", n), axis=0), seed=seed, **options)

    def invert(self, image, num_steps=16, refinements=2, batch_size=16):
        """The noise out of which DDIM draws this picture again, given its concept (section 3).

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
        image = np.asarray(image)
        pictures = given_pictures(image, self.image_size, len(image) if image.ndim == 4 else 1)
        x = np.concatenate([self.backbone.encode(to_float(picture[None])) for picture in pictures])
        process, times = self._times(num_steps)
        inversion = SAMPLERS["ddim_inversion"]
        codes = self.encode_image(pictures, batch_size)
        x = self._follow(codes, x, times[::-1], inversion, batch_size=batch_size, refinements=refinements)
        return x / np.float32(process.sigma(times[0]))

    def interpolate(self, a, b, n=8, num_steps=16, refinements=2, batch_size=16):
        """Pictures on the way from one to another (section 3.2): between their concepts, and between the
        noises that they are drawn from.

        Args:
            a, b: uint8 `(s, s, 3)`.
            n: int, how many, with the two ends, which are `a` and `b` as `invert` brings them back.

        Returns:
            uint8 `(n, s, s, 3)`.
        """
        ends = np.concatenate([given_pictures(image, self.image_size, 1) for image in (a, b)])
        fractions = np.linspace(0.0, 1.0, at_least_one("n", n))
        noise = slerp(*self.invert(ends, num_steps, refinements), fractions)
        codes = slerp(*self.encode_image(ends), fractions)
        return self._again(codes, noise, num_steps, batch_size)

    def text_diff(self, image, before, after, theta=0.3, num_steps=16, refinements=2, batch_size=16):
        """A picture changed as words change (section 3.3): its concept is turned towards the difference of
        the concepts of two captions, and drawn from the picture's own noise.

        Args:
            image: uint8 `(s, s, 3)`.
            before: `str`, what the picture shows, or "" for none: then towards `after` itself.
            after: `str`, what it is to become.
            theta: float in [0, 1], or several: how far to turn; 0.25 to 0.5 in the paper. 0 is the picture.

        Returns:
            uint8 `(s, s, 3)`, or `(n, s, s, 3)` for several.

        Raises: ValueError where `theta` is out of range, or the captions' concepts do not differ.
        """
        theta = np.asarray(theta, "float64")
        if theta.ndim > 1 or not theta.size or not ((theta >= 0) & (theta <= 1)).all():
            raise ValueError(f"theta must be in [0, 1], or several such numbers, got {theta}")
        picture = given_pictures(image, self.image_size, 1)
        difference = self.encode_text(after) - (self.encode_text(before) if before else 0.0)
        if np.linalg.norm(difference) < 1e-6:
            raise ValueError(f"{before!r} and {after!r} have one concept: there is nothing to turn to")
        codes = slerp(self.encode_image(picture)[0], l2_normalize(difference)[0], np.atleast_1d(theta))
        noise = np.repeat(self.invert(picture, num_steps, refinements), len(codes), axis=0)
        pictures = self._again(codes, noise, num_steps, batch_size)
        return pictures if theta.ndim else pictures[0]

    def _again(self, codes, noise, num_steps, batch_size):
        options = {"sampler": "ddim", "guidance_scale": 1.0, "batch_size": batch_size}
        return self.decode(codes, seed=0, noise=noise, num_steps=num_steps, **options)

    def _times(self, num_steps):
        """The process, and its times for so many steps, those of the preset for `None`."""
        num_steps = at_least_one("num_steps", self.backbone.num_steps if num_steps is None else num_steps)
        process = from_config(self.backbone.process)
        return process, sampling_times(process, num_steps)

    def _follow(self, codes, x, times, sampler, scale=1.0, interval=(-np.inf, np.inf), **options):
        """x at the end of `times`, told image concepts and no words: float32 like x."""
        total, found, seeds = len(x), np.zeros_like(x), options.pop("seeds", None)
        size = fitting_batch_size(total, options.pop("batch_size"))
        process = from_config(self.backbone.process)
        for rows, count in batches_of_one_size(total, size):
            told = self._wordless(codes[rows])
            against = {**told, "image_condition_mask": np.zeros(size, "float32")}
            against = against if self.backbone.guide is None else None
            denoiser = GuidedDenoiser(self.backbone, told, against, scale, interval)

            def noise(draw, rows=rows):
                return np.stack([self._noise(seeds[r], 0, draw + 1) for r in rows])

            more = {"noise": noise} if sampler.stochastic else {}
            y = sampler(denoiser, x[rows], times, process, **more, **options)
            found[rows[:count]] = y[:count]
        return found

    def _wordless(self, codes):
        """What the U-Net hears of image concepts alone."""
        n, unet = len(codes), self.backbone.unet
        length = self.preprocessor.sequence_length
        zeros = {
            "text_code": (n, unet.code_dim),
            "text_tokens": (n, length, unet.token_dim),
            "text_mask": (n, length),
            "condition_mask": (n,),
        }
        zeros = {name: np.zeros(shape, "float32") for name, shape in zeros.items()}
        return {**zeros, "image_code": codes, "image_condition_mask": np.ones(n, "float32")}

    def _heard(self, text, against, owner, draws):
        words, others = super()._heard(text, against, owner, draws)
        ones, with_text = np.ones(len(owner), "float32"), np.float32(self.backbone.with_text)
        codes = self._drawn_codes(words["text_code"], draws)
        words |= {"image_code": codes, "image_condition_mask": ones, "condition_mask": with_text * ones}
        if others is not None:
            given = others["condition_mask"]
            if given.any():  # a negative prompt has an image concept too
                codes = self._drawn_codes(others["text_code"], draws)
            others |= {
                "image_code": codes,
                "image_condition_mask": given,
                "condition_mask": with_text * given,
            }
        return words, others

    def _drawn_codes(self, text_codes, draws):
        """The prior's image concepts, by the seed and the candidate of each picture."""
        if self.backbone.prior is None:
            return text_codes
        seeds = [
            int(random_stream(seed, "prior seed", candidate).integers(2**63)) if candidate else seed
            for seed, candidate in draws
        ]
        return self.backbone.prior.sample(text_codes, seed=seeds)
