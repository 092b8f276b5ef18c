import numpy as np
import pytest

from keras_t2i.evaluation.metrics.diversity import diversity
from keras_t2i.evaluation.metrics.diversity import vendi_score


def rounds(*of_prompt):
    """Features per prompt, each `(seeds, d)`, in whole rounds."""
    return np.stack(of_prompt, axis=1).reshape(-1, of_prompt[0].shape[-1])


def values(features, seeds_per_prompt):
    return [c.value for c in diversity(features, seeds_per_prompt).values()]


def test_equal_and_orthogonal_drawings():
    np.testing.assert_allclose(values(np.ones((12, 5)), 4), [0, 1], atol=1e-9)
    np.testing.assert_allclose(values(np.eye(4) * 3, 4), [1, 4], atol=1e-9)


def test_two_drawings_in_closed_form():
    for angle in (0.3, 1.0, 2.0):
        pair = np.array([[1, 0], [np.cos(angle), np.sin(angle)]]) * [[2.0], [5.0]]  # lengths do not matter
        p = np.array([1 + np.cos(angle), 1 - np.cos(angle)]) / 2
        expected = [1 - np.cos(angle), np.exp(-(p * np.log(p)).sum())]
        np.testing.assert_allclose(values(pair, 2), expected, atol=1e-9)


def test_groups_count_as_one_each():
    features = np.eye(8)[[0, 0, 0, 1, 1, 1]]
    np.testing.assert_allclose(values(features, 6), [9 / 15, 2], atol=1e-9)


def test_vendi_score_lies_between_its_bounds_and_ignores_order():
    x = np.random.default_rng(0).standard_normal((7, 6, 3))
    x /= np.linalg.norm(x, axis=-1, keepdims=True)
    found = vendi_score(x @ x.transpose(0, 2, 1))
    assert (found > 1).all() and (found < 3 + 1e-9).all()  # of rank 3
    np.testing.assert_allclose(vendi_score(x[:, ::-1] @ x[:, ::-1].transpose(0, 2, 1)), found)


def test_prompts_are_told_apart_and_drawn_for_the_interval():
    same, apart = np.tile(np.eye(4)[3], (3, 1)), np.eye(4)[:3]
    found = diversity(rounds(same, apart), 3)
    assert found["distance"].value == pytest.approx(0.5) and found["vendi"].value == pytest.approx(2)
    assert found["distance"].n == 2
    assert found["distance"].low == pytest.approx(0) and found["distance"].high == pytest.approx(1)


@pytest.mark.parametrize(
    ("features", "seeds_per_prompt", "message"),
    [
        (np.ones((4, 2)), 1, "at least 2"),
        (np.ones((5, 2)), 2, "of each prompt"),
        (np.ones((0, 2)), 2, "of each prompt"),
        (np.ones(4), 2, "of each prompt"),
        (np.array([[1.0, 0], [0, 0]]), 2, "zero"),
        (np.array([[1.0, 0], [np.inf, 0]]), 2, "finite"),
    ],
)
def test_bad_features_are_refused(features, seeds_per_prompt, message):
    with pytest.raises(ValueError, match=message):
        diversity(features, seeds_per_prompt)
