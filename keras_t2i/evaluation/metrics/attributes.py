"""Does a drawing have the skin tone, the colour, the hair that its caption names? A forced choice."""

import re
from collections import defaultdict
from dataclasses import dataclass

import numpy as np

from keras_t2i.data.emoji.captions import BLACK_LINE
from keras_t2i.evaluation.metrics.estimate import mean_estimate

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
        of: dict of attribute to `(prompts, options)`: an int array of positions in `images`, and for each a
            list of at least two positions in `captions`, the true one first.
        num_prompts: int, length of `images`.
    """

    captions: list[str]
    of: dict[str, tuple[np.ndarray, list[list[int]]]]
    num_prompts: int

    @classmethod
    def about(cls, images, pool):
        """Questions about `images` with the words of `pool`, both `CaptionedImages` with `attributes`."""
        groups, values, styles = defaultdict(set), defaultdict(set), {""}
        for plain, group, known in zip(pool.plain_captions, pool.groups, pool.attributes, strict=True):
            groups[plain].add(int(group))
            styles.add(_style(plain, known)[1])
            for attribute in CHOSEN:
                if len(_apart(plain, known.get(attribute))) == 2:
                    values[attribute].add(known[attribute])
        numbers, of = {}, {}
        for attribute in ("style", *CHOSEN):
            prompts, options = [], []
            for i, (true, known) in enumerate(zip(images.plain_captions, images.attributes, strict=True)):
                if attribute == "style":
                    rest, _ = _style(true, known)
                    others = [rest + style for style in sorted(styles) if rest + style in groups]
                else:
                    others = _replaced(true, known, attribute, sorted(values[attribute]))
                same = int(images.groups[i])
                others = [o for o in dict.fromkeys(others) if o != true and same not in groups.get(o, ())]
                if others:
                    prompts.append(i)
                    options.append([numbers.setdefault(c, len(numbers)) for c in (true, *others)])
            if prompts:
                of[attribute] = np.array(prompts), options
        return cls(list(numbers), of, len(images))

    def accuracy(self, image_codes, text_codes, seeds_per_prompt=1):
        """How often the true caption scores highest, and no other as high.

        Args:
            image_codes: float `(seeds_per_prompt * n, d)`: drawings of the n prompts, seed after seed.
            text_codes: float `(m, d)`: of `captions`.

        Returns:
            dict of attribute to `Estimate` (95 % bootstrap over prompts); `chance` is the mean of 1 over the
            number of options. Attributes of which there is no question are left out.
        """
        image_codes, text_codes = np.asarray(image_codes, "float64"), np.asarray(text_codes, "float64")
        if len(image_codes) != seeds_per_prompt * self.num_prompts or len(text_codes) != len(self.captions):
            raise ValueError(
                f"Give codes of drawings of {self.num_prompts} prompts by {seeds_per_prompt} seeds and of "
                f"{len(self.captions)} captions, got {len(image_codes)} and {len(text_codes)}."
            )
        if not (np.isfinite(image_codes).all() and np.isfinite(text_codes).all()):
            raise ValueError("The codes must be finite numbers.")
        found = {}
        for attribute, (prompts, options) in self.of.items():
            right = np.zeros((seeds_per_prompt, len(prompts)), dtype=bool)
            for k, (prompt, choices) in enumerate(zip(prompts, options, strict=True)):
                seen = image_codes[prompt :: self.num_prompts]
                # Products summed row by row, so that equal captions tie.
                scores = np.sum(seen[:, None] * text_codes[choices], axis=-1)
                right[:, k] = scores[:, 0] > scores[:, 1:].max(axis=1)
            chance = float(np.mean([1 / len(choices) for choices in options]))
            found[attribute] = mean_estimate(right.ravel(), seeds_per_prompt, chance)
        return found


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
