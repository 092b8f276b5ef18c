import numpy as np
import pytest
from test_averages import STEPS
from test_averages import directly
from tiny_objectives import tiny_pipeline
from tiny_trained import tiny_trained

from keras_t2i.training.snapshots import SaveSnapshots
from keras_t2i.training.snapshots import begin_snapshots
from keras_t2i.training.snapshots import choose_average
from keras_t2i.training.snapshots import coefficients
from keras_t2i.training.snapshots import inner_products
from keras_t2i.training.snapshots import reconstruct
from keras_t2i.training.snapshots import save_snapshot
from keras_t2i.training.snapshots import snapshots

EVERY, STORED = 250, (0.05, 0.1)


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


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    return tiny_trained(tmp_path_factory.mktemp("trained"))


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


@pytest.mark.once
def test_a_run_takes_no_average_of_another(tmp_path):
    def store(run, *steps, value=1):
        for step in steps:
            save_snapshot(tmp_path, [np.full(3, value, "float32")], step, 0.1, run)

    (tmp_path / "mine.npz").touch()
    first = begin_snapshots(tmp_path, 0)
    store(first, 2, 4, 6)
    assert begin_snapshots(tmp_path, 4) == first  # it goes on from a state of step 4
    assert [step for step, *_ in snapshots(tmp_path)] == [2, 4]
    second = begin_snapshots(tmp_path, 0)
    assert second > first and [file.name for file in tmp_path.iterdir()] == ["mine.npz"]
    store(first, 3)  # as where it could not be removed
    store(second, 4, 6, value=5)
    assert [step for step, *_ in snapshots(tmp_path)] == [4, 6]
    np.testing.assert_allclose(reconstruct(tmp_path, 0.2), [np.full(3, 5.0)], rtol=1e-6)


def test_validation_chooses_an_average(trained):
    objective, validation = trained.objective, tiny_pipeline(training=False)
    kept = objective.average.get_weights()
    best, metrics = choose_average(objective, validation, trained.folder, (0.1, 0.15, 0.28))
    assert list(metrics) == [0.1, 0.15, 0.28]
    losses = [found["loss"] for found in metrics.values()]
    assert metrics[best]["loss"] == min(losses) < max(losses)
    for found, weight in zip(objective.average.get_weights(), reconstruct(trained.folder, best), strict=True):
        np.testing.assert_array_equal(found, weight)
    again = objective.evaluate(validation, verbose=0, return_dict=True)
    assert again["loss"] == metrics[best]["loss"]
    objective.average.set_weights(kept)


def test_a_full_disk_does_not_stop_the_run(trained, monkeypatch, tmp_path):
    def full(*args, **kwargs):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "savez", full)
    saver = SaveSnapshots(tmp_path)
    saver.set_model(trained.objective)
    with pytest.warns(UserWarning, match="could not save an average.*No space left"):
        saver.on_epoch_end(0)
    assert list(tmp_path.iterdir()) == []
