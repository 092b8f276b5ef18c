import numpy as np
import pytest
from keras import ops
from sklearn.decomposition import PCA
from sklearn.linear_model import Ridge

from keras_t2i.layers import KernelRegression
from keras_t2i.layers import MLPRegression
from keras_t2i.layers import least_squares
from keras_t2i.layers import mlp_regression
from keras_t2i.layers.regression import AVERAGE_KERNEL
from keras_t2i.layers.regression import find_trust
from keras_t2i.layers.regression import trusted


def normal(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape, dtype="float32")


def adapted(x, y, features, components=100, hidden=0, **options):
    layer = KernelRegression(features, components, y.shape[1:], hidden)
    layer.build(x.shape, (len(x),))
    return layer, layer.adapt(x, y, **options)


def say(layer, x, given=None, part=0):
    return ops.convert_to_numpy(layer(x, np.ones(len(x), "float32") if given is None else given)[part])


def waves_of(layer, x):
    weights = (ops.convert_to_numpy(v).astype("float64") for v in layer.weights[:3])
    directions, frequencies, phases = weights
    return 2**0.5 * np.cos(x @ directions @ frequencies + phases)


@pytest.mark.parametrize("features", [12, 90])  # fewer than examples: by features; more: by pairs of examples
def test_it_is_ridge_regression_on_its_features(features):
    x, y, weights = normal(40, 5), normal(40, 2, 3, seed=1), np.linspace(0.5, 2, 40)
    layer, _ = adapted(x, y, features, weights=weights, ridge=0.01)
    waves, flat = waves_of(layer, x), y.reshape(40, -1)
    mean = np.average(flat, axis=0, weights=weights)
    peer = Ridge(alpha=0.01 * weights.sum(), fit_intercept=False)
    expected = peer.fit(waves, flat - mean, sample_weight=weights).predict(waves) + mean
    np.testing.assert_allclose(say(layer, x).reshape(40, -1), expected, atol=2e-3)


@pytest.mark.parametrize("features", [12, 90])
def test_without_a_group_it_says_what_a_regression_without_it_says(features):
    x, y, weights = normal(40, 5), normal(40, 2, 3, seed=1), np.linspace(0.5, 2, 40)
    pairs, fives = np.arange(40) // 2, np.arange(40) // 2 // 5
    options = {"weights": weights, "ridge": 0.01}
    layer, left_out = adapted(x, y, features, groupings=[pairs[::-1], fives[::-1]], **options)
    waves, basis, mean = waves_of(layer, x), *(ops.convert_to_numpy(v) for v in layer.weights[4:6])
    targets, share = (y.reshape(40, -1) - mean) @ basis.T, weights / weights.mean()
    for groups, (components, doubts) in zip([pairs[::-1], fives[::-1]], left_out, strict=True):
        for group in (0, 3):
            here = groups == group
            there = share[~here, None] * waves[~here]
            matrix = waves[~here].T @ there + 0.4 * np.eye(features)
            weights_without = np.linalg.solve(matrix, there.T @ targets[~here])
            np.testing.assert_allclose(components[here], waves[here] @ weights_without, atol=1e-2)
            known = np.einsum("ij,ij->i", waves[here], np.linalg.solve(matrix, waves[here].T).T)
            np.testing.assert_allclose(doubts[here], known, rtol=5e-3)
    with pytest.raises(ValueError, match="must lie within"):
        adapted(x, y, features, groupings=[fives, np.arange(40) % 20])


@pytest.mark.parametrize("features", [60, 500])
def test_doubt_is_the_variance_of_what_is_not_known(features):
    x, far = normal(100, 3), 6 + normal(20, 3, seed=2)
    layer, _ = adapted(x, normal(100, 2, seed=1), features, ridge=0.02)
    waves = waves_of(layer, x)
    inverse = np.linalg.inv(waves.T @ waves + 2 * np.eye(features))
    for some in (x, far):
        seen = waves_of(layer, some)
        exact = np.einsum("ij,jk,ik->i", seen, inverse, seen)
        said = say(layer, some, part=1)
        # The mean of 32 squares: a chi-square distribution, one standard deviation is a quarter, and much the
        # same one for all 100, which lie near one another.
        assert np.mean(said / exact) == pytest.approx(1, abs=0.35)
        assert np.all(said < 2.5 * exact) and np.all(said > 0.3 * exact)
    assert say(layer, far, part=1).mean() > 3 * say(layer, x, part=1).mean()


def test_factors_of_many_equations_are_found_half_by_half(monkeypatch):
    monkeypatch.setattr(least_squares, "BLOCK", 8)
    x = normal(60, 60).astype("float64")
    matrix = (x @ x.T / 60 + np.eye(60)).astype("float32")
    triangle = np.zeros_like(matrix)
    least_squares.inverse_factor(matrix.copy(), triangle)
    np.testing.assert_allclose(triangle @ matrix @ triangle.T, np.eye(60), atol=1e-4)
    np.testing.assert_array_equal(np.triu(triangle, 1), 0)


def test_features_are_those_of_a_gaussian_kernel():
    x = normal(60, 4)
    layer, _ = adapted(x, normal(60, 2), 20000)
    waves = waves_of(layer, x)
    squares = np.square(x[:, None] - x[None]).sum(axis=-1)
    average = 2 * np.square(x - x.mean(axis=0)).sum(axis=1).mean()
    np.testing.assert_allclose(waves @ waves.T / 20000, AVERAGE_KERNEL ** (squares / average), atol=0.05)


def test_what_is_general_is_fitted_first_and_memory_to_what_it_leaves():
    x, y, weights = normal(60, 5), normal(60, 2, 3, seed=1), np.linspace(0.5, 2, 60)
    pairs = np.arange(60) // 2
    layer, ((components, doubts),) = adapted(
        x, y, 40, hidden=6, weights=weights, ridge=0.01, groupings=[pairs], seed=5
    )
    kept = {weight.name: ops.convert_to_numpy(weight).astype("float64") for weight in layer.weights[:8]}
    memory, general = waves_of(layer, x), layer.general.said(x)
    targets, share = (y.reshape(60, -1) - kept["mean"]) @ kept["basis"].T, weights / weights.mean()

    def solved(rows):
        matrix = memory[rows].T @ (share[rows, None] * memory[rows]) + 0.01 * 60 * np.eye(40)
        rest = (targets - general)[rows]
        return np.linalg.solve(matrix, memory[rows].T @ (share[rows, None] * rest)), matrix

    kernel, _ = solved(np.ones(60, bool))
    np.testing.assert_allclose(kernel, kept["kernel"], atol=2e-3)
    said, doubt = (say(layer, x, part=part) for part in (0, 1))
    trust = 1 / (1 + (doubt / np.exp(kept["trust"][0])) ** kept["trust"][1])
    expected = general + trust[:, None] * (memory @ kernel)
    np.testing.assert_allclose(said.reshape(60, -1), expected @ kept["basis"] + kept["mean"], atol=5e-3)
    perceptron = MLPRegression(6, 6)
    perceptron.build(x.shape)
    (general_without,) = perceptron.adapt(x, targets, seed=5, groupings=[pairs])
    np.testing.assert_allclose(perceptron.said(x), general, atol=1e-3)
    for group in (0, 7):
        here = pairs == group
        without, matrix = solved(~here)
        known = np.einsum("ij,ij->i", memory[here], np.linalg.solve(matrix, memory[here].T).T)
        np.testing.assert_allclose(doubts[here], known, rtol=5e-3)
        trust = ops.convert_to_numpy(trusted(known.astype("float32"), kept["trust"].astype("float32")))
        found = general_without[here] + trust[:, None] * (memory[here] @ without)
        np.testing.assert_allclose(components[here], found, atol=1e-2)


def test_memory_is_trusted_where_it_is_right():
    def example(doubt, right, seed):  # memory says what is missing, or nonsense of the same size
        general, missing = normal(500, 3, seed=seed), normal(500, 3, seed=seed + 1)
        memory = missing if right else normal(500, 3, seed=seed + 2)
        return (general, memory, np.full(500, doubt) + np.linspace(0, 0.1, 500)), general + missing

    known, targets = example(0.2, True, 0)
    strange, others = example(2.0, False, 10)
    general, memory, doubt = strange
    moved = (general + targets - others, memory, doubt)  # of the same targets
    trust = find_trust([known, moved], targets, np.ones(500))
    assert ops.convert_to_numpy(trusted(np.float32([0.2, 2.0]), trust)) == pytest.approx([1, 0], abs=0.05)
    alone = find_trust([known], targets, np.ones(500))
    np.testing.assert_allclose(trusted(np.float32([0.0, 1e6]), alone), [1, 1])


def test_with_a_perceptron_what_is_new_is_said_better(monkeypatch):
    monkeypatch.setattr(mlp_regression, "PASSES", 200)
    random = np.random.default_rng(3)
    x, new = random.uniform(-2, 2, (2, 150, 3)).astype("float32")
    noise = 0.5 * normal(150, 1, seed=4)

    def smooth(x):
        return np.sin(x).sum(axis=1, keepdims=True)

    def errors(hidden):
        layer, _ = adapted(x, smooth(x) + noise, 600, ridge=1e-5, hidden=hidden, groupings=groups)
        return [
            np.square(say(layer, seen) - y).mean() for seen, y in ((x, smooth(x) + noise), (new, smooth(new)))
        ]

    groups = [np.arange(150)]
    (known, strange), (known_too, better) = errors(0), errors(16)
    assert better < 0.3 * strange
    assert max(known, known_too) < np.square(noise).mean()  # what is learned from is remembered, in part


def test_answers_lie_in_the_principal_components():
    x, y = normal(50, 30), normal(50, 6, seed=1) * np.arange(1, 7, dtype="float32")
    layer, _ = adapted(x, y, 400, components=2, ridge=1e-6)
    peer = PCA(2).fit(y)
    projected = peer.inverse_transform(peer.transform(y))
    np.testing.assert_allclose(say(layer, x), projected, atol=0.02)


def test_it_remembers_more_with_a_smaller_ridge():
    x, y = normal(30, 8), normal(30, 4, seed=1)
    said = [say(adapted(x, y, 300, ridge=ridge)[0], x) for ridge in (1e-5, 1e-2, 10.0)]
    errors = [np.square(one - y).mean() for one in said]
    assert errors[0] < 1e-4 < errors[1] < errors[2]
    near = np.square(say(adapted(x, y, 300)[0], x + 0.01 * normal(30, 8, seed=2)) - y).mean()
    assert near < 0.1 * np.square(y).mean()


def test_nothing_is_said_of_what_is_not_given():
    x, y = normal(3, 4), normal(3, 2, 2, 1, seed=1) + 3
    layer, _ = adapted(x, y, 50, ridge=1e-6)
    x[1] = np.nan
    found = say(layer, x, np.array([1, 0, 1], "float32"))
    np.testing.assert_array_equal(found[1], np.zeros((2, 2, 1)))
    np.testing.assert_allclose(found[[0, 2]], y[[0, 2]], atol=0.05)


def test_until_it_is_adapted_it_says_zero():
    layer = KernelRegression(10, 4, (2, 3))
    assert not say(layer, normal(2, 5)).any() and not layer.trainable_variables
    again = KernelRegression.from_config(layer.get_config())
    assert again.get_config() == layer.get_config()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"ridge": 0.0}, "ridge and weights must be above 0"),
        ({"weights": np.zeros(4)}, "ridge and weights must be above 0"),
        ({"weights": np.ones(3)}, "as many vectors as arrays"),
        ({"y": normal(5, 2)}, "as many vectors as arrays"),
    ],
)
def test_what_does_not_fit_is_said(change, said):
    layer = KernelRegression(6, 2, (2,))
    layer.build((4, 3), (4,))
    with pytest.raises(ValueError, match=said):
        layer.adapt(**{"x": normal(4, 3), "y": normal(4, 2), **change})
