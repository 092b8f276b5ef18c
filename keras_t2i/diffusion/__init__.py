from keras_t2i.diffusion.denoiser import Denoiser
from keras_t2i.diffusion.discrete import DiscreteSchedule
from keras_t2i.diffusion.exact_denoisers import EmpiricalDenoiser
from keras_t2i.diffusion.exact_denoisers import GaussianMixture
from keras_t2i.diffusion.parameterization import Parameterization
from keras_t2i.diffusion.paths import EDM
from keras_t2i.diffusion.paths import InDI
from keras_t2i.diffusion.paths import RectifiedFlow
from keras_t2i.diffusion.paths import VarianceExploding
from keras_t2i.diffusion.process import PROCESSES
from keras_t2i.diffusion.process import Process
from keras_t2i.diffusion.process import from_config
from keras_t2i.diffusion.rate_schedules import LinearSchedule
from keras_t2i.diffusion.rate_schedules import ScaledLinearSchedule
from keras_t2i.diffusion.sampler import SAMPLERS
from keras_t2i.diffusion.samplers import ddim
from keras_t2i.diffusion.samplers import ddim_inversion
from keras_t2i.diffusion.samplers import dpm_solver_pp_2m
from keras_t2i.diffusion.samplers import euler
from keras_t2i.diffusion.samplers import heun
from keras_t2i.diffusion.samplers import rk4
from keras_t2i.diffusion.stochastic_samplers import annealed_langevin
from keras_t2i.diffusion.stochastic_samplers import consistency
from keras_t2i.diffusion.stochastic_samplers import ddpm
from keras_t2i.diffusion.stochastic_samplers import euler_maruyama
from keras_t2i.diffusion.stochastic_samplers import predictor_corrector
from keras_t2i.diffusion.timesteps import sampling_times
from keras_t2i.diffusion.timesteps import training_times
from keras_t2i.diffusion.variance_preserving import CosineSchedule
from keras_t2i.diffusion.variance_preserving import LaplaceSchedule
from keras_t2i.diffusion.weights import loss_weight

__all__ = [
    "EDM",
    "PROCESSES",
    "SAMPLERS",
    "CosineSchedule",
    "Denoiser",
    "DiscreteSchedule",
    "EmpiricalDenoiser",
    "GaussianMixture",
    "InDI",
    "LaplaceSchedule",
    "LinearSchedule",
    "Parameterization",
    "Process",
    "RectifiedFlow",
    "ScaledLinearSchedule",
    "VarianceExploding",
    "annealed_langevin",
    "consistency",
    "ddim",
    "ddim_inversion",
    "ddpm",
    "dpm_solver_pp_2m",
    "euler",
    "euler_maruyama",
    "from_config",
    "heun",
    "loss_weight",
    "predictor_corrector",
    "rk4",
    "sampling_times",
    "training_times",
]
