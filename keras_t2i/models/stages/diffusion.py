"""Noise to a picture, or to the latent of one, in steps that a text steers."""

import math

import keras
import numpy as np

from keras_t2i.diffusion import SAMPLERS
from keras_t2i.diffusion import from_config
from keras_t2i.diffusion import sampling_times
from keras_t2i.models.inputs import check_number
from keras_t2i.models.stages.denoising import DenoisingStage
from keras_t2i.models.stages.denoising import check_text
from keras_t2i.models.stages.denoising import steps
from keras_t2i.models.stages.sampling import noise_of
from keras_t2i_runtime.smoothing import smoothed


@keras.saving.register_keras_serializable(package="keras_t2i")
class DiffusionStage(DenoisingStage):
    """A U-Net takes noise off, a little at a time.

    Args:
        unet: `DiffusionUNet`. One with an `image_code` draws from an image embedding: that of a `PriorStage`,
            else the text's, which is what arXiv 2204.06125, section 5.1, compares the prior with.
        guide: `DiffusionUNet`, a weaker one of the same inputs for autoguidance (arXiv 2406.02507), or
            `None`.
        process, parameterization, data_std, threshold: as of `DenoisingStage`.
        latent: bool, whether the U-Net works on latents, for a `LatentDecoder`; else on pixels.
        num_steps, sampler, guidance_scale: of `Generator.generate` where it is not told.
        with_text: bool, whether a U-Net with an `image_code` was also trained on captions.
        schedule: str, of the times of the steps, out of `diffusion.timesteps.TIMESTEP_SCHEDULES`; `None` is
            the one that suits the process, or "uniform" where there is a `power`.
        power: float from 0.1 to 10, of uniform times alone: above 1 there are more steps near the picture,
            below 1 more near the noise; or `None`, which is 1.
        smoothing: float, 0 or more, of pixels alone: how far apart, of colors from 0 to 1, pixels count as of
            one fill, which is made flat (`keras_t2i_runtime.smoothing`). The network draws on top of its own
            small mistakes, which in training it never saw (exposure bias: Ning et al. 2023, arXiv
            2301.11706): fills are mottled.

    Call: one evaluation of the U-Net, see there.
    Raises: ValueError where sizes differ, and for unknown names.
    """

    nested = ("unet", "guide")
    settings = ("num_steps", "sampler", "guidance_scale", "rescale", "smoothing")
    sweeps = {"num_steps": (1, 2, 4, 8, 16, 32), "guidance_scale": (1.0, 1.5, 2.0, 3.0, 4.0, 6.0)}
    watchable = editable = True

    def __init__(
        self,
        unet,
        guide=None,
        process="rectified_flow",
        parameterization="x0",
        data_std=0.5,
        latent=False,
        threshold=1.0,
        num_steps=16,
        sampler="dpm_solver_pp_2m",
        guidance_scale=2.0,
        with_text=True,
        schedule=None,
        power=None,
        smoothing=0.0,
        dtype=None,
        **kwargs,
    ):
        check_networks(unet, guide, latent)
        super().__init__(
            unet,
            process,
            parameterization,
            data_std,
            threshold,
            num_steps,
            sampler,
            guidance_scale,
            dtype=dtype,
            **kwargs,
        )
        self.unet = unet
        self.guide = guide
        self.latent = bool(latent)
        self.with_text = bool(with_text)
        if power is not None and schedule not in (None, "uniform"):
            raise ValueError(f"power is of uniform times, not of schedule={schedule!r}")
        self.power = None if power is None else check_number("power", power, 0.1, 10.0)
        self.schedule = schedule
        self.times(1)  # an unknown name is told now
        self.smoothing = self.check_smoothing(smoothing)

    @property
    def produces(self):
        return "latent" if self.latent else "image"

    @property
    def noise_shape(self):
        """Shape of one drawing's noise, `(s, s, c)`."""
        return tuple(self.unet.output_shape[1:])

    @property
    def image_size(self):
        """int, of the grid that the U-Net works on."""
        return self.unet.image_size

    def check(self, before):
        super().check(before)
        text = before["text"]
        check_text(text, self.unet, "U-Net")
        if "image_embedding" in before and not self.unet.image_code:
            raise ValueError("a prior makes image concepts, and this U-Net does not draw from them")
        if not self.latent:
            text.check_image_size(self.image_size)

    def denoiser(self, network=None):
        """The `Denoiser` of the U-Net, or of the guide."""
        return super().denoiser(self.unet if network is None else network)

    def resolve(self, num_steps=None, sampler=None, guidance_scale=None, rescale=None, smoothing=None):
        rescale = 0.0 if rescale is None else check_number("rescale", rescale, 0.0, 1.0)
        smoothing = self.smoothing if smoothing is None else self.check_smoothing(smoothing)
        own = {"rescale": rescale, "smoothing": smoothing}
        return super().resolve(num_steps, sampler, guidance_scale) | own

    def check_smoothing(self, smoothing):
        """`smoothing` as a float. Raises: TypeError, ValueError."""
        smoothing = check_number("smoothing", smoothing, 0.0, 1.0)
        if smoothing and self.latent:
            raise ValueError("smoothing is of pixels: what works on latents takes 0")
        return smoothing

    def times(self, num_steps, start=1.0):
        """Falling times of so many steps, float64 `(num_steps + 1,)`, from `start` to 0."""
        options = {"start": start} if self.power is None else {"start": start, "power": self.power}
        schedule = self.schedule if self.power is None else "uniform"
        return sampling_times(from_config(self.process), num_steps, schedule, **options)

    def sample_batch(
        self,
        conditions,
        draws,
        unconditional=None,
        update=None,
        *,
        num_steps,
        sampler,
        guidance_scale,
        rescale=0.0,
        smoothing=0.0,
        noise=None,
        start=None,
        on_step=None,
    ):
        """Pictures, or latents, float32 `(n, s, s, c)`.

        Args:
            conditions: "text", and perhaps "image_embedding".
            unconditional: of negative prompts. `None`: away from the guide, else from the same with every
                mask 0.
            num_steps, sampler, guidance_scale, rescale, smoothing: as `resolve` gives them.
            noise: float32 `(n, s, s, c)`, in place of that of the draws.
            start: `Start`, a given picture to start from; or `None`: noise alone.
            on_step: function of a sampler's `State`, called after every step.
        """
        process = from_config(self.process)
        times = self.times(num_steps, 1.0 if start is None else start.time(process))

        def noise_at(number):
            return noise_of(draws, self.noise_shape, number)

        noise = noise_at(0) if noise is None else noise
        x, known = process.start(noise, times[0]), None
        if start is not None:
            x, known = start.at(process, x, times[0])
        denoiser = self._guided(conditions, unconditional, *guidance_scale, rescale=rescale, known=known)
        for state in steps(sampler, denoiser, x, times, process, noise_at, update):
            if on_step is not None:
                on_step(state)
        drawn = self.shown(state.x, {"smoothing": smoothing})
        return drawn if start is None else start.blended(drawn, process)

    def invert_batch(self, conditions, x, num_steps=None, refinements=2):
        """The noise out of which DDIM draws `x` again, float32 like it (arXiv 2204.06125, section 3)."""
        process = from_config(self.process)
        times = self.times(self.resolve(num_steps=num_steps)["num_steps"])
        inversion, denoiser = SAMPLERS["ddim_inversion"], self._guided(conditions)
        x = inversion(denoiser, x, times[::-1], process, refinements=refinements)
        return x / np.float32(process.sigma(times[0]))

    def shown(self, x, settings):
        """Estimates as they are shown: pixels divided by the threshold, and smoothed; latents as they are."""
        return x if self.latent else smoothed(self.thresholded(x), settings["smoothing"])

    def _guided(self, conditions, unconditional=None, scale=1.0, interval=(-math.inf, math.inf), **options):
        """A function of (x, t) to the estimate of x_0."""
        inputs, away, guide = self._network_inputs(conditions), None, None
        if unconditional is not None:
            away = self._network_inputs(unconditional)
        elif self.guide is not None:
            guide = self.denoiser(self.guide)
        else:
            masks = [name for name in inputs if name.endswith("condition_mask")]
            away = inputs | {name: np.zeros_like(inputs[name]) for name in masks}
        clip = None if self.latent else 1.0
        return self.denoiser().guided(inputs, away, scale, interval, guide=guide, clip=clip, **options)

    def _network_inputs(self, conditions):
        """Conditions as the U-Net takes them."""
        text = conditions["text"]
        inputs = {**text, "condition_mask": text["condition_mask"] * np.float32(self.with_text)}
        if self.unet.image_code:
            own = {"image_code": text["text_code"], "image_condition_mask": text["condition_mask"]}
            inputs |= conditions.get("image_embedding", own)
        return inputs

    def get_config(self):
        return {
            **super().get_config(),
            "latent": self.latent,
            "with_text": self.with_text,
            "schedule": self.schedule,
            "power": self.power,
            "smoothing": self.smoothing,
        }


def check_networks(unet, guide, latent):
    """Raise a ValueError where the U-Net, its guide and what it works on do not fit."""
    if unet.concat_channels:
        raise ValueError("the U-Net must draw from words or image concepts alone: concat_channels=0")
    if guide is not None and shapes(guide) != shapes(unet):
        raise ValueError(f"guide takes {shapes(guide)}, unet {shapes(unet)}: they must take the same inputs")
    if not latent and unet.channels != 3:
        raise ValueError(f"a U-Net of {unet.channels} channels needs an autoencoder: pictures have 3")


def shapes(network):
    return {name: tuple(tensor.shape) for name, tensor in network.input.items()}
