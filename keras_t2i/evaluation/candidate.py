"""A generator's preset, as the evaluation takes it."""

from pathlib import Path

from keras_t2i.models import Generator
from keras_t2i.presets.registry import PACKAGED
from keras_t2i.presets.registry import find_preset


class Candidate:
    """What `Evaluation.evaluate` draws with.

    Args:
        preset: of a generator: name, folder or handle.

    Attributes:
        folder: path of the preset's files; there may be none, for a handle.
        facts: dict of what a report says of it beside its scores.

    Raises: ValueError for an unknown preset.
    """

    kind = "generator"

    def __init__(self, preset):
        self.name, found = str(preset), find_preset(preset, Generator)
        self.folder = PACKAGED / found if (PACKAGED / found).is_dir() else Path(found)
        self.generator = Generator.from_preset(preset)
        self.generate = self.generator.generate
        self.text = type(self.generator).__name__ + " preset."
        self.facts = {"parameters": self.generator.backbone.count_params()}
        if self.folder.is_dir():
            bytes_of_files = (file.stat().st_size for file in self.folder.rglob("*") if file.is_file())
            self.facts["megabytes"] = sum(bytes_of_files) / 1e6
