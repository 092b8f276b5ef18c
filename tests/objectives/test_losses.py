import math

import numpy as np
import pytest
from keras import ops

from keras_t2i.objectives.consistency import code_difference
from keras_t2i.objectives.contrastive import accuracy
from keras_t2i.objectives.contrastive import clip_loss
from keras_t2i.objectives.contrastive import same_meaning
from keras_t2i.objectives.contrastive import siglip_loss

N = 7
SCORES = (5 * np.random.default_rng(0).standard_normal((N, N))).astype("float32")
SAME = np.eye(N, dtype=bool)
SAME[1, 4] = SAME[4, 1] = SAME[2, 6] = SAME[6, 2] = True


def softmax_loss(scores, same):
    """The definition, pair by pair: the mean over rows and columns of -log of the right one's share."""
    losses = []
    for i in range(N):
        for row, equal in [(scores[i], same[i]), (scores[:, i], same[:, i])]:
            counted = [row[j] for j in range(N) if j == i or not equal[j]]
            losses.append(-math.log(math.exp(row[i]) / sum(math.exp(s) for s in counted)))
    return np.mean(losses)


def sigmoid_loss(scores, same):
    total = 0.0
    for i in range(N):
        for j in range(N):
            if i == j or not same[i, j]:
                right = 1 if i == j else -1
                total -= math.log(1 / (1 + math.exp(-right * scores[i, j])))
    return total / N


@pytest.mark.parametrize("same", [np.eye(N, dtype=bool), SAME])
@pytest.mark.parametrize("loss, definition", [(clip_loss, softmax_loss), (siglip_loss, sigmoid_loss)])
def test_contrastive_losses_are_as_defined(loss, definition, same):
    found = float(loss(ops.convert_to_tensor(SCORES), ops.convert_to_tensor(same)))
    assert found == pytest.approx(definition(SCORES.astype("float64"), same), rel=1e-5)


def test_clip_loss_of_a_network_that_knows_nothing():
    equal = ops.full((12, 12), 3.0)
    assert float(clip_loss(equal, ops.eye(12, dtype="bool"))) == pytest.approx(math.log(12), abs=1e-5)
    assert float(clip_loss(equal, ops.ones((12, 12), dtype="bool"))) == pytest.approx(
        0, abs=1e-5
    )  # no negative left


@pytest.mark.parametrize("loss", [clip_loss, siglip_loss])
def test_scores_of_equal_captions_do_not_count(loss):
    changed = SCORES.copy()
    changed[1, 4], changed[6, 2] = 50, -50
    same = ops.convert_to_tensor(SAME)
    assert float(loss(ops.convert_to_tensor(changed), same)) == float(
        loss(ops.convert_to_tensor(SCORES), same)
    )


def test_same_meaning():
    token_ids = np.array([[1, 2, 0], [1, 2, 3], [1, 2, 0], [4, 0, 0]], dtype="int32")
    expected = np.eye(4, dtype=bool)
    expected[0, 2] = expected[2, 0] = True
    np.testing.assert_array_equal(ops.convert_to_numpy(same_meaning(token_ids)), expected)
    expected[1, 3] = expected[3, 1] = True
    groups = np.array([0, 5, 2, 5], dtype="int32")
    np.testing.assert_array_equal(ops.convert_to_numpy(same_meaning(token_ids, groups)), expected)


def test_accuracy_counts_an_equal_caption_as_right():
    cosines = np.array([[0.1, 0.9, 0], [0.2, 0.8, 0], [0.3, 0.2, 0.1]], dtype="float32")
    same = np.eye(3, dtype=bool)
    np.testing.assert_array_equal(ops.convert_to_numpy(accuracy(cosines, same)), [0, 1, 0])
    same[0, 1] = True
    np.testing.assert_array_equal(ops.convert_to_numpy(accuracy(cosines, same)), [1, 1, 0])


def test_code_difference():
    code, other = np.random.default_rng(0).standard_normal((2, 5, 16)).astype("float32")
    cosine = (code * other).sum(1) / np.linalg.norm(code, axis=1) / np.linalg.norm(other, axis=1)
    np.testing.assert_allclose(ops.convert_to_numpy(code_difference(code, other)), 2 - 2 * cosine, atol=1e-5)
    np.testing.assert_allclose(ops.convert_to_numpy(code_difference(code, 3 * code)), 0, atol=1e-6)
    np.testing.assert_allclose(ops.convert_to_numpy(code_difference(code, -code)), 4, atol=1e-5)
