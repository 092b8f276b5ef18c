"""What a generator is asked: sets of prompts, and all about them that does not depend on who draws."""

from dataclasses import dataclass
from dataclasses import field

import numpy as np

from keras_t2i.data import CaptionedImages
from keras_t2i.data import load
from keras_t2i.data.registry import DEFAULT
from keras_t2i.data.registry import load_sample
from keras_t2i.data.registry import splits_of
from keras_t2i.evaluation.metrics.alignment import Trials
from keras_t2i.evaluation.metrics.attributes import Questions
from keras_t2i.evaluation.single_things import draws_of
from keras_t2i.evaluation.single_things import single_things
from keras_t2i.utils.annotations import Place
from keras_t2i.utils.random_streams import random_stream

SAMPLE_SIZE = 64  # pictures of a smoke evaluation, held-out ones among them
TRAINING, HELD_OUT, UNSEEN = "training captions", "held-out combinations", "unseen concepts"
THINGS = "single things"
THINGS_ASKED = 300  # in each of two draws
MOST = 2**16  # pictures of a split, evenly spread over it: they are in memory
TEXTS = {
    TRAINING: "Plain captions of pictures that were trained on.",
    HELD_OUT: "Combinations of words that were never trained on together, though each word was.",
    THINGS: "Plain captions of training pictures of single things: no people, hands, faces, flags, clocks. "
    "Two draws: by the second nothing is ever chosen.",
    UNSEEN: "Plain captions of concepts that were set aside: their names are new words, or new compounds.",
}


@dataclass
class PromptSet:
    """Prompts, and what their drawings are measured against.

    Attributes:
        name: str.
        trained: bool, whether the captions' pictures were trained on.
        images: `CaptionedImages`; their plain captions are the prompts.
        trials: `Trials`.
        questions: `Questions`.
        draws: list of int arrays, positions of what is drawn to be recognised; empty for other sets.
        others: `CaptionedImages` that drawings of such a set stand among, none of them asked for; or None.
    """

    name: str
    trained: bool
    images: CaptionedImages
    trials: Trials
    questions: Questions
    draws: list[np.ndarray] = field(default_factory=list)
    others: CaptionedImages | None = None

    @classmethod
    def of(cls, name, images, pool):
        """`pool`: `CaptionedImages` that holds `images` and what they are told apart from."""
        return cls(
            name, name in (TRAINING, THINGS), images, Trials.of(images, pool), Questions.about(images, pool)
        )

    @classmethod
    def of_single_things(cls, train, count):
        """Two draws of `count` of the training pictures; `None` where there are not two of each."""
        things = single_things(train)
        draws = draws_of(things, train.plain_captions, count)
        if min(map(len, draws)) < 2:
            return None
        asked = np.concatenate(draws)
        self = cls.of(THINGS, train.take(asked), train)
        self.draws = np.split(np.arange(len(asked)), [len(draws[0])])
        self.others = train.take(np.flatnonzero(things & ~np.isin(train.groups, train.groups[asked])))
        return self

    def __len__(self) -> int:
        return len(self.images)

    @property
    def prompts(self) -> list[str]:
        """List of str."""
        return self.trials.captions


def load_prompt_sets(
    source: Place = DEFAULT,
    size: int = 32,
    count: int = 500,
    smoke: bool = False,
    things: int = THINGS_ASKED,
) -> tuple[list[PromptSet], CaptionedImages]:
    """The sets of prompts of a data set, and what it trained with.

    Args:
        source: as of `keras_t2i.data.load`.
        size: int, pixels of the real pictures.
        count: int, of training captions.
        smoke: bool; a few pictures of the default data set, split at random, to see whether everything runs.
        things: int, captions of single things in each of two draws; 0: there is no such set.

    Returns:
        `(sets, train)`: list of `PromptSet`, and the training pictures, `CaptionedImages`.

    Raises:
        ValueError: less than two pictures are held out, or fewer than 20 were trained on.
    """
    if smoke:
        every = load_sample(DEFAULT, size, SAMPLE_SIZE)
        order = random_stream(0, "smoke").permutation(len(every))
        held_out, unseen, train = every.take(order[:8]), every.take(order[8:16]), every.take(order[16:])
        count, things = 8, min(things, 8)
    else:
        train, unseen = (load(source, split, size).spread(MOST) for split in ("train", "validation"))
        held_out = load(source, "test", size).spread(MOST) if "test" in splits_of(source) else None
    if len(unseen) < 2 or len(train) < 20:
        raise ValueError(
            f"{source} has {len(train)} training and {len(unseen)} held-out pictures: 20 and 2 are needed."
        )
    chosen = np.sort(random_stream(0, "captions").permutation(len(train))[:count])
    sets = [PromptSet.of(TRAINING, train.take(chosen), train)]
    if held_out is not None:
        sets.append(PromptSet.of(HELD_OUT, held_out, held_out.joined(train)))
    of_things = PromptSet.of_single_things(train, things) if things else None
    sets += [of_things] if of_things else []
    sets.append(PromptSet.of(UNSEEN, unseen, unseen.joined(train)))
    return sets, train
