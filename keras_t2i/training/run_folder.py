"""A run's folder: whose it is, what is removed to begin again, and what must be the same to go on."""

import json
from pathlib import Path

import keras

from keras_t2i._version import __version__
from keras_t2i.models.text.tokenizer import CaptionTokenizer
from keras_t2i.presets.registry import preset_fingerprint
from keras_t2i.utils.files import PARTIAL
from keras_t2i.utils.files import Manifest
from keras_t2i.utils.files import expanded
from keras_t2i.utils.files import move_file
from keras_t2i.utils.files import staged_folder
from keras_t2i.utils.files import sweep
from keras_t2i.utils.folders import contains

SETTINGS = "state/settings.json"
STATE = "state/state.weights.h5"
WRITTEN = "state/written.jsonl"  # the list of what the run wrote
TOKENIZER = "state/tokenizer"
CARD = "preset/README.md"  # in which a person may have written, and which the new run brings up to date


def is_run(folder):
    """Whether a run of this package is in a folder: `state/settings.json` has what each run writes there."""
    try:
        settings = json.loads((Path(folder) / SETTINGS).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(settings, dict) and {"backend", "steps_per_epoch"} <= settings.keys()


def open_run(folder, restart=False, presets=()):
    """Make a folder ready for a run, or for going on; from now on what is written there is listed.

    Args:
        folder: path; made if need be. Files of others may lie in it, and stay.
        restart: remove what an earlier run wrote there, by its list, and nothing else.
        presets: what the new run begins from, as of `train`.

    Raises:
        ValueError: `folder` is no folder; its settings are another's or damaged; or `restart` with files that
            are of no run, or that are a preset which the new run begins from.
    """
    folder = Path(folder)
    if folder.exists() and not folder.is_dir():
        raise ValueError(f"{folder} is a file, so no run can be written there: give another --output")
    there = [entry.name for entry in folder.iterdir()] if folder.exists() else []
    if not is_run(folder) and (folder / SETTINGS).exists():
        raise ValueError(
            f"{folder / SETTINGS} is damaged, or of another program. Delete the folder {folder / 'state'} to "
            "begin anew, or give another --output"
        )
    own = [p for p in presets if p and expanded(p).is_dir() and contains(folder, p)]
    if restart and own:
        raise ValueError(f"--restart would remove {own[0]}, which the run begins from: give another --output")
    if restart and is_run(folder):
        Manifest(folder, WRITTEN).remove(last=[STATE, "state/state.sha256", SETTINGS], keep=[CARD])
    elif restart and not all(PARTIAL.fullmatch(name) for name in there):
        raise ValueError(
            f"--restart removes what a run wrote, and {folder} holds no run (it has no {SETTINGS}) but other "
            f"files, such as {min(there)}. Give another --output, or leave --restart out to begin beside them"
        )
    for part in (folder, folder / "state", folder / "pictures", folder / "snapshots"):
        sweep(part)
    return Manifest(folder, WRITTEN)


def resume_key(settings, pipeline, validation=None, presets=()):
    """All that must be the same for a run to be gone on with: settings, versions, data, presets.

    Args:
        settings: dict, JSON-able.
        pipeline, validation: `Pipeline` or `None`.
        presets: names, folders or handles of the presets that went into the objective.
    """
    key = {
        **settings,
        "backend": keras.config.backend(),
        "steps_per_epoch": len(pipeline),
        "keras_t2i": __version__,
        "keras": keras.__version__,
        "training data": pipeline.fingerprint(),
        "presets": {str(preset): preset_fingerprint(preset) for preset in presets if preset},
    }
    return key if validation is None else {**key, "validation data": validation.fingerprint()}


def keep_tokenizer(folder, preprocessor):
    """Store the tokenizer of a new run, if it has one, in the run's state."""
    tokenizer = getattr(preprocessor, "tokenizer", None)
    if not isinstance(tokenizer, CaptionTokenizer):
        return
    with staged_folder(Path(folder) / TOKENIZER) as staged:
        tokenizer.save_assets(str(staged))
        for file in sorted(staged.iterdir()):
            move_file(file, Path(folder) / TOKENIZER / file.name)


def run_tokenizer(folder, captions, vocabulary_size, restart=False):
    """The tokenizer of the run in `folder`, where one is to be gone on with; else one learned from captions.

    `train` stores it. Learned again, from captions that changed, the same embeddings would get other words.

    Args:
        folder: of the run.
        captions, vocabulary_size: as of `CaptionTokenizer.learn`.
        restart: learn anew, whatever is there.

    Raises: ValueError where the stored one is damaged.
    """
    stored = Path(folder) / TOKENIZER
    if restart or not ((Path(folder) / STATE).exists() and stored.is_dir()):
        return CaptionTokenizer.learn(captions, vocabulary_size=vocabulary_size)
    tokenizer = CaptionTokenizer()
    try:
        tokenizer.load_assets(str(stored))
    except Exception as error:  # JSON, a missing file, or the tokenizer's own
        raise ValueError(
            f"The tokenizer of the run, in {stored}, is damaged ({error}). Restore it from a copy, use "
            "--restart to begin again, or give another --output"
        ) from error
    return tokenizer
