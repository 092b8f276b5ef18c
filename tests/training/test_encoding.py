from types import SimpleNamespace

import numpy as np
import pytest
from tiny import tiny_dual_encoder
from tiny_objectives import PICTURE
from tiny_objectives import tiny_pipeline

from keras_t2i.data import CaptionedImages
from keras_t2i.data import Pipeline
from keras_t2i.data.sharded.pictures import ShardedPictures
from keras_t2i.models import ImageEncoder
from keras_t2i.training import encoding
from keras_t2i.training.encoding import adapt_conditions
from keras_t2i.training.encoding import adapt_draft
from keras_t2i.training.encoding import data_std
from keras_t2i.training.encoding import encode_images
from keras_t2i.training.encoding import encode_latents
from keras_t2i.training.encoding import image_embeddings
from keras_t2i.training.encoding import text_embeddings
from keras_t2i.utils.images import downsample
from keras_t2i.utils.images import to_float

PICTURES = np.random.default_rng(0).integers(0, 256, (261, 8, 8, 3), "uint8")  # more than a block


def in_shards(pictures):
    """Pictures that refuse to be an array, as those in files do."""
    shards = SimpleNamespace(decode=lambda rows, size: pictures[rows], digest=b"")
    return ShardedPictures(shards, np.arange(len(pictures)), pictures.shape[1])


@pytest.fixture(scope="module")
def encoder():
    return ImageEncoder(8, **PICTURE)


def test_all_pictures_are_encoded_in_their_order(encoder):
    expected = encoder.predict(to_float(PICTURES), verbose=0)
    found = encode_images(encoder, PICTURES, batch_size=32)
    assert found.dtype == "float32" and found.shape == (261, 32)
    np.testing.assert_allclose(found, expected, atol=1e-5)
    np.testing.assert_array_equal(encode_images(encoder, in_shards(PICTURES), batch_size=32), found)
    larger = PICTURES[:3].repeat(2, axis=1).repeat(2, axis=2)
    np.testing.assert_allclose(encode_images(encoder, larger), expected[:3], atol=1e-5)


def test_latents_are_codes_as_grids(encoder):
    latents = encode_latents(encoder, PICTURES[:5])
    assert latents.shape == (5, 4, 4, 2)
    np.testing.assert_array_equal(latents.reshape(5, 32), encode_images(encoder, PICTURES[:5]))


def test_embeddings_are_those_of_the_dual_encoder():
    towers = tiny_dual_encoder(8, blocks=0)
    token_ids = tiny_pipeline().token_table
    inputs = {"images": to_float(PICTURES[: len(token_ids)]), "token_ids": token_ids}
    expected = towers.predict(inputs, verbose=0)
    found = image_embeddings(towers.image_encoder, PICTURES[: len(token_ids)])
    np.testing.assert_allclose(found, expected["image_codes"], atol=1e-5)
    found = text_embeddings(towers.text_encoder, token_ids)
    np.testing.assert_allclose(found, expected["text_codes"], atol=1e-5)
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1, rtol=1e-5)


def test_data_std_is_the_root_mean_square():
    assert data_std(np.float32([[3, -3], [4, 4]])) == pytest.approx(12.5**0.5)


@pytest.mark.parametrize("image_code", [False, True])
def test_a_unet_is_adapted_to_the_conditions_of_training(image_code):
    towers, found = tiny_dual_encoder(8, blocks=0), []
    token_ids = np.random.default_rng(0).integers(0, 8, (20, 8)).astype("int32")
    unet = SimpleNamespace(image_code=image_code, adapt=lambda *given: found.extend(given))
    adapt_conditions(unet, towers, token_ids, PICTURES[:6], most=10)
    codes, tokens, concepts = found
    some = token_ids[[0, 2, 4, 6, 8, 10, 12, 14, 16, 19]]
    np.testing.assert_allclose(codes, text_embeddings(towers.text_encoder, some), atol=1e-5)
    assert tokens.shape == (np.count_nonzero(some), towers.text_encoder.filters)
    if image_code:
        expected = image_embeddings(towers.image_encoder, PICTURES[:6])
        np.testing.assert_allclose(concepts, expected, atol=1e-5)
    else:
        assert concepts is None


class Drafted:
    """In place of a U-Net with a draft: keeps what it is given."""

    def __init__(self, image_size, patch_size):
        self.image_code, self.image_size, self.patch_size = False, image_size, patch_size

    def adapt_draft(self, codes, pictures, weights, ridge, groupings):
        self.given = codes, pictures, weights, ridge
        self.groupings = groupings
        rows = np.arange(len(codes), dtype="float32")
        return [(rows[:, None] * [1, 10] + i, rows + i) for i in range(len(groupings))]

    def drafts(self, codes):
        return np.zeros((len(codes), 1, 1, 3)), np.zeros(len(codes))

    def drafts_of(self, components):
        return components[:, :1, None, None] * np.ones(3)

    def measure_drafts(self, drafts, doubts, truths):
        self.measured = drafts, doubts, truths


@pytest.mark.parametrize("shares", [None, [1.0, 3.0, 2.0]])
def test_a_draft_is_adapted_to_some_captions_of_each_picture(shares):
    captions = [["a", "b", "c", "d", "e"], ["f", "g"], ["h"]]
    data = CaptionedImages(PICTURES[:3].repeat(4, 1).repeat(4, 2), captions, list("xyz"), np.arange(3))
    rows = SimpleNamespace(
        generate_preprocess=lambda texts: [[1 + ord(t) % 7, 1 + ord(t) // 7 % 7] * 4 for t in texts]
    )
    pipeline, towers, unet = (
        Pipeline(data, rows, 2, shares=shares),
        tiny_dual_encoder(8, blocks=0),
        Drafted(16, 4),
    )
    left_out = adapt_draft(unet, towers, pipeline, captions=3, plain=3, ridge=0.5)
    codes, pictures, weights, ridge = unet.given
    of_captions = text_embeddings(towers.text_encoder, pipeline.token_table[[0, 1, 3, 5, 6, 7]])
    np.testing.assert_allclose(codes, of_captions, atol=1e-6)  # a, b, d, f, g, h
    np.testing.assert_allclose(pictures, to_float(PICTURES[[0, 0, 0, 1, 1, 2]]), atol=1e-6)
    parts = np.array([0.75, 0.125, 0.125, 0.75, 0.25, 1])
    np.testing.assert_allclose(weights, parts * ([1, 1, 1, 3, 3, 2] if shares else 1))
    assert ridge == 0.5
    (groups,) = unet.groupings  # attributes say nothing: each picture alone
    np.testing.assert_array_equal(groups, [0, 0, 0, 1, 1, 2])
    plain = [0, 3, 5]  # rows of plain captions
    components = left_out["left_out_components"][:, 0]
    np.testing.assert_array_equal(components, np.array(plain)[:, None] * [1, 10])
    np.testing.assert_array_equal(left_out["left_out_doubt"][:, 0], plain)
    drafts, doubts, truths = unet.measured  # of drafts that know their picture, and of those that do not
    np.testing.assert_array_equal(drafts[:, 0, 0, 0], [0, 0, 0, *plain])
    np.testing.assert_array_equal(doubts, [0, 0, 0, *plain])
    twice = np.concatenate([downsample(to_float(data.pictures), 16)] * 2)
    np.testing.assert_allclose(truths, twice, atol=1e-6)
    pipeline.add_image_features(left_out)
    assert pipeline.batch(0)["left_out_components"].shape == (2, 1, 2)
    latents = np.arange(24, dtype="float32").reshape(3, 2, 2, 2)
    pipeline = Pipeline(data, rows, 2, image_features={"latents": latents})
    adapt_draft(unet, towers, pipeline, captions=1)
    np.testing.assert_array_equal(unet.given[1], latents)
    np.testing.assert_array_equal(unet.measured[2][:3], latents)
    unet.image_code = True
    adapt_draft(unet, towers, Pipeline(data, rows, 2))
    expected = image_embeddings(towers.image_encoder, data.pictures)
    np.testing.assert_allclose(unet.given[0], expected, atol=1e-6)


def test_a_draft_of_more_pictures_than_fit_is_of_some(monkeypatch):
    monkeypatch.setattr(encoding, "MOST_DRAFTED", 3)
    data = CaptionedImages(in_shards(PICTURES[:5]), [[c] for c in "abcde"], list("abcde"), np.arange(5))
    rows = SimpleNamespace(generate_preprocess=lambda texts: [[ord(t) % 8] * 8 for t in texts])
    pipeline, towers, unet = Pipeline(data, rows, 2), tiny_dual_encoder(8, blocks=0), Drafted(8, 2)
    left_out = adapt_draft(unet, towers, pipeline)
    codes, pictures, weights, _ = unet.given
    some = text_embeddings(towers.text_encoder, pipeline.token_table[[0, 2, 4]])
    np.testing.assert_allclose(codes, some, atol=1e-6)
    np.testing.assert_array_equal(pictures, to_float(PICTURES[[0, 2, 4]]))
    assert weights.tolist() == [1, 1, 1]
    assert left_out["left_out_doubt"][:, 0].tolist() == [0, -1, 1, -1, 2]  # of others there is none
