import numpy as np
import pytest
from colored_shapes import colored_shapes

from keras_t2i.data import CaptionedImages
from keras_t2i.evaluation.metrics.alignment import Trials
from keras_t2i.evaluation.metrics.alignment import clip_score
from keras_t2i.evaluation.metrics.alignment import r_precision
from keras_t2i.evaluation.metrics.estimate import Estimate
from keras_t2i.evaluation.metrics.estimate import mean_estimate
from keras_t2i.evaluation.metrics.retrieval import Recall


def unit(*shape, seed=0):
    codes = np.random.default_rng(seed).standard_normal(shape)
    return codes / np.linalg.norm(codes, axis=1, keepdims=True)


@pytest.fixture(scope="module")
def trials():
    train, held_out = colored_shapes()
    return Trials.of(held_out, held_out.joined(train), candidates=20)


def test_trials_hold_what_they_say(trials):
    train, held_out = colored_shapes()
    pool = held_out.joined(train)
    assert len(trials) == 36 and trials.captions[3] == held_out.captions[3][0]
    for i, (own, easy, hard) in enumerate(zip(trials.positions, trials.random, trials.hard, strict=True)):
        assert trials.pool_captions[own] == trials.captions[i]
        assert len(set(easy)) == len(set(hard)) == 19 and own not in easy and own not in hard
        base, tone = held_out.attributes[i]["base"], held_out.attributes[i]["tone"]
        bases = [pool.attributes[p]["base"] for p in hard]
        assert bases[:4] == [base] * 4 and base not in bases[4:]  # the other four tones, then others
        assert tone not in [pool.attributes[p]["tone"] for p in hard[:4]]


def test_prompts_without_near_distractors_have_no_hard_trial():
    train, _ = colored_shapes()
    lone = CaptionedImages(train.pictures[:1], [["a lone fox"]], ["fox"], np.array([999]), [{"base": "fox"}])
    pool = lone.joined(train)
    trials = Trials.of(pool.take([0, 1]), pool)
    assert len(trials.hard[0]) == 0 and len(trials.hard[1]) == 99
    codes = unit(len(pool), 64)
    # The second prompt is drawn well in the first round alone, the fox never.
    estimates = r_precision(codes[1] * [[-1], [1], [-1], [-1]], codes, trials, seeds_per_prompt=2)
    assert estimates["r1_random"].value == 0.25 and estimates["r1_random"].n == 4
    assert estimates["r1_hard"].value == 0.5 and estimates["r1_hard"].n == 2
    estimates = r_precision(unit(1, 8), unit(len(pool), 8), Trials.of(pool.take([0]), pool))
    assert estimates["r5_hard"] == Estimate(None)


def test_trials_refuse_pictures_that_the_pool_lacks():
    train, held_out = colored_shapes()
    with pytest.raises(ValueError, match="36 of the pictures are not in the pool"):
        Trials.of(held_out, train)
    with pytest.raises(ValueError, match="no prompt"):
        Trials.of(train.take([]), train)


def test_a_judge_that_knows_everything_and_one_whose_captions_are_shuffled(trials):
    codes = unit(len(trials.pool_captions), 64)
    seen = codes[trials.positions]
    assert all(c.value == c.low == 1 for c in r_precision(seen, codes, trials).values())

    # Each drawing is of some other prompt: what is left is chance, 1 and 5 in 20.
    rounds = [np.random.default_rng(s).permutation(len(codes))[: len(seen)] for s in range(100)]
    estimates = r_precision(np.concatenate([codes[r] for r in rounds]), codes, trials, seeds_per_prompt=100)
    for name, chance in (("r1_random", 1 / 20), ("r5_random", 5 / 20)):
        assert abs(estimates[name].value - chance) < 4 * (chance * (1 - chance) / 3600) ** 0.5
        assert estimates[name].low < estimates[name].value < estimates[name].high


def test_the_picture_searches_among_captions():
    three = CaptionedImages(np.zeros((3, 4, 4, 3), "uint8"), [["a"], ["b"], ["c"]], list("abc"), np.arange(3))
    trials = Trials.of(three, three)
    text = np.array([[0.8, 0.7, 0, 0], [0, 0.6, 0, 0.8], [0, 0, 1, 0]])
    # Among pictures, caption b finds its own; but picture b is nearer to caption a.
    estimates = r_precision(np.eye(4)[:3], text, trials)
    assert estimates["r1_random"].value == pytest.approx(2 / 3) and estimates["r5_random"].value == 1
    assert r_precision(np.eye(4)[:3], np.ones((3, 4)), trials)["r1_random"].value == 0  # all tie


def test_an_estimate_as_reports_hold_it():
    assert Estimate(None).as_dict() == {"value": None, "n": 0}
    assert Estimate(0.5, n=3).as_dict() == {"value": 0.5, "n": 3}
    full = {"value": 0.5, "low": 0.0, "high": 1.0, "n": 4, "chance": 0.25}
    assert Estimate(0.5, 0.0, 1.0, 4, 0.25).as_dict() == full


def test_seeds_of_a_prompt_are_drawn_together(trials):
    codes = unit(len(trials.pool_captions), 64)
    seen = codes[trials.positions]
    # One right and one wrong drawing of each: over prompts, there is no chance in it.
    found = r_precision(np.concatenate([seen, -seen]), codes, trials, seeds_per_prompt=2)["r1_random"]
    assert found == Estimate(0.5, 0.5, 0.5, 72)
    # Half of the prompts right in both rounds: as uncertain as 36 coins, not as 72.
    seen[::2] *= -1
    found = r_precision(np.concatenate([seen, seen]), codes, trials, seeds_per_prompt=2)["r1_random"]
    assert found.value == 0.5 and found.high - found.low == pytest.approx(3.92 * 0.5 / 6, rel=0.1)


def test_an_estimate_is_recall_with_its_interval():
    ranks = np.random.default_rng(0).integers(0, 3, 200)
    low, high = Recall(0, 0, 0, 0, ranks).interval(seeds_per_prompt=4)
    assert mean_estimate(ranks == 0, seeds_per_prompt=4) == Estimate((ranks == 0).mean(), low, high, 200)


def test_clip_score_in_closed_form():
    pictures = np.array([[1.0, 0], [0.6, 0.8], [0, 1]])
    captions = np.array([[1.0, 0], [1, 0], [0, -1]])
    np.testing.assert_allclose(clip_score(pictures, captions), [100, 60, 0], atol=1e-12)


@pytest.mark.parametrize("bad", [np.zeros((0, 4)), np.full((36, 4), np.nan), np.zeros(36)])
def test_bad_codes_are_refused(trials, bad):
    with pytest.raises(ValueError, match="finite"):
        r_precision(bad, unit(180, 4), trials)
    with pytest.raises(ValueError, match="finite"):
        clip_score(bad, bad)


def test_wrong_numbers_of_codes_are_refused(trials):
    with pytest.raises(ValueError, match="2 for each of 36"):
        r_precision(unit(36, 4), unit(180, 4), trials, seeds_per_prompt=2)
    with pytest.raises(ValueError, match="180 captions"):
        r_precision(unit(36, 4), unit(36, 4), trials)
    with pytest.raises(ValueError, match="differs"):
        clip_score(unit(3, 4), unit(2, 4))
