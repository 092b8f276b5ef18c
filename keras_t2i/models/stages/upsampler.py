"""A small picture to a larger one by diffusion: what is not in the small one is drawn, by chance."""

import keras
import numpy as np

from keras_t2i.diffusion import from_config
from keras_t2i.diffusion import sampling_times
from keras_t2i.models.inputs import check_number
from keras_t2i.models.stages.denoising import DenoisingStage
from keras_t2i.models.stages.denoising import check_text
from keras_t2i.models.stages.denoising import chosen
from keras_t2i.models.stages.denoising import steps
from keras_t2i.models.stages.sampling import noise_of
from keras_t2i.utils.batching import at_least_one
from keras_t2i.utils.images import enlarge
from keras_t2i_runtime.drawing import scaled
from keras_t2i_runtime.tiling import blocks


@keras.saving.register_keras_serializable(package="keras_t2i")
class UpsamplerStage(DenoisingStage):
    """Draws a picture several times as large, given the small one and its caption (a cascade: Ho et al. 2021,
    arXiv 2106.15282; DALL-E 2: Ramesh et al. 2022, arXiv 2204.06125, section 2.3).

    The noise is that of the whole picture, and so is every step of the sampler. Only the network sees tiles,
    each with a margin as wide as what a pixel depends on. Tiles that overlap agree where they do, so their
    average (MultiDiffusion: Bar-Tal et al. 2023, arXiv 2302.08113, eq. 5) is what any of them says, and a
    picture has no seams and is the same, but for rounding, whatever the tiles' size.

    Args:
        network: `Upsampler`.
        process, parameterization, data_std, threshold: as of `DenoisingStage`.
        num_steps, sampler, guidance_scale: as of `DenoisingStage`. They are this stage's own: those that
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
        super().__init__(
            network,
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
        self.network = network
        self.power = float(power)
        self.noise_level = check_number("noise_level", noise_level, 0.0, 1.0)
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
        return {
            **super().resolve(num_steps, sampler, guidance_scale),
            "noise_level": check_number("noise_level", chosen(noise_level, self.noise_level), 0.0, 1.0),
            "tile": at_least_one("tile", chosen(tile, self.tile)),
        }

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
        for state in steps(sampler, denoiser, x, times, process, noise, update):
            x = state.x
        return self.thresholded(x)

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
        denoiser = self.denoiser(self.network)
        stride, low = self.network.stride, given["low_resolution"]
        block = -(-tile // stride) * stride
        rows, columns = (blocks(side, block, self.network.reach) for side in low.shape[1:3])
        parts = []
        for seen_rows, own_rows in rows:
            for seen_columns, own_columns in columns:
                seen, own = (slice(None), seen_rows, seen_columns), (slice(None), own_rows, own_columns)
                here = {**given, "low_resolution": low[seen]}
                guided = denoiser.guided(text | here, away | here, scale, interval, clip=1.0)
                inner = (
                    slice(None),
                    scaled(own_rows, 1, seen_rows.start),
                    scaled(own_columns, 1, seen_columns.start),
                )
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
            "power": self.power,
            "noise_level": self.noise_level,
            "tile": self.tile,
        }
