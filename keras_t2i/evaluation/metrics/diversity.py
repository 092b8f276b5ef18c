"""How much do drawings of one prompt differ? Among the seeds of each prompt, never among prompts."""

import numpy as np

from keras_t2i.evaluation.metrics.estimate import mean_estimate


def diversity(features, seeds_per_prompt):
    """Mean distance and Vendi score of the drawings of each prompt.

    Neither tells good from bad: noise is diverse, and a generator without chance is not. They are read
    beside alignment.

    Args:
        features: float `(seeds_per_prompt * n, d)`: of drawings of n prompts, seed after seed, by
            ImageNet features or a judge's codes; brought to length 1 here.
        seeds_per_prompt: int, at least 2: drawings of a prompt.

    Returns:
        dict of `Estimate` (95 % bootstrap over prompts):
        `distance`: `1 - cosine`, the mean over pairs of a prompt's drawings: 0 if they are equal.
        `vendi`: exponential of the entropy of the eigenvalues of their cosine matrix over `seeds_per_prompt`
        (Friedman and Dieng 2022, arXiv 2210.02410), the number of drawings that count as
        different: 1 to `seeds_per_prompt`.

    Raises:
        ValueError: not as many of each prompt, fewer than two, a number that is not finite, a row of zeros.
    """
    features = np.asarray(features, "float64")
    if seeds_per_prompt < 2:
        raise ValueError(f"Diversity is that of at least 2 drawings of a prompt, got {seeds_per_prompt}")
    if features.ndim != 2 or not len(features) or len(features) % seeds_per_prompt:
        raise ValueError(f"features must be (n, d), {seeds_per_prompt} of each prompt, got {features.shape}")
    lengths = np.linalg.norm(features, axis=1, keepdims=True)
    if not np.isfinite(lengths).all() or not lengths.all():
        raise ValueError("features must be finite numbers and no row all zero: their cosine is asked for")
    of_prompt = (features / lengths).reshape(seeds_per_prompt, -1, features.shape[1]).transpose(1, 0, 2)
    cosines = of_prompt @ of_prompt.transpose(0, 2, 1)
    above = np.triu_indices(seeds_per_prompt, k=1)
    distances = 1 - cosines[:, *above].mean(axis=1)
    return {"distance": mean_estimate(distances), "vendi": mean_estimate(vendi_score(cosines))}


def vendi_score(kernels):
    """Effective number of different things: `exp(-sum(l * log(l)))`, l the eigenvalues of `kernel / k`.

    Args:
        kernels: float `(..., k, k)`, positive semidefinite with ones on the diagonal.

    Returns:
        float64 `(...)` between 1 and k.
    """
    kernels = np.asarray(kernels, "float64")
    values = np.clip(np.linalg.eigvalsh(kernels / kernels.shape[-1]), 1e-300, None)
    return np.exp(-np.sum(values * np.log(values), axis=-1))
