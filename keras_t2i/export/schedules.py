"""A sampler's steps as plain numbers, so that what draws by them needs neither process nor sampler."""

import numpy as np

from keras_t2i.diffusion import SAMPLERS

LARGEST_LOG_SNR = 1e6  # JSON has no infinity; networks take what lies beyond 20 for 20


def schedule(stage, num_steps):
    """What a deterministic sampler does in so many steps.

    Samplers only add, and multiply by numbers. So each x is a sum of the noise and of the estimates of x_0
    before it, each times a number; and a sampler that is given unit vectors in place of pictures says which.

    Args:
        stage: `DiffusionStage` or `PriorStage`.
        num_steps: int.

    Returns:
        dict: "steps", of each evaluation of the network: "x", a number for the noise and for each estimate
        so far; "c_in", what x is multiplied with before the network sees it; "log_snr"; "of_x" and
        "of_output", what the estimate of x_0 has of x and of what the network says. "drawn": as "x", of the
        result.

    Raises: ValueError for a sampler that draws noise on its way.
    """
    sampler, denoiser = SAMPLERS[stage.sampler], stage.denoiser()
    process = denoiser.process
    steps = []
    unit = np.eye(1 + num_steps * sampler.evaluations)

    def denoise(x, t):
        of_output, of_x = denoiser.x0(np.array([1.0, 0.0]), np.array([0.0, 1.0]), t)
        log_snr = np.clip(process.log_snr(t), -LARGEST_LOG_SNR, LARGEST_LOG_SNR)
        numbers = {
            "log_snr": log_snr,
            "c_in": process.c_in(t, denoiser.data_std),
            "of_x": of_x,
            "of_output": of_output,
        }
        shares = x[: len(steps) + 1].tolist()
        steps.append({"x": shares, **{name: float(number) for name, number in numbers.items()}})
        return unit[len(steps)]

    def refuse(number):
        raise ValueError(f"the sampler {stage.sampler!r} draws noise on its way, and is not exported")

    times = stage.times(num_steps)
    options = {"noise": refuse} if sampler.stochastic else {}
    drawn = sampler(denoise, process.start(unit[0], times[0]), times, process, **options)
    return {"steps": steps, "drawn": drawn[: len(steps) + 1].tolist()}
