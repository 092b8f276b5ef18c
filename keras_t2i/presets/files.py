"""The files of a preset, looked at before they are read: regular, of a sane size, what they claim to be."""

import json
import re
import stat
from pathlib import Path
from typing import NamedTuple

from keras_hub.src.utils import preset_utils

from keras_t2i.presets.errors import PresetError
from keras_t2i.utils.folders import read_text

CONFIGS = (
    preset_utils.CONFIG_FILE,
    preset_utils.TASK_CONFIG_FILE,
    preset_utils.PREPROCESSOR_CONFIG_FILE,
    preset_utils.TOKENIZER_CONFIG_FILE,
)
VOCABULARY = f"{preset_utils.TOKENIZER_ASSET_DIR}/vocabulary.json"
MERGES = f"{preset_utils.TOKENIZER_ASSET_DIR}/merges.txt"
NEAREST_WORDS = f"{preset_utils.TOKENIZER_ASSET_DIR}/nearest_words.json"  # not all have them
WEIGHTS = (preset_utils.MODEL_WEIGHTS_FILE, preset_utils.TASK_WEIGHTS_FILE)
SHARDS = preset_utils.SHARDED_MODEL_WEIGHTS_CONFIG_FILE  # which of several files each array is in
PRESET_FILES = (*CONFIGS, preset_utils.METADATA_FILE, *WEIGHTS, SHARDS, VOCABULARY, MERGES, NEAREST_WORDS)
SHARD = re.compile(r"model_\d+\.weights\.h5")

DEEPEST = 64  # levels of nesting; a generator's config has 20
LARGEST_NUMBER = 10**7  # of a whole number in a config; the largest size that is asked for is a vocabulary's


class PresetFiles(NamedTuple):
    """Where the files of a preset lie on this machine.

    name: str, as the preset was asked for; folder: `Path`.
    """

    name: str
    folder: Path

    def has(self, file):
        """Whether there is such a file.

        Raises: PresetError where something that is no regular file has its name.
        """
        path = self.folder / file
        try:
            mode = path.stat().st_mode
        except (FileNotFoundError, NotADirectoryError):
            if path.is_symlink():
                raise self.error(file, "it is a link to what is not there") from None
            return False
        except (OSError, ValueError) as error:  # a circle of links, no permission
            raise self.error(file, f"it cannot be read ({error})") from None
        if not stat.S_ISREG(mode):
            kind = "a folder" if stat.S_ISDIR(mode) else "a device, a pipe or a socket"
            raise self.error(file, f"it is {kind} and not a regular file")
        return True

    def path(self, file):
        """The `Path` of a file that is there, and regular.

        Raises: PresetError.
        """
        if not self.has(file):
            raise self.error(file, "it is missing")
        return self.folder / file

    def text(self, file):
        """The text of a file.

        Raises: PresetError where it is missing, no regular file, too large, or not UTF-8.
        """
        try:
            return read_text(self.path(file))
        except UnicodeDecodeError as error:
            raise self.error(file, f"it is no text in UTF-8 ({error})") from None
        except OSError as error:
            raise self.error(file, f"it cannot be read: {error}") from None

    def json(self, file):
        """The dict in a file of JSON.

        Raises: PresetError as of `text`, and where it holds something else.
        """
        try:
            content = json.loads(self.text(file))
        except PresetError:
            raise
        except RecursionError:
            raise self.error(file, "it is nested too deeply") from None
        except ValueError as error:
            raise self.error(file, f"it is no JSON ({error})") from None
        if not isinstance(content, dict):
            raise self.error(file, f"it must hold a JSON object, got {type(content).__name__}")
        return content

    def weight_files(self):
        """Names of the files that the network's weights are in: one, or the parts of it; none.

        Raises: PresetError where the list of parts is damaged, names a file of another place, or one that is
            not there.
        """
        if self.has(preset_utils.MODEL_WEIGHTS_FILE):
            return [preset_utils.MODEL_WEIGHTS_FILE]
        if not self.has(SHARDS):
            return []
        places = self.json(SHARDS).get("weight_map")
        if not isinstance(places, dict):
            raise self.error(SHARDS, "it has no weight_map that says which file each array is in")
        parts = [
            part for value in places.values() for part in (value if isinstance(value, list) else [value])
        ]
        for part in parts:
            if not (isinstance(part, str) and SHARD.fullmatch(part)):
                raise self.error(SHARDS, f"it names {part!r:.80}, which is no part of a preset's weights")
        for part in sorted(set(parts)):
            self.path(part)
        return sorted(set(parts))

    def error(self, file, reason):
        return PresetError(self.name, file, reason)
