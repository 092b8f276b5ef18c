"""A control for tests of quality and of copying: another generator's pictures under noise."""

import numpy as np

from keras_t2i.evaluation.baselines.empirical_denoiser import noise_of
from keras_t2i.evaluation.baselines.empirical_denoiser import one_seed_each


class Noised:
    """Another generator's pictures under Gaussian noise.

    Args:
        generator: anything with `generate`.
        sigma: float, deviation in grey levels of 255.
    """

    def __init__(self, generator, sigma):
        self._generator, self._sigma = generator, sigma

    def generate(self, prompts, seed=0, batch_size=64):
        pictures = self._generator.generate(prompts, seed=seed, batch_size=batch_size)
        noise = np.stack(
            [noise_of(s, "noised", pictures.shape[1:]) for s in one_seed_each(seed, len(prompts))]
        )
        return np.clip(np.rint(pictures + self._sigma * noise), 0, 255).astype("uint8")
