"""The words of a preset's tokenizer, held against themselves and the network before either is built."""

from keras_hub.src.utils import preset_utils

from keras_t2i.presets.files import MERGES
from keras_t2i.presets.files import NEAREST_WORDS
from keras_t2i.presets.files import VOCABULARY
from keras_t2i_runtime.captions import is_phrase
from keras_t2i_runtime.captions import is_word


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
    _check_nearest_words(configs.get(preset_utils.TOKENIZER_CONFIG_FILE, {}), files)
    rows = [rows for config in configs.values() for rows in _embeddings(config)]
    if rows and len(vocabulary) > min(rows):
        raise files.error(
            VOCABULARY, f"it has {len(vocabulary)} pieces, the network's embedding has rows for {min(rows)}"
        )


def _check_nearest_words(config, files):
    told = config.get("config", {}).get("nearest_words") if isinstance(config.get("config"), dict) else None
    if told and not files.has(NEAREST_WORDS):
        raise files.error(
            NEAREST_WORDS, f"it is missing, and {preset_utils.TOKENIZER_CONFIG_FILE} tells of it"
        )
    if not files.has(NEAREST_WORDS):
        return
    for word, other in files.json(NEAREST_WORDS).items():
        if not (is_word(word) and is_phrase(other)):
            raise files.error(
                NEAREST_WORDS, f"{word!r:.40} is read as {other!r:.40}, which are not a word and one or more"
            )


def _embeddings(config):
    """How many rows each embedding of words in a config has."""
    if isinstance(config, dict) and type(config.get("vocabulary_size")) is int:
        yield config["vocabulary_size"]
    parts = config.values() if isinstance(config, dict) else config if isinstance(config, list) else ()
    for part in parts:
        yield from _embeddings(part)
