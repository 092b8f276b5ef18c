"""What an emoji shows: its name taken apart into a label, details and attributes."""

import re
from dataclasses import dataclass
from functools import cache

from keras_t2i.data.emoji.splits import COLOR_AND_SHAPE
from keras_t2i.data.emoji.splits import COLORS
from keras_t2i.data.emoji.splits import SKIN_TONES
from keras_t2i.data.emoji.splits import normalize_code_point
from keras_t2i.data.emoji.splits import skin_tones
from keras_t2i.data.emoji.splits import toneless

TONE_NAMES = dict(zip(SKIN_TONES, ("light", "medium-light", "medium", "medium-dark", "dark"), strict=True))
TONE = re.compile(r"\b(medium-light|medium-dark|light|medium|dark) skin tone\b")
HAIR = re.compile(r"^(man|woman|person) ((?:red|curly|white|blond) hair|bald|beard)$")
GROUP = re.compile(r"^(kiss|couple with heart|family)((?: man| woman| person| adult| child| boy| girl)+)$")
CLOCK = re.compile(r"(\w+)[ -](o'clock|thirty)")
CAT = re.compile(r"(?=.*\bcat\b)(?=.*(?:joy|smil|heart|kiss|weary|cry|pout|grin))")


@dataclass(frozen=True)
class EmojiName:
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
    synonyms: tuple[str, ...] = ()


@cache
def emoji_names():
    """The English name and aliases of every emoji that the `emoji` package knows.

    Returns:
        dict of normalised code point to `(name, aliases)`, a str and a list of str.
    """
    import emoji

    names = {}
    for sequence, entry in emoji.EMOJI_DATA.items():
        code_point = normalize_code_point("-".join(f"{ord(character):X}" for character in sequence))
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
def name_of(code_point):
    """The `EmojiName` of a normalised code point, or None where the emoji has no name."""
    names = emoji_names()
    if code_point not in names:
        return None
    name, aliases = names[code_point]
    # People with a skin tone have no aliases of their own.
    aliases = aliases or names.get(toneless(code_point), ("", []))[1]
    if is_country(code_point):
        return EmojiName(code_point, f"flag of {with_the(name)}")
    tones = [f"{TONE_NAMES[tone]} skin tone" for tone in skin_tones(code_point)]
    label = re.sub(r"\s+", " ", TONE.sub("", name)).strip() if tones else name
    details = list(dict.fromkeys(tones))
    # An alias speaks of the whole name, hair and all, and "heart" of any colour of heart.
    loose = code_point in COLOR_AND_SHAPE
    if match := HAIR.match(label):
        loose = True
        label = match[1]
        details.append(match[2])
    if match := GROUP.match(label):
        loose = True
        *others, last = match[2].split()
        label = f"{match[1]}, {', '.join(others)} and {last}"
    return EmojiName(code_point, label, tuple(details), () if loose else synonyms(label, aliases))


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


def attributes_of(name, style):
    """What is known of a picture, for distractors that differ in one respect.

    Returns:
        dict of str to str: `base` and `style` always; `gender`, `tone`, `hair`, `colour` where they apply.
    """
    attributes = {"base": name.label, "style": style}
    words = name.label.split()
    people = {"man": "man", "men": "man", "woman": "woman", "women": "woman", "person": "person"}
    if words[0] in people and "," not in name.label:
        attributes["gender"] = people[words[0]]
        attributes["base"] = " ".join(words[1:]) or "person"
    for detail in name.details:
        if detail.endswith("skin tone"):
            attributes["tone"] = " and ".join(filter(None, [attributes.get("tone"), detail]))
        else:
            attributes["hair"] = detail
    if name.code_point in COLOR_AND_SHAPE:
        attributes["colour"], attributes["base"] = COLOR_AND_SHAPE[name.code_point]
    elif words[0] in COLORS and len(words) > 1:
        attributes["colour"], attributes["base"] = words[0], " ".join(words[1:])
    if match := CLOCK.fullmatch(name.label):
        attributes.update(base="clock", hour=match[1], minutes=match[2])
    elif CAT.match(name.label):
        attributes.update(base="cat face", expression=name.label)
    return attributes
