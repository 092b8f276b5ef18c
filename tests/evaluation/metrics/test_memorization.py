import io

import numpy as np
import pytest
from colored_shapes import colored_shapes
from noised import Noised
from PIL import Image
from scipy.stats import mannwhitneyu
from sklearn.neighbors import NearestNeighbors

from keras_t2i.evaluation.baselines.baselines import MeanPicture
from keras_t2i.evaluation.baselines.baselines import NearestCaption
from keras_t2i.evaluation.baselines.baselines import RealPictures
from keras_t2i.evaluation.baselines.empirical_denoiser import EmpiricalDenoiserBaseline
from keras_t2i.evaluation.metrics import memorization
from keras_t2i.evaluation.metrics.estimate import Estimate
from keras_t2i.evaluation.metrics.memorization import Memorization


def words(captions):
    """A text encoder: which words a caption has."""
    known = sorted({word for c in colored_shapes()[0].captions for word in c[0].replace(",", "").split()})
    codes = np.array([[w in c.replace(",", "").split() for w in known] for c in captions], "float32")
    return codes / np.maximum(np.linalg.norm(codes, axis=1, keepdims=True), 1e-6)


def plain(data):
    return data.plain_captions


def jpeg(picture, quality=75):
    file = io.BytesIO()
    Image.fromarray(picture).save(file, "JPEG", quality=quality, subsampling=0)
    return np.asarray(Image.open(file))


@pytest.fixture(scope="module")
def measure():
    train, held_out = colored_shapes()
    return Memorization(train.pictures, held_out.pictures)


@pytest.mark.parametrize("block", [2**24, 20])  # all nine rows at once, or two
def test_distance_is_that_of_the_most_different_tile(block):
    a, b = np.random.default_rng(0).integers(0, 256, (2, 9, 32, 32, 3), dtype="uint8")
    small = [
        np.stack(
            [np.asarray(Image.fromarray(p).resize((16, 16), Image.Resampling.BILINEAR)) for p in pictures]
        )
        for pictures in (a, b)
    ]
    expected = np.zeros((9, 9))
    for i in range(9):
        for j in range(9):
            squares = np.square(small[0][i].astype("float64") - small[1][j])
            tiles = [squares[y : y + 4, x : x + 4].mean() for y in range(0, 16, 4) for x in range(0, 16, 4)]
            expected[i, j] = max(tiles) ** 0.5
    tiles = memorization._tiles(a), memorization._tiles(b)
    distances, positions = memorization._nearest_by_tiles(*tiles, block=block)
    np.testing.assert_array_equal(positions, expected.argmin(axis=1))
    np.testing.assert_allclose(distances, expected.min(axis=1), rtol=1e-12)


def test_training_pictures_are_at_zero(measure):
    train, _ = colored_shapes()
    comparison = measure.compare(train.pictures)
    assert comparison.copies.all() and (comparison.distances == 0).all() and comparison.rank_statistic == 1
    np.testing.assert_array_equal(comparison.nearest, np.arange(len(train)))


def test_held_out_tones_pass(measure):
    train, held_out = colored_shapes()
    comparison = measure.compare(held_out.pictures)
    assert comparison.copies.mean() <= 0.1 and measure.control.copies.mean() <= 0.1
    assert comparison.rank_statistic == pytest.approx(0.5)
    # Their neighbour is the same shape in the same place: the trap that they are.
    same = [
        train.attributes[j]["base"] == k["base"]
        for j, k in zip(comparison.nearest, held_out.attributes, strict=True)
    ]
    assert np.mean(same) > 0.9


def test_retrieval_and_the_empirical_denoiser_are_caught(measure):
    train, held_out = colored_shapes()
    for memoriser in (
        NearestCaption(train, words),
        EmpiricalDenoiserBaseline(train),
        EmpiricalDenoiserBaseline(train, encode_text=words),
    ):
        comparison = measure.compare(memoriser.generate(plain(held_out), seed=0))
        assert comparison.copies.all() and comparison.rank_statistic == 1


def test_copies_are_caught_under_noise_and_jpeg(measure):
    train, held_out = colored_shapes()
    for sigma in (2.55, 7.65):
        drawn = Noised(NearestCaption(train, words), sigma).generate(plain(held_out))
        assert measure.compare(drawn).copies.mean() > 0.95
    assert measure.compare(np.stack([jpeg(p) for p in train.pictures[::4]])).copies.mean() > 0.95
    # As much change in one place alone is no copy.
    drawn = train.pictures[::4].copy()
    drawn[:, 12:20, 12:20] = 255 - drawn[:, 12:20, 12:20]
    assert measure.compare(drawn).copies.mean() < 0.05


def test_what_is_like_no_training_picture_is_no_copy(measure):
    train, _ = colored_shapes()
    assert not measure.compare(MeanPicture(train).generate(["a"])).copies.any()
    noise = np.random.default_rng(0).integers(0, 256, (5, 32, 32, 3), dtype="uint8")
    comparison = measure.compare(noise)
    assert not comparison.copies.any() and comparison.rank_statistic == 0


def test_rank_statistic_is_that_of_mann_and_whitney(measure):
    train, held_out = colored_shapes()
    drawn = np.concatenate([held_out.pictures[:9], train.pictures[:4], 255 - train.pictures[:5]])
    found, known = measure.compare(drawn), measure.compare(held_out.pictures).distances
    u = mannwhitneyu(known, found.distances).statistic
    assert found.rank_statistic == pytest.approx(u / (len(known) * len(drawn)))
    few = measure.compare(drawn, held_out.pictures[:3])
    u = mannwhitneyu(known[:3], found.distances).statistic
    assert few.rank_statistic == pytest.approx(u / (3 * len(drawn)))
    np.testing.assert_array_equal(few.copies, found.copies)


def test_control_is_taken_for_copies_as_rarely_as_asked():
    rng = np.random.default_rng(0)
    blank = np.zeros((1, 8, 8, 3), "uint8")

    def random_features(pictures):
        return rng.standard_normal((len(pictures), 6))

    rates = [
        Memorization(blank.repeat(50, 0), blank.repeat(158, 0), features=random_features, share=0.1)
        .control.copies.mean()
        for _ in range(100)
    ]  # fmt: skip
    # The 8th of 79 is the threshold: 8 in 80 fall below.
    assert np.mean(rates) == pytest.approx(0.1, abs=4 * np.std(rates) / 10) and 0 < np.std(rates) < 0.06


@pytest.mark.parametrize(("share", "k"), [(0.05, 1), (0.1, 2), (0.12, 2), (0.5, 10)])
def test_threshold_is_the_kth_smallest_of_one_half(share, k):
    numbers = np.random.default_rng(0).permutation(np.arange(1, 39)).astype("uint8")
    held_out = np.broadcast_to(numbers[:, None, None, None], (38, 8, 8, 3))

    def brightness(pictures):
        return pictures[:, 0, 0, :1].astype("float64")

    measure = Memorization(held_out[:1] * 0, held_out, features=brightness, share=share)
    calibrated = sorted(set(range(1, 39)) - set(measure.control.distances))
    assert len(calibrated) == 19 and measure.threshold == calibrated[k - 1]  # k = floor(share * 20)
    assert measure.compare(held_out[numbers == calibrated[k - 1]]).copies.tolist() == [False]


def test_groups_are_not_split():
    train, held_out = colored_shapes()
    twice = held_out.pictures.repeat(2, axis=0)
    measure = Memorization(train.pictures, twice, held_out_groups=np.arange(36).repeat(2))
    assert len(measure.control.copies) == 36
    np.testing.assert_array_equal(measure.control.distances[::2], measure.control.distances[1::2])


def test_features_are_compared_by_euclidean_distance():
    train, held_out = colored_shapes()

    def features(pictures):
        return pictures[:, ::3, ::3].reshape(len(pictures), -1) / 10

    measure = Memorization(train.pictures, held_out.pictures, features=features)
    drawn = 255 - train.pictures[:7]
    comparison = measure.compare(drawn)
    expected = NearestNeighbors(n_neighbors=1).fit(features(train.pictures)).kneighbors(features(drawn))[0]
    np.testing.assert_allclose(comparison.distances, expected[:, 0])


def test_worst_are_the_nearest_of_different_pictures(measure):
    train, _ = colored_shapes()
    data = RealPictures(train)
    far = Noised(data, 10).generate(plain(train)[:6], seed=0)
    drawn = np.concatenate([far, train.pictures[[3, 3, 9]]])
    comparison = measure.compare(drawn)
    worst = comparison.worst(count=5)
    assert worst[:2].tolist() == [6, 8]  # of the two of picture 3 the first
    assert len(worst) == 5 and len(set(comparison.nearest[worst])) == 5
    assert (np.diff(comparison.distances[worst]) >= 0).all()
    assert len(comparison.worst(count=20)) == 7  # no more different ones are there


def test_estimates_draw_prompts(measure):
    train, _ = colored_shapes()
    drawn = np.concatenate([train.pictures[:4], 255 - train.pictures[:4]])
    estimates = measure.compare(drawn).estimates(seeds_per_prompt=2)
    assert estimates["copies"] == Estimate(0.5, 0.5, 0.5, 8)
    assert estimates["nearer"].value == measure.compare(drawn).rank_statistic


def test_bad_input_is_refused(measure):
    train, held_out = (data.pictures for data in colored_shapes())
    with pytest.raises(ValueError, match="share"):
        Memorization(train, held_out, share=5)
    with pytest.raises(ValueError, match="too few"):
        Memorization(train, held_out[:1])
    with pytest.raises(ValueError, match="differ"):
        Memorization(train, held_out, held_out_groups=[1, 2])
    with pytest.raises(ValueError, match="equal training pictures"):
        Memorization(train, train[:20])
    with pytest.raises(ValueError, match="uint8"):
        measure.compare(train / 255)
    with pytest.raises(ValueError, match="uint8"):
        measure.compare(train[:0])
