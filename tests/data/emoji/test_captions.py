"""Captions say what the code point means, in several ways."""

import re

import pytest

from keras_t2i.data.emoji.captions import compose_captions
from keras_t2i.data.emoji.captions import with_article
from keras_t2i.data.emoji.names import attributes_of
from keras_t2i.data.emoji.names import name_of
from keras_t2i.data.emoji.openmoji_drawings import svg_files
from keras_t2i.data.emoji.splits import held_out_kind
from keras_t2i.data.emoji.splits import in_validation

pytestmark = pytest.mark.once


@pytest.mark.parametrize(
    ("code_point", "plain"),
    [
        ("1F34E", "red apple"),
        ("1F468-1F3FB-200D-2696", "man judge, light skin tone"),
        ("1F469-1F3FD-200D-1F9B0", "woman, medium skin tone, red hair"),
        ("1F1EB-1F1F7", "flag of France"),
        ("1F552", "three o'clock"),
        ("1F198", "SOS button"),  # near the flags, but none
        ("1F468-200D-1F467-200D-1F466", "family, man, girl and boy"),
    ],
)
def test_plain_caption(code_point, plain):
    name = name_of(code_point)
    assert compose_captions(name, "openmoji")[0] == plain
    assert compose_captions(name, "black line")[0] == f"{plain}, black line"
    assert compose_captions(name, "noto", name_style=True)[0] == f"{plain}, noto"


def test_unnamed_code_points_have_no_name():
    assert name_of("E000") is None


@pytest.mark.parametrize(
    ("label", "expected"),
    [
        ("red apple", "a red apple"),
        ("orange heart", "an orange heart"),
        ("unicorn", "a unicorn"),
        ("umbrella", "an umbrella"),
        ("grapes", "grapes"),
        ("popcorn", "popcorn"),
        ("octopus", "an octopus"),
        ("man lifting weights", "a man lifting weights"),
        ("people hugging", "people hugging"),
        ("flag of Japan", "the flag of Japan"),
        ("one o'clock", "one o'clock"),
    ],
)
def test_articles(label, expected):
    assert with_article(label) == expected


def test_captions_of_judges():
    """Where there are more captions than one picture may have, each tone gets others."""
    captions = set()
    for tone in ("1F3FB", "1F3FC", "1F3FD", "1F3FE", "1F3FF"):
        captions.update(compose_captions(name_of(f"1F468-{tone}-200D-2696"), "openmoji"))
    text = "\n".join(captions)
    for expected in (
        "a light skin tone man judge",
        "man judge, light skin tone, openmoji",
        "a man judge with ",
        "skin tone, man judge",
        "-skinned man judge",
        "male judge",
        "a picture of a ",
    ):
        assert expected in text


def test_tags_are_added():
    captions = compose_captions(name_of("1F34E"), "noto", name_style=True, tags=("apple", "fruit"))
    assert "red apple, fruit, noto" in captions and captions[0] == "red apple, noto"
    assert all("noto" in caption for caption in captions)
    drawn = compose_captions(name_of("1F34E"), "black line", tags=("fruit",))
    assert "red apple, fruit, black line" in drawn


def test_every_emoji_has_enough_distinct_captions():
    for code_point in svg_files():
        for style in ("openmoji", "black line"):
            captions = compose_captions(name_of(code_point), style)
            assert 6 <= len(captions) <= 12, captions
            assert len(set(captions)) == len(captions)
            assert all("’" not in caption and ":" not in caption for caption in captions)
            assert all("  " not in caption and caption == caption.strip() for caption in captions)
            if style == "black line":
                assert all("black line" in caption for caption in captions)


def test_no_plain_caption_stands_for_two_emoji():
    plain = [compose_captions(name_of(code_point), "openmoji")[0].lower() for code_point in svg_files()]
    assert len(set(plain)) == len(plain)


def test_every_held_out_word_is_seen_in_training():
    trained, held_out = set(), {}
    for code_point in svg_files():
        captions = " ".join(compose_captions(name_of(code_point), "openmoji")).lower()
        words = re.findall(r"[^\s,-]+", captions)
        if held_out_kind(code_point):
            held_out.update(dict.fromkeys(words, code_point))
        elif not in_validation(code_point):
            trained.update(words)
    assert {word: held_out[word] for word in held_out if word not in trained} == {}


def test_attributes():
    def attributes(code_point):
        return attributes_of(name_of(code_point), "openmoji")

    judge = attributes("1F468-1F3FB-200D-2696")
    assert judge == {"base": "judge", "style": "openmoji", "gender": "man", "tone": "light skin tone"}
    assert attributes("1F469-1F3FD-200D-1F9B0")["hair"] == "red hair"
    assert attributes("1F7E2") == {"base": "circle", "style": "openmoji", "colour": "green"}
    assert attributes("1F560")["hour"] == "five"
    assert attributes("1F63D")["base"] == attributes("1F63A")["base"] == "cat face"
