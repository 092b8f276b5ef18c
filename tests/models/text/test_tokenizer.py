import json

import keras
import numpy as np
import pytest
from tiny import CAPTIONS

from keras_t2i.models.text.tokenizer import CaptionTokenizer
from keras_t2i.models.text.tokenizer import normalise


@pytest.fixture(scope="module")
def tokenizer():
    return CaptionTokenizer.learn(CAPTIONS, 300)


@pytest.mark.parametrize(
    "caption, expected",
    [
        ("  A  Red\tAPPLE\n", "a red apple"),
        ("five-thirty", "five thirty"),
        ("T‑shirt", "t shirt"),  # non-breaking hyphen
        ("ﬁne", "fine"),
        ("Man’s", "man's"),
        ("apple,(red)", "apple , ( red )"),
        ("-5", "- 5"),
        ("हिन्दी", "हिन्दी"),  # vowel signs stay in the word
        ("", ""),
        (" \u3000\u00a0", ""),
    ],
)
def test_normalise(caption, expected):
    assert normalise(caption) == expected


@pytest.mark.parametrize(
    "caption",
    ["a red apple", "日本語の猫", "кот и кошка", "🍎👩‍🦰", "\x00\x7f", "ñandú 12345", "<pad>", "ỹ" * 50],
)
def test_any_text_comes_back(tokenizer, caption):
    ids = tokenizer.tokenize(caption)
    assert ids.dtype == np.int32 and ids.ndim == 1
    assert ids.min() > 0  # never padding
    assert tokenizer.detokenize(ids) == normalise(caption)


def test_half_a_surrogate_pair_is_not_an_error(tokenizer):
    assert tokenizer.detokenize(tokenizer.tokenize("a \ud800")) == "a ?"


def test_a_word_is_the_same_piece_everywhere(tokenizer):
    thirty = tokenizer.tokenize("thirty").tolist()
    assert thirty == tokenizer.tokenize("five-thirty").tolist()[-len(thirty) :]
    assert set(thirty) <= set(tokenizer.tokenize("(thirty)").tolist())
    assert len(tokenizer.tokenize("red apple")) == 2  # seen often: one piece each
    assert len(tokenizer.tokenize("")) == 0


def test_batches(tokenizer):
    together = tokenizer.tokenize(["a red apple", "", "clock"])
    assert [list(ids) for ids in together] == [
        list(tokenizer.tokenize(c)) for c in ("a red apple", "", "clock")
    ]
    assert tokenizer.tokenize(np.array(["clock", "car"])) == tokenizer.tokenize([b"clock", b"car"])
    assert tokenizer.detokenize([*together, [0, 0]]) == ["a red apple", "", "clock", ""]


def test_learning(tokenizer):
    again = CaptionTokenizer.learn(CAPTIONS, 300)
    assert again.vocabulary == tokenizer.vocabulary and again.merges == tokenizer.merges
    assert tokenizer.vocabulary_size() <= 300 and tokenizer.id_to_token(0) == "<pad>"
    assert CaptionTokenizer.learn(CAPTIONS, 257).vocabulary_size() == 257
    assert CaptionTokenizer.learn([], 300).detokenize(tokenizer.tokenize([])) == ""
    with pytest.raises(ValueError, match="257"):
        CaptionTokenizer.learn(CAPTIONS, 100)
    with pytest.raises(TypeError, match="list"):
        CaptionTokenizer.learn("a red apple")


def test_pieces_of_words_never_span_two_words():
    tokenizer = CaptionTokenizer.learn(["a red apple"] * 9, 1000)
    assert not any("Ġ" in piece[1:] for piece in tokenizer.get_vocabulary() if len(piece) > 1)


def test_saved_and_loaded(tokenizer, tmp_path):
    tokenizer.save_assets(str(tmp_path))
    config = json.loads(json.dumps(keras.saving.serialize_keras_object(tokenizer)))
    loaded = keras.saving.deserialize_keras_object(config)
    loaded.load_assets(str(tmp_path))
    assert loaded.tokenize("a red café").tolist() == tokenizer.tokenize("a red café").tolist()


def test_words_that_captions_did_not_teach_are_read_as_others(tokenizer, tmp_path):
    more = tokenizer.with_nearest_words({"scarlet": "red", "größe": "clock", "pomes": "apple"})
    for one, other in (("A Scarlet-pomes", "a red apple"), ("größe, scarlets", "clock, scarlets")):
        expected = tokenizer.tokenize(other).tolist()
        assert more.tokenize(one).tolist() == list(more.tokenize([one])[0]) == expected
    more.save_assets(str(tmp_path))
    config = json.loads(json.dumps(keras.saving.serialize_keras_object(more)))
    loaded = keras.saving.deserialize_keras_object(config)
    written = {path.name for path in tmp_path.iterdir()}
    assert loaded.nearest_words == {} and set(loaded.file_assets) == written
    loaded.load_assets(str(tmp_path))
    assert loaded.nearest_words == more.nearest_words and loaded.get_config() == more.get_config()
    loaded.learn_words_of(["pomes in größe"])
    assert loaded.nearest_words == {"scarlet": "red"}
    loaded.set_nearest_words({})
    assert "nearest_words" not in loaded.get_config() and loaded.file_assets == tokenizer.file_assets
    for table in ({"two words": "red"}, {"a-b": "red"}, {"A": "red"}):
        with pytest.raises(ValueError, match="no single word in small letters"):
            tokenizer.with_nearest_words(table)
    for table in ({"a": "Red"}, {"a": ""}, {"a": 3}, {"a": "red  apple"}, {"a": "red-apple"}):
        with pytest.raises(ValueError, match="no words in small letters"):
            tokenizer.with_nearest_words(table)


@pytest.mark.parametrize(
    "caption, read",
    [
        ("a Couch", "a couch and lamp"),
        ("a sofa", "a couch and lamp"),  # by way of the nearest word
        ("sofa, couches", "couch and lamp, couches"),
        ("a lamp beside a sofa", "a lamp beside a couch"),  # which has another word of the phrase
        ("couch and table", "couch and table"),
        ("couch couch", "couch and lamp couch and lamp"),
        ("settee", "couch and lamp"),  # at once
        ("cap and gown", "top hat and dress"),
    ],
)
def test_words_that_captions_taught_beside_others_are_read_as_phrases(tokenizer, caption, read):
    table = {"couch": "couch and lamp", "sofa": "couch", "settee": "couch and lamp"}
    table |= {"cap": "hat", "hat": "top hat", "top": "top hat", "gown": "dress", "dress": "hat and dress"}
    more = tokenizer.with_nearest_words(table)
    assert more.tokenize(caption).tolist() == tokenizer.tokenize(read).tolist()


def test_a_broken_vocabulary_is_refused(tokenizer):
    with pytest.raises(ValueError, match="256 bytes"):
        CaptionTokenizer({"<pad>": 0, "a": 1}, [])
    moved = {piece: i + 1 for piece, i in tokenizer.vocabulary.items()}
    with pytest.raises(ValueError, match="number its pieces"):
        CaptionTokenizer(moved, tokenizer.merges)
