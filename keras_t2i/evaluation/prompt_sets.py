"""What a generator is asked: sets of prompts, and all about them that does not depend on who draws."""

from dataclasses import dataclass

import numpy as np

from keras_t2i.data import CaptionedImages
from keras_t2i.data import load
from keras_t2i.data.registry import DEFAULT
from keras_t2i.data.registry import load_sample
from keras_t2i.data.registry import splits_of
from keras_t2i.evaluation.metrics.alignment import Trials
from keras_t2i.evaluation.metrics.attributes import Questions
from keras_t2i.utils.random_streams import random_stream

SAMPLE_SIZE = 64  # pictures of a smoke evaluation, held-out ones among them
TRAINING, HELD_OUT, UNSEEN = "training captions", "held-out combinations", "unseen concepts"
TEXTS = {
    TRAINING: "Plain captions of pictures that were trained on.",
    HELD_OUT: "Combinations of words that were never trained on together, though each word was.",
    UNSEEN: "Plain captions of concepts that were set aside: their names are new words, or new compounds.",
}


@dataclass
class PromptSet:
    """Prompts, and what their drawings are measured against.

    Attributes:
        name: str. trained: bool, whether the captions' pictures were trained on.
        images: `CaptionedImages`; their plain captions are the prompts.
        trials: `Trials`. questions: `Questions`.
    """

    name: str
    trained: bool
    images: CaptionedImages
    trials: Trials
    questions: Questions

    @classmethod
    def of(cls, name, images, pool):
        """`pool`: `CaptionedImages` that holds `images` and what they are told apart from."""
        return cls(name, name == TRAINING, images, Trials.of(images, pool), Questions.about(images, pool))

    def __len__(self):
        return len(self.images)

    @property
    def prompts(self):
        """List of str."""
        return self.trials.captions


def load_prompt_sets(source=DEFAULT, size=32, count=500, smoke=False):
    """The sets of prompts of a data set, and what it trained with.

    Args:
        source: as of `keras_t2i.data.load`.
        size: int, pixels of the real pictures.
        count: int, of training captions.
        smoke: bool; a few pictures of the default data set, split at random, to see whether everything runs.

    Returns:
        `(sets, train)`: list of `PromptSet`, and the training pictures, `CaptionedImages`.

    Raises:
        ValueError: less than two pictures are held out, or fewer than 20 were trained on.
    """
    if smoke:
        every = load_sample(DEFAULT, size, SAMPLE_SIZE)
        order = random_stream(0, "smoke").permutation(len(every))
        held_out, unseen, train = every.take(order[:8]), every.take(order[8:16]), every.take(order[16:])
        count = 8
    else:
        train, unseen = load(source, "train", size), load(source, "validation", size)
        held_out = load(source, "test", size) if "test" in splits_of(source) else None
    if len(unseen) < 2 or len(train) < 20:
        raise ValueError(
            f"{source} has {len(train)} training and {len(unseen)} held-out pictures: 20 and 2 are needed."
        )
    chosen = np.sort(random_stream(0, "captions").permutation(len(train))[:count])
    sets = [PromptSet.of(TRAINING, train.take(chosen), train)]
    if held_out is not None:
        sets.append(PromptSet.of(HELD_OUT, held_out, held_out.joined(train)))
    sets.append(PromptSet.of(UNSEEN, unseen, unseen.joined(train)))
    return sets, train
