from types import SimpleNamespace

import keras
import numpy as np
import pytest
from tiny_objectives import tiny_autoencoder
from tiny_objectives import tiny_pipeline

from keras_t2i.data import SetPipelineEpoch
from keras_t2i.training.averages import PowerAveraged
from keras_t2i.training.averages import SaveSnapshots
from keras_t2i.training.averages import begin_snapshots
from keras_t2i.training.averages import coefficients
from keras_t2i.training.averages import exponent
from keras_t2i.training.averages import inner_products
from keras_t2i.training.averages import reconstruct
from keras_t2i.training.averages import save_snapshot
from keras_t2i.training.averages import snapshots
from keras_t2i.utils.images import to_float

STEPS, EVERY, STORED = 4000, 250, (0.05, 0.1)


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
        with pytest.raises(ValueError, match=r"at most 0\.2887"):
            exponent(wrong)


def test_inner_products_are_integrals():
    s = (np.arange(400_000) + 0.5) / 400_000 * 12

    def profile(t, g):
        return np.where(s <= t, (g + 1) * s**g / t ** (g + 1), 0)

    cases = [(3.0, 2.0), (12.0, 7.0), (7.0, 16.97)]
    expected = [[np.mean(profile(*a) * profile(*b)) * 12 for b in cases] for a in cases]
    steps, exponents = zip(*cases, strict=True)
    np.testing.assert_allclose(inner_products(steps, exponents, steps, exponents), expected, rtol=1e-4)


@pytest.fixture(scope="module")
def trajectory():
    """Weights over steps: a fall, a slow wave, a jump, a random walk, and one that never moves."""
    t = np.arange(1, STEPS + 1) / STEPS
    walk = np.cumsum(np.random.default_rng(0).standard_normal(STEPS)) / STEPS**0.5
    return np.stack([np.exp(-5 * t), np.sin(9 * t), t > 0.6, walk, np.full(STEPS, 0.3)], -1)


@pytest.fixture(scope="module")
def folder(trajectory, tmp_path_factory):
    folder = tmp_path_factory.mktemp("snapshots")
    for step in range(EVERY, STEPS + 1, EVERY):
        for width in STORED:
            save_snapshot(folder, [directly(trajectory[:step], width)], step, width)
    return folder


@pytest.mark.parametrize("step", [1000, STEPS])
@pytest.mark.parametrize("width", STORED)
def test_a_stored_average_is_reproduced(trajectory, folder, width, step):
    found = reconstruct(folder, width, step)[0]
    assert found.dtype == "float32"
    np.testing.assert_allclose(found, directly(trajectory[:step], width).astype("float16"), atol=1e-6)


@pytest.mark.parametrize("width, tolerance", [(0.07, 0.004), (0.15, 0.004), (0.2, 0.004), (0.03, 0.04)])
def test_another_width_is_put_together(trajectory, folder, width, tolerance):
    expected = directly(trajectory, width)
    found = reconstruct(folder, width)[0]
    np.testing.assert_allclose(found, expected, atol=tolerance)
    nearest = min(STORED, key=lambda stored: abs(stored - width))
    assert np.abs(found - expected).max() < 0.3 * np.abs(directly(trajectory, nearest) - expected).max()
    assert found[4] == pytest.approx(0.3, abs=2e-4)  # a weight that never moved, in half precision


def test_an_early_average(trajectory, folder):
    expected = directly(trajectory[:1250], 0.15)
    np.testing.assert_allclose(reconstruct(folder, 0.15, step=1499)[0], expected, atol=0.01)  # five times
    with pytest.raises(ValueError, match="step 250, later than 200"):
        reconstruct(folder, 0.1, step=200)
    with pytest.raises(FileNotFoundError, match="holds no averages"):
        reconstruct(folder / "nothing", 0.1)


def test_coefficients_sum_to_one():
    steps, widths = [100, 100, 200, 200], [0.05, 0.1, 0.05, 0.1]
    assert coefficients(steps, widths, 200, 0.07).sum() == pytest.approx(1)
    np.testing.assert_allclose(coefficients(steps, widths, 200, 0.1), [0, 0, 0, 1], atol=1e-9)


def test_what_does_not_fit_into_float16_is_kept(tmp_path):
    save_snapshot(tmp_path, [np.float32([1e5, 1]), np.float32([1e-3])], 1, 0.1)
    large, small = reconstruct(tmp_path, 0.1)
    assert large[0] == 1e5 and small[0] == np.float16(1e-3)


class Fit(PowerAveraged):
    """The plainest objective: a picture through a small autoencoder."""

    def call(self, x, training=False):
        return self.chosen(training)(to_float(x["images"]), training=training)

    def judge(self, x, predicted, training):
        return keras.ops.mean(keras.ops.square(to_float(x["images"]) - predicted))


class Record(keras.callbacks.Callback):
    def on_train_batch_begin(self, batch, logs=None):
        self.weights.append(self.model.network.get_weights())

    weights = None


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """Six epochs of two steps, and the weights before each step."""
    keras.utils.set_random_seed(0)
    folder, record = tmp_path_factory.mktemp("trained"), Record()
    record.weights = []
    objective = Fit(tiny_autoencoder(), widths=(0.1, 0.2))
    objective.compile(optimizer=keras.optimizers.SGD(0.5))
    pipeline = tiny_pipeline(steps_per_epoch=2)
    callbacks = [SetPipelineEpoch(pipeline), record, SaveSnapshots(folder, every=4, epochs=6)]
    objective.fit(pipeline, epochs=6, verbose=0, shuffle=False, callbacks=callbacks)
    return SimpleNamespace(objective=objective, folder=folder, weights=record.weights)


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


def test_snapshots_are_taken_on_the_way_and_at_the_end(trained):
    assert [(step, width) for step, width, _ in snapshots(trained.folder)] == [
        (8, 0.1),
        (8, 0.2),
        (12, 0.1),
        (12, 0.2),
    ]
    assert len(list(trained.folder.iterdir())) == 4  # nothing half written stays
    for width, average in zip((0.1, 0.2), trained.objective.averages, strict=True):
        for found, weight in zip(reconstruct(trained.folder, width), average.get_weights(), strict=True):
            np.testing.assert_allclose(found, weight, atol=1e-4, rtol=1e-3)


def test_no_average_is_the_network():
    network = tiny_autoencoder()
    assert PowerAveraged(network, widths=()).average is network


def test_a_full_disk_does_not_stop_the_run(trained, monkeypatch, tmp_path):
    def full(*args, **kwargs):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "savez", full)
    saver = SaveSnapshots(tmp_path)
    saver.set_model(trained.objective)
    with pytest.warns(UserWarning, match="could not save an average.*No space left"):
        saver.on_epoch_end(0)
    assert list(tmp_path.iterdir()) == []


def test_averages_of_another_run_are_not_mixed_in(tmp_path):
    first = begin_snapshots(tmp_path, 0)
    save_snapshot(tmp_path, [np.float32([7])], 100, 0.1, first)
    (tmp_path / "step_mine_width_0.npz").write_text("mine")
    save_snapshot(tmp_path, [np.float32([7])], 300, 0.1, begin_snapshots(tmp_path, 0) + "0")  # left in place
    run = begin_snapshots(tmp_path, 0)
    assert [p.name for p in tmp_path.iterdir()] == ["step_mine_width_0.npz"]
    save_snapshot(tmp_path, [np.float32([7])], 300, 0.1, first)  # as if it could not be removed
    for step in (100, 200):
        save_snapshot(tmp_path, [np.float32([step])], step, 0.1, run)
    assert [step for step, _, _ in snapshots(tmp_path)] == [100, 200]
    assert reconstruct(tmp_path, 0.1) == [200]
    assert begin_snapshots(tmp_path, 100) == run  # a resumed run goes on, from its state
    assert [p.name for p in sorted(tmp_path.glob("*0.100.npz"))] == ["step_00000100_width_0.100.npz"]


def test_a_new_run_begins_without_averages(trained, tmp_path):
    save_snapshot(tmp_path, [np.float32([7])], 1, 0.1, "another")
    saver = SaveSnapshots(tmp_path)
    saver.set_model(SimpleNamespace(steps=0))
    saver.on_train_begin()
    assert list(tmp_path.iterdir()) == []
    saver.set_model(trained.objective)
    saver.on_epoch_end(0)
    saver.on_train_begin()  # at step 12, again
    assert [step for step, _, _ in snapshots(tmp_path)] == [12, 12]
