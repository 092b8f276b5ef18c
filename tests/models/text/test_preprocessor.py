import json
import time
import warnings

import keras
import numpy as np
import pytest
from tiny import tiny_preprocessor

from keras_t2i.models.text.tokenizer import CaptionTokenizer


@pytest.fixture(scope="module")
def preprocessor():
    return tiny_preprocessor()


def test_padding_and_cutting(preprocessor):
    captions = ["a red apple", "a red apple " * 9]
    ids = preprocessor.generate_preprocess(captions)
    assert ids.shape == (2, 8) and ids.dtype == np.int32
    assert preprocessor.lengths(captions).tolist() == [3, 27]
    assert (ids[0] > 0).tolist() == [True] * 3 + [False] * 5
    assert ids[1].tolist() == (ids[0, :3].tolist() * 3)[:8]
    np.testing.assert_array_equal(preprocessor.generate_preprocess("a red apple"), ids[:1])
    np.testing.assert_array_equal(keras.ops.convert_to_numpy(preprocessor(captions)), ids)


def test_words_that_are_read_as_others_are_told_once(preprocessor):
    tokenizer = preprocessor.tokenizer.with_nearest_words(
        {"scarlet": "red", **{f"z{i}x": "car" for i in range(9)}}
    )
    more = type(preprocessor)(tokenizer, 8)
    with pytest.warns(UserWarning, match=r'learned from captions: "scarlet" as "red"$') as caught:
        ids = more.generate_preprocess(["a Scarlet apple", "scarlet apple"])
    np.testing.assert_array_equal(ids, preprocessor.generate_preprocess(["a red apple", "red apple"]))
    assert len(caught) == 1 and caught[0].filename == __file__
    with pytest.warns(UserWarning, match=r'"z7x" as "car", and 1 more$'):
        more.generate_preprocess([f"z{i}x" for i in range(9)])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        more.generate_preprocess("a red apple")


def test_text_is_never_padding(preprocessor):
    assert preprocessor.generate_preprocess("<pad>")[0, 0] != 0


@pytest.mark.parametrize("empty", ["", " \n", "\u3000"])
def test_an_empty_caption_is_named(preprocessor, empty):
    with pytest.raises(ValueError, match="Caption 1 is empty"):
        preprocessor.generate_preprocess(["a", empty])


@pytest.mark.parametrize("wrong", [None, 3, b"a", ["a"], float("nan")])
def test_what_is_not_text_is_named(preprocessor, wrong):
    with pytest.raises(TypeError, match="Caption 1 is not text"):
        preprocessor.generate_preprocess(["a", wrong])


def test_config(preprocessor):
    config = json.loads(json.dumps(keras.saving.serialize_keras_object(preprocessor)))
    assert keras.saving.deserialize_keras_object(config).sequence_length == 8
    with pytest.raises(ValueError, match="sequence_length"):
        type(preprocessor)(preprocessor.tokenizer, sequence_length=0)


def test_what_is_cut_is_quoted_once_with_a_count(preprocessor):
    captions = ["a red apple", "a red apple " * 9 + "zebra"]
    with pytest.warns(UserWarning, match=r"1 of 2 captions are .* is not seen: \"apple") as caught:
        preprocessor.generate_preprocess(captions)
    assert len(caught) == 1
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        preprocessor.generate_preprocess(captions[:1])


def test_a_caption_of_10_mb_is_cut_early(preprocessor):
    start = time.monotonic()
    with pytest.warns(UserWarning, match="is not seen"):
        ids = preprocessor.generate_preprocess(["a red apple"] * 100 + ["a red apple " * 900_000])
    assert time.monotonic() - start < 5
    np.testing.assert_array_equal(ids[0, :3], ids[-1, :3])
    assert CaptionTokenizer.learn(["a red apple " * 900_000, "a"]).vocabulary_size() < 2048
    assert time.monotonic() - start < 10
