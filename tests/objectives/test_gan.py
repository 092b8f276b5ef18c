from types import SimpleNamespace

import keras
import numpy as np
import pytest
from keras import ops
from tiny import tiny_dual_encoder
from tiny_objectives import tiny_gan
from tiny_objectives import tiny_pipeline

from keras_t2i.data import SetPipelineEpoch
from keras_t2i.layers import DifferentiableAugmentation
from keras_t2i.models import Discriminator
from keras_t2i.objectives.gan import ConditionalGAN
from keras_t2i.objectives.gan_losses import LOSSES
from keras_t2i.objectives.gan_losses import accuracies
from keras_t2i.objectives.gan_losses import clamp_straight_through
from keras_t2i.objectives.gan_losses import diversity_ratio
from keras_t2i.objectives.gan_losses import midpoint
from keras_t2i.objectives.gan_losses import squared_gradient_estimate
from keras_t2i.objectives.gan_losses import squared_gradient_norm
from keras_t2i.training.backend import value_and_gradients
from keras_t2i.training.objective import freeze

RANDOM = np.random.Generator(np.random.Philox(0))
REAL, FAKE = RANDOM.standard_normal((2, 7)).astype("float32") * 2
IN_NUMPY = {  # what the papers say, of real and fake
    "nonsaturating": (
        lambda r, f: -np.log(sigmoid(r)).mean() - np.log(1 - sigmoid(f)).mean(),
        lambda r, f: -np.log(sigmoid(f)).mean(),
    ),
    "hinge": (
        lambda r, f: np.maximum(0, 1 - r).mean() + np.maximum(0, 1 + f).mean(),
        lambda r, f: -f.mean(),
    ),
    "relativistic": (
        lambda r, f: -np.log(sigmoid(r - f)).mean(),
        lambda r, f: -np.log(sigmoid(f - r)).mean(),
    ),
}
STEPS = 8


def sigmoid(x):
    return 1 / (1 + np.exp(-np.asarray(x, "float64")))


@pytest.mark.parametrize("name", LOSSES)
def test_losses_are_those_of_the_papers(name):
    for ours, theirs in zip(LOSSES[name], IN_NUMPY[name], strict=True):
        found = ours(ops.convert_to_tensor(REAL), ops.convert_to_tensor(FAKE))
        assert float(found) == pytest.approx(theirs(REAL, FAKE), rel=1e-5)


def test_a_generator_that_is_seen_through_still_learns():
    """For a drawing rated far below zero the gradient is about -1."""
    nothing = SimpleNamespace(variables=[], metrics_variables=[])
    far = ops.convert_to_tensor(np.array([-20.0], "float32"))
    for name in ("nonsaturating", "hinge"):
        _, (gradient,) = value_and_gradients(nothing, lambda f, n=name: LOSSES[n][1](None, f), [], [far])
        assert float(gradient[0]) == pytest.approx(-1, abs=1e-6)


def test_accuracy_and_diversity():
    real, fake = (ops.convert_to_tensor(v) for v in (np.array([3.0, 5, 1, 9]), np.array([1.0, -1, 2, 4])))
    assert [float(a) for a in accuracies(real, fake)] == [1, 0.25]
    assert float(midpoint(real, fake)) == 3
    assert [float(a) for a in accuracies(real, fake, 3.0)] == [0.5, 0.75]
    true = RANDOM.standard_normal((4, 2, 2, 3)).astype("float32")
    half = ops.convert_to_tensor(true / 2 + 1)
    assert float(diversity_ratio(half, ops.convert_to_tensor(true))) == pytest.approx(0.5)
    assert float(diversity_ratio(ops.ones((4, 2, 2, 3)), ops.convert_to_tensor(true))) == 0


def linear_and_quadratic(images):
    """Two scores of flat vectors, and their squared gradients."""
    d = images[0].size
    vector, matrix = RANDOM.standard_normal(d), RANDOM.standard_normal((d, d)) / d**0.5
    matrix, flat = (matrix + matrix.T) / 2, images.reshape(len(images), -1).astype("float64")
    vector, narrow = vector.astype("float32"), matrix.astype("float32")

    def linear(x):
        return ops.matmul(ops.reshape(x, (-1, d)), vector)

    def quadratic(x):
        x = ops.reshape(x, (-1, d))
        return ops.sum(ops.matmul(x, narrow) * x, axis=1) / 2

    return [
        (linear, np.full(len(images), np.square(vector).sum())),
        (quadratic, np.square(flat @ matrix).sum(axis=1)),
    ]


@pytest.mark.parametrize("kind", [0, 1], ids=["linear", "quadratic"])
def test_squared_gradients_are_those_of_the_closed_form(kind):
    images = RANDOM.standard_normal((3, 2, 2, 3)).astype("float32")
    score, squares = linear_and_quadratic(images)[kind]
    nothing = SimpleNamespace(variables=[], metrics_variables=[])
    exact = squared_gradient_norm(nothing, score, ops.convert_to_tensor(images))
    np.testing.assert_allclose(ops.convert_to_numpy(exact), squares, rtol=1e-4)
    times, step = 20_000, 0.2
    many = ops.convert_to_tensor(images.repeat(times, axis=0))
    noise = ops.convert_to_tensor(RANDOM.standard_normal(many.shape).astype("float32"))
    found = ops.convert_to_numpy(squared_gradient_estimate(score, many, noise, step))
    found = found.reshape(3, times)
    uncertain = found.std(axis=1) / times**0.5  # one number of its mean
    assert (np.abs(found.mean(axis=1) - squares) < 4 * uncertain + 1e-3).all()
    assert (uncertain < 0.03 * squares).all()


def test_telling_noise_costs_nothing():
    """A score that falls with the distance from the picture is flat there, however steep a step away."""
    images = ops.convert_to_tensor(RANDOM.standard_normal((4, 2, 2, 3)).astype("float32"))
    noise = ops.convert_to_tensor(RANDOM.standard_normal((4, 2, 2, 3)).astype("float32"))

    def score(x):
        return -100 * ops.sum(ops.square(x - ops.concatenate([images, images])), axis=(1, 2, 3))

    found = ops.convert_to_numpy(squared_gradient_estimate(score, images, noise, 0.1))
    np.testing.assert_allclose(found, 0, atol=1e-4)


def test_the_exact_penalty_has_gradients():
    """Of a x^2 / 2 the gradient's square is a^2 x^2, and its derivative by a is 2 a x^2."""
    weight = keras.Variable(3.0)
    images = ops.convert_to_tensor(RANDOM.standard_normal((4, 2, 2, 3)).astype("float32"))
    model = SimpleNamespace(variables=[weight], metrics_variables=[])

    def penalty():
        def score(x):
            return weight * ops.sum(ops.square(x), axis=(1, 2, 3)) / 2

        return ops.sum(squared_gradient_norm(model, score, images))

    value, (gradient,) = value_and_gradients(model, penalty, [weight])
    squares = float(ops.sum(ops.square(images)))
    assert float(value) == pytest.approx(9 * squares, rel=1e-5)
    assert float(gradient) == pytest.approx(6 * squares, rel=1e-5)


class One(keras.layers.Layer):
    """A network of one number: as generator it fills the picture with it, as discriminator it multiplies."""

    def build(self, *shapes):
        self.number = self.add_weight(shape=(), initializer="zeros", name="number")


class Fill(One):
    def call(self, concepts):
        return self.number + ops.zeros((ops.shape(concepts)[0], 8, 8, 3))


class Multiply(One):
    def call(self, images):
        return self.number * images[:, 0, 0, :1]


def dirac_gan(theta, psi, rate, **options):
    """The smallest of all (Mescheder et al. 2018, arXiv 1801.04406, definition 2.1), real pictures at 1."""
    concepts, images = keras.Input((32,), name="concepts"), keras.Input((8, 8, 3), name="images")
    fill, multiply = Fill(), Multiply()
    generator = keras.Model(concepts, fill(concepts))
    discriminator = keras.Model({"images": images, "concepts": concepts}, multiply(images))
    generator.image_size = 8
    fill.number.assign(theta)
    multiply.number.assign(psi)
    objective = ConditionalGAN(
        generator, discriminator, tiny_dual_encoder(8, blocks=0), pixel_weight=0.0, averages=None, **options
    )
    objective.augmentation = DifferentiableAugmentation(0, 0.0, 0.0)
    objective.compile(keras.optimizers.SGD(rate), keras.optimizers.SGD(rate / 2))
    return objective, fill.number, multiply.number


# The derivatives of the discriminator's loss by psi and of the generator's by theta, D(x) = psi x.
SLOPES = {
    "nonsaturating": (
        lambda t, p: -sigmoid(-p) + t * sigmoid(p * t),
        lambda t, p: -p * sigmoid(-p * t),
    ),
    "hinge": (lambda t, p: -float(p < 1) + t * float(p * t > -1), lambda t, p: -p),
    "relativistic": (
        lambda t, p: (t - 1) * sigmoid(p * t - p),
        lambda t, p: -p * sigmoid(p - p * t),
    ),
}


@pytest.mark.parametrize("alternate", [False, True], ids=["at once", "in turn"])
@pytest.mark.parametrize("loss", LOSSES)
def test_both_move_as_on_paper(loss, alternate):
    theta, psi, rate, r1, r2 = -0.5, 0.4, 0.3, 0.2, 0.6
    weights = {"r1_weight": r1, "r2_weight": r2, "penalty": "exact"}
    objective, *numbers = dirac_gan(theta, psi, rate, loss=loss, alternate=alternate, **weights)
    batch = {"images": np.full((4, 8, 8, 3), 255, "uint8"), "token_ids": np.ones((4, 8), "int32")}
    batch = keras.tree.map_structure(ops.convert_to_tensor, batch)
    by_psi, by_theta = SLOPES[loss]
    for _ in range(5):
        moved = psi - rate / 2 * (by_psi(theta, psi) + (r1 + r2) * psi)  # the penalties are psi^2 each
        theta, psi = theta - rate * by_theta(theta, moved if alternate else psi), moved
        logs = objective.train_on_batch(batch, return_dict=True)
        assert [float(ops.convert_to_numpy(n)) for n in numbers] == pytest.approx([theta, psi], abs=1e-5)
    assert set(logs) >= {"r1", "r2", "gap"} and logs["r1"] > 0


@pytest.mark.parametrize(
    ("theta", "seen", "slope"),
    [
        (0.5, 0.5, 1 - 0.4),  # |drawn - black|, against a discriminator that wants 0.4 a unit more light
        (1.05, 1.0, 1 - 0.4),  # in the margin: the same
        (1.5, 1.0, 5.0),  # beyond: back, whatever they say
        (-1.05, -1.0, -0.4),
        (-3.0, -1.0, -5.0),
    ],
)
def test_the_discriminator_sees_what_a_person_sees(theta, seen, slope):
    """Nothing is whiter than white, and yet what is too white can come back."""
    objective, number, _ = dirac_gan(theta, 0.4, 0.3, loss="hinge", r1_weight=0.0, r2_weight=0.0)
    drawn = clamp_straight_through(ops.convert_to_tensor(np.full((1, 8, 8, 3), theta, "float32")))
    np.testing.assert_allclose(ops.convert_to_numpy(drawn), seen, atol=1e-6)
    black = {"images": np.zeros((4, 8, 8, 3), "uint8"), "token_ids": np.ones((4, 8), "int32")}
    objective.pixel_weight = 1.0
    objective.train_on_batch(keras.tree.map_structure(ops.convert_to_tensor, black))
    assert float(ops.convert_to_numpy(number)) == pytest.approx(theta - 0.3 * slope, abs=1e-5)


def fit(objective, steps=STEPS, **options):
    pipeline = tiny_pipeline()
    return objective.fit(
        pipeline, epochs=steps, verbose=0, shuffle=False, callbacks=[SetPipelineEpoch(pipeline)], **options
    ).history


def largest_difference(weights, others):
    return max(np.abs(w - o).max() for w, o in zip(weights, others, strict=True))


@pytest.fixture(scope="module")
def trained():
    objective = tiny_gan("mixed_bfloat16", penalty="exact", code_weight=0.1)
    parts = objective.network, objective.discriminator, objective.dual_encoder, objective.average
    before = [part.get_weights() for part in parts]
    validation = {"validation_data": tiny_pipeline(training=False, batch_size=4), "validation_freq": STEPS}
    history = fit(objective, **validation)
    return objective, before, [part.get_weights() for part in parts], history


def test_both_learn_and_the_encoder_stands_still(trained):
    objective, before, after, history = trained
    changes = [largest_difference(*pair) for pair in zip(before, after, strict=True)]
    assert changes[0] > 1e-2 and changes[1] > 1e-2 and changes[2] == 0 and changes[3] > 1e-3
    assert int(objective.steps) == STEPS
    assert history["pixels"][-1] < history["pixels"][0] - 0.05
    names = {"loss", "generator", "discriminator", "real_accuracy", "fake_accuracy", "gap"}
    names |= {"diversity_ratio", "pixels", "codes", "r1", "r2"}
    assert set(history) == names | {f"val_{name}" for name in names}
    assert all(np.isfinite(values).all() for values in history.values())


def test_validation_is_not_random(trained):
    objective, pipeline = trained[0], tiny_pipeline(training=False, batch_size=4)
    first, again = (objective.evaluate(pipeline, verbose=0, return_dict=True) for _ in range(2))
    assert first == again and first["r1"] > 0


def test_a_discriminator_of_a_generator_that_rests_learns_to_tell():
    optimizers = keras.optimizers.SGD(0.0), keras.optimizers.Adam(1e-2)
    weights = {"pixel_weight": 0.0, "r1_weight": 0.0, "r2_weight": 0.0, "loss": "nonsaturating"}
    objective = tiny_gan(optimizers=lambda: optimizers, **weights)
    before = objective.network.get_weights()
    history = fit(objective, 40)
    assert largest_difference(objective.network.get_weights(), before) == 0
    ended = {name: np.mean(values[-10:]) for name, values in history.items()}
    assert history["discriminator"][0] > 1 and ended["discriminator"] < 0.7
    assert min(ended["real_accuracy"], ended["fake_accuracy"]) > 0.8
    assert ended["gap"] > 1 and "r1" not in ended and "codes" not in ended


def test_wrong_arguments_are_named():
    parts = tiny_gan().network, tiny_gan().discriminator, tiny_dual_encoder(8, blocks=0)
    with pytest.raises(ValueError, match=r"loss must be one of \['hinge', .*received 'wasserstein'"):
        ConditionalGAN(*parts, loss="wasserstein")
    with pytest.raises(ValueError, match='penalty must be "finite_difference" or "exact"'):
        ConditionalGAN(*parts, penalty="none")
    other = Discriminator(16, filters=(8,), blocks=(0,), code_dim=32)
    with pytest.raises(ValueError, match=r"the discriminator sees .*16, 16, 3.*the network has .*8, 8, 3"):
        ConditionalGAN(parts[0], other, parts[2])
    with pytest.raises(ValueError, match="must be trainable"):
        ConditionalGAN(freeze(parts[0]), *parts[1:])
