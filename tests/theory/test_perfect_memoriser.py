import numpy as np
import pytest
from theory_cases import every_gaussian
from theory_cases import noise_of

from keras_t2i.diffusion import EDM
from keras_t2i.diffusion import SAMPLERS
from keras_t2i.diffusion import CosineSchedule
from keras_t2i.diffusion import EmpiricalDenoiser
from keras_t2i.diffusion import GaussianMixture
from keras_t2i.diffusion import RectifiedFlow
from keras_t2i.diffusion import sampling_times


def training_pictures(n=40):
    return np.random.default_rng(0).uniform(-1, 1, (n, 4, 4, 3)).astype("float32")


@pytest.mark.parametrize("name", [n for n, s in SAMPLERS.items() if not s.inverts])
def test_every_sampler_returns_training_pictures(name):
    process, pictures = RectifiedFlow(), training_pictures()
    denoiser, shape = EmpiricalDenoiser(pictures, process), (60, 4, 4, 3)
    options = {"noise": noise_of(shape)} if SAMPLERS[name].stochastic else {}
    times = sampling_times(process, 30)
    x = SAMPLERS[name](denoiser, process.start(noise_of(shape, 1)(0)), times, process, **options)
    squares = ((x[:, None] - pictures) ** 2).mean((2, 3, 4))
    assert np.sqrt(squares.min(1)).max() < 1e-3
    found = len(set(squares.argmin(1)))
    assert found > 20  # of 40; 60 draws of equal chance find 31 in the mean
    assert x.shape == shape


@every_gaussian
def test_it_is_a_mixture_of_points(process):
    pictures = training_pictures(7)
    mixture = GaussianMixture(np.ones(7), pictures.reshape(7, -1), scales=0.0)
    for t in (0.05, 0.5, 0.95):
        x = process.diffuse(pictures[:3].astype("float64"), noise_of((3, 4, 4, 3))(0), t)
        wanted = mixture.denoise(x.reshape(3, -1), process.alpha(t), process.sigma(t))
        found = EmpiricalDenoiser(pictures, process)(x, t)
        np.testing.assert_allclose(found.reshape(3, -1), wanted, atol=1e-9)


def test_blocks_and_batches_of_times_do_not_matter():
    process, pictures = CosineSchedule(), training_pictures()
    x = noise_of((5, 4, 4, 3))(0).astype("float32")
    t = np.array([0.001, 0.1, 0.5, 0.9, 1.0])
    whole = EmpiricalDenoiser(pictures, process)(x, t)
    assert whole.dtype == "float32"
    for block in (1, 7, 40):
        np.testing.assert_allclose(EmpiricalDenoiser(pictures, process, block)(x, t), whole, atol=1e-6)
    for i, each in enumerate(t):
        np.testing.assert_allclose(
            EmpiricalDenoiser(pictures, process)(x[i : i + 1], each)[0], whole[i], atol=1e-6
        )
    np.testing.assert_allclose(whole[-1], pictures.mean(0), atol=1e-6)  # where alpha is 0


@every_gaussian
def test_pictures_that_come_more_often_weigh_more(process):
    pictures, weights = training_pictures(7), np.arange(1.0, 8.0)
    mixture = GaussianMixture(weights, pictures.reshape(7, -1), scales=0.0)
    x = process.diffuse(pictures[:3].astype("float64"), noise_of((3, 4, 4, 3))(0), 0.7)
    wanted = mixture.denoise(x.reshape(3, -1), process.alpha(0.7), process.sigma(0.7))
    log_weights = np.log(weights) + np.array([[0.0], [5.0], [-3.0]])  # up to a constant
    for block in (3, 7):
        found = EmpiricalDenoiser(pictures, process, block)(x, 0.7, log_weights)
        np.testing.assert_allclose(found.reshape(3, -1), wanted, atol=1e-9)


def test_two_pictures_in_closed_form():
    # Between -1 and 1 in each of three channels: tanh of the likelihood ratio.
    x = np.array([[0.1, 0.2, -0.5], [1.0, -2.0, 0.3]])
    found = EmpiricalDenoiser(np.array([[-1.0] * 3, [1.0] * 3]), EDM(sigma_max=1.0))(x, 0.8)
    np.testing.assert_allclose(found, np.tanh(x.sum(1, keepdims=True) / 0.64).repeat(3, 1), atol=1e-12)


def test_next_to_no_noise_means_the_nearest_picture():
    process, pictures = RectifiedFlow(), training_pictures()
    x = np.clip(pictures[3:4] + 0.3 * noise_of((1, 4, 4, 3))(0), -3, 3)
    found = EmpiricalDenoiser(pictures, process)(x, 1e-9)
    nearest = ((pictures - x) ** 2).sum((1, 2, 3)).argmin()
    np.testing.assert_allclose(found[0], pictures[nearest], atol=1e-6)


def test_wrong_pictures_are_refused():
    process, pictures = RectifiedFlow(), training_pictures(2)
    for wrong in (pictures[:0], (pictures * 127).astype("uint8")):
        with pytest.raises(ValueError, match="one picture or more"):
            EmpiricalDenoiser(wrong, process)
    denoiser = EmpiricalDenoiser(pictures, process)
    with pytest.raises(ValueError, match="x must be"):
        denoiser(pictures[:, :3], 0.5)
    with pytest.raises(ValueError, match="no noise"):
        denoiser(pictures, 0.0)
