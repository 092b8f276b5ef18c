"""The perfect memoriser: what diffusion would do that had learned its training pictures and nothing else."""

import numpy as np

from keras_t2i.evaluation.baselines import noise_of
from keras_t2i.evaluation.baselines import one_seed_each
from keras_t2i.evaluation.baselines import text_codes
from keras_t2i.pictures import to_float
from keras_t2i.pictures import to_uint8


class EmpiricalDenoiser:
    """Diffusion by the ideal denoiser of a finite training set.

    With noise of deviation s the best guess at the picture behind x is the mean of the training pictures y,
    weighted by `softmax(log w - |x - y|^2 / (2 s^2))` (Karras et al. 2022, arXiv 2206.00364, appendix B.3).
    Followed from noise to none it ends in a training picture, in each with probability w. Every test of
    memorisation must catch it.

    Args:
        train: `CaptionedPictures`.
        num_steps: int, at least 2: Heun steps on the ladder of noise of the same paper (eq. 5, `rho` 7, from
            80 to 0.002, then 0, for pictures in [-1, 1]).
        encode_text: None: all w are equal, whatever is asked. Or a list of n str to float `(n, d)` of length
            1: log w is `sharpness` times the cosine of the prompt with the plain caption.
        sharpness: float. 100, as CLIP's temperature: 0.05 less of cosine is 148 times less of weight.
        block: int, training pictures held as floats at once.
    """

    name, kind = "empirical denoiser", "baseline"
    text = "Diffusion by the exact denoiser of the training set, which can only end in training pictures."

    def __init__(self, train, num_steps=18, encode_text=None, sharpness=100.0, block=8192):
        if num_steps < 2 or not len(train):
            raise ValueError(f"Give at least 2 steps and 1 picture, got {num_steps} and {len(train)}")
        self._pictures = train.pictures.reshape(len(train), -1)
        self._shape = train.pictures.shape[1:]
        self._blocks = [slice(i, i + block) for i in range(0, len(train), block)]
        self._kept = [to_float(self._pictures)] if len(self._blocks) == 1 else None
        self._lengths = np.concatenate([np.square(y).sum(axis=1, dtype="float64") for y in self._floats()])
        ramp = np.linspace(80 ** (1 / 7), 0.002 ** (1 / 7), num_steps) ** 7
        self.sigmas = np.append(ramp, 0.0)
        self._encode_text, self._sharpness = encode_text, sharpness
        if encode_text is not None:
            self._codes = text_codes(encode_text, [phrasings[0] for phrasings in train.captions])

    def denoise(self, x, sigma, log_prior=0.0):
        """The mean of the training pictures that noise of deviation `sigma` may have made into `x`.

        Args:
            x: float `(n, s * s * 3)`: noisy pictures, their values in [-1, 1] but for the noise.
            sigma: float above 0.
            log_prior: float, broadcast to `(n, m)`: log w of the m training pictures, up to a constant.

        Returns:
            float32 `(n, s * s * 3)`.
        """
        x = np.asarray(x, "float32")
        products = np.concatenate([x @ y.T for y in self._floats()], axis=1).astype("float64")
        weights = (products - self._lengths / 2) / sigma**2 + log_prior
        weights = np.exp(weights - weights.max(axis=1, keepdims=True))
        weights = (weights / weights.sum(axis=1, keepdims=True)).astype("float32")
        mean = np.zeros_like(x)
        for rows in self._blocks:
            # With little noise only a few count.
            some = rows.start + np.flatnonzero(weights[:, rows].max(axis=0) > 1e-9)
            mean += weights[:, some] @ to_float(self._pictures[some])
        return mean

    def generate(self, prompts, seed=0, batch_size=64):
        """uint8 `(n, s, s, 3)`; see `baselines`."""
        seeds, drawn = one_seed_each(seed, len(prompts)), []
        for start in range(0, len(prompts), batch_size):
            batch, log_prior = slice(start, start + batch_size), 0.0
            if self._encode_text is not None:
                codes = text_codes(self._encode_text, prompts[batch])
                log_prior = self._sharpness * (codes @ self._codes.T).astype("float64")
            noise = [noise_of(s, "empirical denoiser", self._shape) for s in seeds[batch]]
            x = self.sigmas[0] * np.stack(noise).reshape(len(noise), -1)
            drawn.append(to_uint8(self._sample(x, log_prior)))
        return np.concatenate(drawn).reshape(-1, *self._shape)

    def _sample(self, x, log_prior):
        """Heun's method (Karras et al. 2022, algorithm 1): the last step is Euler's, and ends in a guess."""
        for sigma, lower in zip(self.sigmas[:-1], self.sigmas[1:], strict=True):
            slope = (x - self.denoise(x, sigma, log_prior)) / sigma
            guess = x + (lower - sigma) * slope
            if lower > 0:
                slope = (slope + (guess - self.denoise(guess, lower, log_prior)) / lower) / 2
                guess = x + (lower - sigma) * slope
            x = guess
        return x

    def _floats(self):
        return self._kept or (to_float(self._pictures[rows]) for rows in self._blocks)
