"""Recognised: closed forms, on features that are made up."""

import numpy as np
import pytest

from keras_t2i.evaluation.metrics.recognition import Standardization
from keras_t2i.evaluation.metrics.recognition import lineups
from keras_t2i.evaluation.metrics.recognition import nearest_is_true
from keras_t2i.evaluation.metrics.recognition import recognized


def pictures(n, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (n, 4, 4, 3)).astype("uint8")


def flat(drawn):
    return drawn.reshape(len(drawn), -1).astype("float64")


def test_true_pictures_are_recognized():
    truths = pictures(300)
    found = recognized(truths, truths, np.arange(300) % 2, flat)
    assert found.value == found.low == found.high == 1
    assert found.n == 300 and found.chance == pytest.approx(0.01)


def test_what_has_nothing_to_do_with_the_picture_is_recognized_by_chance():
    truths, stream = pictures(3000), np.random.default_rng(0)
    found = recognized(truths, truths, np.zeros(3000), lambda d: stream.standard_normal((len(d), 8)))
    assert found.low <= 0.01 <= found.high and found.high - found.low < 0.01


def test_a_tie_is_not_recognized():
    truths = pictures(120)
    same = recognized(truths, truths, np.zeros(120), lambda drawn: np.ones((len(drawn), 3)))
    assert same.value == 0
    # Features that tell pictures apart by halves alone: in a line-up of 100 somebody is of the same half.
    halves = recognized(truths, truths, np.zeros(120), lambda d: np.eye(2)[np.arange(len(d)) % 2])
    assert halves.value == 0


def test_only_pictures_of_its_design_stand_beside_a_drawing():
    truths = pictures(90)
    designs = np.arange(90) % 3
    drawings = truths.copy()
    drawings[designs == 0] = np.roll(truths[designs == 0], 1, axis=0)  # another of its design
    found = recognized(drawings, truths, designs, flat)
    assert found.value == pytest.approx(2 / 3) and found.chance == pytest.approx(1 / 30)
    drawings[designs == 0] = truths[designs == 1]  # one that is not in the line-up decides nothing
    by_design = recognized(drawings, truths, designs, lambda d: np.concatenate([flat(d)] * 2, axis=1))
    assert 2 / 3 <= by_design.value < 0.8


def test_others_stand_beside_the_truths():
    truths, others = pictures(10), pictures(150, seed=1)
    beside = recognized(truths, truths, ["a"] * 10, flat, others, ["a"] * 150)
    assert beside.value == 1 and beside.chance == pytest.approx(0.01)
    alone = recognized(truths, truths, ["a"] * 10, flat, others, ["b"] * 150)
    assert alone.chance == pytest.approx(0.1)


def test_identical_pictures_do_not_stand_beside_each_other():
    truths = np.repeat(pictures(60), 2, axis=0)
    assert recognized(truths, truths, np.zeros(120), flat).value == 1
    found = lineups(np.arange(120), np.zeros(120), np.arange(120) // 2)
    assert all(
        len(others) == 99 and i not in others and i ^ 1 not in others for i, others in enumerate(found)
    )


def test_line_ups_are_the_same_everywhere_and_differ_by_seed():
    args = np.arange(5), np.zeros(400), np.arange(400)
    for a, b in zip(lineups(*args), lineups(*args), strict=True):
        np.testing.assert_array_equal(a, b)
    assert set(lineups(*args)[0]) != set(lineups(*args, seed=1)[0])


def test_who_has_nobody_beside_it_is_not_recognized():
    truths = pictures(3)
    assert recognized(truths, truths, ["a", "b", "c"], flat).value == 0


def test_drawings_of_a_prompt_are_of_one_truth():
    truths = pictures(100)
    drawings = np.concatenate([truths, np.roll(truths, 1, axis=0)])  # the second seed is always wrong
    found = recognized(drawings, truths, np.zeros(100), flat)
    assert found.value == found.low == found.high == 0.5 and found.n == 200


def test_features_are_standardized():
    features = np.random.default_rng(0).standard_normal((50, 4)) * [1, 100, 1e-3, 0] + [0, 500, 1, 7]
    found = Standardization(features)
    np.testing.assert_allclose(np.linalg.norm(found(features), axis=1), 1)
    # Neither scale nor offset of a number changes anything.
    again = Standardization(3 * features + 11)
    np.testing.assert_allclose(again(3 * features + 11), found(features), atol=1e-9)
    drawn = features[:1] + np.array([0, 0, 0, 50])  # a number that never varied says nothing
    np.testing.assert_allclose(found(drawn), found(features[:1]), atol=1e-12)


def test_features_must_be_of_whole_prompts():
    with pytest.raises(ValueError, match="as many for each of 2"):
        nearest_is_true(np.ones((3, 2)), np.ones((4, 2)), [0, 1], [[2], [3]])
    with pytest.raises(ValueError, match="finite"):
        nearest_is_true(np.full((2, 2), np.nan), np.ones((4, 2)), [0, 1], [[2], [3]])
