"""Words that captions have beside others only."""

import pytest

from keras_t2i.data.phrases import phrases

pytestmark = pytest.mark.once
CAPTIONS = [
    ["couch and lamp", "a couch and lamp, noto", "an icon of a couch and lamp"],
    ["couch and lamp", "a couch and lamp, twemoji"],
    ["flag of Norway", "Norway-flag", "a picture of the flag of Norway"],
    ["flag of Peru", "Peru-flag"],
    ["flag of Chad", "Chad-flag"],
    ["flag of Oman", "Oman-flag"],
    ["boxing glove", "a boxing glove, sport"],
    ["softball", "softball, glove, sport"],
    ["pink heart", "heart, pink"],
    ["see no evil"],
    ["girl", "a girl with many very long hairs"],
    ["alien monster", "space invader"],
    ["hot springs"],
]
NOUNS = """
    couch lamp norway flag peru boxing glove pink heart see evil girl hairs alien monster space invader spring
    springs no icon picture long"""


class Words:
    """A WordNet of few words, of which plurals are known by their base."""

    def is_noun(self, word):
        return word in NOUNS.split()

    def is_adjective(self, word):
        return word in ("pink", "hot", "long")

    def is_verb(self, word):
        return word in ("see", "boxing", "couch")


def test_a_noun_that_is_never_alone_has_the_shortest_phrase_of_few_things():
    found = phrases(CAPTIONS, ["the", "see", "glove"], Words())
    assert found == {
        "couch": "couch and lamp",  # a verb too, and none of the frequent ones
        "lamp": "couch and lamp",
        "norway": "norway flag",
        "peru": "peru flag",  # chad and oman are no nouns, the flag is one of four things
        "boxing": "boxing glove",
        "glove": "boxing glove",
        "evil": "see no evil",
        "alien": "alien monster",
        "monster": "alien monster",
        "space": "space invader",
        "invader": "space invader",
        "springs": "hot springs",
    }  # "heart" and "girl" are alone somewhere, "hairs" in a long phrase only
    assert "see" in phrases(CAPTIONS, ["the"], Words())
    assert "flag" not in phrases(CAPTIONS, [], Words(), few=4)  # it would change what Peru's says
    assert "couch" not in phrases(CAPTIONS, [], Words(), longest=2)


def test_what_captions_say_is_left():
    captions = [["space invader"], ["monster", "an invader of many other worlds", "space, an invader"]]
    assert phrases(captions, [], Words()) == {}
    assert phrases([captions[0], captions[1][:1]], [], Words()).keys() == {"space", "invader"}
