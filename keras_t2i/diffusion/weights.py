"""How much each noise level counts in the loss: weights of the squared error of what the network predicts.

All take `(prediction, t)` and return the shape of `t`. A weight is a statement on the error of x_0; divided
by determinant^2 / sigma^2 (see `Parameterization.determinant`) it says the same of the error of any
other kind.
"""

from keras_t2i.diffusion.namespace import divide
from keras_t2i.diffusion.namespace import namespace
from keras_t2i.diffusion.parameterization import Parameterization


def no_weight(prediction, t):
    """1: the plain squared error of what is predicted (Ho et al. 2020, arXiv 2006.11239, eq. 14)."""
    return 0.0 * prediction.process.alpha(t) + 1.0


def min_snr(prediction, t, gamma=5.0):
    """min(SNR, gamma) on x_0 (Hang et al. 2023, arXiv 2303.09556, section 3.4): min(SNR, gamma) / SNR on
    epsilon, min(SNR, gamma) / (SNR + 1) on v.

    Args:
        gamma: float above 0.
    """
    alpha, sigma = prediction.process.alpha(t), prediction.process.sigma(t)
    return divide(namespace(alpha).minimum(alpha**2, gamma * sigma**2), prediction.determinant(t) ** 2)


def edm(prediction, t, data_std=0.5):
    """SNR + 1 / data_std^2 on x_0: the unit weight of EDM's preconditioned network (Karras et al. 2022, arXiv
    2206.00364, table 1: (sigma^2 + data_std^2) / (sigma data_std)^2, where alpha is 1).

    Args:
        data_std: float above 0, standard deviation of pictures.
    """
    alpha, sigma = prediction.process.alpha(t), prediction.process.sigma(t)
    return divide(alpha**2 + (sigma / data_std) ** 2, prediction.determinant(t) ** 2)


def velocity(prediction, t, largest=400.0):
    """The error taken in the flow, whatever is predicted: 1 / t^2 on x_0, on straight paths (Li and He 2025,
    "Back to basics", arXiv 2511.13720, where t below 0.05 counts as 0.05: hence 400).

    Args:
        largest: float, no weight is above.
    """
    flow = Parameterization("flow", prediction.process)
    ratio = divide(flow.determinant(t), prediction.determinant(t))
    return namespace(ratio).minimum(ratio**2, largest)


WEIGHTS = {"none": no_weight, "min_snr": min_snr, "edm": edm, "velocity": velocity}


def loss_weight(name, prediction, t, **options):
    """The weight of that name, see `WEIGHTS`.

    Raises:
        ValueError: if there is none of that name.
    """
    if name not in WEIGHTS:
        raise ValueError(f"There is no weight {name!r}; there are {', '.join(WEIGHTS)}.")
    return WEIGHTS[name](prediction, t, **options)
