"""Words to a picture in steps: noise is taken off, a little at a time."""

import math
from typing import NamedTuple

import keras
import numpy as np
from tqdm import tqdm

from keras_t2i.diffusion import SAMPLERS
from keras_t2i.diffusion import from_config
from keras_t2i.diffusion import sampling_times
from keras_t2i.models.diffusion_backbone import DiffusionBackbone
from keras_t2i.models.diffusion_backbone import sampler_names
from keras_t2i.models.generator import Generator
from keras_t2i.models.given_pictures import check_strength
from keras_t2i.models.given_pictures import coarse_masks
from keras_t2i.models.given_pictures import given_masks
from keras_t2i.models.given_pictures import given_pictures
from keras_t2i.models.guided_denoiser import GuidedDenoiser
from keras_t2i.models.prompts import as_negative_prompts
from keras_t2i.models.prompts import as_prompts
from keras_t2i.models.prompts import as_seeds
from keras_t2i.models.prompts import unwrap
from keras_t2i.utils.batching import at_least_one
from keras_t2i.utils.batching import batches_of_one_size
from keras_t2i.utils.batching import fitting_batch_size
from keras_t2i.utils.batching import predict_in_batches
from keras_t2i.utils.images import to_float
from keras_t2i.utils.images import to_uint8


class StepState(NamedTuple):
    """What a callback of `generate` is told after a step.

    step: int, from 0, of `num_steps`; t: float, the time reached, 0 at the end; first: int, the place of the
    first of these pictures among all (of which there are `best_of` for each); pictures: uint8 `(b, s, s, 3)`,
    what they would be by the present estimate.
    """

    step: int
    num_steps: int
    t: float
    first: int
    pictures: np.ndarray


@keras.saving.register_keras_serializable(package="keras_t2i")
class DiffusionGenerator(Generator):
    """Pictures from words by diffusion.

    One look of the U-Net is compiled; the loop over steps is plain Python, so it can be watched, and any
    number of steps, sampler or guidance runs without compiling anew.

    Args:
        backbone: `DiffusionBackbone`.
        preprocessor: `TextToImagePreprocessor` of the text encoder's length.
    """

    backbone_cls = DiffusionBackbone
    sweeps = {"num_steps": (1, 2, 4, 8, 16, 32), "guidance_scale": (1.0, 1.5, 2.0, 3.0, 4.0, 6.0)}

    @property
    def support_negative_prompts(self):
        return True

    def generate(
        self,
        inputs,
        *,
        seed=None,
        num_images=1,
        num_steps=None,
        sampler=None,
        guidance_scale=None,
        rescale=0.0,
        image=None,
        strength=None,
        mask=None,
        best_of=1,
        batch_size=16,
        progress=False,
        callback=None,
    ):
        """Make pictures.

        A picture depends on its words, its seed and these settings alone: not on the others of the call, and,
        but for rounding, not on the backend.

        Args:
            inputs: a prompt, a list of prompts, or `{"prompts": ..., "negative_prompts": ...}`: what not to
                draw, a `str` for all prompts or one for each, "" for none.
            seed, num_images, best_of, batch_size: as of `Generator.generate`.
            num_steps: int, steps from noise to picture. This and the next two are the preset's for `None`.
            sampler: a name out of `diffusion.SAMPLERS`; some look twice or more a step.
            guidance_scale: float: how far to go from what is drawn with no caption, or with the negative
                prompt, to what is drawn with it, and on (arXiv 2207.12598); 1 is the caption alone. A preset
                with a guide goes away from that, unless there are negative prompts. Or (float, lowest,
                highest): between these logSNR alone (arXiv 2404.07724).
            rescale: float in [0, 1]: how much of the contrast that guidance adds is taken back (arXiv
                2305.08891).
            image: uint8 `(s, s, 3)`, for all, or one for each picture: where to start from (SDEdit, arXiv
                2108.01073).
            strength: float in (0, 1], the time at which to start from `image`: 1 leaves nothing of it.
                Default 0.6, and 1 with a mask.
            mask: bool `(s, s)`, or one for each picture: True where `image` is drawn anew. The rest stays as
                it is, pixel by pixel.
            progress: whether to show a progress bar, of steps.
            callback: function of a `StepState`, called after every step.

        Returns:
            uint8 array: `(s, s, 3)` for one prompt and `num_images=1`, else `(n, s, s, 3)`, n the prompts
            times `num_images`, all of the first prompt first.

        Raises:
            TypeError: a prompt isn't text, a seed not an int.
            ValueError: an empty prompt (its position is named), another number of seeds than pictures, an
                unknown key or sampler, a number out of range, pictures or masks of another size.
        """
        backbone = self.backbone
        num_images, best_of = at_least_one("num_images", num_images), at_least_one("best_of", best_of)
        num_steps = at_least_one("num_steps", backbone.num_steps if num_steps is None else num_steps)
        sampler = checked_sampler(backbone.sampler if sampler is None else sampler)
        scale, interval = guidance(backbone.guidance_scale if guidance_scale is None else guidance_scale)
        if not 0 <= rescale <= 1:
            raise ValueError(f"rescale must be in [0, 1], got {rescale}")
        strength = check_strength(strength, image, mask)
        process = from_config(backbone.process)
        times = sampling_times(process, num_steps, start=strength)

        inputs = unwrap(inputs, ("prompts", "negative_prompts"))
        prompts = as_prompts(inputs["prompts"])
        seeds = as_seeds(seed, len(prompts) * num_images)
        total = len(seeds) * best_of
        owner = np.repeat(np.arange(len(prompts)), num_images * best_of)  # prompt of each candidate
        size = fitting_batch_size(total, batch_size)
        text, against = self._text(prompts, inputs.get("negative_prompts"), size)
        given = _Given(backbone, image, mask, strength, len(seeds), best_of)

        pictures = np.zeros((total, self.image_size, self.image_size, 3), "uint8")
        with tqdm(total=-(-total // size) * num_steps, unit="step", disable=not progress) as bar:
            for rows, count in batches_of_one_size(total, size):

                def noise(draw, rows=rows):
                    return np.stack([self._noise(seeds[r // best_of], r % best_of, draw) for r in rows])

                draws = [(seeds[r // best_of], r % best_of) for r in rows]
                words, others = self._heard(text, against, owner[rows], draws)
                x, known = given.start(process, noise(0), times[0], rows)
                denoiser = GuidedDenoiser(backbone, words, others, scale, interval, rescale, known)
                more = {"noise": lambda draw, noise=noise: noise(draw + 1)} if sampler.stochastic else {}
                for state in sampler.steps(denoiser, x, times, process, **more):
                    bar.update()
                    if callback is not None:
                        seen = given.finish(state.x0, rows)[:count]
                        callback(StepState(state.step, num_steps, state.t, int(rows[0]), seen))
                pictures[rows[:count]] = given.finish(state.x, rows)[:count]
        pictures = self._best(pictures, prompts, owner, best_of, batch_size)
        return pictures[0] if len(pictures) == 1 and isinstance(inputs["prompts"], str) else pictures

    def generate_frames(self, inputs, **options):
        """A picture as it evolves: what it would be by the estimate of every step. See `save_frames`.

        Args:
            inputs: one prompt, or a dict with one, as of `generate`.
            **options: of `generate`, without `num_images`, `best_of` and `callback`.

        Returns:
            uint8 `(num_steps, s, s, 3)`; the last is what `generate` returns.
        """
        if not isinstance(unwrap(inputs, ("prompts", "negative_prompts"))["prompts"], str):
            raise TypeError("generate_frames takes one prompt, a str")
        if wrong := {"num_images", "best_of", "callback"} & set(options):
            raise TypeError(f"generate_frames makes one picture: it has no {', '.join(sorted(wrong))}")
        frames = []
        picture = self.generate(inputs, callback=lambda state: frames.append(state.pictures[0]), **options)
        return np.stack([*frames[:-1], picture])

    def decode(self, concepts, batch_size=16):
        """Not here: a U-Net draws from the words of a caption, not from its concept alone."""
        raise NotImplementedError("A DiffusionGenerator draws from words: use generate.")

    def _text(self, prompts, negative_prompts, batch_size):
        """Features of each prompt, and of what to go away from: dicts of arrays; the second may be `None`."""

        def features(captions):
            token_ids = self.preprocessor.generate_preprocess(captions)
            return predict_in_batches(self.backbone.text_features, token_ids, batch_size)

        text, negatives = features(prompts), as_negative_prompts(negative_prompts, len(prompts))
        given = np.array([bool(negative) for negative in negatives])
        if self.backbone.guide is not None and not given.any():
            return text, None
        against = {**text, "condition_mask": given.astype("float32")}
        if given.any():
            # An empty one is told apart by "condition_mask"; its features count for nothing.
            filled = [negative or prompt for negative, prompt in zip(negatives, prompts, strict=True)]
            against |= features(filled)
        return text, against

    def _heard(self, text, against, owner, draws):
        """What the network hears for each picture of a batch, and what it is to go away from.

        owner: int `(b,)`, which rows of `text` and `against` these are; draws: (seed, candidate) of each.
        """
        return tuple(
            None if part is None else {name: values[owner] for name, values in part.items()}
            for part in (text, against)
        )


class _Given:
    """What of the pictures a person gave: where the sampler starts, and what stays."""

    def __init__(self, backbone, image, mask, strength, count, best_of):
        self.backbone, self.strength, self.best_of = backbone, strength, best_of
        size = backbone.image_size
        self.pictures = None if image is None else given_pictures(image, size, count)
        self.masks = None if mask is None else given_masks(mask, size, count)

    def start(self, process, noise, t, rows):
        """x at time `t`, and what `GuidedDenoiser` takes as `known`."""
        x = process.start(noise, t)
        if self.pictures is None:
            return x, None
        x0 = self.backbone.encode(to_float(self.pictures[rows // self.best_of]))
        seen = np.float32(process.alpha(t)) * x0
        if self.masks is None:
            return x + seen, None
        keep = ~coarse_masks(self.masks[rows // self.best_of], x0.shape[1])
        return x + (seen if self.strength < 1 else np.where(keep, seen, np.float32(0))), (keep, x0)

    def finish(self, x0, rows):
        """Estimates of x_0 as pictures, uint8, with the known pixels as they were."""
        drawn = to_uint8(self.backbone.decode(x0))
        if self.masks is None:
            return drawn
        return np.where(self.masks[rows // self.best_of], drawn, self.pictures[rows // self.best_of])


def checked_sampler(name):
    """The sampler of that name, which goes from noise to the picture; or a ValueError."""
    if name not in sampler_names():
        raise ValueError(f"there is no sampler {name!r}; there are {', '.join(sampler_names())}")
    return SAMPLERS[name]


def guidance(scale):
    """(scale, (lowest, highest)) of a number, or of the three."""
    try:
        scale, *interval = (float(number) for number in (scale if np.ndim(scale) else [scale]))
    except (TypeError, ValueError):
        raise TypeError(f"guidance_scale must be a number or three, got {scale!r}") from None
    lowest, highest = interval if len(interval) == 2 else (-math.inf, math.inf)
    if len(interval) not in (0, 2) or not (math.isfinite(scale) and scale >= 0 and lowest < highest):
        raise ValueError(
            "guidance_scale must be 0 or more, or (scale, lowest logSNR, highest logSNR), got "
            f"{(scale, *interval)}"
        )
    return scale, (lowest, highest)
