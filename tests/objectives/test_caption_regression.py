"""Every caption of a picture learns the code of its plain caption."""

import keras
import numpy as np
import pytest

from keras_t2i.models import CNNTextEncoder
from keras_t2i.objectives.regression import CaptionRegression

RANDOM = np.random.default_rng(0)
CODES = RANDOM.standard_normal((40, 6)) * [3, 2, 1, 0.5, 0.2, 0.1]
CODES = (CODES / np.linalg.norm(CODES, axis=1, keepdims=True)).astype("float32")
TOKENS = np.pad(RANDOM.integers(1, 30, (40, 5)), [(0, 0), (0, 3)]).astype("int32")
BATCH = {"token_ids": TOKENS, "plain_codes": CODES}


def make(noise_variance=1e-5, **options):
    keras.utils.set_random_seed(1)
    encoder = CNNTextEncoder(30, 8, embedding_dim=8, filters=16, blocks=1, hidden_dim=32, code_dim=6)
    objective = CaptionRegression(encoder, **options)
    objective.adapt(CODES, noise_variance)
    return objective


def test_the_loss_is_that_of_whitened_codes():
    objective = make(noise_variance=1e-3)
    found = objective(BATCH, training=True)
    loss = float(keras.ops.convert_to_numpy(objective.compute_loss(BATCH, y_pred=found)))
    made = np.asarray(objective.network.predict(TOKENS, verbose=0), "float64")
    made /= np.linalg.norm(made, axis=1, keepdims=True)
    variances, directions = np.linalg.eigh(np.cov(CODES.astype("float64"), rowvar=False, bias=True))
    turned = (made - CODES) @ directions / np.sqrt(variances + 1e-3)
    assert loss == pytest.approx(np.square(turned).mean(), rel=1e-3)
    assert float(objective.cosine.result()) == pytest.approx((made * CODES).sum(axis=1).mean(), abs=1e-5)


def test_it_is_learned_and_the_whitening_stands_still():
    objective = make(averages=None)
    objective.compile(optimizer=keras.optimizers.Adam(3e-3))
    before = [np.array(w) for w in objective.whitening.get_weights()]
    first = objective.evaluate(BATCH, batch_size=40, verbose=0, return_dict=True)["loss"]
    objective.fit(BATCH, batch_size=40, epochs=250, verbose=0)
    last = objective.evaluate(BATCH, batch_size=40, verbose=0, return_dict=True)
    assert last["loss"] < first / 10 and last["cosine"] > 0.5
    for old, new in zip(before, objective.whitening.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)


def test_codes_of_another_size_are_named():
    with pytest.raises(ValueError, match=r"plain_codes must be \(n, 4\).*\(40, 6\)"):
        CaptionRegression(CNNTextEncoder(30, 8, code_dim=4)).adapt(CODES)


def test_what_is_saved_knows_the_directions(tmp_path):
    objective = make(averages=None)
    objective.compile(optimizer=keras.optimizers.Adam(3e-3))
    objective.fit(BATCH, batch_size=40, verbose=0)
    objective.save(tmp_path / "objective.keras")
    opened = keras.models.load_model(tmp_path / "objective.keras")
    losses = [
        o.evaluate(BATCH, batch_size=40, verbose=0, return_dict=True)["loss"] for o in (objective, opened)
    ]
    assert losses[0] == pytest.approx(losses[1], rel=1e-6)
