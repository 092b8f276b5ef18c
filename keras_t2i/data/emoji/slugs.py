"""Code points of drawings that are known by a name alone, as in the older sets of Iconify's."""

import re
import unicodedata
from functools import cache

from keras_t2i.data.emoji.names import emoji_names

# Old sets say "flag for France", "bear face" and "o button" where today's name has a word more or less.
EXTRA_WORDS = (("flag for ", "flag of "), ("flag for ", ""), (" face", ""), (" button", ""))
MISSING_WORDS = (" (blood type)", " face", " button")


def squashed(words):
    """Letters and digits alone, without accents: what spellings of one name share."""
    plain = unicodedata.normalize("NFKD", words.replace("&", " and ")).encode("ascii", "ignore").decode()
    return re.sub(r"[^a-z0-9]", "", plain.lower())


@cache
def code_points_by_name():
    """Every name of an emoji, squashed, to its normalised code point.

    Where two emoji claim a name, today's names go first, then those of the Unicode standard, then aliases.
    """
    names = emoji_names()
    claims = [(name, code_point) for code_point, (name, _) in names.items()]
    single = [code_point for code_point in names if "-" not in code_point]
    claims += [(unicodedata.name(chr(int(code_point, 16)), ""), code_point) for code_point in single]
    claims += [(alias, code_point) for code_point, (_, aliases) in names.items() for alias in aliases]
    found = {}
    for name, code_point in claims:
        found.setdefault(squashed(name), code_point)
    found.pop("", None)
    return found


def code_point_of(slug):
    """The emoji that a drawing's name stands for.

    Args:
        slug: str such as `"woman-judge-light-skin-tone"`, `"flag-for-france"` or `"greenapple"`.

    Returns:
        str, a normalised code point, or None where no emoji, or none that is known, has such a name.
    """
    words, known = slug.replace("-", " "), code_points_by_name()
    spellings = [words, *(words + more for more in MISSING_WORDS)]
    spellings += [words.replace(old, new) for old, new in EXTRA_WORDS if old in words]
    return next((known[squashed(s)] for s in spellings if squashed(s) in known), None)
