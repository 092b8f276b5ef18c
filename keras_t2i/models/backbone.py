"""What every network of this package shares: opening and saving presets, and networks made of networks."""

import math
import os
from pathlib import Path

import keras
import keras_hub

from keras_t2i.presets.registry import check_options
from keras_t2i.presets.registry import opening
from keras_t2i.presets.saving import save_preset
from keras_t2i.utils.files import check_room
from keras_t2i.utils.files import weights_in_memory
from keras_t2i.utils.files import write_bytes


class Backbone(keras_hub.models.Backbone):
    """A `keras_hub.models.Backbone` whose presets are checked when opened and written whole or not at all.

    A subclass made of other backbones names them in `nested`; it then takes each (one, or a list of them) as
    an argument and an attribute of that name, and `get_config` and `from_config` here store and restore them.
    A nested backbone is restored in the dtype of the outer one, so `from_preset(..., dtype="bfloat16")`
    reaches all of them.
    """

    nested = ()

    def get_config(self):
        config = super().get_config()
        return {**config, **{name: _serialize(getattr(self, name)) for name in self.nested}}

    @classmethod
    def from_config(cls, config):
        config = dict(config)
        dtype = config.get("dtype")
        if isinstance(dtype, dict) and dtype.get("class_name") == "DTypePolicyMap":
            forwarded = {}  # quantised: each nested network keeps the dtypes it was saved with
        else:
            forwarded = {"dtype": dtype}
        for name in cls.nested:
            config[name] = _deserialize(config.get(name), forwarded)
        return super().from_config(config)

    @classmethod
    def from_preset(cls, preset, load_weights=True, **options):
        """Open a preset.

        Args:
            preset: a name out of `cls.presets` (packaged: no network), a folder (`str` or
                `pathlib.Path`), or `"hf://user/model"`, `"kaggle://user/model/keras/variant"`.
            load_weights: `False` leaves the weights as they are initialised.
            **options: `dtype`, `name`, `trainable`, or an argument of the class in place of the
                stored one.

        Raises:
            PresetError: a ValueError: no such preset (the message lists the known ones), it holds another
                class, or one of its files is damaged; it names the preset, the file and the reason.
            TypeError: an option that the class doesn't have.
        """
        check_options(cls, options)
        with opening(preset, cls, load_weights, options) as folder:
            return super().from_preset(folder, load_weights, **options)

    def save_to_preset(self, preset_dir, max_shard_size=10, *, weights_dtype="float32", card=None):
        """Save config and weights in a folder: see `keras_t2i.presets.saving.save_preset`."""
        save_preset(self, preset_dir, weights_dtype, card=card, max_shard_size=max_shard_size)

    def save_weights(self, filepath, overwrite=True, max_shard_size=None):
        """As Keras' method. A single file is there whole or not at all, and a full disk raises an OSError.

        For parts of a file (`max_shard_size`), which Keras writes itself, room is looked for first.
        """
        if max_shard_size is not None:
            needed = sum(math.prod(v.shape) * 4 for v in self.variables)
            check_room(Path(filepath).parent, needed)
        is_file = isinstance(filepath, str | os.PathLike) and str(filepath).endswith(".weights.h5")
        if is_file and overwrite and max_shard_size is None:
            write_bytes(filepath, weights_in_memory(self))
        else:
            super().save_weights(filepath, overwrite, max_shard_size)


def _serialize(part):
    """A backbone, a list of them, or `None`, as a config."""
    return [_serialize(one) for one in part] if isinstance(part, list) else keras.layers.serialize(part)


def _deserialize(part, forwarded):
    """What `_serialize` gave, with `forwarded` in the config of each; what is no config stays as it is."""
    if isinstance(part, list):
        return [_deserialize(one, forwarded) for one in part]
    if not isinstance(part, dict):
        return part
    return keras.layers.deserialize({**part, "config": {**part["config"], **forwarded}})
