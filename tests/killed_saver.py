"""A nursery for test_presets.py: `python killed_saver.py FOLDER` saves presets of two kinds in turn.

For each line of its input it forks a process, which saves into FOLDER until it is killed, and prints the
process's number.
"""

import os
import sys
import time
from pathlib import Path

import keras_hub
from tiny import CAPTIONS

from keras_t2i.models.networks.text_encoder import CNNTextEncoder
from keras_t2i.models.text.preprocessor import TextToImagePreprocessor
from keras_t2i.models.text.tokenizer import CaptionTokenizer
from keras_t2i.presets.saving import save_preset
from keras_t2i.utils.files import current_set
from keras_t2i.utils.files import weights_in_memory
from keras_t2i.utils.files import write_bytes


def text_encoder(kind):
    """A network and a preprocessor: kinds 0 and 1 differ in name, weights and words, and not in shapes."""
    captions = CAPTIONS if kind == 0 else [caption[::-1] for caption in CAPTIONS]
    preprocessor = TextToImagePreprocessor(CaptionTokenizer.learn(captions, 270), sequence_length=8)
    sizes = {"embedding_dim": 8, "filters": 8, "blocks": 0, "hidden_dim": 16, "code_dim": 32}
    network = CNNTextEncoder(270, 8, **sizes, name=f"kind_{kind}")
    network.set_weights([w * 0 + kind for w in network.get_weights()])
    return network, preprocessor


def kinds_in(folder, by_keras_hub=False):
    """Which kinds the parts of a preset are of, opened by this package or KerasHub: one, if it is whole."""
    cls = keras_hub.models.Backbone if by_keras_hub else CNNTextEncoder
    network = cls.from_preset(str(folder))
    folder = folder if by_keras_hub else current_set(folder)
    merges = (Path(folder) / "assets" / "tokenizer" / "merges.txt").read_text().splitlines()
    of_weights = {float(value) for weight in network.get_weights() for value in weight.flat}
    of_words = {kind for kind in (0, 1) if merges == text_encoder(kind)[1].tokenizer.merges}
    assert of_words
    return of_weights | of_words | {int(network.name[-1])}


def without_backend(network):
    """Its weights as bytes already: a process that was forked had better not call TensorFlow or JAX."""
    content = bytes(weights_in_memory(network))
    network.save_weights = lambda filepath, **options: write_bytes(filepath, content)
    return network


if __name__ == "__main__":
    both = [text_encoder(kind) for kind in (0, 1)]
    both = [(without_backend(network), preprocessor) for network, preprocessor in both]
    save_preset(both[0][0], sys.argv[1], preprocessor=both[0][1])
    for number, _ in enumerate(sys.stdin):
        child = os.fork()
        if child == 0:
            for turn in range(10_000):
                network, preprocessor = both[(turn + number + 1) % 2]
                save_preset(network, sys.argv[1], preprocessor=preprocessor)
            time.sleep(600)
        print(child, flush=True)
        os.waitpid(child, 0)
