"""A small picture to a larger one by diffusion: what is not in the small one is drawn, by chance."""

import keras
import numpy as np

from keras_t2i.diffusion import Denoiser
from keras_t2i.diffusion import from_config
from keras_t2i.diffusion import sampling_times
from keras_t2i.models.stages.diffusion import check_guidance
from keras_t2i.models.stages.diffusion import check_sampler
from keras_t2i.models.stages.diffusion import check_text
from keras_t2i.models.stages.sampling import noise_of
from keras_t2i.models.stages.stage import Stage
from keras_t2i.models.stages.stage import inputs_like
from keras_t2i.models.stages.tiling import blocks
from keras_t2i.utils.batching import at_least_one
from keras_t2i.utils.images import enlarge


@keras.saving.register_keras_serializable(package="keras_t2i")
class UpsamplerStage(Stage):
    """Draws a picture several times as large, given the small one and its caption (a cascade: Ho et al. 2021,
    arXiv 2106.15282; DALL-E 2: Ramesh et al. 2022, arXiv 2204.06125, section 2.3).

    The noise is that of the whole picture, and so is every step of the sampler. Only the network sees tiles,
    each with a margin as wide as what a pixel depends on. Tiles that overlap agree where they do, so their
    average (MultiDiffusion: Bar-Tal et al. 2023, arXiv 2302.08113, eq. 5) is what any of them says, and a
    picture has no seams and is the same, but for rounding, whatever the tiles' size.

    Args:
        network: `Upsampler`.
        process, parameterization, data_std: as of `diffusion.Denoiser`, as the network was trained.
        threshold: float in (0, 1], as of `DiffusionStage`.
        num_steps, sampler, guidance_scale: as of `DiffusionStage`. They are this stage's own: those that
            `Generator.generate` is given are the base's.
        power: float, 1 or more: the larger, the nearer to the picture are the steps' times. Without noise the
            small picture says most of the large one; the rest is decided where noise is low.
        noise_level: float, standard deviation of the noise that is put on a small picture that a generator
            drew, and of which the network is told: how much of it may be drawn otherwise.
        tile: int, pixels of a tile's side, without its margin: the smaller, the less memory and the slower.

    Call: one evaluation of the network, see there.
    Raises: ValueError for unknown names and numbers out of range.
    """

    nested = ("network",)
    consumes = ("text", "image")
    produces = "large_image"
    guided = True

    def __init__(
        self,
        network,
        process="rectified_flow",
        parameterization="x0",
        data_std=0.5,
        threshold=1.0,
        num_steps=8,
        sampler="dpm_solver_pp_2m",
        guidance_scale=1.0,
        power=2.0,
        noise_level=0.1,
        tile=256,
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
        self.network = network
        self.process = process.get_config()
        self.parameterization = parameterization
        self.data_std = float(data_std)
        self.threshold = float(threshold)
        self.num_steps = at_least_one("num_steps", num_steps)
        self.sampler = sampler
        self.guidance_scale = float(guidance_scale)
        self.power = float(power)
        self.noise_level = check_noise_level(noise_level)
        self.tile = at_least_one("tile", tile)

    @property
    def factor(self):
        """int, how many times larger pictures become."""
        return self.network.factor

    def check(self, before):
        super().check(before)
        check_text(before["text"], self.network, "upsampler")
        self.check_size(before["image"].image_size)

    def check_size(self, *sides):
        """Raise a ValueError where pictures of these sides cannot be cut into the network's places."""
        if any(side * self.factor % self.network.stride for side in sides):
            raise ValueError(
                f"a picture of {' x '.join(map(str, sides))} pixels, {self.factor} times as large, cannot be "
                f"cut into blocks of {self.network.stride}"
            )

    def resolve(self, num_steps=None, sampler=None, guidance_scale=None, noise_level=None, tile=None):
        def chosen(given, own):
            return own if given is None else given

        return {
            "num_steps": at_least_one("num_steps", chosen(num_steps, self.num_steps)),
            "sampler": check_sampler(chosen(sampler, self.sampler)),
            "guidance_scale": check_guidance(chosen(guidance_scale, self.guidance_scale)),
            "noise_level": check_noise_level(chosen(noise_level, self.noise_level)),
            "tile": at_least_one("tile", chosen(tile, self.tile)),
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
        noise_level,
        tile,
    ):
        """Pictures, float32 `(n, h * factor, w * factor, 3)`.

        Args:
            conditions: "text", and "image", float `(n, h, w, 3)` in about [-1, 1].
            unconditional: "text" of negative prompts; `None`: away from the same with no caption.
            num_steps, sampler, guidance_scale, noise_level, tile: as `resolve` gives them.
        """
        small = np.asarray(conditions["image"], "float32")
        self.check_size(*small.shape[1:3])
        given = self.given(small, draws, noise_level)
        process, shape = from_config(self.process), given["low_resolution"].shape[1:]

        def noise(number):
            return noise_of(draws, shape, number, "large picture")

        times = sampling_times(process, num_steps, "uniform", power=self.power)
        x = process.start(noise(0), times[0])
        denoiser = self.tiled(conditions["text"], given, unconditional, *guidance_scale, tile=tile)
        drawn = {"noise": lambda number: noise(number + 1)} if sampler.stochastic else {}
        for state in sampler.steps(denoiser, x, times, process, **drawn):
            x = state.x
            if update is not None:
                update()
        return x / np.float32(self.threshold)

    def given(self, small, draws, noise_level):
        """The network's inputs of small pictures, float32 `(n, h, w, 3)`: `low_resolution`, noisy and
        enlarged, and `noise_level`."""
        noise = noise_of(draws, small.shape[1:], purpose="small picture")
        return {
            "low_resolution": enlarge(small + np.float32(noise_level) * noise, self.factor),
            "noise_level": np.full(len(small), noise_level, "float32"),
        }

    def tiled(self, text, given, unconditional, scale, interval, tile):
        """A function of (x, t), both of the whole picture, to the guided estimate of x_0."""
        away = {**text, "condition_mask": np.zeros_like(text["condition_mask"])}
        away = away if unconditional is None else unconditional["text"]
        denoiser = Denoiser(self.network, self.process, self.parameterization, self.data_std)
        stride, low = self.network.stride, given["low_resolution"]
        block = -(-tile // stride) * stride
        rows, columns = (blocks(side, block, self.network.reach) for side in low.shape[1:3])
        parts = []
        for seen_rows, own_rows in rows:
            for seen_columns, own_columns in columns:
                seen, own = (slice(None), seen_rows, seen_columns), (slice(None), own_rows, own_columns)
                here = {**given, "low_resolution": low[seen]}
                guided = denoiser.guided(text | here, away | here, scale, interval, clip=1.0)
                inner = (slice(None), within(own_rows, seen_rows), within(own_columns, seen_columns))
                parts.append((guided, seen, own, inner))

        def denoise(x, t):
            x0 = np.empty_like(x)
            for guided, seen, own, inner in parts:
                x0[own] = guided(x[seen], t)[inner]
            return x0

        return denoise

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
            "power": self.power,
            "noise_level": self.noise_level,
            "tile": self.tile,
        }


def within(own, seen):
    """A slice of the whole as one of a window."""
    return slice(own.start - seen.start, own.stop - seen.start)


def check_noise_level(level):
    """A noise level of small pictures as a float. Raises: ValueError out of range."""
    if not 0 <= level <= 1:
        raise ValueError(f"noise_level must be between 0 and 1, got {level}")
    return float(level)
