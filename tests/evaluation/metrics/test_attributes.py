import numpy as np
import pytest

from keras_t2i.data import CaptionedImages
from keras_t2i.evaluation.metrics.attributes import Questions

TONES = ("light skin tone", "medium-light skin tone", "dark skin tone")


def pictures_of(rows):
    """`CaptionedImages` out of (caption, group, attributes)."""
    captions, groups, attributes = zip(*rows, strict=True)
    names = [str(i) for i in range(len(rows))]
    blank = np.zeros((len(rows), 4, 4, 3), "uint8")
    return CaptionedImages(blank, [[c, "x"] for c in captions], names, np.array(groups), list(attributes))


def known(style="openmoji", **attributes):
    return {"style": style, **attributes}


@pytest.fixture(scope="module")
def pool():
    return pictures_of(
        [
            ("judge, light skin tone", 0, known(tone="light skin tone")),
            ("judge, medium-light skin tone", 1, known(tone="medium-light skin tone")),
            ("judge, dark skin tone", 2, known(tone="dark skin tone")),
            ("man, dark skin tone, red hair", 3, known(tone="dark skin tone", hair="red hair")),
            ("man, bald", 4, known(hair="bald")),
            ("man, bald, black line", 5, known("black line", hair="bald")),
            ("kiss, light skin tone, dark skin tone", 6, known(tone="light skin tone and dark skin tone")),
            ("red circle", 7, known(colour="red")),
            ("yellow circle", 8, known(colour="yellow")),
            ("full moon", 8, known()),  # the same picture
            ("black nib", 9, known(colour="black")),
            ("black nib, black line", 10, known("black line", colour="black")),
            ("five-thirty", 11, known(hour="five")),
            ("ten o'clock", 12, known(hour="ten")),
            ("weary cat", 13, known(expression="weary cat")),
            ("crying cat", 14, known(expression="crying cat")),
            ("infra-red lamp", 15, known(colour="red")),  # no word of its own
        ]
    )


def attribute_accuracy(image_codes, asked, judge, seeds_per_prompt, pool):
    questions = Questions.about(asked, pool)
    text_codes = judge.encode_text(questions.captions) if questions.captions else np.zeros((0, 1))
    return questions.accuracy(image_codes, text_codes, seeds_per_prompt)


def options(asked, pool):
    questions = Questions.about(asked, pool)
    return {
        (attribute, asked.captions[i][0]): [questions.captions[k] for k in choices]
        for attribute, (prompts, rows) in questions.of.items()
        for i, choices in zip(prompts, rows, strict=True)
    }


def test_the_questions_are_those_that_a_person_would_ask(pool):
    judge, man = "judge, {}".format, "man, {}, {}".format
    light, between, dark = TONES
    assert options(pool, pool) == {
        ("tone", judge(light)): [judge(light), judge(dark), judge(between)],
        ("tone", judge(between)): [judge(between), judge(dark), judge(light)],
        ("tone", judge(dark)): [judge(dark), judge(light), judge(between)],
        ("tone", man(dark, "red hair")): [man(tone, "red hair") for tone in (dark, light, between)],
        ("hair", man(dark, "red hair")): [man(dark, "red hair"), man(dark, "bald")],
        ("hair", "man, bald"): ["man, bald", "man, red hair"],
        ("colour", "red circle"): ["red circle", "black circle", "yellow circle"],
        ("colour", "yellow circle"): ["yellow circle", "black circle", "red circle"],
        ("colour", "black nib"): ["black nib", "red nib", "yellow nib"],
        ("style", "man, bald"): ["man, bald", "man, bald, black line"],
        ("style", "man, bald, black line"): ["man, bald, black line", "man, bald"],
        ("style", "black nib"): ["black nib", "black nib, black line"],
        ("style", "black nib, black line"): ["black nib, black line", "black nib"],
        ("hour", "five-thirty"): ["five-thirty", "ten-thirty"],
        ("hour", "ten o'clock"): ["ten o'clock", "five o'clock"],
        ("expression", "weary cat"): ["weary cat", "crying cat"],
        ("expression", "crying cat"): ["crying cat", "weary cat"],
    }


def test_what_shows_the_same_is_no_alternative():
    rows = [("red ball", 0, known(colour="red")), ("blue ball", 1, known(colour="blue"))]
    assert len(options(pictures_of(rows), pictures_of(rows))) == 2
    rows[1] = ("blue ball", 0, known(colour="blue"))
    assert options(pictures_of(rows), pictures_of(rows)) == {}


def test_styles_that_every_caption_names():
    rows = [(f"apple, {style}", k, known(style)) for k, style in enumerate(("noto", "twemoji", "fluent 3d"))]
    rows.append(("pear, noto", 3, known("noto")))  # which is drawn in no other style
    data = pictures_of(rows)
    assert options(data.take([0, 3]), data) == {
        ("style", "apple, noto"): ["apple, noto", "apple, fluent 3d", "apple, twemoji"]
    }


class Words:
    """A judge of pictures that are captions: it sees all words but those it is blind to."""

    def __init__(self, blind=()):
        self.blind, self.numbers = blind, {}

    def encode_text(self, captions):
        codes = np.zeros((len(captions), 200))
        for row, caption in zip(codes, captions, strict=True):
            for word in caption.replace("-thirty", " thirty").replace(",", "").split():
                if word not in self.blind:
                    row[self.numbers.setdefault(word, len(self.numbers))] = 1
        return codes / np.maximum(np.linalg.norm(codes, axis=1, keepdims=True), 1e-12)


def accuracy(judge, drawn, asked, pool, seeds_per_prompt=1):
    return {
        k: c.value
        for k, c in attribute_accuracy(judge.encode_text(drawn), asked, judge, seeds_per_prompt, pool).items()
    }


def test_right_wrong_and_blind(pool):
    asked = pool.take([0, 3, 12])
    true = [c[0] for c in asked.captions]
    assert accuracy(Words(), true, asked, pool) == {"tone": 1, "hair": 1, "hour": 1}
    wrong = ["judge, dark skin tone", "man, light skin tone, red hair", "five-thirty"]
    assert accuracy(Words(), wrong, asked, pool) == {"tone": 0, "hair": 1, "hour": 1}
    # All captions look the same to it: a tie is not right.
    assert accuracy(Words({"light", "medium-light", "dark"}), true, asked, pool)["tone"] == 0


def test_drawings_come_seed_after_seed(pool):
    asked = pool.take([0, 3])
    true = [c[0] for c in asked.captions]
    wrong = ["judge, dark skin tone", "man, dark skin tone, bald"]
    judge = Words()
    found = attribute_accuracy(judge.encode_text([true[0], wrong[1], *true]), asked, judge, 2, pool)
    assert (found["tone"].value, found["tone"].n) == (1, 4)
    assert (found["hair"].value, found["hair"].n) == (0.5, 2)
    assert found["tone"].chance == pytest.approx(1 / 3) and found["hair"].chance == 1 / 2


def test_drawings_that_show_nothing_score_chance(pool):
    questions = Questions.about(pool, pool)
    rng = np.random.default_rng(0)
    texts = rng.standard_normal((len(questions.captions), 40))
    found = questions.accuracy(rng.standard_normal((300 * len(pool), 40)), texts, seeds_per_prompt=300)
    for estimate in found.values():
        assert abs(estimate.value - estimate.chance) < 5 * (0.25 / estimate.n) ** 0.5
        assert estimate.n >= 600
    assert found["tone"].chance == pytest.approx(1 / 3)


def test_nothing_known_asks_nothing():
    data = pictures_of([("a", 0, {}), ("b", 1, {})])
    assert attribute_accuracy(np.ones((2, 3)), data, Words(), 1, data) == {}


def test_wrong_numbers_are_refused(pool):
    questions = Questions.about(pool, pool)
    texts = np.ones((len(questions.captions), 3))
    with pytest.raises(ValueError, match="17 prompts by 2 seeds"):
        questions.accuracy(np.ones((17, 3)), texts, seeds_per_prompt=2)
    with pytest.raises(ValueError, match="captions"):
        questions.accuracy(np.ones((17, 3)), texts[1:])
    with pytest.raises(ValueError, match="finite"):
        questions.accuracy(np.full((17, 3), np.nan), texts)
