"""What every network of this package shares: opening and saving presets, and networks made of networks."""

import json
import math
import os
import warnings
from pathlib import Path
from typing import Any
from typing import Self

import keras
import keras_hub

from keras_t2i.presets.errors import PresetError
from keras_t2i.presets.registry import check_options
from keras_t2i.presets.registry import opening
from keras_t2i.presets.saving import save_preset
from keras_t2i.utils.annotations import Place
from keras_t2i.utils.annotations import WeightsDtype
from keras_t2i.utils.files import check_room
from keras_t2i.utils.files import weights_in_memory
from keras_t2i.utils.files import write_bytes

ATTENTION = ("places", "words", "output")  # the dense layers of `layers.attention`


class Backbone(keras_hub.models.Backbone):
    """A `keras_hub.models.Backbone` whose presets are checked when opened and written whole or not at all.

    A subclass made of other backbones names them in `nested`; it then takes each (one, or a list of them) as
    an argument and an attribute of that name, and `get_config` and `from_config` here store and restore them.
    A nested backbone is restored in the dtype of the outer one, so `from_preset(..., dtype="bfloat16")`
    reaches all of them.
    """

    nested = ()

    def get_config(self):
        parts = {name: _serialize(getattr(self, name)) for name in self.nested}
        dtype = keras.dtype_policies.serialize(self._dtypes())
        return {"name": self.name, "trainable": self.trainable, "dtype": dtype, **parts}

    def compute_output_spec(self, inputs, *args, **kwargs):
        """As Keras' method, of tensors and NumPy arrays too: Keras' own layers take symbolic ones alone."""

        def symbol(x):
            dtype = keras.backend.standardize_dtype(x.dtype)
            return x if isinstance(x, keras.KerasTensor) else keras.KerasTensor(tuple(x.shape), dtype)

        return super().compute_output_spec(keras.tree.map_structure(symbol, inputs), *args, **kwargs)

    def _dtypes(self):
        """The dtype policy; of a quantized network a map, of its own layers: nested networks have theirs.

        KerasHub's is one of all layers by their paths, and two nested networks may have the same.
        """
        policy = self.dtype_policy
        policy = getattr(policy, "default_policy", policy)
        parts = keras.tree.flatten([getattr(self, name) for name in self.nested])
        theirs = {id(layer) for part in parts if part is not None for layer in part._flatten_layers()}
        own = [layer for layer in self._flatten_layers(include_self=False) if id(layer) not in theirs]
        quantized = {layer.path: layer for layer in own if layer.quantization_mode is not None}
        if not quantized:
            return policy
        return keras.dtype_policies.DTypePolicyMap(
            policy.name, {path: _policy_of(layer) for path, layer in quantized.items()}
        )

    @classmethod
    def from_config(cls, config):
        config = dict(config)
        forwarded = {} if is_quantized(config.get("dtype")) else {"dtype": config.get("dtype")}
        for name in cls.nested:
            config[name] = _deserialize(config.get(name), forwarded)
        return super().from_config(config)

    @classmethod
    def from_preset(cls, preset: Place, load_weights: bool = True, **options: Any) -> Self:
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
            if saved := quantized_dtype(preset, folder, options):
                options["dtype"] = saved  # KerasHub 0.32 opens the network alone as if it were not quantized
            return super().from_preset(folder, load_weights, **options)

    def save_to_preset(
        self,
        preset_dir: Place,
        max_shard_size: float = 10,
        *,
        weights_dtype: WeightsDtype = "float32",
        card: str | None = None,
    ) -> None:
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

    def quantize(self, mode=None, config=None, **options):
        """As Keras' method: dense layers and embeddings are quantized, convolutions are not (Keras has none).

        A quantized network draws, and is saved and opened as any other; it is not trained.

        Args: as of `keras.Model.quantize`.
        """
        with warnings.catch_warnings():
            # Keras names every kind of layer that it leaves as it is.
            warnings.filterwarnings("ignore", message=".*does not have a `quantize` method implemented")
            super().quantize(mode, config, **options)
        for layer in self._flatten_layers():
            if isinstance(layer, keras.Model):  # what was compiled holds the former weights
                layer.train_function = layer.test_function = layer.predict_function = None

    def export(self, filepath, format="tf_saved_model", verbose=None, input_signature=None, **options):
        """As Keras' method. Without `input_signature` torch exports for a batch of one.

        Raises:
            ValueError: on JAX and torch, for a network of any size or length where no size is given; on torch
                for "onnx" of any network then.
            NotImplementedError: "openvino" on JAX and torch.
        """
        backend = keras.config.backend()
        if format == "openvino" and backend != "tensorflow":
            raise NotImplementedError(
                f"OpenVINO does not read what {backend} exports: set KERAS_BACKEND=tensorflow, or write a "
                "whole generator on torch, by keras_t2i.export.export_generator"
            )
        free = any(None in one.shape[1:] for one in keras.tree.flatten(self.input))
        asked_for = (free and backend != "tensorflow") or (format, backend) == ("onnx", "torch")
        if asked_for and input_signature is None:
            raise ValueError(
                f"{type(self).__name__} may take inputs of any size, and {backend} exports one: "
                "give input_signature, a list of one structure like the network's input, of "
                "keras.InputSpec(shape=..., dtype=...) without None"
            )
        super().export(filepath, format, verbose, input_signature, **options)

    def default_lora_layer_names(self):
        """Names of the layers that `enable_lora` adapts where it is not told.

        The dense layers of attention (Hu et al. 2021, arXiv 2106.09685, section 4.2), or, where there is
        none, all dense layers.
        """
        dense = [layer for layer in self._flatten_layers(False) if isinstance(layer, keras.layers.Dense)]
        attention = [layer for layer in dense if layer.name in ATTENTION and "/" in layer.path]
        return sorted({layer.name for layer in attention or dense})

    def enable_lora(self, rank, target_layer_names=None):
        """Freeze all weights, and add to the kernels of some dense layers a product of two small matrices,
        which is trained (LoRA: arXiv 2106.09685). Before an objective is made of the network.

        `save_to_preset`, `save` and `save_weights` store the sums: what is opened is a network without LoRA.
        `save_lora_weights` stores the small matrices alone.

        Args:
            rank: int, of the product.
            target_layer_names: list of `str`; `None`: `default_lora_layer_names()`.

        Raises: ValueError where no layer of such a name can be adapted.
        """
        names = self.default_lora_layer_names() if target_layer_names is None else target_layer_names
        layers = [layer for layer in self._flatten_layers(False) if layer.weights]
        if not any(layer.name in names and hasattr(layer, "enable_lora") for layer in layers):
            which = f"none of its layers is called {', '.join(names)}" if names else "all are convolutions"
            raise ValueError(
                f"{type(self).__name__} has no dense layer for LoRA ({which}): train it as a whole, or give "
                "target_layer_names"
            )
        super().enable_lora(rank, names)


def _serialize(part):
    """A backbone, a list of them, or `None`, as a config."""
    return [_serialize(one) for one in part] if isinstance(part, list) else keras.layers.serialize(part)


def _deserialize(part, forwarded):
    """What `_serialize` gave, with `forwarded` in the config of each; what is no config stays as it is, and
    what was quantized keeps its dtypes."""
    if isinstance(part, list):
        return [_deserialize(one, forwarded) for one in part]
    if not isinstance(part, dict):
        return part
    if is_quantized(part["config"].get("dtype")):
        forwarded = {}
    return keras.layers.deserialize({**part, "config": {**part["config"], **forwarded}})


def _policy_of(layer):
    """The dtype policy of a quantized layer, that which it was quantized from included."""
    policy = layer.dtype_policy
    if isinstance(policy, keras.dtype_policies.DTypePolicyMap):
        policy = policy[layer.path]
    return keras.dtype_policies.get(policy.name)


def is_quantized(dtype):
    """Whether a dtype, as a config has it, is that of a quantized network: a map of policies."""
    if isinstance(dtype, dict):
        return dtype.get("class_name") == "DTypePolicyMap"
    return isinstance(dtype, keras.dtype_policies.DTypePolicyMap)


def quantized_dtype(preset, folder, options):
    """The dtype in the config of a preset whose own layers are quantized; else `None`.

    Raises: PresetError where a network of it is quantized, and `options` asks for a dtype.
    """
    text = (Path(folder) / "config.json").read_text(encoding="utf-8")
    if '"DTypePolicyMap"' not in text:
        return None
    if options.get("dtype") is not None:
        raise PresetError(
            str(preset), "config.json", "it is quantized, to one dtype for good: open it without `dtype`"
        )
    dtype = json.loads(text)["config"].get("dtype")
    return dtype if is_quantized(dtype) else None
