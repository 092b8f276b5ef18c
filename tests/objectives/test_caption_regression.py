"""Every caption of a picture learns the code of its plain caption."""

import keras
import numpy as np
import pytest

from keras_t2i.models import CNNTextEncoder
from keras_t2i.objectives.regression import CaptionRegression

RANDOM = np.random.default_rng(0)
CODES = RANDOM.standard_normal((40, 6)).astype("float32")
TOKENS = np.pad(RANDOM.integers(1, 30, (40, 5)), [(0, 0), (0, 3)]).astype("int32")
BATCH = {"token_ids": TOKENS, "codes": CODES}


def make():
    keras.utils.set_random_seed(1)
    encoder = CNNTextEncoder(30, 8, embedding_dim=8, filters=16, blocks=1, hidden_dim=32, code_dim=6)
    return CaptionRegression(encoder, averages=None)


def test_the_loss_is_the_square_of_the_difference():
    objective = make()
    found = objective(BATCH, training=True)
    loss = float(keras.ops.convert_to_numpy(objective.compute_loss(BATCH, y_pred=found)))
    said = np.asarray(objective.network.predict(TOKENS, verbose=0), "float64")
    assert loss == pytest.approx(np.square(said - CODES).mean(), rel=1e-4)
    cosines = (said * CODES).sum(axis=1) / np.linalg.norm(said, axis=1) / np.linalg.norm(CODES, axis=1)
    assert float(objective.cosine.result()) == pytest.approx(cosines.mean(), abs=1e-5)


def test_it_is_learned():
    objective = make()
    objective.compile(optimizer=keras.optimizers.Adam(1e-2))
    objective.fit(BATCH, batch_size=40, epochs=100, verbose=0)
    found = objective.evaluate(BATCH, batch_size=40, verbose=0, return_dict=True)
    assert found["loss"] < 0.1 and found["cosine"] > 0.9
