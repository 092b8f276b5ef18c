import keras
import numpy as np
import pytest
from tiny_objectives import tiny_autoencoder
from tiny_trained import tiny_trained

from keras_t2i.training.averages import ExponentialMovingAverage
from keras_t2i.training.averages import PowerFunctionEMA
from keras_t2i.training.averages import exponent
from keras_t2i.training.objective import Objective

STEPS = 4000


def directly(values, width):
    """The average at the last of steps 1, 2, ...: each value weighed by what is left of it since."""
    t = np.arange(1, len(values) + 1, dtype="float64")
    kept = (1 - 1 / t) ** (exponent(width) + 1)
    after = np.append(np.cumprod(kept[::-1])[::-1][1:], 1.0)
    return np.tensordot((1 - kept) * after, values, 1)


@pytest.mark.parametrize("width", [0.02, 0.05, 0.1, 0.2, 0.28])
def test_the_profile_has_the_width_that_was_asked_for(width):
    power = exponent(width)
    s = (np.arange(200_000) + 0.5) / 200_000
    profile = (power + 1) * s**power
    mean = np.mean(profile * s)
    assert np.sqrt(np.mean(profile * (s - mean) ** 2)) == pytest.approx(width, rel=1e-4)
    # Weights that the recursion gives to steps have that width too.
    t = np.arange(1.0, STEPS + 1)
    found = directly(np.stack([t, t**2], -1), width)
    assert np.sqrt(found[1] - found[0] ** 2) / STEPS == pytest.approx(width, rel=0.01)


def test_widths_of_the_paper():
    # EDM2, section 3.1: sigma_rel 0.05 and 0.10 correspond to gamma 16.97 and 6.94.
    assert [exponent(w) for w in (0.05, 0.10)] == pytest.approx([16.97, 6.94], abs=0.005)
    assert exponent(12**-0.5) == pytest.approx(0, abs=1e-6)
    for wrong in (0, -0.1, 0.3):
        with pytest.raises(ValueError, match=r"sigma_rel must be above 0 and at most 0\.2887"):
            exponent(wrong)


def test_an_exponential_average_forgets_faster_at_first():
    average = ExponentialMovingAverage(0.99)
    steps = [keras.ops.convert_to_tensor(np.float32(t)) for t in (1, 11, 10**6)]
    rates = [float(average.rates(step)[0]) for step in steps]
    assert rates == pytest.approx([0.9, 0.45, 0.01], rel=1e-5)
    for wrong in (0, 1, -0.5):
        with pytest.raises(ValueError, match="decay must be in"):
            ExponentialMovingAverage(wrong)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    return tiny_trained(tmp_path_factory.mktemp("trained"))


def test_averages_follow_the_weights(trained):
    objective = trained.objective
    assert int(objective.steps) == 12 and objective.average is objective.averages[0]
    for width, average in zip((0.1, 0.2), objective.averages, strict=True):
        for i, found in enumerate(average.get_weights()):
            values = np.stack([w[i] for w in trained.weights]).astype("float64")
            np.testing.assert_allclose(found, directly(values, width), atol=1e-5)
    first, last = trained.weights[0], trained.weights[-1]
    assert max(np.abs(f - w).max() for f, w in zip(first, last, strict=True)) > 1e-2
    assert len(objective.trainable_variables) == len(objective.network.trainable_variables)


def test_no_average_is_the_network():
    network = tiny_autoencoder()
    for none in (None, PowerFunctionEMA(())):
        assert Objective(network, averages=none).average is network
