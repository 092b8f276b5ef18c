"""What an emoji shows, in words: a plain caption and several other phrasings of it."""

import re
from dataclasses import dataclass
from dataclasses import field
from functools import cache

from keras_t2i.data.splits import COLOUR_AND_SHAPE
from keras_t2i.data.splits import COLOURS
from keras_t2i.data.splits import SKIN_TONES
from keras_t2i.data.splits import bucket
from keras_t2i.data.splits import normalise
from keras_t2i.data.splits import skin_tones
from keras_t2i.data.splits import toneless

MOST_PHRASINGS = 12
BLACK_LINE = "black line"  # the one style that every caption names: its pictures are never the first thought
FRAMES = (
    "a picture of {}",
    "{} emoji",
    "an emoji of {}",
    "{}, {style} style",
    "an icon of {}",
    "{style} {}",
)
LINE_FRAMES = (
    "{}, black line",
    "black line drawing of {}",
    "{} as a black line drawing",
    "black line, {}",
    "a picture of {}, black line",
    "a black line picture of {}",
)
TONE_NAMES = dict(zip(SKIN_TONES, ("light", "medium-light", "medium", "medium-dark", "dark"), strict=True))
TONE = re.compile(r"\b(medium-light|medium-dark|light|medium|dark) skin tone\b")
HAIR = re.compile(r"^(man|woman|person) ((?:red|curly|white|blond) hair|bald|beard)$")
GROUP = re.compile(r"^(kiss|couple with heart|family)((?: man| woman| person| adult| child| boy| girl)+)$")
CLOCK = re.compile(r"(\w+)[ -](o'clock|thirty)")
CAT = re.compile(r"(?=.*\bcat\b)(?=.*(?:joy|smil|heart|kiss|weary|cry|pout|grin))")
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


@dataclass(frozen=True)
class Concept:
    """What a code point means, taken apart.

    Attributes:
        code_point: str, normalised.
        label: str, the name without skin tone and hair, such as `"man judge"` or `"flag of France"`.
        details: tuple of str, what the label leaves out, such as `("light skin tone", "red hair")`.
        synonyms: tuple of str, other names for the label.
    """

    code_point: str
    label: str
    details: tuple[str, ...] = ()
    synonyms: tuple[str, ...] = field(default=())


@cache
def emoji_names():
    """The English name and aliases of every emoji that the `emoji` package knows.

    Returns:
        dict of normalised code point to `(name, aliases)`, a str and a list of str.
    """
    import emoji

    names = {}
    for sequence, entry in emoji.EMOJI_DATA.items():
        code_point = normalise("-".join(f"{ord(character):X}" for character in sequence))
        if code_point not in names or entry["status"] == emoji.STATUS["fully_qualified"]:
            names[code_point] = (to_words(entry["en"]), [to_words(a) for a in entry.get("alias") or []])
    return names


def to_words(name):
    """Plain words of a name such as `":woman’s_hat:"`."""
    name = name.strip(":").replace("_", " ").replace("’", "'").replace("‘", "'")
    return re.sub(r"\s+", " ", name.replace(" & ", " and ")).strip()


def is_country(code_point):
    """Whether a code point is the flag of a country or region."""
    return "1F1E6" <= code_point[:5] <= "1F1FF" or code_point.startswith("1F3F4-E0")


@cache
def concept_of(code_point):
    """The `Concept` of a normalised code point, or None where the emoji has no name."""
    names = emoji_names()
    if code_point not in names:
        return None
    name, aliases = names[code_point]
    # People with a skin tone have no aliases of their own.
    aliases = aliases or names.get(toneless(code_point), ("", []))[1]
    if is_country(code_point):
        return Concept(code_point, f"flag of {with_the(name)}")
    tones = [f"{TONE_NAMES[tone]} skin tone" for tone in skin_tones(code_point)]
    label = re.sub(r"\s+", " ", TONE.sub("", name)).strip() if tones else name
    details = list(dict.fromkeys(tones))
    # An alias speaks of the whole name, hair and all, and "heart" of any colour of heart.
    loose = code_point in COLOUR_AND_SHAPE
    if match := HAIR.match(label):
        loose = True
        label = match[1]
        details.append(match[2])
    if match := GROUP.match(label):
        loose = True
        *others, last = match[2].split()
        label = f"{match[1]}, {', '.join(others)} and {last}"
    return Concept(code_point, label, tuple(details), () if loose else synonyms(label, aliases))


def with_the(country):
    """A country's name, with "the" where English wants it."""
    plural = country.endswith(("Islands", "Netherlands", "Philippines", "Maldives", "Bahamas", "Emirates"))
    return f"the {country}" if plural or country.startswith(("United", "European", "Isle")) else country


def synonyms(label, aliases):
    """The aliases that read as words and are not the name of another emoji."""
    taken = all_labels()
    found = []
    for alias in aliases:
        readable = re.fullmatch(r"[A-Za-z][a-z]{2,}(?:[ '-][A-Za-z]+)*", alias)
        if readable and alias.lower() not in taken and alias.lower() != label.lower():
            found.append(alias)
    return tuple(found)


@cache
def all_labels():
    return {name.lower() for name, _ in emoji_names().values()}


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


def attributes_of(concept, style):
    """What is known of a picture, for distractors that differ in one respect.

    Returns:
        dict of str to str: `base` and `style` always; `gender`, `tone`, `hair`, `colour` where they apply.
    """
    attributes = {"base": concept.label, "style": style}
    words = concept.label.split()
    people = {"man": "man", "men": "man", "woman": "woman", "women": "woman", "person": "person"}
    if words[0] in people and "," not in concept.label:
        attributes["gender"] = people[words[0]]
        attributes["base"] = " ".join(words[1:]) or "person"
    for detail in concept.details:
        if detail.endswith("skin tone"):
            attributes["tone"] = " and ".join(filter(None, [attributes.get("tone"), detail]))
        else:
            attributes["hair"] = detail
    if concept.code_point in COLOUR_AND_SHAPE:
        attributes["colour"], attributes["base"] = COLOUR_AND_SHAPE[concept.code_point]
    elif words[0] in COLOURS and len(words) > 1:
        attributes["colour"], attributes["base"] = words[0], " ".join(words[1:])
    if match := CLOCK.fullmatch(concept.label):
        attributes.update(base="clock", hour=match[1], minutes=match[2])
    elif CAT.match(concept.label):
        attributes.update(base="cat face", expression=concept.label)
    return attributes


def compose_captions(concept, style, name_style=False, tags=()):
    """All phrasings of one picture.

    Args:
        concept: `Concept`.
        style: str, the style word, such as `"openmoji"` or `"black line"`.
        name_style: bool; whether every plain caption names the style. Black line always does.
        tags: sequence of str, words that go with the concept, such as `("fruit", "sweet")`.

    Returns:
        list of 6 to 12 different str; the first is the plain caption: label, details, then style.
    """
    label, details = concept.label, concept.details
    plain = ", ".join([label, *details])
    front = in_front(label, details)
    phrasings = [plain, with_article(front)]
    if details:
        phrasings += [
            front,
            f"{with_article(label)} with {' and '.join(having(detail) for detail in details)}",
            ", ".join([*details, label]),
            shortened(label, details),
            with_article(in_front(label, details, skinned=True)),
        ]
    for synonym in distinct([*concept.synonyms[:2], *reworded(label)]):
        phrasings += [", ".join([synonym, *details]), with_article(in_front(synonym, details))]
    tagged = ", ".join([plain, *[tag for tag in tags if tag.lower() not in plain.lower()][:2]])
    if style == BLACK_LINE:
        dressed = framed(distinct(phrasings), LINE_FRAMES)
        return distinct([f"{plain}, {style}", f"{tagged}, {style}", *dressed])[:MOST_PHRASINGS]
    # Frames, and phrasings where there are too many, are taken in turn from one emoji to the next.
    frames = rotated(FRAMES, "frame", concept.code_point)[: 4 if len(set(phrasings)) > 2 else 5]
    always, others = [f"{plain}, {style}", *phrasings[:2]], distinct([*phrasings[2:], tagged])
    others = rotated(others, "phrasing", concept.code_point)[: MOST_PHRASINGS - len(always) - len(frames)]
    articled = phrasings[1]
    dressed = [frame.format(articled if frame.endswith("of {}") else front, style=style) for frame in frames]
    return distinct([always[0] if name_style else plain, *always, *others, *dressed])


def distinct(captions):
    return list(dict.fromkeys(captions))


def rotated(choices, purpose, code_point):
    """The choices in order, begun at a place that depends on the code point."""
    start = bucket(purpose, code_point, max(1, len(choices)))
    return [*choices[start:], *choices[:start]]


def framed(phrasings, frames):
    """Every phrasing in every frame, those with a new phrasing and a new frame first."""
    for shift in range(len(frames)):
        for i, phrasing in enumerate(phrasings):
            yield frames[(i + shift) % len(frames)].format(phrasing)


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
    elif first in COLOURS and rest:
        found.append(f"{rest}, {first}")
        found.append(f"{rest} coloured {first}")
    return found
