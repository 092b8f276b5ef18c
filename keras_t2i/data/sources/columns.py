"""Which columns of a table are the pictures and the captions, and what is read of a row."""

from dataclasses import dataclass
from dataclasses import field

from keras_t2i.data.folder.metadata import CAPTION_COLUMNS
from keras_t2i.data.folder.metadata import shortened
from keras_t2i.data.folder.metadata import texts_of
from keras_t2i.data.sources.source import example_of

IMAGE_COLUMNS = ("image", "img", "picture", "jpg", "jpeg", "png", "webp")
PICTURE, BYTES, TEXT = "picture", "bytes", "text"  # kinds of columns; bytes may be a picture's, or a text's


@dataclass(frozen=True)
class Columns:
    """Columns of a table.

    Attributes:
        image: str, the pictures.
        captions: list of str, of which in each row the first is taken that is not blank.
        labels: dict of column -> list of str, what its numbers stand for.
    """

    image: str
    captions: list[str]
    labels: dict[str, list[str]] = field(default_factory=dict)

    @property
    def names(self):
        """The columns to be read."""
        return list(dict.fromkeys([self.image, *self.captions]))

    def read(self, name, row):
        """The `Example` of a row: a dict of column -> bytes, or a dict with `bytes`; str, bytes or a list of
        them; the number of a label."""
        content, problem = row[self.image], None
        if isinstance(content, dict):
            other, content = content.get("path"), content.get("bytes")
            if not content and other:
                problem = "has its picture in another file, which is not followed"
        if not content and problem is None:
            problem = "has no picture"
        try:
            texts, lacks = texts_of({c: self._text(c, row[c]) for c in self.captions}, self.captions)
        except UnicodeDecodeError:
            texts, lacks = [], "has a caption that is not UTF-8"
        return example_of(name, content, texts, problem or lacks)

    def _text(self, column, value):
        if isinstance(value, bytes):
            return value.decode("utf-8")
        if isinstance(value, list):
            return [self._text(column, entry) for entry in value]
        if column in self.labels and isinstance(value, int):
            known = self.labels[column]  # -1 stands for none
            return known[value].replace("_", " ") if 0 <= value < len(known) else None
        return value


def choose_columns(place, kinds, chosen=None):
    """The columns that are meant.

    Args:
        place: what the table is called in a sentence.
        kinds: dict of column -> `PICTURE`, `BYTES`, `TEXT`, a list of the labels that its numbers stand for,
            or what else it holds, in words.
        chosen: names of the column of pictures and of that of captions; `None`: those of `IMAGE_COLUMNS` and
            `CAPTION_COLUMNS`, or the one column of pictures, and the one of labels.

    Returns:
        `Columns`.

    Raises: ValueError where they are not there, or hold something else.
    """
    labels = {name: kind for name, kind in kinds.items() if isinstance(kind, list)}
    if chosen:
        images = [name for name in chosen[:1] if kinds.get(name) in (PICTURE, BYTES)]
        captions = [name for name in chosen[1:] if name in labels or kinds.get(name) in (TEXT, BYTES)]
    else:
        spelled = {name.lower(): name for name in kinds}
        images = [spelled[c] for c in IMAGE_COLUMNS if c in spelled]
        images = [name for name in images if kinds[name] in (PICTURE, BYTES)]
        images = images or [name for name, kind in kinds.items() if kind == PICTURE]
        captions = [spelled[c] for c in CAPTION_COLUMNS if c in spelled]
        captions = [name for name in captions if kinds[name] in (TEXT, BYTES)]
        captions = captions or (list(labels) if len(labels) == 1 else [])
    if images and captions:
        return Columns(images[0], captions, {name: labels[name] for name in captions if name in labels})
    lacking = " and ".join(
        words
        for words, found in (("a column of pictures, as bytes,", images), ("a column of captions", captions))
        if not found
    )
    asked = f"among {' and '.join(chosen)}" if chosen else f"called image, or {' or '.join(CAPTION_COLUMNS)}"
    found = [f"{name} ({'labels' if name in labels else kind})" for name, kind in kinds.items()]
    raise ValueError(
        f"{place} lacks {lacking} {asked}; it has {', '.join(shortened(found))}: "
        "name the two with `--columns IMAGE CAPTION`"
    )
