"""A generator's preset, as the evaluation takes it."""

from keras_t2i.models import Generator
from keras_t2i.presets.registry import find_preset
from keras_t2i.utils.annotations import Place


class Candidate:
    """What `Evaluation.evaluate` draws with.

    Args:
        preset: of a generator: name, folder or handle.

    Attributes:
        folder: path of the preset's files.
        facts: dict of what a report says of it beside its scores.

    Raises: PresetError for an unknown preset, or a damaged one.
    """

    kind = "generator"

    def __init__(self, preset: Place) -> None:
        self.name, self.folder = str(preset), find_preset(preset, Generator).folder
        self.generator = Generator.from_preset(preset)
        self.generate = self.generator.generate
        self.text = type(self.generator).__name__ + " preset."
        self.facts = {"parameters": self.generator.backbone.count_params()}
        if self.folder.is_dir():
            bytes_of_files = (file.stat().st_size for file in self.folder.rglob("*") if file.is_file())
            self.facts["megabytes"] = sum(bytes_of_files) / 1e6
