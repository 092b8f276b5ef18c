from types import SimpleNamespace

import numpy as np
import pytest

from keras_t2i.data import CaptionedImages
from keras_t2i.evaluation.metrics import retrieval

N = 60


@pytest.fixture(scope="module")
def data():
    """People who differ in tone, colour and style; the captions name tone and colour, not the style."""
    rng = np.random.default_rng(0)
    attributes = [
        {
            "base": rng.choice(["man", "cat"]),
            "tone": rng.choice(["", "dark", "light"]),
            "colour": rng.choice(["red", "green"]),
            "style": rng.choice(["flat", "line"]),
        }
        for _ in range(N)
    ]
    captions = [[f"{a['base']} {a['tone']} {a['colour']}", "another phrasing"] for a in attributes]
    pictures = rng.integers(0, 256, (N, 4, 4, 3), dtype="uint8")
    return CaptionedImages(pictures, captions, [str(i) for i in range(N)], np.arange(N) // 2, attributes)


def test_ranks_are_counted_and_ties_count_half():
    images = np.array([[1.0, 0], [0, 1], [0.6, 0.8], [1, 0]])
    texts = np.array([[1.0, 0], [0, 1], [0, 1]])
    others = [np.array(d) for d in ([1, 2, 3], [0, 3], [1, 0])]
    found = retrieval.ranks(texts, images, [0, 2, 3], others)
    np.testing.assert_array_equal(found, [0.5, 0, 1.5])


def test_a_model_that_sees_nothing_is_not_first():
    same = np.ones((30, 2)) / 2**0.5
    distractors = [np.delete(np.arange(30), i) for i in range(30)]
    result = retrieval.summarize(retrieval.ranks(same, same, np.arange(30), distractors), distractors)
    assert (result.at_1, result.at_5, result.candidates, result.trials) == (0, 0, 30, 30)


def test_chance_is_found_by_chance():
    rng = np.random.default_rng(0)
    texts, images = rng.standard_normal((2, 2000, 8))
    distractors = [np.delete(np.arange(10), i % 10) for i in range(2000)]
    result = retrieval.summarize(
        retrieval.ranks(texts, images, np.arange(2000) % 10, distractors), distractors
    )
    assert result.at_1 == pytest.approx(0.1, abs=0.03)
    assert result.at_5 == pytest.approx(0.5, abs=0.04)
    low, high = result.interval()
    assert low < result.at_1 < high
    # The width of a normal interval: 2 * 1.96 standard errors.
    assert high - low == pytest.approx(3.92 * (result.at_1 * (1 - result.at_1) / 2000) ** 0.5, rel=0.15)


def test_trials_without_distractors_are_left_out():
    distractors = [np.array([1, 2]), np.zeros(0, "int64"), np.array([0])]
    result = retrieval.summarize(np.array([0.0, 0.0, 1.0]), distractors)
    assert (result.trials, result.at_1, result.candidates) == (2, 0.5, 2.5)
    nothing = retrieval.summarize(np.zeros(1), distractors[1:2])
    assert nothing.trials == 0 and np.isnan([nothing.at_1, *nothing.interval()]).all()
    ((what, why),) = nothing.table("unseen captions")  # where there is one picture: no "of nan: nan"
    assert what == "unseen captions whose picture is found" and "no other picture" in why


def test_random_distractors_show_something_else(data):
    chosen = retrieval.random_distractors(data, candidates=11)
    for i, others in enumerate(chosen):
        assert len(set(others)) == len(others) == 10 and i not in others
        assert all(data.captions[o][0] != data.captions[i][0] for o in others)
        assert all(data.groups[o] != data.groups[i] for o in others)
    again = retrieval.random_distractors(data, candidates=11)
    assert all((a == b).all() for a, b in zip(chosen, again, strict=True))
    assert any(
        (a != b).any() for a, b in zip(chosen, retrieval.random_distractors(data, 11, seed=1), strict=True)
    )
    assert max(len(others) for others in retrieval.random_distractors(data, 1000)) < N - 1


def test_hard_distractors_differ_in_one_attribute_that_the_caption_names(data):
    chosen = retrieval.hard_distractors(data, data)
    for i, others in enumerate(chosen):
        mine, expected = data.attributes[i], []
        for o, theirs in enumerate(data.attributes):
            changed = [k for k in mine if mine[k] != theirs[k]]
            if changed in (["tone"], ["colour"]) and mine[changed[0]] and data.groups[o] != data.groups[i]:
                expected.append(o)
        np.testing.assert_array_equal(others, expected)
    assert sum(len(others) > 0 for others in chosen) > N / 2


def test_hard_distractors_are_filled_up_with_random_ones(data):
    hard = retrieval.hard_distractors(data, data)
    for near, full in zip(hard, retrieval.filled_up(hard, data, data, candidates=21), strict=True):
        np.testing.assert_array_equal(full[: len(near)], near[:20])
        assert len(set(full)) == len(full) == 20


class Means:
    """A dual encoder of pictures whose captions are their first pixels."""

    image_encoder = SimpleNamespace(predict=lambda images, verbose: images.reshape(len(images), -1) * 3)
    text_encoder = SimpleNamespace(predict=lambda token_ids, verbose: token_ids)


def test_a_perfect_model_finds_everything(data):
    flat = data.pictures.reshape(N, -1) / 127.5 - 1
    by_caption = {str(i): flat[i] for i in range(N)}
    named = CaptionedImages(data.pictures, [[str(i)] for i in range(N)], data.names, np.arange(N))
    preprocessor = SimpleNamespace(
        generate_preprocess=lambda captions: np.stack([by_caption[c] for c in captions])
    )
    image_codes, text_codes = retrieval.codes(Means, preprocessor, named.pictures, named.names)
    np.testing.assert_allclose(image_codes, text_codes, atol=1e-6)
    np.testing.assert_allclose(np.linalg.norm(image_codes, axis=1), 1, atol=1e-6)
    result = retrieval.recall(Means, preprocessor, named, candidates=20)
    assert (result.at_1, result.at_5, result.candidates, result.trials) == (1, 1, 20, N)
    shown = retrieval.found_first(Means, preprocessor, named, rows=3, columns=4).reshape(3, 4, 4, 4, 3)
    for row, i in zip(shown, (0, 29, 59), strict=True):
        np.testing.assert_array_equal(row[0], named.pictures[i])  # the true one, and the one found first
        np.testing.assert_array_equal(row[1], named.pictures[i])


def test_a_single_picture_has_no_recall_and_says_so():
    nothing = retrieval.summarize(np.zeros(1), [np.zeros(0, "int64")])
    assert nothing.table("captions") == [
        ("captions whose picture is found", "there is no other picture to tell it from")
    ]
    some = retrieval.summarize(np.zeros(1), [np.arange(3)])
    assert some.table("captions")[0] == ("captions whose picture is found first, of 4", 1.0)
