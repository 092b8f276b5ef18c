"""The words of a preset's tokenizer, held against themselves and the network before either is built."""

from keras_t2i.presets.files import MERGES
from keras_t2i.presets.files import VOCABULARY


def check_vocabulary(configs, files):
    """See that pieces have numbers, merges make pieces, and each piece has its row in the embedding.

    Args:
        configs: dict, the configs of the preset by their files' names.
        files: `PresetFiles`.

    Raises: PresetError where it is not so, or one of the two files is missing.
    """
    if not (files.has(VOCABULARY) or files.has(MERGES)):
        return
    vocabulary = files.json(VOCABULARY)
    for piece, number in vocabulary.items():
        if type(number) is not int or not 0 <= number < len(vocabulary):
            raise files.error(VOCABULARY, f"{piece!r:.40} has {number!s:.40}, which is not its number")
    for line, merge in enumerate(files.text(MERGES).splitlines(), 1):
        left, space, right = merge.partition(" ")
        whole = left + right
        is_merge = space and {left, right, whole} <= vocabulary.keys()
        if not is_merge and not (line == 1 and merge.startswith("#version")):
            raise files.error(MERGES, f"line {line}, {merge!r:.40}, is not two pieces of {VOCABULARY}")
    rows = [rows for config in configs.values() for rows in _embeddings(config)]
    if rows and len(vocabulary) > min(rows):
        raise files.error(
            VOCABULARY, f"it has {len(vocabulary)} pieces, the network's embedding has rows for {min(rows)}"
        )


def _embeddings(config):
    """How many rows each embedding of words in a config has."""
    if isinstance(config, dict) and type(config.get("vocabulary_size")) is int:
        yield config["vocabulary_size"]
    parts = config.values() if isinstance(config, dict) else config if isinstance(config, list) else ()
    for part in parts:
        yield from _embeddings(part)
