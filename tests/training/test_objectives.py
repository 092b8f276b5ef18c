import keras
import numpy as np
import pytest
from tiny import tiny_dual_encoder
from tiny_objectives import OBJECTIVES
from tiny_objectives import tiny_objective
from tiny_objectives import tiny_pipeline

from keras_t2i.data import FollowEpochs
from keras_t2i.pictures import to_float

STEPS = 12


class Record(keras.callbacks.Callback):
    """The weights of the network and of its average before the first step and after each, and the losses."""

    def on_train_begin(self, logs=None):
        self.losses, self.network, self.average = [], [], []
        self._keep()

    def on_epoch_end(self, epoch, logs=None):  # an epoch here is one step
        self.losses.append(float(logs["loss"]))
        self._keep()

    def _keep(self):
        self.network.append(self.model.network.get_weights())
        self.average.append(self.model.average.get_weights())


def train(objective, steps, **options):
    pipeline, record = tiny_pipeline(), Record()
    callbacks = [FollowEpochs(pipeline), record]
    history = objective.fit(pipeline, epochs=steps, verbose=0, shuffle=False, callbacks=callbacks, **options)
    return record, history.history


def largest_difference(weights, others):
    return max(np.abs(w - o).max() for w, o in zip(weights, others, strict=True))


@pytest.fixture(scope="module", params=OBJECTIVES)
def name(request):
    return request.param


@pytest.fixture(scope="module")
def trained(name):
    objective = tiny_objective(name)
    frozen = [getattr(objective, part, None) for part in ("dual_encoder", "image_encoder", "outside")]
    frozen = [part for part in frozen if part] + list(getattr(objective, "critics", []))
    before = [part.get_weights() for part in frozen]
    record, history = train(
        objective, STEPS, validation_data=tiny_pipeline(fixed=True, batch_size=4), validation_freq=STEPS
    )
    after = [part.get_weights() for part in frozen]
    return SimpleNamespace(objective=objective, record=record, history=history, frozen=(before, after))


def test_the_loss_falls(name, trained):
    losses, history = trained.record.losses, trained.history
    assert np.isfinite(losses).all()
    assert losses[-1] < losses[0] - 0.05
    watched = {
        "reconstruction": {"psnr"},
        "clip": {"accuracy"},
        "siglip": {"accuracy"},
        "regression": {"cosine"},
    }.get(name, {"consistency", "pixels", "outside"})
    assert set(history) == {"loss", "val_loss", *watched, *(f"val_{key}" for key in watched)}
    assert all(np.isfinite(values).all() for values in history.values())


def test_what_is_frozen_stays(name, trained):
    before, after = trained.frozen
    assert len(before) == {"regression": 1, "naive": 2, "fixed": 3}.get(name, 0)
    for one, other in zip(before, after, strict=True):
        assert largest_difference(one, other) == 0
    own = {"clip": 1, "siglip": 2}.get(name, 0)
    assert (
        len(trained.objective.trainable_variables) == len(trained.objective.network.trainable_variables) + own
    )


def test_the_average_follows(name, trained):
    assert int(trained.objective.steps) == STEPS
    record = trained.record
    ahead = int(isinstance(trained.objective, SteppedObjective))  # these average after the step
    expected = [w.astype("float64") for w in record.network[0]]
    for t in range(STEPS):
        decay = min(0.999, (1 + t) / (10 + t))
        expected = [
            decay * e + (1 - decay) * w for e, w in zip(expected, record.network[t + ahead], strict=True)
        ]
        assert largest_difference(record.average[t + 1], expected) < 1e-5


def test_validation_looks_at_the_average():
    objective = tiny_objective("reconstruction")
    objective.average.set_weights([w * 1.1 for w in objective.average.get_weights()])
    pipeline = tiny_pipeline(fixed=True)
    true = to_float(pipeline.batch(0)["images"])
    drawn = objective.average.predict(true, verbose=0)
    expected = np.log(np.square(true - drawn).mean(axis=(1, 2, 3)) + objective.floor).mean()
    assert objective.evaluate(pipeline, verbose=0, return_dict=True)["loss"] == pytest.approx(
        expected, abs=1e-4
    )


@pytest.mark.parametrize("kind", ["clip", "siglip"])
def test_micro_batches_make_the_step_of_the_whole_batch(kind):
    weights = []
    for parts in (1, 4):
        objective = tiny_objective(kind, optimizer=keras.optimizers.SGD(0.05), micro_batches=parts)
        before = objective.get_weights()
        _, history = train(objective, 1)
        weights.append([*objective.get_weights(), np.array([history["loss"], history["accuracy"]])])
        assert largest_difference(weights[-1][:-1], before) > 1e-3
    assert largest_difference(*weights) < 1e-5


def test_two_accumulated_steps_in_bfloat16_are_one():
    """The same batch twice, its gradients averaged, moves the weights as the batch once."""
    weights = []
    for optimizer, steps in [
        (keras.optimizers.SGD(0.05), 1),
        (keras.optimizers.SGD(0.05, gradient_accumulation_steps=2), 2),
    ]:
        objective = tiny_objective("clip", dtype="mixed_bfloat16", optimizer=optimizer)
        assert {w.dtype for w in objective.weights} == {"float32"}
        train(objective, steps)
        weights.append(objective.network.get_weights())
    assert largest_difference(*weights) < 1e-5
    assert int(optimizer.iterations) == 1


@pytest.mark.parametrize("name", ["reconstruction", "fixed"])
def test_bfloat16_learns(name):
    record, _ = train(tiny_objective(name, dtype="mixed_bfloat16", ema_decay=0), 6)
    assert np.isfinite(record.losses).all() and record.losses[-1] < record.losses[0]
    assert largest_difference(record.network[-1], record.average[-1]) == 0  # without decay they are one


def test_wrong_arguments_are_named():
    with pytest.raises(ValueError, match="ema_decay must be in"):
        Objective(tiny_autoencoder(), ema_decay=1.0)
    with pytest.raises(ValueError, match=r"kind must be one of \['clip', 'siglip'\]"):
        ContrastiveAlignment(tiny_dual_encoder(), "triplet")
    objective = tiny_objective("clip", micro_batches=3)
    with pytest.raises(ValueError, match="a batch of 8 cannot be cut into 3 equal micro-batches"):
        objective.step(tiny_pipeline().batch(0))
    with pytest.raises(ValueError, match='form must be "fixed" or "naive"'):
        CodeConsistency(tiny_autoencoder().decoder, tiny_dual_encoder(), form="clever")
    with pytest.raises(ValueError, match="the text encoder says 16 numbers, the image encoder 32"):
        ConceptRegression(CNNTextEncoder(8, 8, code_dim=16), tiny_autoencoder().encoder)
