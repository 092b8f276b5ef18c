from types import SimpleNamespace

import keras
import numpy as np
import pytest

from keras_t2i.data import CaptionedImages
from keras_t2i.evaluation.metrics import phrasing

N = 300


class Codes(keras.layers.Layer):
    """Token ids, which are rows of a table, to that table's rows."""

    def __init__(self, table):
        super().__init__(dtype="float32")
        self.table = self.add_weight(shape=table.shape, initializer="zeros", name="table")
        self.table.assign(table)

    def call(self, rows):
        return keras.ops.take(self.table, rows[:, 0], axis=0)


def towers(table):
    rows = keras.Input((1,), dtype="int32")
    return SimpleNamespace(text_encoder=keras.Model(rows, Codes(table)(rows)))


def make(last):
    """`agreement` where caption i of picture i is row i, and its last caption row N + last[i]."""
    data = CaptionedImages(
        np.zeros((N, 4, 4, 3), "uint8"),
        [[str(i), str(N + j)] for i, j in enumerate(last)],
        [f"picture {i}" for i in range(N)],
        np.arange(N),
    )
    preprocessor = SimpleNamespace(generate_preprocess=lambda texts: np.array([[int(t)] for t in texts]))
    plain = np.random.default_rng(0).standard_normal((N, 8))
    table = np.concatenate([plain, plain]).astype("float32")
    return phrasing.agreement(towers(table), preprocessor, data), plain


def test_captions_that_agree_are_at_no_distance():
    found, plain = make(range(N))
    assert (found.own, found.found, found.captions) == (pytest.approx(0, abs=1e-6), 1.0, N)
    codes = plain / np.linalg.norm(plain, axis=1, keepdims=True)
    variances, directions = np.linalg.eigh(np.cov(codes, rowvar=False, bias=True))
    white = (codes - codes.mean(axis=0)) @ directions / np.sqrt(variances)
    squares = np.square(white[:, None] - white).sum(axis=2)
    np.fill_diagonal(squares, np.inf)
    assert found.other == pytest.approx(squares.min(axis=1).mean(), rel=2e-3)
    assert [row[1] for row in found.table("all")] == [pytest.approx(0, abs=1e-6), 1.0]


def test_captions_of_another_picture_are_far():
    found, _ = make(np.roll(range(N), 1))
    # Two rows that have nothing to do with each other: twice the variance, 1 in each of 8 directions.
    assert found.found == 0 and found.own == pytest.approx(16, rel=0.1)


def test_the_last_caption_comes_first():
    data = CaptionedImages(
        np.zeros((2, 4, 4, 3), "uint8"), [["a", "b", "c"], ["d"]], ["x", "y"], np.arange(2)
    )
    assert phrasing.otherwise(data).captions == [["c", "a", "b"], ["d"]] and data.captions[0][0] == "a"


@pytest.mark.parametrize("captions", [[["a"], ["b"], ["c"]], [["a", "a b"], ["b"], ["a", "a c"]]])
def test_where_nothing_can_be_compared_it_is_said(captions):
    data = CaptionedImages(np.zeros((3, 4, 4, 3), "uint8"), captions, ["x", "y", "z"], np.arange(3))
    found = phrasing.agreement(None, None, data)
    assert np.isnan(found.own) and found.table("all") == [
        ("all: captions beside the plain one", "fewer than two pictures have any")
    ]
