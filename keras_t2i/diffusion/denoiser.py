"""The denoiser: a network, and the process and parameterization in which it was trained to be asked."""

import dataclasses
import math
from typing import Any

import numpy as np
from keras import ops

from keras_t2i.diffusion import guidance
from keras_t2i.diffusion.namespace import expand
from keras_t2i.diffusion.namespace import namespace
from keras_t2i.diffusion.parameterization import Parameterization
from keras_t2i.diffusion.process import Process
from keras_t2i.diffusion.process import from_config
from keras_t2i.utils.batching import predict_on_batch


@dataclasses.dataclass(frozen=True)
class Denoiser:
    """x_t, t and a condition to the estimate of x_0. Losses, samplers, tiles and teachers all call this.

    Tensors go through the network as they are, also in a training graph; NumPy arrays through its
    `predict_on_batch`, which compiles once for each size of batch.

    Args:
        network: model of `{x_name: float (n, ...), "log_snr": float (n,), **condition}` to float `(n, ...)`.
        process: `Process`, or what `from_config` reads.
        parameterization: what the network's output is: a name out of `parameterization.PARAMETERIZATIONS`.
        data_std: float, root mean square of x_0 as the network was trained on it.
        x_name: the network's input that takes x_t, scaled to unit variance (c_in x_t of EDM: Karras et al.
            2022, arXiv 2206.00364, eq. 7).

    Raises: ValueError for an unknown process or parameterization.
    """

    network: Any
    process: Process
    parameterization: str = "x0"
    data_std: float = 0.5
    x_name: str = "images"

    def __post_init__(self):
        object.__setattr__(self, "process", from_config(self.process))
        Parameterization(self.parameterization, self.process)

    def output(self, x, t, condition, training=False):
        """What the network makes of x_t, float `(n, ...)`, in its own parameterization.

        Args:
            x: x_t, float `(n, ...)`.
            t: float, or `(n,)`, in [0, 1].
            condition: dict of arrays or tensors with n rows: the network's other inputs.
            training: bool, of the network's call; tensors only.
        """
        log_snr = self.process.log_snr(t)
        if not getattr(log_snr, "shape", ()):
            full = np.full if isinstance(x, np.ndarray) else ops.full
            log_snr = full((x.shape[0],), float(log_snr), dtype="float32")
        inputs = {self.x_name: expand(self.process.c_in(t, self.data_std), x) * x, "log_snr": log_snr}
        inputs |= condition
        if isinstance(x, np.ndarray):
            return np.asarray(predict_on_batch(self.network, inputs), dtype="float32")
        return self.network(inputs, training=training)

    def __call__(self, x, t, condition, training=False):
        """The estimate of x_0, float `(n, ...)`. Arguments as of `output`."""
        return self.x0(self.output(x, t, condition, training), x, t)

    def x0(self, output, x, t):
        """The estimate of x_0 that an output of the network is."""
        return Parameterization(self.parameterization, self.process).x0(output, x, t)

    def guided(
        self,
        condition,
        unconditional=None,
        scale=1.0,
        interval=(-math.inf, math.inf),
        rescale=0.0,
        guide=None,
        clip=None,
        known=None,
    ):
        """A function of (x, t) to the guided estimate of x_0, as samplers want it.

        Conditional and unconditional inputs are evaluated as one batch; at a scale of 1 only the first, at 0
        only the second.

        Args:
            condition: dict of arrays with n rows.
            unconditional: the same, of no caption or of a negative one; needed for another scale than 1.
            scale: float: x_0 is scale conditional + (1 - scale) unconditional (see
                `guidance.classifier_free`).
            interval: (lowest, highest) logSNR between which `scale` holds, 1 elsewhere
                (`guidance.within_interval`).
            rescale: float in [0, 1], see `guidance.rescale`.
            guide: `Denoiser` of a weaker network, in place of `unconditional` (`guidance.autoguidance`).
            clip: float, estimates are clipped to [-clip, clip] (static thresholding: Saharia et al. 2022,
                arXiv 2205.11487, section 2.3); or `None`.
            known: `(mask, x0)`, bool `(n, h, w, 1)` and float `(n, h, w, c)`: where the mask is True that is
                the estimate. A sampler that starts from the known x0 with noise has at every step the known
                picture at the step's noise level (inpainting by replacement: Lugmayr et al. 2022, arXiv
                2201.09865, eq. 8).

        Raises: ValueError where guidance has nothing to go away from.
        """
        if scale != 1.0 and unconditional is None and guide is None:
            raise ValueError("guidance needs unconditional inputs, or a guide, to go away from")

        def denoise(x, t):
            here = guidance.within_interval(scale, self.process.log_snr(t), *interval)
            here = float(here) if np.ndim(t) == 0 and namespace(here) is np else here
            alone = isinstance(here, float)
            if alone and here == 1.0:
                x0 = self(x, t, condition)
            elif alone and here == 0.0 and not rescale:
                x0 = self(x, t, unconditional) if guide is None else guide(x, t, condition)
            else:
                if guide is None:
                    pair = self._pair(x, t, condition, unconditional)
                else:
                    pair = self(x, t, condition), guide(x, t, condition)
                x0 = guidance.classifier_free(*pair, here)
                x0 = guidance.rescale(x0, pair[0], rescale) if rescale else x0
            xp = namespace(x0)
            if clip is not None:
                x0 = xp.clip(x0, -clip, clip)
            if known is not None:
                x0 = xp.where(known[0], known[1], x0)
            return np.asarray(x0, x.dtype) if xp is np else x0

        return denoise

    def _pair(self, x, t, condition, unconditional):
        """Estimates under the two conditions, of one batch of twice the size."""
        join = namespace(x).concatenate
        t = join([t, t]) if np.ndim(t) else t
        both = {name: join([rows, unconditional[name]]) for name, rows in condition.items()}
        x0 = self(join([x, x]), t, both)
        return x0[: x.shape[0]], x0[x.shape[0] :]
