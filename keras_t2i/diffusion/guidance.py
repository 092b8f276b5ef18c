"""Guidance: two estimates made into one that goes further than either.

All act on estimates of x_0 or of epsilon, v or flow alike: given x_t these are affine in each other, and the
weights of every sum here add up to 1. Only `rescale` depends on what it is given.
"""

from keras_t2i.diffusion.namespace import divide_or_zero
from keras_t2i.diffusion.namespace import expand
from keras_t2i.diffusion.namespace import namespace


def classifier_free(conditional, unconditional, scale):
    """scale conditional + (1 - scale) unconditional (Ho and Salimans 2022, arXiv 2207.12598, eq. 6:
    their w is scale - 1).

    Args:
        conditional, unconditional: float `(n, ...)`, estimates with the caption and with none.
        scale: number, or `(n,)`. 1 gives the conditional estimate bit by bit, 0 the unconditional.
    """
    scale = expand(scale, conditional)
    return scale * conditional + (1.0 - scale) * unconditional


def negative_prompt(conditional, negative, scale):
    """`classifier_free`, away from what a negative prompt describes instead of from no caption.

    Args:
        conditional, negative: float `(n, ...)`, estimates with the caption and with the negative one.
        scale: number, or `(n,)`.
    """
    return classifier_free(conditional, negative, scale)


def autoguidance(strong, weak, scale):
    """`classifier_free`, away from a weaker model (smaller, or trained less) with the same caption (Karras et
    al. 2024, arXiv 2406.02507).

    Args:
        strong, weak: float `(n, ...)`, estimates of the two models.
        scale: number, or `(n,)`.
    """
    return classifier_free(strong, weak, scale)


def within_interval(scale, log_snr, lowest, highest):
    """`scale` where lowest <= logSNR < highest, 1 (no guidance) elsewhere (Kynkäänniemi et al. 2024, arXiv
    2404.07724: sigma in (sigma_lo, sigma_hi], where logSNR is -2 log sigma).

    Args:
        scale: number, or `(n,)`.
        log_snr: number, or `(n,)`, of the step's time.
        lowest, highest: floats; infinite ones are no limit.
    """
    xp = namespace(scale, log_snr)
    return xp.where(xp.logical_and(log_snr >= lowest, log_snr < highest), scale, 1.0)


def rescale(guided, conditional, share=0.7):
    """Give a guided estimate the contrast of the conditional one (Lin et al. 2023, arXiv 2305.08891, 3.4).

    Args:
        guided, conditional: float `(n, ...)`. The paper takes what the network says (v there).
        share: float in [0, 1], phi of the paper: how much of the rescaled estimate is mixed in.
    """
    xp = namespace(guided, conditional)
    axes = tuple(range(1, len(guided.shape)))
    wanted, found = (xp.std(v, axis=axes, keepdims=True) for v in (conditional, guided))
    return (share * divide_or_zero(wanted, found) + (1.0 - share)) * guided
