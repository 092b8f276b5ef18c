import keras
import numpy as np
import pytest
from keras import ops
from theory_cases import exact_guidance

from keras_t2i.diffusion import CosineSchedule
from keras_t2i.diffusion import Denoiser
from keras_t2i.diffusion import GaussianMixture
from keras_t2i.diffusion import Parameterization
from keras_t2i.diffusion import RectifiedFlow
from keras_t2i.diffusion import ddim
from keras_t2i.diffusion import sampling_times
from keras_t2i.diffusion.guidance import autoguidance
from keras_t2i.diffusion.guidance import classifier_free
from keras_t2i.diffusion.guidance import negative_prompt
from keras_t2i.diffusion.guidance import rescale
from keras_t2i.diffusion.guidance import within_interval


def estimates(n=4):
    return np.random.default_rng(0).standard_normal((2, n, 4, 4, 3), dtype="float32")


@pytest.mark.parametrize("tensors", [False, True])
@pytest.mark.parametrize("combine", [classifier_free, negative_prompt, autoguidance])
def test_scale_one_and_zero_are_the_two_estimates_bit_by_bit(combine, tensors):
    one, other = estimates()
    wrap = ops.convert_to_tensor if tensors else np.asarray
    for scale in (1.0, wrap(np.ones(4, "float32"))):
        np.testing.assert_array_equal(ops.convert_to_numpy(combine(wrap(one), wrap(other), scale)), one)
    for scale in (0.0, wrap(np.zeros(4, "float32"))):
        np.testing.assert_array_equal(ops.convert_to_numpy(combine(wrap(one), wrap(other), scale)), other)
    found = combine(wrap(one), wrap(other), wrap(np.array([0, 1, 2, 7.5], "float32")))
    assert keras.backend.standardize_dtype(found.dtype) == "float32"
    np.testing.assert_allclose(
        ops.convert_to_numpy(found)[3], other[3] + 7.5 * (one[3] - other[3]), atol=2e-5
    )


def test_guiding_x0_or_epsilon_is_the_same():
    process, t, scale = CosineSchedule(), 0.4, 3.0
    one, other = estimates().astype("float64")
    x = np.random.default_rng(1).standard_normal(one.shape)
    for kind in ("epsilon", "v", "score", "flow"):
        of_x0 = Parameterization("x0", process)
        pair = [of_x0.convert(v, x, t, kind) for v in (one, other)]
        guided = Parameterization(kind, process).x0(classifier_free(*pair, scale), x, t)
        np.testing.assert_allclose(guided, classifier_free(one, other, scale), atol=1e-9)


def test_guidance_samples_the_density_that_it_promises_for_normal_pictures():
    # p(x | c)^w p(x)^(1 - w) of two normal laws of one variance is a normal law around w m_c + (1 - w) m.
    process, variance = RectifiedFlow(), 0.04
    conditional = GaussianMixture([1.0], [[0.5]], scales=variance**0.5).denoiser(process)
    unconditional = GaussianMixture([1.0], [[0.1]], scales=variance**0.5).denoiser(process)
    start, times = np.random.default_rng(0).standard_normal((4000, 1)), sampling_times(process, 200)
    guided, _ = exact_guidance(process, conditional, unconditional, len(start), 3.0)
    x = ddim(guided, start, times, process)
    assert x.mean() == pytest.approx(3 * 0.5 - 2 * 0.1, abs=0.02)
    assert x.std() == pytest.approx(0.2, abs=0.02)


def test_guidance_holds_within_its_interval_alone():
    log_snr = np.array([-8.0, -3.0, 0.0, 2.0, 5.0])
    np.testing.assert_array_equal(within_interval(4.0, log_snr, -3.0, 2.0), [1, 4, 4, 1, 1])
    found = within_interval(4.0, ops.convert_to_tensor(log_snr.astype("float32")), -3.0, 2.0)
    np.testing.assert_array_equal(ops.convert_to_numpy(found), [1, 4, 4, 1, 1])
    process = RectifiedFlow()
    one, other = estimates()
    interval = {"interval": (-3.0, 2.0)}
    denoiser, network = exact_guidance(process, lambda x, t: one, lambda x, t: other, 4, 4.0, **interval)
    for t in np.linspace(0.95, 0.05, 19):
        inside = -3.0 <= process.log_snr(t) < 2.0
        wanted = classifier_free(one, other, 4.0) if inside else one
        np.testing.assert_array_equal(denoiser(one, float(t)), wanted)
    guided = [mask for _, mask in network.calls if 0 in mask]
    assert len(guided) == sum(-3.0 <= process.log_snr(t) < 2.0 for t in np.linspace(0.95, 0.05, 19))
    assert 0 < len(guided) < 19 == len(network.calls)


def test_scale_zero_asks_only_the_other_and_one_only_the_conditional():
    one, other = estimates()

    def never(x, t):
        raise AssertionError("not to be called")

    process = RectifiedFlow()
    for scale, pair, wanted in ((1.0, (one, None), one), (0.0, (None, other), other)):
        denoisers = [never if x0 is None else lambda x, t, x0=x0: x0 for x0 in pair]
        denoiser, _ = exact_guidance(process, *denoisers, 4, scale)
        np.testing.assert_array_equal(denoiser(one, 0.5), wanted)
    guided, _ = exact_guidance(process, never, never, 4, 0.0, guide=lambda x, t: other)
    np.testing.assert_array_equal(guided(one, 0.5), other)
    with pytest.raises(ValueError, match="to go away from"):
        Denoiser(None, process).guided({}, None, 2.0)


@pytest.mark.parametrize("tensors", [False, True])
def test_rescaling_gives_back_the_contrast_picture_by_picture(tensors):
    one, other = estimates()
    wrap = ops.convert_to_tensor if tensors else np.asarray
    guided = classifier_free(one, other, 6.0)
    found = ops.convert_to_numpy(rescale(wrap(guided), wrap(one), 1.0))
    np.testing.assert_allclose(found.std((1, 2, 3)), one.std((1, 2, 3)), rtol=1e-5)
    np.testing.assert_allclose(
        found / guided, np.broadcast_to((found / guided)[:, :1, :1, :1], one.shape), rtol=1e-4
    )
    halfway = ops.convert_to_numpy(rescale(wrap(guided), wrap(one), 0.5))
    np.testing.assert_allclose(halfway, 0.5 * (found + guided), rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(ops.convert_to_numpy(rescale(wrap(guided), wrap(one), 0.0)), guided, rtol=1e-6)
    flat = wrap(np.zeros_like(one))
    np.testing.assert_array_equal(ops.convert_to_numpy(rescale(flat, wrap(one), 1.0)), 0.0)


def test_autoguidance_leads_away_from_what_the_weaker_model_smears():
    # The weaker model is the strong one with wider modes (Karras et al. 2024, section 3).
    process = RectifiedFlow()
    means = [[-1.0, 0.0], [1.0, 0.0]]
    strong = GaussianMixture([0.5, 0.5], means, scales=0.2)
    weak = GaussianMixture([0.5, 0.5], means, scales=0.4)
    start, times = np.random.default_rng(0).standard_normal((2000, 2)), sampling_times(process, 50)
    spreads = []
    for scale in (1.0, 2.0):
        strong_one, weak_one = strong.denoiser(process), weak.denoiser(process)
        guided, _ = exact_guidance(process, strong_one, strong_one, len(start), scale, guide=weak_one)
        x = ddim(guided, start, times, process)
        spreads.append((np.abs(x[:, 0]) - 1).std())
        assert (x[:, 0] > 0).mean() == pytest.approx(0.5, abs=0.05)
    assert spreads[1] < 0.8 * spreads[0]
