"""Which pictures are held out: pure functions of a picture's code point and style.

Five kinds of combination are never trained on, though each of their words is: a skin tone of a family
of people, hair with a skin tone, a colour with a shape, times of the clock, expressions of the cat.
Where there are several designs there is a sixth: an emoji in one family of designs.
"""

from collections import defaultdict

from keras_t2i.utils.hashing import bucket

SPLITS = ("train", "validation", "test")
VALIDATION_SHARE = 0.05  # of the emoji that may be chosen: about 4 % of the training emoji
TONE_FAMILIES = 4  # one family in four has a held-out tone

STYLE_BUCKETS = 10  # one emoji in ten has a held-out style
# Designs of one hand share drawings: who has seen one has seen the other.
STYLE_FAMILIES = {
    "openmoji": "openmoji",
    "black line": "black line",
    "noto": "noto",
    "twemoji": "twemoji",
    "fluent flat": "fluent",
    "fluent 3d": "fluent",
    "noto v1": "noto",
    "emojione": "emojione",
    "emojione v1": "emojione",
    "fxemoji": "fxemoji",
}
# Where an emoji may be held out: the families of version 1 of the set, so that its test stays a test.
HELD_OUT_FAMILIES = ("black line", "fluent", "noto", "openmoji", "twemoji")

LIGHT, MEDIUM_LIGHT, MEDIUM, MEDIUM_DARK, DARK = SKIN_TONES = ("1F3FB", "1F3FC", "1F3FD", "1F3FE", "1F3FF")
RED_HAIR, CURLY_HAIR, BALD, WHITE_HAIR, BLOND_HAIR = "1F9B0", "1F9B1", "1F9B2", "1F9B3", "1F471"
HELD_OUT_HAIR = {
    (CURLY_HAIR, DARK),
    (BLOND_HAIR, DARK),
    (RED_HAIR, MEDIUM),
    (WHITE_HAIR, MEDIUM_LIGHT),
    (BALD, MEDIUM_DARK),
}

# The colours of each shape that comes in all nine.
COLORS = ("red", "orange", "yellow", "green", "blue", "purple", "brown", "black", "white")
COLORED_SHAPES = {
    "heart": ("2764", "1F9E1", "1F49B", "1F49A", "1F499", "1F49C", "1F90E", "1F5A4", "1F90D"),
    "circle": ("1F534", "1F7E0", "1F7E1", "1F7E2", "1F535", "1F7E3", "1F7E4", "26AB", "26AA"),
    "square": ("1F7E5", "1F7E7", "1F7E8", "1F7E9", "1F7E6", "1F7EA", "1F7EB", "2B1B", "2B1C"),
}
HELD_OUT_COLORS = {
    "heart": ("blue", "purple", "brown"),
    "circle": ("green", "yellow", "orange"),
    "square": ("orange", "blue", "red"),
}
COLOR_AND_SHAPE = {
    code_point: (color, shape)
    for shape, code_points in COLORED_SHAPES.items()
    for color, code_point in zip(COLORS, code_points, strict=True)
}
# Three o'clock, nine o'clock, five-thirty, ten-thirty.
HELD_OUT_CLOCKS = ("1F552", "1F558", "1F560", "1F565")
# Tears of joy, heart-eyes, kissing, weary: the expressions that training shows on the yellow face.
HELD_OUT_CATS = ("1F639", "1F63B", "1F63D", "1F640")


def normalize_code_point(code_point):
    """The one spelling of a code point sequence: upper case, zero-padded, without variation selectors.

    Args:
        code_point: str such as `"1f468-1f3fb-200d-2696-fe0f"` or `"a9"`.

    Returns:
        str such as `"1F468-1F3FB-200D-2696"` or `"00A9"`.

    Raises:
        ValueError: if a part is not a hexadecimal number.
    """
    parts = [f"{int(part, 16):04X}" for part in code_point.replace("_", "-").split("-")]
    return "-".join(part for part in parts if part not in ("FE0E", "FE0F"))


def skin_tones(code_point):
    """The skin tones in a normalised code point, in order; a bare swatch counts as none."""
    parts = code_point.split("-")
    return [part for part in parts if part in SKIN_TONES] if len(parts) > 1 else []


def toneless(code_point):
    """A normalised code point without its skin tones: what all tones of an emoji share."""
    tones = skin_tones(code_point)
    return "-".join(part for part in code_point.split("-") if part not in tones)


def family(code_point):
    """The gender-neutral code point: "man judge", "woman judge" and "judge" are one family."""
    parts = toneless(code_point).replace("-200D-2640", "").replace("-200D-2642", "").split("-")
    return "-".join("1F9D1" if part in ("1F468", "1F469") else part for part in parts)


def held_out_tone(code_point):
    """The skin tone held out for a code point's family, or `""`: one family in four has one."""
    name = family(code_point)
    return "" if bucket("held-out tone", name, TONE_FAMILIES) else SKIN_TONES[bucket("tone", name, 5)]


def held_out_kind(code_point, style=None):
    """Why a picture is held out for the test split.

    Args:
        code_point: str, normalised.
        style: str or None; if given, a tenth of the emoji is held out in one family of styles.

    Returns:
        `"tone"`, `"hair"`, `"colour"`, `"clock"`, `"catface"` (all of them in every style), `"style"`, or
        `""` if the picture may be trained on.
    """
    tones = set(skin_tones(code_point))
    if code_point in HELD_OUT_CLOCKS:
        return "clock"
    if code_point in HELD_OUT_CATS:
        return "catface"
    color, shape = COLOR_AND_SHAPE.get(code_point, ("", ""))
    if color in HELD_OUT_COLORS.get(shape, ()):
        return "colour"
    if len(tones) == 1:  # two people of different tones belong to no single family and tone
        (tone,) = tones
        parts = code_point.split("-")
        if any((part, tone) in HELD_OUT_HAIR for part in parts):
            return "hair"
        if held_out_tone(code_point) == tone:
            return "tone"
    if style and not tones and STYLE_FAMILIES.get(style) == held_out_style(code_point):
        return "style"
    return ""


def held_out_style(code_point):
    """The family of styles that an emoji is held out in, or `""`: one emoji in ten has one."""
    if bucket("held-out style", code_point, STYLE_BUCKETS) or in_validation(code_point):
        return ""
    return HELD_OUT_FAMILIES[bucket("style", code_point, len(HELD_OUT_FAMILIES))]


def in_validation(code_point):
    """Whether an emoji (all its tones, in every style) is set aside to choose checkpoints by.

    Never one whose family has a held-out tone: training must see the words that the test asks for.
    """
    if held_out_tone(code_point):
        return False
    return bucket("validation family", toneless(code_point), 10_000) < VALIDATION_SHARE * 10_000


def assign_splits(code_points, kinds, fingerprints):
    """The split of every picture, so that pixel-identical pictures are never on two sides.

    A group of identical pictures is in the test split if any member is held out, otherwise in the
    validation split if any member's emoji is. Emoji that share a training picture go together.

    Args:
        code_points: list of str, normalised.
        kinds: list of str, the held-out kind of each picture, `""` for none.
        fingerprints: list of hashable; equal for pixel-identical pictures.

    Returns:
        list of `(split, kind, group)`: the split's name, the held-out kind of the whole group, and an
        int that identical pictures share.
    """
    numbers = {}
    groups = [numbers.setdefault(fingerprint, len(numbers)) for fingerprint in fingerprints]
    test = {group: kind for group, kind in zip(groups, kinds, strict=True) if kind}
    validation = {toneless(code_point) for code_point in code_points if in_validation(code_point)}
    sharing = defaultdict(set)
    for group, code_point in zip(groups, code_points, strict=True):
        if group not in test:
            sharing[group].add(toneless(code_point))
    size = -1
    while size < len(validation):
        size = len(validation)
        for members in sharing.values():
            if members & validation:
                validation |= members
    assigned = []
    for group, code_point in zip(groups, code_points, strict=True):
        aside = "validation" if toneless(code_point) in validation else "train"
        assigned.append(("test" if group in test else aside, test.get(group, ""), group))
    return assigned
