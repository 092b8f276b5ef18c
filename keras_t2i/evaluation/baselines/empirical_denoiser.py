"""The perfect memoriser: what diffusion would do that had learned its training pictures and nothing else."""

import numpy as np

from keras_t2i import diffusion
from keras_t2i.diffusion import sampling_times
from keras_t2i.evaluation.baselines.baselines import text_codes
from keras_t2i.utils.images import to_float
from keras_t2i.utils.images import to_uint8
from keras_t2i.utils.random_streams import random_stream


class EmpiricalDenoiserBaseline:
    """Diffusion by the ideal denoiser of a finite training set (`diffusion.EmpiricalDenoiser`).

    Followed from noise to none it ends in a training picture, in each as often as it is weighted. Every test
    of memorisation must catch it. Sampled as Karras et al. 2022 (arXiv 2206.00364, algorithm 1) do.

    Args:
        train: `CaptionedImages`.
        num_steps: int, at least 2: Heun steps.
        encode_text: None: all pictures come equally often, whatever is asked. Or a list of n str to float
            `(n, d)` of length 1: the logarithm of a picture's weight is `sharpness` times the cosine of the
            prompt with its plain caption.
        sharpness: float. 100, as CLIP's temperature: 0.05 less of cosine is 148 times less of weight.
    """

    name, kind = "empirical denoiser", "baseline"
    text = "Diffusion by the exact denoiser of the training set, which can only end in training pictures."

    def __init__(self, train, num_steps=18, encode_text=None, sharpness=100.0):
        if num_steps < 2 or not len(train):
            raise ValueError(f"Give at least 2 steps and 1 picture, got {num_steps} and {len(train)}")
        self._process = diffusion.EDM()
        self._times = sampling_times(self._process, num_steps)
        self._denoiser = diffusion.EmpiricalDenoiser(to_float(train.pictures), self._process)
        self._encode_text, self._sharpness = encode_text, sharpness
        if encode_text is not None:
            self._codes = text_codes(encode_text, train.plain_captions)

    def generate(self, prompts, seed=0, batch_size=64):
        """uint8 `(n, s, s, 3)`; see `baselines`."""
        seeds, drawn = one_seed_each(seed, len(prompts)), []
        for start in range(0, len(prompts), batch_size):
            batch, log_weights = slice(start, start + batch_size), 0.0
            if self._encode_text is not None:
                codes = text_codes(self._encode_text, prompts[batch])
                log_weights = self._sharpness * (codes @ self._codes.T).astype("float64")
            noise = np.stack([noise_of(s, self.name, self._denoiser.shape) for s in seeds[batch]])

            def denoiser(x, t, log_weights=log_weights):
                return self._denoiser(x, t, log_weights)

            x = self._process.start(noise, self._times[0])
            drawn.append(to_uint8(diffusion.heun(denoiser, x, self._times, self._process)))
        return np.concatenate(drawn)


def noise_of(seed, purpose, shape):
    return random_stream(seed, purpose).standard_normal(shape, dtype="float32")


def one_seed_each(seed, count):
    seeds = [int(seed) + i for i in range(count)] if np.ndim(seed) == 0 else [int(one) for one in seed]
    if len(seeds) != count:
        raise ValueError(f"There are {len(seeds)} seeds for {count} pictures: give one for each.")
    return seeds
