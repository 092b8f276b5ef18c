import io

import keras
import numpy as np
import pytest
from PIL import Image

from keras_t2i.utils.images import Images
from keras_t2i.utils.images import make_grid
from keras_t2i.utils.images import psnr
from keras_t2i.utils.images import save_png
from keras_t2i.utils.images import show
from keras_t2i.utils.images import to_float
from keras_t2i.utils.images import to_uint8

LEVELS = np.arange(256, dtype="uint8")


def test_levels_come_back():
    floats = to_float(LEVELS)
    assert floats.dtype == np.float32 and floats[0] == -1 and floats[-1] == 1
    np.testing.assert_array_equal(to_uint8(floats), LEVELS)
    np.testing.assert_array_equal(to_uint8(np.array([-1.5, 1.5])), [0, 255])


def test_tensors_and_arrays_agree():
    values = np.linspace(-1.2, 1.2, 999, dtype="float32")
    np.testing.assert_array_equal(
        keras.ops.convert_to_numpy(to_uint8(keras.ops.convert_to_tensor(values))), to_uint8(values)
    )
    tensor = to_float(keras.ops.convert_to_tensor(LEVELS))
    np.testing.assert_allclose(keras.ops.convert_to_numpy(tensor), to_float(LEVELS), atol=1e-6)


def test_psnr_in_closed_form():
    true = np.full((4, 2, 2, 3), 0.5)
    predicted = true + np.array([0.0, 0.2, 2.0, -0.02]).reshape(4, 1, 1, 1)
    # Equal; 10 log10(4 / 0.04); clipped to an error of 0.5; 10 log10(4 / 0.0004).
    np.testing.assert_allclose(psnr(true, predicted), [100, 20, 12.0412, 40], atol=1e-4)


def test_psnr_of_tensors():
    true = np.zeros((3, 4, 4, 3), dtype="float32")
    predicted = true + np.array([0.0, 0.2, 5.0], dtype="float32")[:, None, None, None]
    found = psnr(*(keras.ops.convert_to_tensor(pictures) for pictures in (true, predicted)))
    # Equal; 10 log10(4 / 0.04); clipped to 1: 10 log10(4 / 1).
    np.testing.assert_allclose(keras.ops.convert_to_numpy(found), [100, 20, 6.0206], atol=1e-3)


def test_grid():
    pictures = np.arange(3, dtype="uint8")[:, None, None, None] * np.ones((1, 2, 3, 3), "uint8")
    grid = make_grid(pictures, columns=2, scale=2, gap=1)
    assert grid.shape == (2 * 4 + 1, 2 * 6 + 1, 3)
    assert (grid[:4, :6] == 0).all() and (grid[:4, 7:] == 1).all() and (grid[5:, :6] == 2).all()
    assert (grid[4] == 255).all() and (grid[:, 6] == 255).all() and (grid[5:, 7:] == 255).all()
    np.testing.assert_array_equal(make_grid(pictures[:1]), pictures[0])
    assert make_grid(pictures, columns=3, gap=0).shape == (2, 9, 3)
    for wrong in (pictures[0], pictures[:0], pictures.astype("float32")):
        with pytest.raises(ValueError, match="uint8"):
            make_grid(wrong)
    with pytest.raises(ValueError, match="scale"):
        make_grid(pictures, scale=0)


@pytest.mark.parametrize("count, rows, columns", [(1, 1, 1), (2, 1, 2), (5, 2, 3), (8, 2, 4), (12, 3, 4)])
def test_a_grid_has_no_empty_place_where_it_can(count, rows, columns):
    assert make_grid(np.zeros((count, 2, 3, 3), "uint8"), gap=0).shape == (2 * rows, 3 * columns, 3)


def test_pictures_show_themselves_in_a_notebook():
    pictures = np.random.default_rng(0).integers(0, 256, (3, 8, 6, 3), dtype="uint8")
    np.testing.assert_array_equal(np.asarray(show(pictures, columns=3, scale=2)), make_grid(pictures, 3, 2))
    assert show(pictures[0]).size == (6 * 16, 8 * 16)  # a side of 128
    assert show(np.zeros((1, 300, 500, 4), "uint8")).size == (500, 300)
    images = Images(Image.fromarray(picture) for picture in pictures)
    for some, of in ((images, pictures), (images[1:], pictures[1:]), (list(images), pictures)):
        np.testing.assert_array_equal(np.asarray(show(some)), np.asarray(show(of)))
    shown = Image.open(io.BytesIO(images[:2]._repr_png_()))
    np.testing.assert_array_equal(np.asarray(shown), np.asarray(show(pictures[:2])))
    assert images[0] is next(iter(images)) and isinstance(images, list) and images[3:]._repr_png_() is None
    with pytest.raises(ValueError, match="pictures must be uint8"):
        show(np.zeros((2, 2)))


def test_save_png(tmp_path):
    picture = np.random.default_rng(0).integers(0, 256, (4, 5, 3), "uint8")
    file = save_png(picture, tmp_path / "new" / "ünï code.png")
    np.testing.assert_array_equal(np.asarray(Image.open(file)), picture)
    save_png(picture[:2], file)
    assert Image.open(file).size == (5, 2)
    assert [path.name for path in file.parent.iterdir()] == ["ünï code.png"]
    with pytest.raises(ValueError, match=r"\.png"):
        save_png(picture, tmp_path / "a.jpg")
    with pytest.raises(ValueError, match="uint8"):
        save_png(picture / 255, tmp_path / "a.png")
