"""How `reference.npz` was made, with diffusers 0.42.1: the states of its schedulers around a toy network.

Not a test, and diffusers is not among the requirements. The schedulers run as published, but for
their tables of alphas, which are recomputed in float64: their float32 product of 1000 factors is off by 1e-5.
"""

from pathlib import Path

import diffusers
import numpy as np
import torch
from diffusers.schedulers import scheduling_ddim
from diffusers.schedulers import scheduling_ddpm
from reference_network import START
from reference_network import noise
from reference_network import toy_network

KINDS = {
    "linear": {"beta_schedule": "linear", "beta_start": 1e-4, "beta_end": 0.02},
    "scaled_linear": {"beta_schedule": "scaled_linear", "beta_start": 0.00085, "beta_end": 0.012},
    "cosine": {"beta_schedule": "squaredcos_cap_v2"},
}
RUNS = {  # name: class, its options, those of a step
    "ddpm": (diffusers.DDPMScheduler, {"clip_sample": False}, {}),
    "ddpm_large": (diffusers.DDPMScheduler, {"clip_sample": False, "variance_type": "fixed_large"}, {}),
    "ddim": (diffusers.DDIMScheduler, {"clip_sample": False}, {}),
    "ddim_half": (diffusers.DDIMScheduler, {"clip_sample": False}, {"eta": 0.5}),
    "heun": (diffusers.HeunDiscreteScheduler, {"timestep_spacing": "leading"}, {}),
    "dpm_solver_pp_2m": (diffusers.DPMSolverMultistepScheduler, {"timestep_spacing": "trailing"}, {}),
}


def double_precision(scheduler, options):
    first, last = options.get("beta_start"), options.get("beta_end")
    if options["beta_schedule"] == "linear":
        betas = torch.linspace(first, last, 1000, dtype=torch.float64)
    elif options["beta_schedule"] == "scaled_linear":
        betas = torch.linspace(first**0.5, last**0.5, 1000, dtype=torch.float64) ** 2
    else:
        t = (torch.arange(1001, dtype=torch.float64) / 1000 + 0.008) / 1.008 * torch.pi / 2
        betas = (1 - torch.cos(t[1:]) ** 2 / torch.cos(t[:-1]) ** 2).clamp(max=0.999)
    assert torch.allclose(betas.float(), scheduler.betas, rtol=1e-4, atol=1e-7)
    scheduler.alphas_cumprod = torch.cumprod(1 - betas, 0)


def main():
    saved = {"start": START}
    for kind, betas in KINDS.items():
        for name, (scheduler_class, options, step_options) in RUNS.items():
            for steps in (10, 20):
                scheduler = scheduler_class(**betas, **options)
                double_precision(scheduler, betas)
                scheduler.set_timesteps(steps)
                draws = iter(range(1000))

                def next_noise(*args, draws=draws, **kwargs):
                    return torch.from_numpy(noise(next(draws)))

                scheduling_ddpm.randn_tensor = scheduling_ddim.randn_tensor = next_noise
                x = torch.from_numpy(START) * (scheduler.sigmas[0] if name == "heun" else 1.0)
                states = []
                for t in scheduler.timesteps:
                    seen = scheduler.scale_model_input(x, t) if name == "heun" else x
                    output = torch.from_numpy(toy_network(seen.numpy(), float(t)))
                    x = scheduler.step(output, t, x, **step_options).prev_sample
                    states.append(x.numpy())
                if name == "heun":  # every second state ends a step
                    states = states[1::2] + ([] if len(states) % 2 == 0 else [states[-1]])
                saved[f"{kind}/{name}/{steps}"] = np.stack(states)
                saved[f"{kind}/{name}/{steps}/timesteps"] = np.array(
                    sorted({int(t) for t in scheduler.timesteps})
                )
    np.savez_compressed(Path(__file__).with_name("reference.npz"), **saved)


if __name__ == "__main__":
    main()
