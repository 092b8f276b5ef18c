"""Writing a preset: whole or not at all, and if wished at half the size."""

import io
import os
import re
from pathlib import Path

import h5py
import keras
import keras_hub
import numpy as np
from keras_hub.src.utils import preset_utils

from keras_t2i.presets.files import PRESET_FILES
from keras_t2i.presets.files import SHARD
from keras_t2i.utils.files import PARTIAL
from keras_t2i.utils.files import expanded
from keras_t2i.utils.files import replace_set
from keras_t2i.utils.files import staged_folder
from keras_t2i.utils.files import write_bytes
from keras_t2i.utils.files import write_text
from keras_t2i.utils.folders import check_ours

ZEROED_BITS = {"float16": 0, "bfloat16": 3}  # float16 has 10 bits behind the point, bfloat16 has 7
OF_NOBODY = re.compile(rf"\.git\w*|README\.md|LICEN[CS]E(\.\w+)?|{PARTIAL.pattern}")  # a new repository

_being_written = set()  # a task saves its backbone into the folder it is itself being written to


def save_preset(model, folder, weights_dtype="float32", card=None, preprocessor=None, max_shard_size=10):
    """Save a Backbone or Task in KerasHub's preset format.

    An earlier preset in the folder is replaced file by file; other files there, such as those of git, a
    person's README.md (unless there is a `card`) or sources, stay. Links to the folder are followed.

    At any moment, a kill leaves the old preset or the new one, whole, for `from_preset` of this package: see
    `keras_t2i.utils.files.replace_set`. For a reader that is not of this package, such as
    `keras_hub.models.Backbone.from_preset`, a kill in the few milliseconds in which files are put in their
    places can leave a folder without config.json, which it refuses; never files of both. Saving again mends
    that. Prints nothing.

    Args:
        model: a `Backbone` or a `Task`; a task brings its preprocessor.
        folder: `str` or `pathlib.Path`.
        weights_dtype: `"float32"`; `"float16"` for half the size (relative precision 5e-4); `"bfloat16"` for
            two fifths (4e-3), as float16 whose last bits are zero: HDF5 has no bfloat16. A model loads in its
            own dtype either way.
        card: text for README.md, or `None`.
        preprocessor: saved with a backbone, so that a preset of text encoders brings its tokenizer.
        max_shard_size: GB a weights file may have.

    Raises:
        FileExistsError: `folder` holds something, and no preset of this package; files of git, a README.md
            and a licence do not count.
        OSError: the disk is full, or nothing can be written there.
        ValueError: a weight doesn't fit into float16, or `weights_dtype` is another one.
    """
    if weights_dtype not in ("float32", *ZEROED_BITS):
        raise ValueError(f'weights_dtype must be "float32", "float16" or "bfloat16", got {weights_dtype!r}')
    folder = Path(os.path.realpath(expanded(folder)))
    if folder in _being_written:
        preset_utils.get_preset_saver(str(folder)).save_backbone(model, max_shard_size=max_shard_size)
        return
    _check_is_ours(folder, model)
    with staged_folder(folder) as staged:
        _being_written.add(staged)
        try:
            saver = preset_utils.get_preset_saver(str(staged))
            if isinstance(model, keras_hub.models.Task):
                saver.save_task(model, max_shard_size=max_shard_size)
            else:
                saver.save_backbone(model, max_shard_size=max_shard_size)
                if preprocessor is not None:
                    saver.save_preprocessor(preprocessor)
        finally:
            _being_written.discard(staged)
        if weights_dtype != "float32":
            for file in staged.glob("*.weights.h5"):
                to_float16(file, ZEROED_BITS[weights_dtype])
        if card is not None:
            write_text(staged / preset_utils.README_FILE, card)
        inert = {preset_utils.README_FILE, preset_utils.METADATA_FILE}
        replace_set(folder, staged, own=preset_files, index=preset_utils.CONFIG_FILE, inert=inert)


def preset_files(folder):
    """The files in a preset's folder that make the preset, relative names; not its README.md."""
    folder = Path(folder)
    shards = [file.name for file in folder.glob("model_*.weights.h5") if SHARD.fullmatch(file.name)]
    return [name for name in PRESET_FILES if (folder / name).is_file()] + shards


def to_float16(file, zeroed_bits=0):
    """Rewrite a `.weights.h5` file so that its floating-point numbers take two bytes.

    Args:
        file: path.
        zeroed_bits: int, how many of the last bits are rounded away, so that packing takes less.

    Raises:
        ValueError: a number is too large for float16 (65,504), or is not finite; names where.
    """
    file, memory, untimed = Path(file), io.BytesIO(), h5py.h5p.create(h5py.h5p.GROUP_CREATE)
    untimed.set_obj_track_times(False)
    with h5py.File(file) as source, _file_in(memory) as target:
        target.attrs.update(source.attrs)

        def copy(name, item):
            if isinstance(item, h5py.Group):
                copied = h5py.Group(h5py.h5g.create(target.id, name.encode(), gcpl=untimed))
            else:
                value = item[()]
                if np.issubdtype(item.dtype, np.floating):
                    with np.errstate(over="ignore"):
                        value = rounded(value.astype("float16"), zeroed_bits)
                    if not np.isfinite(value).all():
                        raise ValueError(f"{file.name}: {name} does not fit into float16")
                packed = (
                    {"compression": "gzip", "compression_opts": 9, "shuffle": True}
                    if item.size > 1000
                    else {}
                )
                copied = target.create_dataset(name, data=value, **packed)
            copied.attrs.update(item.attrs)

        source.visititems(copy)
    write_bytes(file, memory.getbuffer())


def _file_in(memory):
    """An HDF5 file of the newest, smallest form that holds no times: the same weights are the same bytes."""
    access, creation = (h5py.h5p.create(kind) for kind in (h5py.h5p.FILE_ACCESS, h5py.h5p.FILE_CREATE))
    access.set_libver_bounds(h5py.h5f.LIBVER_LATEST, h5py.h5f.LIBVER_LATEST)
    access.set_fileobj_driver(h5py.h5fd.fileobj_driver, memory)
    creation.set_obj_track_times(False)
    return h5py.File(h5py.h5f.create(b"in memory", h5py.h5f.ACC_TRUNC, creation, access))


def rounded(values, bits):
    """float16 numbers to the nearest whose last `bits` bits are zero (ties away from zero)."""
    if not bits:
        return values
    whole = np.atleast_1d(values).view("uint16") + np.uint16(1 << (bits - 1))
    return (whole & np.uint16(0x10000 - (1 << bits))).view("float16").reshape(np.shape(values))


def _check_is_ours(folder, model):
    """Raise a FileExistsError if a preset must not be put into this folder, as what is there is another's."""
    mine = keras.saving.get_registered_name(type(getattr(model, "backbone", model)))

    def is_ours(config):
        name = config["registered_name"]
        return isinstance(name, str) and (name.startswith("keras_t2i>") or name == mine)

    check_ours(folder, preset_utils.CONFIG_FILE, is_ours, "not a preset of keras_t2i", OF_NOBODY)
