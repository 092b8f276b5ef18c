import keras
import numpy as np
import pytest
from tiny_objectives import OBJECTIVES
from tiny_objectives import tiny_objective
from tiny_objectives import tiny_pipeline

from keras_t2i.data import FollowEpochs
from keras_t2i.pictures import to_float

STEPS = 12


class Record(keras.callbacks.Callback):
    """Weights of the network and of its average, and the loss, after every step (an epoch here is one)."""

    def on_train_begin(self, logs=None):
        self.losses = []
        self.on_epoch_end(None)

    def on_epoch_end(self, epoch, logs=None):
        if epoch is None:
            self.network, self.average = [], []
        else:
            self.losses.append(float(logs["loss"]))
        self.network.append([np.array(w) for w in self.model.network.get_weights()])
        self.average.append([np.array(w) for w in self.model.average.get_weights()])


def train(objective, steps, **options):
    pipeline, record = tiny_pipeline(), Record()
    callbacks = [FollowEpochs(pipeline), record]
    history = objective.fit(pipeline, epochs=steps, verbose=0, shuffle=False, callbacks=callbacks, **options)
    return record, history.history


@pytest.fixture(scope="module", params=OBJECTIVES)
def name(request):
    return request.param


@pytest.fixture(scope="module")
def trained(name):
    objective = tiny_objective(name)
    others = [v for v in objective.variables if v.path not in {w.path for w in objective.trainable_variables}]
    frozen = [
        part
        for part in (getattr(objective, k, None) for k in ("dual_encoder", "image_encoder", "outside"))
        if part
    ]
    frozen += getattr(objective, "critics", [])
    before = [part.get_weights() for part in frozen]
    record, history = train(
        objective, STEPS, validation_data=tiny_pipeline(fixed=True, batch_size=4), validation_freq=STEPS
    )
    return (
        objective,
        record,
        history,
        [(p.get_weights(), b) for p, b in zip(frozen, before, strict=True)],
        others,
    )


def test_the_loss_falls(name, trained):
    _, record, history, *_ = trained
    assert np.isfinite(record.losses).all()
    assert min(record.losses[-3:]) < 0.95 * record.losses[0] or record.losses[-1] < record.losses[0] - 0.1
    watched = {
        "reconstruction": {"psnr"},
        "clip": {"accuracy"},
        "siglip": {"accuracy"},
        "regression": {"cosine"},
    }.get(name, {"consistency", "pixels", "outside"})
    assert set(history) == {"loss", "val_loss", *watched, *(f"val_{key}" for key in watched)}
    assert all(np.isfinite(values).all() for values in history.values())


def test_what_is_frozen_stays(name, trained):
    objective, _, _, frozen, _ = trained
    assert len(frozen) == {"regression": 1, "naive": 2, "fixed": 3}.get(name, 0)
    for now, before in frozen:
        for w, b in zip(now, before, strict=True):
            np.testing.assert_array_equal(w, b)
    own = 0 if name not in ("clip", "siglip") else {"clip": 1, "siglip": 2}[name]
    assert len(objective.trainable_variables) == len(objective.network.trainable_variables) + own


def test_the_average_follows(name, trained):
    objective, record, *_ = trained
    assert int(objective.steps) == STEPS
    expected = [w.astype("float64") for w in record.network[0]]
    for t in range(STEPS):
        decay = min(0.999, (1 + t) / (10 + t))
        seen = record.network[t + 1]
        expected = [decay * e + (1 - decay) * w for e, w in zip(expected, seen, strict=True)]
        for found, e in zip(record.average[t + 1], expected, strict=True):
            np.testing.assert_allclose(found, e, atol=1e-5)


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
        record, history = train(objective, 1)
        weights.append(objective.get_weights())
        assert max(np.abs(w - b).max() for w, b in zip(weights[-1], before, strict=True)) > 1e-3
        weights[-1].append(np.array(history["loss"] + history["accuracy"]))
    for whole, cached in zip(*weights, strict=True):
        np.testing.assert_allclose(cached, whole, atol=1e-5)
