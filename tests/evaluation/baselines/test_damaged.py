import numpy as np
from colored_shapes import colored_shapes

from keras_t2i.evaluation.baselines.damaged import DamagedPictures
from keras_t2i.evaluation.baselines.damaged import blurred
from keras_t2i.evaluation.baselines.damaged import grained
from keras_t2i.evaluation.baselines.damaged import shifted
from keras_t2i.evaluation.baselines.damaged import through_pixels

GREY = np.full((5, 32, 32, 3), 120, "uint8")


def test_grain_has_its_deviation_and_is_the_same_each_time():
    for level in (2, 8):
        found = grained(GREY, level).astype("float64") - 120
        assert abs(found.std() - level) < 0.1 and abs(found.mean()) < 0.2
        np.testing.assert_array_equal(grained(GREY, level), grained(GREY, level))
    assert set(np.unique(grained(np.full_like(GREY, 255), 8))) <= set(range(200, 256))  # clipped, not wrapped


def test_a_shift_moves_to_the_right():
    picture = np.random.default_rng(0).integers(0, 256, (2, 8, 8, 3)).astype("uint8")
    moved = shifted(picture)
    np.testing.assert_array_equal(moved[:, :, 1:], picture[:, :, :-1])
    np.testing.assert_array_equal(moved[:, :, 0], picture[:, :, 0])


def test_blur_and_few_pixels_keep_flat_pictures_and_soften_others():
    line = np.zeros((1, 32, 32, 3), "uint8")
    line[:, :, 16] = 255
    for damage in (blurred, through_pixels):
        np.testing.assert_array_equal(damage(GREY), GREY)
        assert damage(line).shape == line.shape and damage(line).max() < line.max()
    np.testing.assert_array_equal(through_pixels(line, 32), line)


def test_damaged_pictures_are_those_of_the_captions():
    train = colored_shapes()[0]
    found = DamagedPictures(train, shifted, "moved")
    np.testing.assert_array_equal(found.generate(train.plain_captions[:3]), shifted(train.pictures[:3]))
    assert found.name == "real pictures, moved" and found.kind == "baseline" and found.deterministic
