import itertools
import math

import numpy as np
import pytest
import scipy.linalg
from PIL import Image
from PIL import ImageDraw
from PIL import ImageFilter
from sklearn.metrics import pairwise

from keras_t2i.evaluation.metrics import distances
from keras_t2i.evaluation.metrics.distances import FeatureStatistics
from keras_t2i.evaluation.metrics.distances import cmmd
from keras_t2i.evaluation.metrics.distances import frechet_at
from keras_t2i.evaluation.metrics.distances import frechet_distance
from keras_t2i.evaluation.metrics.distances import kid
from keras_t2i.evaluation.metrics.manifold import precision_recall_density_coverage


def normal(n, d, seed=0, shift=0.0, scale=1.0):
    return np.random.default_rng(seed).normal(shift, scale, (n, d))


def kid_by_definition(x, y):
    """Binkowski et al. 2018, the unbiased estimate, with scikit-learn's kernel."""
    xx, yy, xy = (
        pairwise.polynomial_kernel(a, b, degree=3, gamma=1 / x.shape[1], coef0=1)
        for a, b in ((x, x), (y, y), (x, y))
    )
    n, m = len(x), len(y)
    return (
        (xx.sum() - np.trace(xx)) / (n * (n - 1)) + (yy.sum() - np.trace(yy)) / (m * (m - 1)) - 2 * xy.mean()
    )


def cmmd_by_definition(x, y, sigma=10.0):
    xx, yy, xy = (pairwise.rbf_kernel(a, b, gamma=1 / (2 * sigma**2)) for a, b in ((x, x), (y, y), (x, y)))
    return 1000 * (xx.mean() + yy.mean() - 2 * xy.mean())


@pytest.mark.parametrize("block", [7, 512])
@pytest.mark.parametrize("measure, definition", [(kid, kid_by_definition), (cmmd, cmmd_by_definition)])
def test_kernel_distances_are_those_of_the_definition(measure, definition, block, monkeypatch):
    monkeypatch.setattr(distances, "BLOCK", block)
    x, y = normal(45, 6), normal(64, 6, seed=1, shift=0.3, scale=1.2)
    found = measure(x.astype("float32"), y)
    assert found.value == pytest.approx(definition(x.astype("float32").astype("float64"), y), rel=1e-9)
    assert found.n == 45


@pytest.mark.parametrize("measure, definition", [(kid, kid_by_definition), (cmmd, cmmd_by_definition)])
@pytest.mark.parametrize("seeds_per_prompt", [1, 3])
def test_the_interval_is_the_jackknife_over_prompts_and_reference(
    measure, definition, seeds_per_prompt, monkeypatch
):
    monkeypatch.setattr(distances, "BLOCK", 5)
    x, y = normal(12, 3), normal(9, 3, seed=1, shift=0.5)
    prompts = 12 // seeds_per_prompt
    left_out = [
        [definition(x[np.arange(12) % prompts != p], y) for p in range(prompts)],
        [definition(x, np.delete(y, j, axis=0)) for j in range(9)],
    ]
    variance = sum((len(v) - 1) * np.var(v) for v in left_out)
    found = measure(x, y, seeds_per_prompt=seeds_per_prompt)
    assert found.high - found.value == pytest.approx(1.959964 * math.sqrt(variance), rel=1e-6)
    assert found.value - found.low == pytest.approx(found.high - found.value, rel=1e-9)


def test_kid_estimates_the_closed_form_without_bias_and_its_interval_holds_it():
    """In one dimension the kernel is the sum of C(3, i) x^i y^i; a uniform number's moments are known."""

    def moment(i, low):
        return ((low + 1) ** (i + 1) - low ** (i + 1)) / (i + 1)

    true = sum(math.comb(3, i) * (moment(i, 0.0) - moment(i, 0.3)) ** 2 for i in range(4))
    rng = np.random.default_rng(0)
    found = [kid(rng.uniform(0, 1, (40, 1)), rng.uniform(0.3, 1.3, (60, 1))) for _ in range(300)]
    values = np.array([f.value for f in found])
    assert values.mean() == pytest.approx(true, abs=3 * values.std() / 300**0.5)
    assert values.std() < true / 2
    assert np.mean([f.low < true < f.high for f in found]) == pytest.approx(0.95, abs=0.04)


def test_seeds_of_one_prompt_widen_the_interval():
    prompts = normal(60, 4)
    x = np.concatenate([prompts + 0.1 * normal(60, 4, seed=s) for s in (1, 2, 3, 4)])
    reference = normal(300, 4, seed=5, shift=0.5)
    alone, together = kid(x, reference), kid(x, reference, seeds_per_prompt=4)
    assert alone.value == together.value
    assert together.high - together.low > 1.4 * (alone.high - alone.low)


def test_kid_of_two_halves_of_one_set_is_about_zero():
    features = normal(600, 16)
    half = kid(features[::2], features[1::2])
    assert half.low < 0 < half.high
    other = kid(features[::2], normal(300, 16, seed=1, scale=1.5))
    assert other.low > 10 * abs(half.value)
    # Many splits: about zero on average, as an estimate without bias is.
    splits = [np.random.default_rng(i).permutation(features) for i in range(40)]
    values = np.array([kid(s[:300], s[300:]).value for s in splits])
    assert abs(values.mean()) < 4 * values.std() / 40**0.5


def test_cmmd_of_two_gaussians_in_closed_form():
    def kernel_mean(variance, step):
        return math.sqrt(4 / (4 + variance)) * math.exp(-(step**2) / (2 * (4 + variance)))

    expected = 10 * (kernel_mean(2 * 1, 0) + kernel_mean(2 * 2.25, 0) - 2 * kernel_mean(3.25, 1.5))
    found = cmmd(normal(3000, 1), normal(3000, 1, 1, shift=1.5, scale=1.5), sigma=2, scale=10)
    assert found.low < expected < found.high
    assert found.value == pytest.approx(expected, rel=0.1)
    assert cmmd(normal(30, 4), normal(30, 4)).value == pytest.approx(0, abs=1e-9)


def gaussian(mean, covariance):
    """`FeatureStatistics` of points whose mean and covariance are exactly these."""
    d = len(mean)
    directions = np.concatenate([np.eye(d), -np.eye(d)]) * math.sqrt((2 * d - 1) / 2)
    return FeatureStatistics().update(directions @ np.linalg.cholesky(covariance).T + mean)


def test_frechet_distance_of_two_gaussians_in_closed_form():
    found = frechet_distance(
        gaussian([1.0, 2, 3], np.diag([4.0, 9, 1])), gaussian([1.0, 0, 3], np.diag([1.0, 4, 16]))
    )
    assert found == pytest.approx(2**2 + 1 + 1 + 9)  # steps of the mean and of the standard deviations


@pytest.mark.parametrize("n, d", [(50, 10), (8, 20)])  # the second has covariances without full rank
def test_frechet_distance_equals_the_matrix_square_root_of_scipy(n, d):
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(n, d)) @ rng.normal(size=(d, d)), rng.normal(1, 2, (n, d))
    a, b = np.cov(x, rowvar=False), np.cov(y, rowvar=False)
    root = scipy.linalg.sqrtm(a @ b + (1e-12 * np.eye(d) if n < d else 0)).real
    expected = np.square(x.mean(0) - y.mean(0)).sum() + np.trace(a + b - 2 * root)
    statistics = [FeatureStatistics().update(z) for z in (x, y)]
    assert frechet_distance(*statistics) == pytest.approx(expected, rel=1e-9 if n > d else 1e-4)
    assert frechet_distance(*statistics[::-1]) == pytest.approx(frechet_distance(*statistics))
    assert 0 <= frechet_distance(statistics[0], statistics[0]) < 1e-9 * np.trace(a)


def test_streamed_statistics_equal_those_of_the_whole():
    x = 1e4 + normal(101, 5) * [1, 2, 3, 4, 5]
    streamed = FeatureStatistics()
    for i in range(0, 101, 10):
        streamed.update(x[i : i + 10])
    assert streamed.n == 101
    np.testing.assert_allclose(streamed.mean, x.mean(axis=0), rtol=1e-13)
    np.testing.assert_allclose(streamed.covariance, np.cov(x, rowvar=False), rtol=1e-9)


def test_frechet_at_takes_exactly_n_of_each(monkeypatch):
    x, y = normal(90, 4), normal(200, 4, seed=1)
    with monkeypatch.context() as patch:
        patch.setattr(distances, "frechet_distance", lambda a, b: (a, b))
        seen = frechet_at(np.arange(90.0)[:, None], np.arange(90.0)[:, None], 89)
        assert [s.n for s in seen] == [89, 89]
        # 89 different ones each, and not the same for both.
        left_out = [90 * 89 / 2 - 89 * s.mean[0] for s in seen]
        assert all(0 <= r < 90 and r == pytest.approx(round(r), abs=1e-6) for r in left_out)
        assert abs(left_out[0] - left_out[1]) > 0.5
    whole = frechet_distance(FeatureStatistics().update(x), FeatureStatistics().update(y[:90]))
    assert frechet_at(x, y[:90], 90) == pytest.approx(whole)
    assert frechet_at(x, y, 40, seed=1) == frechet_at(x, y, 40, seed=1) != frechet_at(x, y, 40, seed=2)
    # Of one distribution: the fewer, the farther.
    means = [np.mean([frechet_at(x, y, n, seed) for seed in range(20)]) for n in (10, 30, 90)]
    assert means[0] > 1.5 * means[1] > 2 * means[2]
    for n in (91, 1):
        with pytest.raises(ValueError, match="at least"):
            frechet_at(x, y, n) if n > 1 else frechet_at(x[:1], y, n)


def test_bad_features_are_errors():
    x = normal(10, 3)
    for wrong, text in (
        (x[0], "must be a matrix"),
        (x[:2], "at least 3 pictures, got 2"),
        (np.full((5, 3), np.nan), "must be finite"),
        (normal(10, 4), "one extractor"),
    ):
        for measure in (kid, cmmd):
            with pytest.raises(ValueError, match=text):
                measure(wrong, x)
    for seeds_per_prompt in (0, 3, 10):
        with pytest.raises(ValueError, match="seeds_per_prompt must divide"):
            kid(x, x, seeds_per_prompt=seeds_per_prompt)
    with pytest.raises(ValueError, match="numbers per picture"):
        FeatureStatistics().update(x).update(normal(5, 4))
    with pytest.raises(ValueError, match="at least 2 pictures, got 1"):
        frechet_distance(FeatureStatistics().update(x[:1]), FeatureStatistics().update(x))
    with pytest.raises(ValueError, match="one length"):
        frechet_distance(FeatureStatistics().update(x), FeatureStatistics().update(normal(5, 4)))


@pytest.fixture(scope="module")
def drawn():
    """600 pictures of one coloured shape each, PIL images of 16 x 16."""
    rng, shown = np.random.default_rng(0), []
    for _ in range(600):
        image = Image.new("RGB", (16, 16), "white")
        draw, (left, top), side = ImageDraw.Draw(image), rng.integers(1, 6, 2), rng.integers(5, 10)
        shape = (draw.ellipse, draw.rectangle)[rng.integers(2)]
        shape((left, top, left + side, top + side), fill=tuple(rng.integers(0, 256, 3).tolist()))
        shown.append(image)
    return shown


def test_worse_pictures_are_farther_away(drawn):
    """Control: clean pictures against clean ones, then ever more blurred and noisy ones."""
    filters = normal(3 * 3 * 3, 64, seed=1)

    def features(images):
        """Random 3 x 3 filters, rectified, and the mean over the picture."""
        pixels = np.stack([np.asarray(image) for image in images]) / 127.5 - 1
        patches = np.lib.stride_tricks.sliding_window_view(pixels, (3, 3), axis=(1, 2))
        return np.maximum(patches.reshape(len(pixels), 14, 14, 27) @ filters, 0).mean(axis=(1, 2))

    def blurred(sigma):
        return features([image.filter(ImageFilter.GaussianBlur(sigma)) for image in drawn[300:]])

    def noisy(scale):
        noise = np.random.default_rng(2).normal(0, scale * 255, (300, 16, 16, 3))
        return features(np.clip(np.stack([np.asarray(i) for i in drawn[300:]]) + noise, 0, 255))

    reference, clean = features(drawn[:300]), features(drawn[300:])
    for ladder in ((clean, blurred(1), blurred(2)), (clean, noisy(0.2), noisy(0.5))):
        for name, measure in {
            "KID": lambda x: kid(x, reference).value,
            "CMMD": lambda x: cmmd(x, reference).value,
            "Frechet": lambda x: frechet_at(x, reference, 300),
            "coverage": lambda x: -precision_recall_density_coverage(x, reference)["coverage"],
        }.items():
            values = [measure(x) for x in ladder]
            assert all(a < b for a, b in itertools.pairwise(values)), (name, values)
        assert kid(ladder[0], reference).low < 0 < kid(ladder[2], reference).low
