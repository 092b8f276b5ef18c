"""Drawings of single things beside the pictures that they must be told apart from."""

import numpy as np

from keras_t2i.evaluation.drawings import at_size
from keras_t2i.evaluation.metrics.recognition import lineups
from keras_t2i.evaluation.metrics.recognition import nearest_is_true
from keras_t2i.evaluation.metrics.recognition import recognition_estimate
from keras_t2i.evaluation.metrics.recognition import recognized
from keras_t2i.evaluation.single_things import designs_of
from keras_t2i.models import DualEncoder
from keras_t2i.utils.batching import predict_in_batches
from keras_t2i.utils.images import to_float
from keras_t2i.utils.random_streams import random_stream

TOWER = "dual_encoder_openmoji_32"
OTHERS = 200  # pictures of each design, out of which those beside a drawing are taken


class ImageTowerFeatures:
    """Features of our own image tower, which generators may be chosen by: it sees what a concept is.

    Args:
        preset: of a `DualEncoder`: name, folder or handle.
    """

    def __init__(self, preset=TOWER):
        self.network = DualEncoder.from_preset(preset).image_encoder

    def __call__(self, pictures):
        """uint8 `(n, s, s, 3)` to float32 `(n, code_dim)`."""
        return predict_in_batches(self.network, to_float(at_size(pictures, self.network.image_size)), 256)


class Recognition:
    """Who stands beside the drawings of a set of prompts, in several features.

    Args:
        prompt_set: `PromptSet` of single things.
        features: dict of name to a function of uint8 pictures `(n, s, s, 3)` to float `(n, d)`.
    """

    def __init__(self, prompt_set, features):
        asked, others = prompt_set.images, prompt_set.others
        few = []
        for design in sorted(set(designs_of(others))):
            places = np.flatnonzero(designs_of(others) == design)
            few.append(random_stream(0, "others", len(few)).permutation(places)[:OTHERS])
        every = asked.joined(others.take(np.concatenate(few))) if few else asked
        self.asked = np.arange(len(asked))
        self.others = lineups(self.asked, designs_of(every), every.groups)
        self.features = features
        self._pictures = {name: of(every.pictures) for name, of in features.items()}

    def hits(self, name, drawn):
        """Whether each drawing is recognised in the features `name`, `drawn` float `(seeds * n, d)`: bool."""
        return nearest_is_true(drawn, self._pictures[name], self.asked, self.others)

    def estimate(self, hits, rows):
        """`Estimate` of the prompts at `rows`."""
        of_rows = hits.reshape(-1, len(self.asked))[:, rows].ravel()
        return recognition_estimate(of_rows, [self.others[i] for i in rows])


def recognition_by_imagenet():
    """How often a drawing is nearer to its true picture than to 99 other true ones, in ImageNet features.

    Returns:
        A function, which keeps its network, of drawings and true pictures, as of
        `metrics.recognition.recognized`, all of one design, to an `Estimate`.
    """
    from keras_t2i.evaluation.judges.imagenet import ImageNetFeatures  # a network, for whoever asks

    features = ImageNetFeatures(128)
    return lambda drawings, truths: recognized(drawings, truths, np.zeros(len(truths)), features)
