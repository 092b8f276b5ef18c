import numpy as np
import pytest
from colored_shapes import colored_shapes

from keras_t2i.data import CaptionedImages
from keras_t2i.evaluation.baselines.empirical_denoiser import EmpiricalDenoiserBaseline


def few(*values):
    """Pictures of one pixel."""
    pictures = np.array(values, "uint8").reshape(-1, 1, 1, 1).repeat(3, axis=-1)
    n = len(pictures)
    return CaptionedImages(pictures, [[str(i)] for i in range(n)], [str(i) for i in range(n)], np.arange(n))


def test_drawings_are_training_pictures_to_a_grey_level():
    train, _ = colored_shapes()
    drawn = EmpiricalDenoiserBaseline(train).generate(["anything"] * 40, seed=0)
    apart = np.abs(drawn[:, None].astype("int") - train.pictures[None]).max(axis=(2, 3, 4))
    assert apart.min(axis=1).max() <= 1
    assert len(set(apart.argmin(axis=1))) > 20  # not one and the same


def test_pictures_come_as_often_as_their_weights():
    train = few(0, 255, 128)
    codes = {"0": 0.0, "1": np.log(3), "2": -30.0, "ask": 1.0}

    def encode_text(captions):
        return np.array([[codes[c]] for c in captions])

    denoiser = EmpiricalDenoiserBaseline(train, encode_text=encode_text, sharpness=1.0)
    drawn = denoiser.generate(["ask"] * 2000, seed=0, batch_size=500)[:, 0, 0, 0]
    assert set(drawn) <= {0, 255}
    assert (drawn == 255).mean() == pytest.approx(0.75, abs=4 * (0.75 * 0.25 / 2000) ** 0.5)


def test_a_picture_depends_on_its_prompt_and_seed_alone():
    train, _ = colored_shapes()
    denoiser = EmpiricalDenoiserBaseline(train, num_steps=8)
    drawn = denoiser.generate(["a"] * 7, seed=3, batch_size=3)
    alone = denoiser.generate(["a", "a"], seed=[9, 5])
    np.testing.assert_array_equal(alone, drawn[[6, 2]])


def test_seeds_must_be_as_many_as_prompts():
    with pytest.raises(ValueError, match="2 seeds for"):
        EmpiricalDenoiserBaseline(few(0, 255)).generate(["a", "b", "c"], seed=[1, 2])


def test_bad_options_are_refused():
    with pytest.raises(ValueError, match="at least 2 steps"):
        EmpiricalDenoiserBaseline(few(0), num_steps=1)
    with pytest.raises(ValueError, match="1 picture"):
        EmpiricalDenoiserBaseline(few(0).take([]))
