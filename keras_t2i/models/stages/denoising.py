"""What the stages share that take noise off in steps: their settings, and the loop over the steps."""

import math

import numpy as np

from keras_t2i.diffusion import SAMPLERS
from keras_t2i.diffusion import Denoiser
from keras_t2i.diffusion import from_config
from keras_t2i.models.inputs import LARGEST_NUMBER
from keras_t2i.models.stages.stage import Stage
from keras_t2i.models.stages.stage import inputs_like
from keras_t2i.utils.batching import at_least_one


class DenoisingStage(Stage):
    """A network takes noise off, a little at a time, steered by a text.

    One network evaluation is compiled; the loop over steps is plain Python, so it can be watched, and any
    number of steps, sampler or guidance runs without compiling anew.

    Args:
        network: takes what is noisy, its `log_snr`, and conditions.
        process, parameterization, data_std: as of `diffusion.Denoiser`, as the network was trained.
        threshold: float in (0, 1]: static thresholding (arXiv 2205.11487, section 2.3): estimates of pixels
            are divided by it and clipped to [-1, 1], so that what is nearly black or white is shown as that.
        num_steps, sampler, guidance_scale: where `resolve` is not told.

    Raises: ValueError for unknown names and numbers out of range.
    """

    guided = True
    consumes = ("text",)

    def __init__(
        self,
        network,
        process,
        parameterization,
        data_std,
        threshold,
        num_steps,
        sampler,
        guidance_scale,
        dtype=None,
        **kwargs,
    ):
        check_sampler(sampler)
        process = from_config(process)
        if not process.gaussian:
            raise ValueError(f"pictures are drawn from noise, in which {process.name!r} does not end")
        if not 0 < threshold <= 1:
            raise ValueError(f"threshold must be in (0, 1], got {threshold}")
        Denoiser(network, process, parameterization)  # an unknown name is told now
        # === Functional model ===
        inputs = inputs_like(network)
        super().__init__(inputs=inputs, outputs=network(inputs), dtype=dtype, **kwargs)

        # === Config ===
        self.process = process.get_config()
        self.parameterization = parameterization
        self.data_std = float(data_std)
        self.threshold = float(threshold)
        self.num_steps = at_least_one("num_steps", num_steps)
        self.sampler = sampler
        self.guidance_scale = float(guidance_scale)

    def denoiser(self, network):
        """The `Denoiser` of a network that was trained as this stage's."""
        return Denoiser(network, self.process, self.parameterization, self.data_std)

    def resolve(self, num_steps=None, sampler=None, guidance_scale=None):
        return {
            "num_steps": at_least_one("num_steps", chosen(num_steps, self.num_steps)),
            "sampler": check_sampler(chosen(sampler, self.sampler)),
            "guidance_scale": check_guidance(chosen(guidance_scale, self.guidance_scale)),
        }

    def num_steps_of(self, settings):
        return settings["num_steps"]

    def thresholded(self, x):
        return x / np.float32(self.threshold)

    def get_config(self):
        return {
            **super().get_config(),
            "process": dict(self.process),
            "parameterization": self.parameterization,
            "data_std": self.data_std,
            "threshold": self.threshold,
            "num_steps": self.num_steps,
            "sampler": self.sampler,
            "guidance_scale": self.guidance_scale,
        }


def steps(sampler, denoiser, x, times, process, noise, update=None):
    """Yield a sampler's `State` after every step.

    Args:
        sampler, denoiser, x, times, process: as of `Sampler.steps`.
        noise: function of a number to noise like `x`: 0 for where it starts, 1 and on for what a stochastic
            sampler draws on the way.
        update: function to be called after every step, or `None`.
    """
    drawn = {"noise": lambda number: noise(number + 1)} if sampler.stochastic else {}
    for state in sampler.steps(denoiser, x, times, process, **drawn):
        if update is not None:
            update()
        yield state


def chosen(given, own):
    """A setting that a person gave, or the preset's."""
    return own if given is None else given


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
