"""Where a diffusion starts that is given a picture, and what of the picture is kept."""

import numpy as np

# The logSNR (t = 0.16 of the rectified flow) at which the packaged presets change a given picture least, 26
# to 27 dB: there the noise is as large as what their estimates are off by.
LEAST_NOISE = 3.3


class Start:
    """A given picture as a diffusion's start (SDEdit: Meng et al. 2022, arXiv 2108.01073), and what of it is
    kept (inpainting).

    Args:
        x0: float32 `(n, s, s, c)`, the given pictures, or their latents.
        strength: float in (0, 1], the time at which to start.
        mask: bool `(n, s, s, 1)`, True where it is drawn anew; or `None`: nothing is kept as it is.
    """

    def __init__(self, x0, strength, mask=None):
        self.x0, self.strength, self.mask = x0, strength, mask

    def time(self, process):
        """When the sampler starts: at `strength`, but not where less noise is than networks are good at."""
        return max(self.strength, float(process.time_of_log_snr(LEAST_NOISE)))

    def blended(self, drawn, process):
        """A drawing as it is shown: at a smaller strength than the sampler starts at, a share of the change.

        So the change falls with the strength, down to none. Were the sampler to start there, the network
        would redraw the picture out of next to no noise, and miss it by more than that noise.
        """
        time = self.time(process)
        if time <= self.strength:
            return drawn
        share = np.float32(process.sigma(self.strength) / process.sigma(time))
        return share * drawn + (1 - share) * self.x0

    def at(self, process, noise, t):
        """x at time t, and what `Denoiser.guided` takes as `known`."""
        seen = np.float32(process.alpha(t)) * self.x0
        if self.mask is None:
            return noise + seen, None
        keep = ~self.mask
        # At strength 1 nothing is seen of what is drawn anew.
        return noise + (seen if self.strength < 1 else np.where(keep, seen, np.float32(0))), (keep, self.x0)
