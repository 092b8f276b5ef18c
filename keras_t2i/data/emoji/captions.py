"""What an emoji shows, in words: a plain caption and several other captions."""

import re

from keras_t2i.data.emoji.names import CLOCK
from keras_t2i.data.emoji.names import TONE
from keras_t2i.data.emoji.splits import COLORS
from keras_t2i.utils.hashing import bucket

MOST_CAPTIONS = 12
OPENMOJI = "openmoji"  # what a caption means that names no style
BLACK_LINE = "black line"  # every caption names it: its pictures are never the first thought
CAPTION_TEMPLATES = (
    "a picture of {}",
    "{} emoji",
    "an emoji of {}",
    "{}, {style} style",
    "an icon of {}",
    "{style} {}",
)
LINE_CAPTION_TEMPLATES = (
    "{}, black line",
    "black line drawing of {}",
    "{} as a black line drawing",
    "black line, {}",
    "a picture of {}, black line",
    "a black line picture of {}",
)
GENDERS = {"man": "male", "woman": "female"}

# Words that take no article, standing last or first: they cannot be counted, or name an act or a person.
WORDS_BARE_AT_THE_END = """
    away badminton bacon bald biohazard bowling bread broccoli butter camping cash confetti construction
    cooking copyright custard dna down fencing fire fog foggy food garlic golf hair hockey ice infinity
    information jeans lacrosse laughing litter locked luggage mahjong mate meat milk money no ok om pants
    pizza polish pong popcorn prohibited racing radioactive registered rice sake salt skis snow soap
    spaghetti star-struck sushi tea tennis together toilet unlocked up voltage water wireless wood x-ray
    yarn zzz"""
WORDS_BARE_AT_THE_START = """
    aquarius aries cancer capricorn children gemini hundred input keycap leo libra men mount mrs. mx no
    ophiuchus people pisces sagittarius santa scorpio taurus two virgo women"""
BARE_LAST = frozenset(WORDS_BARE_AT_THE_END.split())
BARE_FIRST = frozenset(WORDS_BARE_AT_THE_START.split())
HEAD_ENDS = re.compile(r"[,:(]| (?:with|without|of|in|on|at|over|behind|for|who|that|\w{2,}ing|pointed) ")
VOWEL_SOUND = re.compile(r"(?:[ai]|e(?!u|we)|o(?!ne\b|ne-)|u(?!ni|s|k)|hour)", re.IGNORECASE)


def with_article(label):
    """`"a red apple"`, `"an orange"`; plurals and what cannot be counted stay bare."""
    if label.startswith("flag of "):
        return f"the {label}"
    words = HEAD_ENDS.split(label)[0].lower().split() or [""]
    plural = words[-1].endswith("s") and not words[-1].endswith(("ss", "us", "is", "os", "'s"))
    timed = CLOCK.fullmatch(label)
    if plural or timed or words[-1] in BARE_LAST or words[0] in BARE_FIRST:
        return label
    return f"{'an' if VOWEL_SOUND.match(label) else 'a'} {label}"


def compose_captions(name, style, name_style=False, tags=()):
    """All captions of one picture.

    Args:
        name: `EmojiName`.
        style: str, the style word, such as `"openmoji"` or `"black line"`.
        name_style: bool; whether every caption names the style. Black line always does.
        tags: sequence of str, words that go with the emoji, such as `("fruit", "sweet")`.

    Returns:
        list of 6 to 12 different str; the first is the plain caption: label, details, then style.
    """
    label, details = name.label, name.details
    plain = ", ".join([label, *details])
    front = in_front(label, details)
    descriptions = [plain, with_article(front)]
    if details:
        descriptions += [
            front,
            f"{with_article(label)} with {' and '.join(having(detail) for detail in details)}",
            ", ".join([*details, label]),
            shortened(label, details),
            with_article(in_front(label, details, skinned=True)),
        ]
    for synonym in distinct([*name.synonyms[:2], *reworded(label)]):
        descriptions.append(", ".join([synonym, *details]))
        if "," not in synonym:
            descriptions.append(with_article(in_front(synonym, details)))
    tagged = ", ".join([plain, *[tag for tag in tags if tag.lower() not in plain.lower()][:2]])
    if style == BLACK_LINE:
        dressed = in_templates(distinct(descriptions), LINE_CAPTION_TEMPLATES)
        return distinct([f"{plain}, {style}", f"{tagged}, {style}", *dressed])[:MOST_CAPTIONS]
    # Templates, and captions where there are too many, are taken in turn from one emoji to the next.
    templates = rotated(CAPTION_TEMPLATES, "frame", name.code_point)[: 4 if len(set(descriptions)) > 2 else 5]
    always, others = [f"{plain}, {style}", *descriptions[:2]], distinct([*descriptions[2:], tagged])
    others = rotated(others, "phrasing", name.code_point)[: MOST_CAPTIONS - len(always) - len(templates)]
    articled = descriptions[1]
    dressed = [
        template.format(articled if template.endswith("of {}") else front, style=style)
        for template in templates
    ]
    if not name_style:
        return distinct([plain, *always, *others, *dressed])
    named = [caption if style in caption else f"{caption}, {style}" for caption in [*others, *dressed]]
    return distinct([*always[:1], f"{always[2]}, {style}", *named])


def distinct(captions):
    return list(dict.fromkeys(captions))


def rotated(choices, purpose, code_point):
    """The choices in order, begun at a place that depends on the code point."""
    start = bucket(purpose, code_point, max(1, len(choices)))
    return [*choices[start:], *choices[:start]]


def in_templates(descriptions, templates):
    """Every caption in every template, those with a new caption and a new template first."""
    for shift in range(len(templates)):
        for i, caption in enumerate(descriptions):
            yield templates[(i + shift) % len(templates)].format(caption)


def in_front(label, details, skinned=False):
    """Label with its details before it: `"light skin tone red-haired man"`, or `"light-skinned ..."`."""
    tones = " and ".join(detail for detail in details if TONE.fullmatch(detail))
    words = [tones.replace(" skin tone", "-skinned") if skinned else tones]
    for detail in details:
        if not TONE.fullmatch(detail):
            words.append({"beard": "bearded"}.get(detail, detail.replace(" hair", "-haired")))
    return " ".join([*filter(None, words), label])


def having(detail):
    return {"bald": "a bald head", "beard": "a beard"}.get(detail, detail)


def shortened(label, details):
    """The caption with the words dropped that go without saying: `"man judge, light skin"`."""
    return ", ".join([label, *(detail.replace(" skin tone", " skin") for detail in details)])


def reworded(label):
    """Other words for common labels."""
    first, _, rest = label.partition(" ")
    found = []
    busy = (rest.split() or [""])[0].endswith("ing")
    if first in ("man", "woman", "person") and busy:
        found.append(f"{first} who is {rest}")
    elif first in GENDERS and rest and not rest.startswith(("in ", "with ")):
        found.append(f"{GENDERS[first]} {rest}")
        found.append(f"{rest}, {first}")
    elif label.endswith(" face"):
        found.append(f"{label.removesuffix('face')}smiley")
    elif label.endswith("o'clock"):
        found += [f"clock showing {label}", f"{label} on a clock"]
    elif label.endswith("-thirty"):
        hour = label.removesuffix("-thirty")
        found += [f"clock showing {label}", f"half past {hour}"]
    elif label.startswith("flag of "):
        found += [label.removeprefix("flag of ") + " flag", "national " + label]
    elif " with " in label:
        thing, _, part = label.partition(" with ")
        found.append(f"{thing} that has {part}")
    elif first in COLORS and rest:
        found.append(f"{rest}, {first}")
        found.append(f"{rest} coloured {first}")
    return found
