import numpy as np
import pytest

from keras_t2i.evaluation.judges.color_histogram import ColorHistogramEncoder
from keras_t2i.evaluation.judges.color_histogram import color_histogram
from keras_t2i.models.text.preprocessor import TextToImagePreprocessor
from keras_t2i.models.text.tokenizer import CaptionTokenizer

COLORS = {"red": (230, 20, 20), "green": (20, 160, 60), "blue": (20, 60, 220), "yellow": (250, 220, 40)}


def flat(*colours):
    """A picture of 4 x 4 pixels with equal shares of colours, left to right."""
    return np.array(colours, "uint8").repeat(4 // len(colours), axis=0)[None].repeat(4, axis=0)


def test_histograms_in_closed_form():
    pictures = np.stack([flat((255, 255, 255), (0, 0, 0)), flat((85, 170, 0)), flat((0, 0, 102))])
    expected = np.zeros((3, 64))
    expected[0, [0, 63]] = 0.5  # black is first, white last
    expected[1, 16 * 1 + 4 * 2] = 1
    expected[2, [1, 2]] = 0.8, 0.2  # 102 is a fifth of the way from 85 to 170
    np.testing.assert_allclose(color_histogram(pictures), expected, atol=1e-6)


def test_histograms_sum_to_one_and_keep_the_mean_colour():
    pictures = np.random.default_rng(0).integers(0, 256, (5, 8, 8, 3), dtype="uint8")
    found = color_histogram(pictures)
    np.testing.assert_allclose(found.sum(axis=1), 1, atol=1e-6)
    # The mean place in each channel is the mean colour.
    levels = found.reshape(-1, 4, 4, 4)
    for channel, others in enumerate([(2, 3), (1, 3), (1, 2)]):
        mean = levels.sum(axis=others) @ np.arange(4) * 85
        np.testing.assert_allclose(mean, pictures[..., channel].mean(axis=(1, 2)), atol=1e-3)


@pytest.fixture(scope="module")
def learned():
    rng = np.random.default_rng(0)
    pictures, captions = [], []
    for shape in ("left", "right"):
        for name, colour in COLORS.items():
            for _ in range(10):
                picture = np.full((8, 8, 3), 255)
                half = slice(0, 4) if shape == "left" else slice(4, 8)
                picture[:, half] = np.clip(colour + rng.normal(0, 8, 3), 0, 255)
                pictures.append(picture)
                captions.append(f"{name} {shape}")
    preprocessor = TextToImagePreprocessor(CaptionTokenizer.learn(captions, 400), sequence_length=8)
    pictures = np.array(pictures, "uint8")
    return ColorHistogramEncoder.fit(pictures, captions, preprocessor), pictures, captions


def test_it_tells_colours_and_nothing_else(learned):
    encoder, pictures, captions = learned
    options = [f"{colour} {side}" for side in ("left", "right") for colour in COLORS]
    image_codes, text_codes = encoder.encode_image(pictures), encoder.encode_text(options)
    assert image_codes.dtype == text_codes.dtype == "float32" and encoder.name
    np.testing.assert_allclose(np.linalg.norm(image_codes, axis=1), 1, atol=1e-5)
    np.testing.assert_allclose(np.linalg.norm(text_codes, axis=1), 1, atol=1e-5)
    best = (image_codes @ text_codes[:4].T).argmax(axis=1)  # among the four colours, said to be left
    assert [options[b].split()[0] for b in best] == [c.split()[0] for c in captions]
    np.testing.assert_array_equal(encoder.encode_image(pictures[:, :, ::-1]), image_codes)  # where, it misses
    shuffled = np.random.default_rng(1).permuted(pictures.reshape(80, 64, 3), axis=1).reshape(pictures.shape)
    assert not np.array_equal(encoder.encode_image(shuffled), image_codes)  # channels mixed: other colours


def test_a_rare_colour_does_not_blow_up(learned):
    encoder, _, _ = learned
    assert encoder.deviation.min() >= 0.01
    assert np.isfinite(encoder.encode_image(np.zeros((1, 8, 8, 3), "uint8"))).all()


@pytest.mark.parametrize(
    "bad", [np.zeros((0, 4, 4, 3), "uint8"), np.zeros((4, 4, 3), "uint8"), np.zeros((1, 4, 4, 3))]
)
def test_bad_pictures_are_refused(bad):
    with pytest.raises(ValueError, match="uint8"):
        color_histogram(bad)


def test_a_caption_for_each_picture(learned):
    encoder, pictures, captions = learned
    with pytest.raises(ValueError, match="one caption for each"):
        ColorHistogramEncoder.fit(pictures, captions[:-1], encoder.preprocessor)
