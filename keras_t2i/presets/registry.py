"""Where presets are found, and what is checked before one is opened.

This file and saving.py hold all imports of KerasHub's private preset module: it has no public way to
register a preset.
"""

import difflib
import hashlib
import inspect
import itertools
import json
from pathlib import Path

import keras
import keras_hub
from keras_hub.src.utils import preset_utils

from keras_t2i.presets.saving import PRESET_FILES
from keras_t2i.utils.files import current_set

PACKAGED = Path(__file__).parent / "packaged"
OPTIONS_OF_ALL = {"dtype", "name", "trainable"}
TRUSTED_MODULES = {"keras", "keras_hub", "keras_t2i", "builtins"}

_packaged = set()


def register_packaged_presets():
    """Make each folder of `packaged` that holds a config.json a preset known by its name.

    To be called after the classes are registered with Keras; KerasHub's own `from_preset` knows the
    names too. Presets of classes that are not registered yet are left for a later call.
    """
    for config_file in sorted(PACKAGED.glob("*/config.json")):
        config = json.loads(config_file.read_text(encoding="utf-8"))
        known = keras.saving.get_registered_object(config.get("registered_name"))
        if known is None or config_file.parent.name in _packaged:
            continue
        metadata_file = config_file.with_name("metadata.json")
        metadata = json.loads(metadata_file.read_text(encoding="utf-8")) if metadata_file.exists() else {}
        entry = {
            "metadata": {"params": metadata.get("parameter_count"), "path": "keras_t2i"},
            "kaggle_handle": str(config_file.parent),  # KerasHub's word for any location, here a folder
        }
        name = config_file.parent.name
        preset_utils.register_presets({name: entry}, preset_utils.check_config_class(config))
        _packaged.add(name)


def find_preset(preset, cls, check_class=True):
    """Check that `cls` can be opened from a preset, without building anything.

    Args:
        preset: a registered name, a folder (`str` or `pathlib.Path`), or a `scheme://` handle.
        cls: a Backbone, Task, Preprocessor or Tokenizer class.
        check_class: whether the preset must hold the network of that class.

    Returns:
        str, what KerasHub's `from_preset` understands.

    Raises:
        TypeError: `preset` is neither text nor a path.
        ValueError: there is no such preset, it holds a network of another class, or its config
            names a class from outside Keras, KerasHub and this package that is not registered.
    """
    if not isinstance(preset, str | Path):
        raise TypeError(
            f"preset must be a name, a folder or a handle, got {type(preset).__name__}: {preset!r}"
        )
    if isinstance(preset, Path) or not ("://" in preset or preset in _packaged or preset in cls.presets):
        folder = Path(preset).expanduser()
        if not folder.is_dir():
            raise ValueError(_unknown(preset, cls))
        folder = current_set(folder)
        if not (folder / preset_utils.CONFIG_FILE).is_file():
            raise ValueError(f"The folder {folder} is not a preset: it has no {preset_utils.CONFIG_FILE}.")
        preset = str(folder)

    for file in (
        preset_utils.CONFIG_FILE,
        preset_utils.TASK_CONFIG_FILE,
        preset_utils.PREPROCESSOR_CONFIG_FILE,
        preset_utils.TOKENIZER_CONFIG_FILE,
    ):
        if file == preset_utils.CONFIG_FILE or preset_utils.check_file_exists(preset, file):
            check_config(preset_utils.load_json(preset, file), f"{preset}: {file}")

    if not check_class:
        return preset
    config = preset_utils.load_json(preset, preset_utils.CONFIG_FILE)
    found = preset_utils.check_config_class(config) if "registered_name" in config else None
    # KerasHub opens a preset of a task's subclass as that subclass.
    tasks = [cls, *preset_utils.list_subclasses(cls)]
    wanted = [getattr(task, "backbone_cls", None) or task for task in tasks]
    if not (inspect.isclass(found) and issubclass(found, tuple(wanted))):
        held = config.get("class_name", "another kind of model")
        raise ValueError(f"The preset {preset} holds a {held}; {cls.__name__} needs a {wanted[0].__name__}.")
    return preset


def preset_fingerprint(preset):
    """A digest of the files of a preset: another one once it is trained anew or changed.

    Args:
        preset: a registered name, a folder, or a `scheme://` handle, of any class.

    Returns:
        str of hexadecimal digits. The card and the date of saving do not count.
    """
    if preset in preset_utils.BUILTIN_PRESETS or "://" in str(preset):
        preset = str(preset)
    else:
        preset = str(current_set(Path(preset).expanduser()))
    names = [name for name in PRESET_FILES if name != preset_utils.METADATA_FILE]
    names = [name for name in names if preset_utils.check_file_exists(preset, name)]
    if preset_utils.SHARDED_MODEL_WEIGHTS_CONFIG_FILE in names:
        index = preset_utils.load_json(preset, preset_utils.SHARDED_MODEL_WEIGHTS_CONFIG_FILE)
        parts = [[part] if isinstance(part, str) else part for part in index["weight_map"].values()]
        names += sorted(set(itertools.chain(*parts)))
    whole = hashlib.sha256()
    for name in names:
        with Path(preset_utils.get_file(preset, name)).open("rb") as file:
            whole.update(f"{name} {hashlib.file_digest(file, 'sha256').hexdigest()}\n".encode())
    return whole.hexdigest()


def load_part(cls, preset, options):
    """A Preprocessor or Tokenizer class's object out of a preset of any model.

    KerasHub ties each to one Backbone class; here the generator and the dual encoder share theirs.
    """
    check_options(cls, options)
    is_tokenizer = issubclass(cls, keras_hub.tokenizers.Tokenizer)
    preset = find_preset(preset, cls, check_class=False)
    file = preset_utils.TOKENIZER_CONFIG_FILE if is_tokenizer else preset_utils.PREPROCESSOR_CONFIG_FILE
    if not preset_utils.check_file_exists(preset, file):
        raise ValueError(f"The preset {preset} holds no text preparation: it has no {file}.")
    loader = preset_utils.get_preset_loader(preset)
    return loader.load_tokenizer(cls, **options) if is_tokenizer else loader.load_preprocessor(cls, **options)


def check_options(cls, options, allowed=None):
    """Raise a TypeError if `options` holds a name that `cls` doesn't take: KerasHub would ignore it."""
    if allowed is None:
        # A subclass hands on what it does not name itself to the class that it is made of.
        classes = [cls, *(base for base in cls.__mro__ if base.__module__.startswith("keras_t2i."))]
        parameters = [p for c in classes for p in inspect.signature(c.__init__).parameters.values()]
        kinds = {inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY}
        allowed = (OPTIONS_OF_ALL | {p.name for p in parameters if p.kind in kinds}) - {"self"}
    unknown = sorted(set(options) - set(allowed))
    if unknown:
        raise TypeError(
            f"{cls.__name__}.from_preset has no option {', '.join(map(repr, unknown))}; "
            f"it has: load_weights, {', '.join(sorted(allowed))}."
        )


def check_config(config, where):
    """Refuse a config that would make Keras run something from outside the libraries it belongs to.

    A class is accepted if it comes from Keras, KerasHub or this package, or if the person has already
    registered it with Keras; code stored in the config (`Lambda`) never is.
    """
    if isinstance(config, list):
        for part in config:
            check_config(part, where)
    if not isinstance(config, dict):
        return
    if "class_name" in config and "config" in config:
        name, module = config["class_name"], str(config.get("module") or "builtins")
        registered = keras.saving.get_registered_object(config.get("registered_name") or name)
        if name in ("Lambda", "__lambda__"):
            raise ValueError(f"{where} stores code ({name}); such a preset is not opened.")
        if registered is None and module.split(".")[0] not in TRUSTED_MODULES:
            raise ValueError(
                f"{where} asks for {module}.{name}, which is not registered with Keras. If you trust it, "
                "import the package that registers it first."
            )
    for part in config.values():
        check_config(part, where)


def _unknown(preset, cls):
    known = sorted(cls.presets or _packaged)
    close = difflib.get_close_matches(str(preset), known, n=1)
    hint = f" Did you mean {close[0]!r}?" if close else ""
    return (
        f"There is no preset {str(preset)!r}.{hint} {cls.__name__} has: {', '.join(known) or 'none'}. A "
        'folder that holds a preset can be given too, or "hf://user/model", "kaggle://user/model/keras/variant".'
    )
