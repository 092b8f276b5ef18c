"""The U-Net as samplers want it: one function of a noisy picture and a time, guided, on NumPy arrays."""

import math

import numpy as np

from keras_t2i.diffusion import Parameterization
from keras_t2i.diffusion import from_config
from keras_t2i.diffusion.guidance import classifier_free
from keras_t2i.diffusion.guidance import rescale
from keras_t2i.diffusion.guidance import within_interval


class GuidedDenoiser:
    """x_t and t to the estimate of x_0.

    With the caption and with what to go away from are looked at in one batch, side by side; a network
    compiles once for each size of batch, whatever the number of steps. Estimates of pixels are clipped to
    [-1, 1] (static thresholding, arXiv 2205.11487, section 2.3).

    Args:
        backbone: `DiffusionBackbone`.
        text: dict of arrays with n rows, the captions' features; with "condition_mask" `(n,)`, 0 where the
            caption counts for nothing.
        against: the same of negative prompts, with "condition_mask" `(n,)`, 0 where the prompt is empty; or
            `None`: away from the backbone's guide.
        scale: float, how far to go: 1 is the caption alone, 0 what is gone away from alone.
        interval: (lowest, highest) logSNR between which `scale` holds; 1 elsewhere.
        rescaled: float in [0, 1], see `diffusion.guidance.rescale`.
        known: `(keep, x0)`, bool `(n, s, s, 1)` and float `(n, s, s, c)`, or `None`: where the picture is
            known, that is the estimate. A sampler that is told so, and starts there, has at every step the
            known picture at the step's noise level (inpainting by replacement: RePaint, arXiv 2201.09865, eq.
            8).

    Call: x float32 `(n, s, s, c)`, t float, to float32 like x.
    """

    def __init__(
        self,
        backbone,
        text,
        against=None,
        scale=1.0,
        interval=(-math.inf, math.inf),
        rescaled=0.0,
        known=None,
    ):
        self.backbone, self.text, self.against = backbone, text, against
        self.scale, self.interval, self.rescaled, self.known = scale, interval, rescaled, known
        self.process = from_config(backbone.process)
        self.prediction = Parameterization(backbone.prediction, self.process)

    def __call__(self, x, t):
        scale = float(within_interval(self.scale, float(self.process.log_snr(t)), *self.interval))
        network, captions = self.backbone.unet, {"condition_mask": np.ones(len(x), "float32"), **self.text}
        if scale == 1.0:
            x0 = self._estimate(network, x, t, captions)
        else:
            if self.against is None:
                parts = [self._estimate(unet, x, t, captions) for unet in (network, self.backbone.guide)]
            else:
                both = {name: np.concatenate([rows, self.against[name]]) for name, rows in captions.items()}
                parts = np.split(self._estimate(network, np.concatenate([x, x]), t, both), 2)
            x0 = classifier_free(*parts, scale)
            if self.rescaled:
                x0 = rescale(x0, parts[0], self.rescaled)
        if self.backbone.autoencoder is None:
            x0 = np.clip(x0, -1.0, 1.0)
        if self.known is not None:
            x0 = np.where(self.known[0], self.known[1], x0)
        return np.asarray(x0, "float32")

    def _estimate(self, network, x, t, text):
        inputs = {
            "images": x * np.float32(self.process.c_in(t, self.backbone.data_std)),
            "log_snr": np.full(len(x), self.process.log_snr(t), "float32"),
            **text,
        }
        output = np.asarray(network.predict_on_batch(inputs), dtype="float32")
        return self.prediction.x0(output, x, t)
