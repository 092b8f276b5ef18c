"""Where presets are found, and what is checked before one is opened.

The files of this room hold all imports of KerasHub's private preset module: it has no public way to
register a preset.
"""

import contextlib
import difflib
import hashlib
import inspect
import json
from pathlib import Path

import keras
import keras_hub
from keras_hub.src.utils import preset_utils

from keras_t2i.presets.errors import MissingPartError
from keras_t2i.presets.errors import PresetError
from keras_t2i.presets.errors import naming
from keras_t2i.presets.expected_weights import expecting
from keras_t2i.presets.files import CONFIGS
from keras_t2i.presets.files import DEEPEST
from keras_t2i.presets.files import LARGEST_NUMBER
from keras_t2i.presets.files import MERGES
from keras_t2i.presets.files import PRESET_FILES
from keras_t2i.presets.files import SHARDS
from keras_t2i.presets.files import VOCABULARY
from keras_t2i.presets.files import PresetFiles
from keras_t2i.presets.local import local_files
from keras_t2i.presets.network import fetch
from keras_t2i.presets.vocabulary import check_vocabulary
from keras_t2i.presets.weights import check_weights
from keras_t2i.utils.files import current_set
from keras_t2i.utils.files import expanded

PACKAGED = Path(__file__).parent / "packaged"
OPTIONS_OF_ALL = {"dtype", "name", "trainable"}
# What fails within these functions of KerasHub is of these files.
STAGES = (
    (("_load_backbone_weights", "load_weights"), preset_utils.MODEL_WEIGHTS_FILE),
    (("load_task_weights",), preset_utils.TASK_WEIGHTS_FILE),
    (("load_preset_assets", "load_assets"), VOCABULARY),
    (("load_tokenizer",), preset_utils.TOKENIZER_CONFIG_FILE),
    (("load_preprocessor",), preset_utils.PREPROCESSOR_CONFIG_FILE),
    (("load_task",), preset_utils.TASK_CONFIG_FILE),
)
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
        `PresetFiles`, whose folder KerasHub's `from_preset` understands.

    Raises:
        TypeError: `preset` is neither text nor a path.
        PresetError: there is no such preset, a file of it is damaged or no regular file, it holds a network
            of another class, its vocabulary is larger than its network's, or its config names a class from
            outside Keras, KerasHub and this package that is not registered.
    """
    files = locate(preset, cls)
    configs = {}
    for file in CONFIGS:
        if file == preset_utils.CONFIG_FILE or files.has(file):
            configs[file] = files.json(file)
            check_config(configs[file], files, file)
            if "registered_name" in configs[file]:
                registered_class(configs[file], files, file)
    for file in PRESET_FILES:
        files.has(file)
    check_vocabulary(configs, files)

    if not check_class:
        return files
    config = configs[preset_utils.CONFIG_FILE]
    found = registered_class(config, files, preset_utils.CONFIG_FILE) if "registered_name" in config else None
    # KerasHub opens a preset of a task's subclass as that subclass.
    tasks = [cls, *preset_utils.list_subclasses(cls)]
    wanted = [getattr(task, "backbone_cls", None) or task for task in tasks]
    if not (inspect.isclass(found) and issubclass(found, tuple(wanted))):
        held = str(config.get("class_name", "another kind of model"))
        raise files.error(
            preset_utils.CONFIG_FILE, f"it holds a {held:.80}; {cls.__name__} needs a {wanted[0].__name__}."
        )
    return files


def locate(preset, cls=None):
    """Where the files of a preset are, downloaded for a handle; config.json is known to be there.

    Args:
        preset: a registered name, a folder (`str` or `pathlib.Path`), or a `scheme://` handle.
        cls: the class whose presets an unknown name is compared with, or `None`.

    Returns:
        `PresetFiles`.

    Raises: TypeError where it is neither text nor a path, PresetError.
    """
    if not isinstance(preset, str | Path):
        raise TypeError(
            f"preset must be a name, a folder or a handle, got {type(preset).__name__}: {preset!r}"
        )
    place = preset
    if isinstance(preset, str) and preset in {*_packaged, *getattr(cls, "presets", ())}:
        place = preset_utils.BUILTIN_PRESETS.get(preset, {}).get("kaggle_handle", PACKAGED / preset)
    if isinstance(place, str) and "://" in place:
        return fetch(place)
    name = str(preset)
    try:
        folder = expanded(place)
        is_folder = folder.is_dir()
        folder = current_set(folder) if is_folder else folder
    except (OSError, ValueError, RuntimeError) as error:  # a name too long, a NUL, a home that is not known
        raise PresetError(f"{name:.200}", preset_utils.CONFIG_FILE, f"no such folder ({error})") from None
    if not is_folder:
        raise PresetError(name, preset_utils.CONFIG_FILE, _unknown(preset, cls))
    files = PresetFiles(name, folder)
    if not files.has(preset_utils.CONFIG_FILE):
        raise files.error(preset_utils.CONFIG_FILE, f"it is missing: the folder {folder} is not a preset.")
    return files


@contextlib.contextmanager
def opening(preset, cls, load_weights=True, options=()):
    """Open a preset in this block, in which whatever fails is a `PresetError`.

    Args:
        preset, cls: as of `find_preset`.
        load_weights: bool, whether the network gets the stored weights, whose numbers are then looked at.
        options: names of what replaces values of the config. The network has the stored weights' shapes,
            unless it gets none of them and some options.

    Yields:
        str, the folder, which KerasHub's `from_preset` understands.

    Raises: as of `find_preset`.
    """
    files = find_preset(preset, cls)
    arrays = None
    if load_weights and not files.weight_files():
        raise files.error(preset_utils.MODEL_WEIGHTS_FILE, "it is missing, and load_weights is True")
    if load_weights or (files.weight_files() and not set(options) - OPTIONS_OF_ALL):
        arrays = check_weights(files, values=load_weights)
    stages = naming(files.name, preset_utils.CONFIG_FILE, STAGES)
    with stages, expecting(files, arrays, load_weights), local_files():
        yield str(files.folder)


def preset_fingerprint(preset):
    """A digest of the files of a preset: another one once it is trained anew or changed.

    Args:
        preset: a registered name, a folder, or a `scheme://` handle, of any class.

    Returns:
        str of hexadecimal digits. The card and the date of saving do not count.

    Raises: PresetError where there is no such preset, or a file of it is no regular one.
    """
    files = locate(preset)
    names = [name for name in PRESET_FILES if name != preset_utils.METADATA_FILE and files.has(name)]
    if SHARDS in names:
        names += [name for name in files.weight_files() if name not in names]
    whole = hashlib.sha256()
    for name in names:
        with files.path(name).open("rb") as file:
            whole.update(f"{name} {hashlib.file_digest(file, 'sha256').hexdigest()}\n".encode())
    return whole.hexdigest()


def load_part(cls, preset, options):
    """A Preprocessor or Tokenizer class's object out of a preset of any model.

    KerasHub ties each to one Backbone class; here the generator and the dual encoder share theirs.

    Raises: MissingPartError where the preset is one without text preparation.
    """
    check_options(cls, options)
    is_tokenizer = issubclass(cls, keras_hub.tokenizers.Tokenizer)
    files = find_preset(preset, cls, check_class=False)
    file = preset_utils.TOKENIZER_CONFIG_FILE if is_tokenizer else preset_utils.PREPROCESSOR_CONFIG_FILE
    if not files.has(file):
        reason = f"it is missing: the preset holds no text preparation, it has no {file}."
        raise MissingPartError(files.name, file, reason)
    for asset in (VOCABULARY, MERGES):
        files.path(asset)
    with naming(files.name, file, STAGES), local_files():
        loader = preset_utils.get_preset_loader(str(files.folder))
        load = loader.load_tokenizer if is_tokenizer else loader.load_preprocessor
        return load(cls, **options)


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


def check_config(config, files, file, depth=0, key=""):
    """Refuse a config that would make Keras run something from outside the libraries it belongs to, or that
    no network has: nested too deeply, names that are no text, sizes beyond all reason.

    A class is accepted if it comes from Keras, KerasHub or this package, or if the person has already
    registered it with Keras; code stored in the config (`Lambda`) never is.

    Raises: PresetError.
    """
    if depth > DEEPEST:
        raise files.error(file, "it is nested too deeply")
    if isinstance(config, int) and abs(config) >= LARGEST_NUMBER and "seed" not in key:
        raise files.error(file, f"{key} is {config!s:.24}: no network is of such a size")
    if isinstance(config, list):
        for part in config:
            check_config(part, files, file, depth + 1, key)
    if not isinstance(config, dict):
        return
    for name in ("class_name", "module", "registered_name"):
        if not isinstance(config.get(name), str | None):
            raise files.error(file, f"{name} must be text, got {config[name]!r:.80}")
    if "class_name" in config and "config" in config:
        name, module = config["class_name"], config.get("module") or "builtins"
        registered = keras.saving.get_registered_object(config.get("registered_name") or name)
        if name in ("Lambda", "__lambda__"):
            raise files.error(file, f"it stores code ({name}); such a preset is not opened.")
        if registered is None and module.split(".")[0] not in TRUSTED_MODULES:
            raise files.error(
                file,
                f"it asks for {module}.{name}, which is not registered with Keras. If you trust it, "
                "import the package that registers it first.",
            )
    for name, part in config.items():
        check_config(part, files, file, depth + 1, name)


def registered_class(config, files, file):
    """The class that a config is of.

    Raises: PresetError where it is not known.
    """
    name = config["registered_name"]
    if not isinstance(name, str) or not isinstance(config.get("config"), dict):
        raise files.error(file, "it has no registered_name and config of a class, as Keras stores one")
    try:
        return preset_utils.check_config_class(config)
    except ValueError:
        raise files.error(file, f"no class {name!r:.80} is registered with Keras") from None


def _unknown(preset, cls):
    known = sorted(getattr(cls, "presets", None) or _packaged)
    close = difflib.get_close_matches(str(preset), known, n=1)
    hint = f" Did you mean {close[0]!r}?" if close else ""
    whose = f"{cls.__name__} has: " if cls else "There are: "
    return (
        f"There is no preset {str(preset)!r}.{hint} {whose}{', '.join(known) or 'none'}. A "
        'folder that holds a preset can be given too, or "hf://user/model", "kaggle://user/model/keras/variant".'
    )
