"""Noise to a picture, or to the latent of one, in steps that a text steers."""

import math

import keras
import numpy as np

from keras_t2i.diffusion import SAMPLERS
from keras_t2i.diffusion import Denoiser
from keras_t2i.diffusion import from_config
from keras_t2i.diffusion import sampling_times
from keras_t2i.models.inputs import LARGEST_NUMBER
from keras_t2i.models.inputs import check_number
from keras_t2i.models.stages.sampling import noise_of
from keras_t2i.models.stages.stage import Stage
from keras_t2i.models.stages.stage import inputs_like
from keras_t2i.utils.batching import at_least_one

# The logSNR (t = 0.16 of the rectified flow) at which the packaged presets change a given picture least, 26
# to 27 dB: there the noise is as large as what their estimates are off by.
LEAST_NOISE = 3.3


@keras.saving.register_keras_serializable(package="keras_t2i")
class DiffusionStage(Stage):
    """A U-Net takes noise off, a little at a time.

    One network evaluation is compiled; the loop over steps is plain Python, so it can be watched, and any
    number of steps, sampler or guidance runs without compiling anew.

    Args:
        unet: `DiffusionUNet`. One with an `image_code` draws from an image embedding: that of a `PriorStage`,
            else the text's, which is what arXiv 2204.06125, section 5.1, compares the prior with.
        guide: `DiffusionUNet`, a weaker one of the same inputs for autoguidance (arXiv 2406.02507), or
            `None`.
        process, parameterization, data_std: as of `diffusion.Denoiser`, as the U-Net was trained.
        latent: bool, whether the U-Net works on latents, for a `LatentDecoder`; else on pixels.
        threshold: float in (0, 1]: static thresholding (arXiv 2205.11487, section 2.3): estimates of pixels
            are divided by it and clipped to [-1, 1], so that what is nearly black or white is shown as that.
        num_steps, sampler, guidance_scale: of `Generator.generate` where it is not told.
        with_text: bool, whether a U-Net with an `image_code` was also trained on captions.

    Call: one evaluation of the U-Net, see there.
    Raises: ValueError where sizes differ, and for unknown names.
    """

    nested = ("unet", "guide")
    settings = ("num_steps", "sampler", "guidance_scale", "rescale")
    sweeps = {"num_steps": (1, 2, 4, 8, 16, 32), "guidance_scale": (1.0, 1.5, 2.0, 3.0, 4.0, 6.0)}
    guided = watchable = editable = True
    consumes = ("text",)

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
        dtype=None,
        **kwargs,
    ):
        check_networks(unet, guide, latent)
        check_sampler(sampler)
        process = from_config(process)
        if not process.gaussian:
            raise ValueError(f"pictures are drawn from noise, in which {process.name!r} does not end")
        if not 0 < threshold <= 1:
            raise ValueError(f"threshold must be in (0, 1], got {threshold}")
        Denoiser(unet, process, parameterization)  # an unknown name is told now
        # === Functional model ===
        inputs = inputs_like(unet)
        super().__init__(inputs=inputs, outputs=unet(inputs), dtype=dtype, **kwargs)

        # === Config ===
        self.unet = unet
        self.guide = guide
        self.process = process.get_config()
        self.parameterization = parameterization
        self.data_std = float(data_std)
        self.latent = bool(latent)
        self.threshold = float(threshold)
        self.num_steps = at_least_one("num_steps", num_steps)
        self.sampler = sampler
        self.guidance_scale = float(guidance_scale)
        self.with_text = bool(with_text)

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
        network = self.unet if network is None else network
        return Denoiser(network, self.process, self.parameterization, self.data_std)

    def resolve(self, num_steps=None, sampler=None, guidance_scale=None, rescale=None):
        rescale = 0.0 if rescale is None else check_number("rescale", rescale, 0.0, 1.0)
        return {
            "num_steps": at_least_one("num_steps", self.num_steps if num_steps is None else num_steps),
            "sampler": check_sampler(self.sampler if sampler is None else sampler),
            "guidance_scale": check_guidance(
                self.guidance_scale if guidance_scale is None else guidance_scale
            ),
            "rescale": rescale,
        }

    def num_steps_of(self, settings):
        return settings["num_steps"]

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
        noise=None,
        start=None,
        on_step=None,
    ):
        """Pictures, or latents, float32 `(n, s, s, c)`.

        Args:
            conditions: "text", and perhaps "image_embedding".
            unconditional: of negative prompts. `None`: away from the guide, else from the same with every
                mask 0.
            num_steps, sampler, guidance_scale, rescale: as `resolve` gives them.
            noise: float32 `(n, s, s, c)`, in place of that of the draws.
            start: `Start`, a given picture to start from; or `None`: noise alone.
            on_step: function of a sampler's `State`, called after every step.
        """
        process = from_config(self.process)
        times = sampling_times(process, num_steps, start=1.0 if start is None else start.time(process))
        noise = noise_of(draws, self.noise_shape) if noise is None else noise
        x, known = process.start(noise, times[0]), None
        if start is not None:
            x, known = start.at(process, x, times[0])
        denoiser = self._guided(conditions, unconditional, *guidance_scale, rescale=rescale, known=known)
        drawn = {"noise": lambda number: noise_of(draws, self.noise_shape, number + 1)}
        for state in sampler.steps(denoiser, x, times, process, **(drawn if sampler.stochastic else {})):
            if update is not None:
                update()
            if on_step is not None:
                on_step(state)
        drawn = self.thresholded(state.x)
        return drawn if start is None else start.blended(drawn, process)

    def invert_batch(self, conditions, x, num_steps=None, refinements=2):
        """The noise out of which DDIM draws `x` again, float32 like it (arXiv 2204.06125, section 3)."""
        process = from_config(self.process)
        times = sampling_times(process, self.resolve(num_steps=num_steps)["num_steps"])
        inversion, denoiser = SAMPLERS["ddim_inversion"], self._guided(conditions)
        x = inversion(denoiser, x, times[::-1], process, refinements=refinements)
        return x / np.float32(process.sigma(times[0]))

    def thresholded(self, x):
        """Estimates as they are shown: pixels divided by the threshold; latents as they are."""
        return x if self.latent else x / np.float32(self.threshold)

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
            "process": dict(self.process),
            "parameterization": self.parameterization,
            "data_std": self.data_std,
            "latent": self.latent,
            "threshold": self.threshold,
            "num_steps": self.num_steps,
            "sampler": self.sampler,
            "guidance_scale": self.guidance_scale,
            "with_text": self.with_text,
        }


class Start:
    """A given picture as a diffusion's start (SDEdit: Meng et al. 2022, arXiv 2108.01073), and what of it is
    kept (inpainting).

    Args:
        x0: float32 `(n, s, s, c)`, the given pictures, or their latents.
        strength: float in (0, 1], the time at which to start.
        mask: bool `(n, s, s, 1)`, True where it is drawn anew; or `None`: nothing is kept as it is.
    """

    def __init__(self, x0, strength, mask=None):
        self.x0, self.strength, self.mask = x0, strength, mask

    def time(self, process):
        """When the sampler starts: at `strength`, but not where less noise is than networks are good at."""
        return max(self.strength, float(process.time_of_log_snr(LEAST_NOISE)))

    def blended(self, drawn, process):
        """A drawing as it is shown: at a smaller strength than the sampler starts at, a share of the change.

        So the change falls with the strength, down to none. Were the sampler to start there, the network
        would redraw the picture out of next to no noise, and miss it by more than that noise.
        """
        time = self.time(process)
        if time <= self.strength:
            return drawn
        share = np.float32(process.sigma(self.strength) / process.sigma(time))
        return share * drawn + (1 - share) * self.x0

    def at(self, process, noise, t):
        """x at time t, and what `Denoiser.guided` takes as `known`."""
        seen = np.float32(process.alpha(t)) * self.x0
        if self.mask is None:
            return noise + seen, None
        keep = ~self.mask
        # At strength 1 nothing is seen of what is drawn anew.
        return noise + (seen if self.strength < 1 else np.where(keep, seen, np.float32(0))), (keep, self.x0)


def sampler_names():
    """The samplers that go from noise to the picture."""
    return sorted(name for name, sampler in SAMPLERS.items() if not sampler.inverts)


def check_sampler(name):
    """The sampler of that name, which goes from noise to the picture. Raises: ValueError."""
    if name not in sampler_names():
        raise ValueError(f"there is no sampler {name!r}; there are {', '.join(sampler_names())}")
    return SAMPLERS[name]


def check_guidance(scale):
    """(scale, (lowest, highest)) of a number, or of the three. Raises: TypeError, ValueError."""
    try:
        scale, *interval = (float(number) for number in (scale if np.ndim(scale) else [scale]))
    except (TypeError, ValueError):
        raise TypeError(f"guidance_scale must be a number or three, got {scale!r}") from None
    except OverflowError:
        scale, *interval = math.inf, 0.0
    lowest, highest = interval if len(interval) == 2 else (-math.inf, math.inf)
    if len(interval) not in (0, 2) or not (0 <= scale <= LARGEST_NUMBER and lowest < highest):
        raise ValueError(
            f"guidance_scale must be 0 or more and at most {LARGEST_NUMBER:g}, or (scale, lowest logSNR, "
            f"highest logSNR), got {(scale, *interval)}"
        )
    return scale, (lowest, highest)


def check_text(text, network, name):
    """Raise a ValueError where a network is not made for the text encoder of this stage."""
    encoder = text.dual_encoder.text_encoder
    made, taken = (encoder.code_dim, encoder.filters), (network.code_dim, network.token_dim)
    if made != taken:
        raise ValueError(
            f"the text encoder's codes and tokens have {made} numbers, those that the {name} takes {taken}"
        )


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
