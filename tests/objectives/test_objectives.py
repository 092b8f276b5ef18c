from types import SimpleNamespace

import keras
import numpy as np
import pytest
from tiny import tiny_dual_encoder
from tiny_objectives import OBJECTIVES
from tiny_objectives import tiny_autoencoder
from tiny_objectives import tiny_objective
from tiny_objectives import tiny_pipeline

from keras_t2i.data import SetPipelineEpoch
from keras_t2i.models import CNNTextEncoder
from keras_t2i.objectives.consistency import CodeConsistency
from keras_t2i.objectives.contrastive import ContrastiveAlignment
from keras_t2i.objectives.reconstruction import Reconstruction
from keras_t2i.objectives.regression import ConceptRegression
from keras_t2i.training.averages import ExponentialMovingAverage
from keras_t2i.training.averages import PowerFunctionEMA
from keras_t2i.training.objective import Objective
from keras_t2i.training.stepped_objective import SteppedObjective
from keras_t2i.utils.images import to_float

STEPS = 12
SETTINGS = {  # together they try what every objective can do
    "reconstruction": {"optimizer": lambda: keras.optimizers.SGD(0.1)},
    "clip": {"optimizer": lambda: keras.optimizers.SGD(0.1)},
    "siglip": {"optimizer": lambda: keras.optimizers.SGD(0.1)},
    "regression": {"dtype": "mixed_bfloat16"},
    "naive": {"averages": None},
    "fixed": {"dtype": "mixed_bfloat16"},
    "variational": {"dtype": "mixed_bfloat16", "equivariance": 1.0},
}
VALIDATED = ("reconstruction", "clip", "fixed")


class Record(keras.callbacks.Callback):
    """Weights before the first step and after each, and the losses."""

    def on_train_begin(self, logs=None):
        self.losses, self.trainable, self.network, self.average = [], [], [], []
        self._keep()

    def on_epoch_end(self, epoch, logs=None):  # an epoch here is one step
        self.losses.append(float(logs["loss"]))
        self._keep()

    def _keep(self):
        self.trainable.append([keras.ops.convert_to_numpy(v) for v in self.model.trainable_variables])
        self.network.append(self.model.network.get_weights())
        self.average.append(self.model.average.get_weights())


def train(objective, steps, **options):
    pipeline, record = tiny_pipeline(), Record()
    callbacks = [SetPipelineEpoch(pipeline), record]
    history = objective.fit(
        pipeline,
        epochs=steps,
        verbose=0,
        shuffle=False,
        callbacks=callbacks,
        validation_freq=steps,
        **options,
    )
    return record, history.history


def tensors(batch):
    return keras.tree.map_structure(keras.ops.convert_to_tensor, batch)


def largest_difference(weights, others):
    return max(np.abs(w - o).max() for w, o in zip(weights, others, strict=True))


@pytest.fixture(scope="module")
def trained():
    """A function: each objective after a few steps, trained once."""
    done = {}

    def get(name):
        if name not in done:
            objective = tiny_objective(name, **SETTINGS.get(name, {}))
            frozen = [getattr(objective, part, None) for part in ("dual_encoder", "image_encoder", "outside")]
            frozen = [part for part in frozen if part] + list(getattr(objective, "critics", []))
            before = [weights for part in frozen for weights in part.get_weights()]
            validation = {"validation_data": tiny_pipeline(training=False, batch_size=4)}
            record, history = train(objective, STEPS, **(validation if name in VALIDATED else {}))
            after = [weights for part in frozen for weights in part.get_weights()]
            done[name] = SimpleNamespace(
                objective=objective, record=record, history=history, frozen=(before, after, len(frozen))
            )
        return done[name]

    return get


@pytest.mark.parametrize("name", OBJECTIVES)
def test_the_loss_falls(trained, name):
    losses, history = trained(name).record.losses, trained(name).history
    assert np.isfinite(losses).all()
    assert losses[-1] < losses[0] - 0.03
    watched = {
        "reconstruction": {"psnr"},
        "clip": {"accuracy"},
        "siglip": {"accuracy"},
        "regression": {"cosine"},
        "variational": {"reconstruction", "kl", "active", "psnr", "equivariance"},
    }.get(name, {"consistency", "pixels", "outside"})
    watched.add("loss")
    assert set(history) == {*watched, *(f"val_{key}" for key in watched if name in VALIDATED)}
    assert all(np.isfinite(values).all() for values in history.values())


@pytest.mark.parametrize("name", ["regression", "naive", "fixed"])
def test_what_is_frozen_stays(trained, name):
    before, after, networks = trained(name).frozen
    assert networks == {"regression": 1, "naive": 2, "fixed": 3}[name]
    assert largest_difference(before, after) == 0
    objective = trained(name).objective
    assert len(objective.trainable_variables) == len(objective.network.trainable_variables)


def test_a_network_out_of_a_preset_is_frozen_too(tmp_path):
    autoencoder = tiny_autoencoder()
    autoencoder.trainable = False
    autoencoder.save_to_preset(tmp_path / "preset")
    encoder = type(autoencoder).from_preset(tmp_path / "preset").encoder
    assert not encoder.trainable
    text_encoder = CNNTextEncoder(8, 8, embedding_dim=8, filters=8, blocks=0, hidden_dim=16, code_dim=32)
    objective = ConceptRegression(text_encoder, encoder)
    assert len(objective.trainable_variables) == len(text_encoder.trainable_variables)
    assert objective.average.get_config()["trainable"]  # a preset made of it can be trained further


@pytest.mark.parametrize("name", OBJECTIVES)
def test_the_average_follows(trained, name):
    objective, record = trained(name).objective, trained(name).record
    assert int(objective.steps) == STEPS
    assert {w.dtype for w in objective.average.weights} == {"float32"}
    ahead = int(isinstance(objective, SteppedObjective))  # these average after the step
    expected = [w.astype("float64") for w in record.network[0]]
    for t in range(STEPS):
        decay = min(objective.averaging.decay if objective.averaging else 0, (1 + t) / (10 + t))
        weights = record.network[t + ahead]
        expected = [decay * e + (1 - decay) * w for e, w in zip(expected, weights, strict=True)]
        assert largest_difference(record.average[t + 1], expected) < 1e-5


def test_validation_looks_at_the_average(trained):
    objective = trained("reconstruction").objective
    assert largest_difference(objective.average.get_weights(), objective.network.get_weights()) > 1e-3
    pipeline = tiny_pipeline(training=False, batch_size=4)
    true = to_float(np.concatenate([pipeline.batch(step)["images"] for step in range(2)]))
    drawn = objective.average.predict(true, verbose=0)
    expected = np.log(np.square(true - drawn).mean(axis=(1, 2, 3)) + objective.floor).mean()
    found = objective.evaluate(pipeline, verbose=0, return_dict=True)["loss"]
    assert found == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize("kind, parts", [("clip", 4), ("siglip", 2)])
def test_micro_batches_make_the_step_of_the_whole_batch(trained, kind, parts):
    whole = trained(kind)
    record, history = train(tiny_objective(kind, **SETTINGS[kind], micro_batches=parts), 1)
    assert largest_difference(*record.trainable) > 1e-3
    assert largest_difference(record.trainable[1], whole.record.trainable[1]) < 1e-5
    assert largest_difference(record.average[1], whole.record.average[1]) < 1e-5
    assert record.losses[0] == pytest.approx(whole.record.losses[0], rel=1e-5)
    assert history["accuracy"][0] == whole.history["accuracy"][0]


def test_both_ways_to_write_a_step_agree(trained):
    """Keras' own step over `compute_loss`, and `SteppedObjective`'s."""

    class Stepped(SteppedObjective, Reconstruction):
        pass

    keras.utils.set_random_seed(1)
    objective = Stepped(tiny_autoencoder())
    objective.compile(optimizer=SETTINGS["reconstruction"]["optimizer"]())
    record, _ = train(objective, 3)
    assert largest_difference(record.network[3], trained("reconstruction").record.network[3]) < 1e-5


def test_two_accumulated_steps_on_a_batch_are_one(trained):
    optimizer = keras.optimizers.SGD(0.1, gradient_accumulation_steps=2)
    record, _ = train(tiny_objective("clip", optimizer=lambda: optimizer), 2)
    assert largest_difference(*record.trainable[:2]) == 0
    assert largest_difference(record.trainable[2], trained("clip").record.trainable[1]) < 1e-5


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("name", OBJECTIVES)
def test_asking_for_a_loss_changes_no_state(trained, name, training):
    objective, batch = trained(name).objective, tensors(tiny_pipeline().batch(0))
    random_state = {id(v) for v in objective.random_state()} if training else set()
    kept = [v for v in objective.variables if id(v) not in random_state]
    before = [keras.ops.convert_to_numpy(v) for v in kept]
    objective.compute_loss(batch, y_pred=objective(batch, training=training), training=training)
    for variable, value in zip(kept, before, strict=True):
        np.testing.assert_array_equal(keras.ops.convert_to_numpy(variable), value)


@pytest.fixture
def floatx():
    yield keras.config.set_floatx
    keras.config.set_floatx("float32")


@pytest.mark.parametrize("name", OBJECTIVES)
def test_another_floatx_changes_no_loss(trained, name, floatx):
    objective, batch = trained(name).objective, tensors(tiny_pipeline().batch(0))
    random_state = [(v, keras.ops.convert_to_numpy(v)) for v in objective.random_state()]
    losses = []
    for dtype in ("float32", "float16", "float64"):
        floatx(dtype)
        for variable, value in random_state:
            variable.assign(value)
        for training in (True, False):
            loss = objective.compute_loss(
                batch, y_pred=objective(batch, training=training), training=training
            )
            losses.append((str(keras.ops.dtype(loss)), float(keras.ops.convert_to_numpy(loss))))
    assert losses[:2] == losses[2:4] == losses[4:]


@pytest.mark.parametrize("name", ["reconstruction", "clip"])
def test_any_objective_keeps_power_function_averages(name):
    """The plain mean of the weights that all steps saw, and a shorter average."""
    averages = PowerFunctionEMA((0.1, 12**-0.5))
    objective = tiny_objective(name, **SETTINGS[name], averages=averages)
    record, _ = train(objective, 3)
    ahead = int(isinstance(objective, SteppedObjective))
    seen = zip(*record.network[ahead : 3 + ahead], strict=True)
    means = [np.mean(weights, axis=0) for weights in seen]
    assert largest_difference(objective.averages[1].get_weights(), means) < 1e-6
    assert objective.average is objective.averages[0]
    lag = [largest_difference(record.network[-1], average.get_weights()) for average in objective.averages]
    assert 0 < lag[0] < lag[1]


def test_former_arguments_are_taken_with_a_warning():
    network = tiny_autoencoder()
    for options, averaging, new in [
        ({"ema_decay": 0.5}, ExponentialMovingAverage(0.5), "averages=Exp"),
        ({"ema_decay": 0}, None, "averages=Exp"),
        ({"widths": (0.1, 0.2)}, PowerFunctionEMA((0.1, 0.2)), "averages=Pow"),
        ({"widths": ()}, None, "averages=Pow"),
    ]:
        with pytest.warns(DeprecationWarning, match=f"is now called {new}") as caught:
            assert Reconstruction(network, **options).averaging == averaging
        assert caught[0].filename == __file__
    with pytest.warns(DeprecationWarning, match="look_at_every is now called encoder_loss_stride"):
        assert tiny_objective("fixed", look_at_every=2).encoder_loss_stride == 2
    assert Reconstruction(network).averaging == ExponentialMovingAverage(0.999)
    assert Reconstruction(network, averages=None).average is network


def test_wrong_arguments_are_named():
    with pytest.warns(DeprecationWarning), pytest.raises(ValueError, match="decay must be in"):
        Objective(tiny_autoencoder(), ema_decay=1.0)
    with pytest.raises(ValueError, match=r"kind must be one of \['clip', 'siglip'\]"):
        ContrastiveAlignment(tiny_dual_encoder(), "triplet")
    objective = tiny_objective("clip", micro_batches=3)
    with pytest.raises(ValueError, match="a batch of 8 cannot be cut into 3 equal micro-batches"):
        objective.step(tiny_pipeline().batch(0))
    with pytest.raises(ValueError, match='form must be "fixed" or "naive"'):
        CodeConsistency(tiny_autoencoder().decoder, tiny_dual_encoder(), form="clever")
    with pytest.raises(ValueError, match=r"16.* 32"):
        ConceptRegression(CNNTextEncoder(8, 8, code_dim=16), tiny_autoencoder().encoder)
