"""Does a drawing have the skin tone, the colour, the hair that its caption names? A forced choice."""

import re
from collections import defaultdict
from dataclasses import dataclass

import numpy as np

from keras_t2i.data.emoji.captions import BLACK_LINE
from keras_t2i.evaluation.metrics.retrieval import cell

CHOSEN = ("tone", "colour", "hair", "hour", "expression")  # by another word in its place; and "style"
NOT_IN_LINES = ("tone", "colour", "hair")  # a line drawing does not show what its caption says of these


@dataclass
class Questions:
    """Which captions a judge chooses among, made once per set of prompts.

    For each prompt and attribute, the caption and the same caption with the attribute's word replaced by
    each other word that the pool's captions know for it. An attribute is asked where its word stands in the
    caption once, so "light skin tone" is and two people's two tones are not, and where the picture shows it:
    a line drawing has no colours. `style` is what a caption ends in, ", black line" or nothing; its
    alternatives are captions of the pool, for not everything is drawn in every style. A caption of the pool
    whose picture is the very same one is no alternative.

    Attributes:
        captions: list of different str, all options of all questions.
        of: dict of attribute to `(prompts, options)`: an int array of positions in `asked`, and for each a
            list of at least two positions in `captions`, the true one first.
        prompts: int, length of `asked`.
    """

    captions: list[str]
    of: dict[str, tuple[np.ndarray, list[list[int]]]]
    prompts: int

    @classmethod
    def about(cls, asked, pool):
        """Questions about `asked` with the words of `pool`, both `CaptionedImages` with `attributes`."""
        groups, values, styles = defaultdict(set), defaultdict(set), {""}
        for phrasings, group, known in zip(pool.captions, pool.groups, pool.attributes, strict=True):
            groups[phrasings[0]].add(int(group))
            styles.add(_style(phrasings[0], known)[1])
            for attribute in CHOSEN:
                if len(_apart(phrasings[0], known.get(attribute))) == 2:
                    values[attribute].add(known[attribute])
        numbers, of = {}, {}
        for attribute in ("style", *CHOSEN):
            prompts, options = [], []
            for i, (phrasings, known) in enumerate(zip(asked.captions, asked.attributes, strict=True)):
                true = phrasings[0]
                if attribute == "style":
                    rest, _ = _style(true, known)
                    others = [rest + style for style in sorted(styles) if rest + style in groups]
                else:
                    others = _replaced(true, known, attribute, sorted(values[attribute]))
                same = int(asked.groups[i])
                others = [o for o in dict.fromkeys(others) if o != true and same not in groups.get(o, ())]
                if others:
                    prompts.append(i)
                    options.append([numbers.setdefault(c, len(numbers)) for c in (true, *others)])
            if prompts:
                of[attribute] = np.array(prompts), options
        return cls(list(numbers), of, len(asked))

    def accuracy(self, image_codes, text_codes, repeats=1):
        """How often the true caption scores highest, and no other as high.

        Args:
            image_codes: float `(repeats * n, d)`: drawings of the n prompts, in whole rounds (seeds).
            text_codes: float `(m, d)`: of `captions`.

        Returns:
            dict of attribute to cell `{"value", "low", "high", "n", "chance"}` (95 % bootstrap over
            prompts); `chance` is the mean of 1 over the number of options. Attributes of which there is no
            question are left out.
        """
        image_codes, text_codes = np.asarray(image_codes, "float64"), np.asarray(text_codes, "float64")
        if len(image_codes) != repeats * self.prompts or len(text_codes) != len(self.captions):
            raise ValueError(
                f"Give codes of {repeats} rounds of {self.prompts} drawings and of {len(self.captions)} "
                f"captions, got {len(image_codes)} and {len(text_codes)}."
            )
        if not (np.isfinite(image_codes).all() and np.isfinite(text_codes).all()):
            raise ValueError("The codes must be finite numbers.")
        cells = {}
        for attribute, (prompts, options) in self.of.items():
            right = np.zeros((repeats, len(prompts)), dtype=bool)
            for k, (prompt, choices) in enumerate(zip(prompts, options, strict=True)):
                seen = image_codes[prompt :: self.prompts]
                # Products summed row by row, so that equal captions tie.
                scores = np.sum(seen[:, None] * text_codes[choices], axis=-1)
                right[:, k] = scores[:, 0] > scores[:, 1:].max(axis=1)
            chance = float(np.mean([1 / len(choices) for choices in options]))
            cells[attribute] = {**cell(right.ravel(), repeats), "chance": chance}
        return cells


def attribute_accuracy(image_codes, asked, judge, repeats, pool):
    """`Questions.accuracy` of drawings of `asked`, in one call.

    Args:
        image_codes: float `(repeats * n, d)`, by `judge`: drawings of the n plain captions of `asked`, one
            whole round (seed) after another.
        asked, pool: `CaptionedImages`; `pool` knows the values of attributes.
        judge: has `encode_text`.
    """
    questions = Questions.about(asked, pool)
    text_codes = judge.encode_text(questions.captions) if questions.captions else np.zeros((0, 1))
    return questions.accuracy(image_codes, text_codes, repeats)


def _apart(caption, value):
    """The caption taken apart at whole occurrences of a value: 2 parts where it stands once."""
    # No hyphen before it: "light skin tone" does not stand in "medium-light skin tone".
    return re.split(rf"(?<![\w-]){re.escape(value)}(?!\w)", caption) if value else [caption]


def _replaced(caption, known, attribute, values):
    """The caption with each of `values` in place of its own; none where that is not to be asked."""
    parts = _apart(caption, known.get(attribute))
    if len(parts) != 2 or (attribute in NOT_IN_LINES and known.get("style") == BLACK_LINE):
        return []
    return [value.join(parts) for value in values]


def _style(caption, known):
    """The caption without its style, and what names the style: `("judge", ", black line")`."""
    ending = f", {known.get('style')}"
    return (caption.removesuffix(ending), ending) if caption.endswith(ending) else (caption, "")
