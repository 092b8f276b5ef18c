"""Writing a preset: whole or not at all, and if wished at half the size."""

import os
import shutil
from pathlib import Path

import h5py
import keras_hub
import numpy as np
from keras_hub.src.utils import preset_utils

ZEROED_BITS = {"float16": 0, "bfloat16": 3}  # float16 has 10 bits behind the point, bfloat16 has 7

_being_written = set()  # a task saves its backbone into the folder it is itself being written to


def save_preset(model, folder, weights_dtype="float32", card=None, preprocessor=None, max_shard_size=10):
    """Save a Backbone or Task in KerasHub's preset format.

    Everything is written to a folder beside the target and renamed at the end, so what is there is
    a whole preset, the old or the new one. Prints nothing.

    Args:
        model: a `Backbone` or a `Task`; a task brings its preprocessor.
        folder: `str` or `pathlib.Path`. An earlier preset there is replaced.
        weights_dtype: `"float32"`; `"float16"` for half the size (relative precision 5e-4); `"bfloat16"` for
            two fifths (4e-3), as float16 whose last bits are zero: HDF5 has no bfloat16. A model loads in its
            own dtype either way.
        card: text for README.md, or `None`.
        preprocessor: saved with a backbone, so that a preset of text encoders brings its tokenizer.
        max_shard_size: GB a weights file may have.

    Raises:
        FileExistsError: `folder` holds files that are not a preset's.
        ValueError: a weight doesn't fit into float16, or `weights_dtype` is another one.
    """
    if weights_dtype not in ("float32", *ZEROED_BITS):
        raise ValueError(f'weights_dtype must be "float32", "float16" or "bfloat16", got {weights_dtype!r}')
    folder = Path(folder).expanduser().absolute()
    if folder in _being_written:
        preset_utils.get_preset_saver(str(folder)).save_backbone(model, max_shard_size=max_shard_size)
        return
    if folder.exists() and not _may_replace(folder):
        raise FileExistsError(f"{folder} is not empty and not a preset: choose another folder.")

    temporary = folder.with_name(f".{folder.name}.{os.getpid()}.partial")
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir(parents=True)
    _being_written.add(temporary)
    try:
        saver = preset_utils.get_preset_saver(str(temporary))
        if isinstance(model, keras_hub.models.Task):
            saver.save_task(model, max_shard_size=max_shard_size)
        else:
            saver.save_backbone(model, max_shard_size=max_shard_size)
            if preprocessor is not None:
                saver.save_preprocessor(preprocessor)
        if weights_dtype != "float32":
            for file in temporary.glob("*.weights.h5"):
                to_float16(file, ZEROED_BITS[weights_dtype])
        if card is not None:
            (temporary / preset_utils.README_FILE).write_text(card, encoding="utf-8")
        _replace(temporary, folder)
    finally:
        _being_written.discard(temporary)
        shutil.rmtree(temporary, ignore_errors=True)


def to_float16(file, zeroed_bits=0):
    """Rewrite a `.weights.h5` file so that its floating-point numbers take two bytes.

    Args:
        file: path.
        zeroed_bits: int, how many of the last bits are rounded away, so that packing takes less.

    Raises:
        ValueError: a number is too large for float16 (65,504), or is not finite; names where.
    """
    file = Path(file)
    temporary = file.with_name(file.name + ".partial")
    with h5py.File(file) as source, h5py.File(temporary, "w", libver="latest") as target:
        target.attrs.update(source.attrs)

        def copy(name, item):
            if isinstance(item, h5py.Group):
                copied = target.require_group(name)
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
    temporary.replace(file)


def rounded(values, bits):
    """float16 numbers to the nearest whose last `bits` bits are zero (ties away from zero)."""
    if not bits:
        return values
    whole = np.atleast_1d(values).view("uint16") + np.uint16(1 << (bits - 1))
    return (whole & np.uint16(0x10000 - (1 << bits))).view("float16").reshape(np.shape(values))


def _may_replace(folder):
    return folder.is_dir() and ((folder / preset_utils.CONFIG_FILE).is_file() or not any(folder.iterdir()))


def _replace(temporary, folder):
    if not folder.exists():
        temporary.replace(folder)
        return
    old = folder.with_name(f".{folder.name}.{os.getpid()}.old")
    folder.replace(old)
    temporary.replace(folder)
    shutil.rmtree(old, ignore_errors=True)
