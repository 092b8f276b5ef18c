"""The evaluation from end to end, on a few pictures, with judges that have learned nothing."""

import json
from pathlib import Path

import evaluate
import numpy as np
import pytest
from tiny import tiny_generator
from tiny import tiny_preprocessor

from keras_t2i.evaluation.drawings import at_size
from keras_t2i.evaluation.judges.evaluator import TOWERS
from keras_t2i.evaluation.judges.evaluator import Evaluator
from keras_t2i.evaluation.metrics.estimate import mean_estimate
from keras_t2i.evaluation.metrics.metric import Metric
from keras_t2i.evaluation.metrics.registry import METRICS
from keras_t2i.evaluation.report.cards import fill_cards
from keras_t2i.evaluation.report.report import read_report
from keras_t2i.presets.saving import save_preset

pytestmark = pytest.mark.once

HERE = Path(__file__).parent


@pytest.fixture(scope="module")
def judges(tmp_path_factory):
    """Two presets of untrained judges, of half 0 and 1, for pictures of 32 pixels."""
    folder, found = tmp_path_factory.mktemp("judges"), []
    text, image = TOWERS["convolutional"]
    for half in (0, 1):
        preprocessor = tiny_preprocessor()
        network = Evaluator(
            text(preprocessor.tokenizer.vocabulary_size(), 8, embedding_dim=8, units=8, code_dim=8),
            image(32, filters=(8, 8), squeezed=2, code_dim=8),
            half=half,
        )
        save_preset(network, folder / str(half), preprocessor=preprocessor)
        found.append(str(folder / str(half)))
    return found


def brightness(evaluation, drawings, prompt_set):
    """A new metric: its function, and one entry of the registry."""
    values = drawings.pictures.mean(axis=(1, 2, 3)) / 255
    return {"brightness": mean_estimate(values, drawings.seeds_per_prompt)}


BRIGHTNESS = Metric(
    "brightness",
    "toys",
    "neither",
    "How bright the drawings are.",
    "a test",
    brightness,
    in_curves=True,
    leaderboard="unseen",
)


@pytest.fixture(scope="module")
def evaluated(judges, tmp_path_factory):
    """The folder of a smoke run over a tiny generator, and the leaderboard's file; with one more metric."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(METRICS, "brightness", BRIGHTNESS)
        yield evaluate_tiny(judges, tmp_path_factory)


def evaluate_tiny(judges, tmp_path_factory):
    folder = tmp_path_factory.mktemp("evaluation")
    tiny_generator().save_to_preset(folder / "tiny")
    board = folder / "README.md"
    board.write_text("before\n<!-- leaderboard: begin -->\nold\n<!-- leaderboard: end -->\nafter\n")
    judged = ["--judges", *judges, "--output", str(folder / "report")]
    other = ["--sizes", "72", "--leaderboard", str(board)]
    page = evaluate.main(["--smoke", "--preset", str(folder / "tiny"), *judged, *other])
    return folder, page, board


def test_everything_is_measured_of_everybody(evaluated):
    folder, page, _ = evaluated
    assert page == folder / "report" / "report.html" and "<table" in page.read_text()
    report = read_report(folder / "report")
    kinds = {entry["name"]: entry["kind"] for entry in report["entries"]}
    assert kinds == {
        str(folder / "tiny"): "generator",
        f"{folder / 'tiny'}, captions permuted": "floor",
        "real pictures": "ceiling",
        "real pictures, through 8x8 pixels": "baseline",
        "nearest caption": "baseline",
        "empirical denoiser": "baseline",
        "mean picture": "floor",
    }
    tiny = next(e for e in report["entries"] if e["kind"] == "generator")
    measured = tiny["scores"]["training captions"]
    # Which attributes there are depends on the pictures, and so do the numbers of pictures of concepts.
    depends = ("attributes", "by pictures of the concept")
    attributes = {key for key, metric in METRICS.items() if metric.group in depends}
    recognized = {key for key, metric in METRICS.items() if metric.group == "recognised"}
    assert set(METRICS) - attributes - recognized <= set(measured)
    assert recognized <= set(tiny["scores"]["single things"]) and len(recognized) == 4
    assert all(score["value"] is not None for key, score in measured.items() if key not in attributes)
    assert measured["r1_random"]["n"] == 16 and measured["frechet"]["n"] == 8
    assert set(tiny["curves"]) == {"temperature", "best_of"}
    assert 0 < len(tiny["worst"]) <= 20
    for about in report["prompt_sets"].values():
        assert len(about["grid_prompts"]) == min(16, about["prompts"])  # a column of the grid each


def test_a_registered_metric_is_taken_and_shown(evaluated):
    folder, page, board = evaluated
    report = read_report(folder / "report")
    for entry in report["entries"]:
        if not entry["name"].endswith("permuted"):  # which is judged by captions alone
            for name in report["prompt_sets"]:
                assert 0 < entry["scores"][name]["brightness"]["value"] < 1
    assert report["metrics"]["brightness"]["text"] == "How bright the drawings are."
    tiny = next(e for e in report["entries"] if e["kind"] == "generator")
    assert len(tiny["curves"]["temperature"]["scores"]["brightness"]) == 2
    assert "How bright the drawings are." in page.read_text(encoding="utf-8")
    assert "brightness: held-out combinations" in board.read_text(encoding="utf-8")


def test_drawings_at_a_size_stand_beside_real_pictures(evaluated):
    folder, page, _ = evaluated
    _, drawn, enlarged = read_report(folder / "report")["tables"]
    rows = {name: dict(zip(drawn["header"][1:], cells, strict=True)) for name, *cells in drawn["rows"]}
    tiny, small = str(folder / "tiny"), "real pictures, small, and drawn large"
    assert list(rows) == ["real pictures", small, tiny, f"{tiny}, by Lanczos"]
    widths = [float(rows[name]["72: edge width"]) for name in ("real pictures", small)]
    assert 1 <= widths[0] <= 2 and widths[0] <= widths[1]  # true edges are of antialiasing alone
    # Lanczos' weights sum to 1 over a pixel of the input, but for rounding and the border.
    assert float(rows[f"{tiny}, by Lanczos"]["72: shrunk, dB"]) > 30
    assert all(int(rows[name]["seams"]) <= 1 for name in (tiny, small))
    assert {row[0] for row in enlarged["rows"]} == {"72"} and enlarged["header"][-1] == "renderer"
    assert "True pictures, small, and large again" in page.read_text(encoding="utf-8")


def test_single_things_are_recognized_of_real_pictures_alone(evaluated):
    report = read_report(evaluated[0] / "report")
    assert report["prompt_sets"]["single things"]["seeds"] == 1
    scores = {e["name"]: e["scores"]["single things"] for e in report["entries"]}
    for key in ("recognized", "recognized_aside", "recognized_large", "recognized_tower"):
        assert scores["real pictures"][key]["value"] == 1
        assert scores["mean picture"][key]["value"] < 1 and "chance" in scores["mean picture"][key]
        assert any("permuted" in name and key in found for name, found in scores.items())
    assert "kid" not in scores["real pictures"]  # the reference is of other pictures than those asked for
    counted = [scores["real pictures"].get(f"r1_{often}", {"n": 0})["n"] for often in ("once", "few", "many")]
    assert sum(counted) == report["prompt_sets"]["single things"]["prompts"]
    assert "recognised ↑: single things" in evaluated[2].read_text()


def test_beside_every_distance_stands_what_it_means(evaluated):
    table = read_report(evaluated[0] / "report")["tables"][0]
    assert table["title"] == "What a figure means" and table["header"][1:] == [
        "KID x1000",
        "MIND",
        "recognised",
    ]
    cells = {name: found for name, *found in table["rows"]}
    assert list(cells)[:2] == ["none", "grain of 2 of 255"] and "through autoencoder_openmoji_32" in cells
    assert cells["none"][2].startswith("1.00")
    real = next(e for e in read_report(evaluated[0] / "report")["entries"] if e["kind"] == "ceiling")
    kid = 1000 * real["scores"]["training captions"]["kid"]["value"]
    assert float(cells["none"][0].split()[0]) == pytest.approx(kid, abs=0.06)


def test_the_controls_are_caught(evaluated):
    scores = {e["name"]: e["scores"] for e in read_report(evaluated[0] / "report")["entries"]}
    for name in ("training captions", "held-out combinations", "unseen concepts"):
        assert scores["nearest caption"][name]["copies"]["value"] == 1
        assert scores["empirical denoiser"][name]["copies"]["value"] == 1
        assert scores["mean picture"][name]["copies"]["value"] == 0
    # Of real pictures those are copies that training has.
    assert scores["real pictures"]["training captions"]["copies"]["value"] == 1
    for name in ("held-out combinations", "unseen concepts"):
        assert scores["real pictures"][name]["copies"]["value"] < 0.5
    # An untrained generator's noise is further from real pictures than real pictures are, by every distance.
    tiny = next(s["training captions"] for n, s in scores.items() if n.endswith("tiny"))
    real = scores["real pictures"]["training captions"]
    for key in ("kid", "frechet", "mind", "cmmd"):
        assert tiny[key]["value"] > real[key]["value"]
    assert tiny["coverage"]["value"] < real["coverage"]["value"]
    assert tiny["diversity"]["value"] > 0 and "diversity" not in real


def test_the_leaderboard_is_replaced_and_nothing_else(evaluated):
    text = evaluated[2].read_text()
    assert text.startswith("before\n") and text.endswith("after\n")
    assert "old" not in text and "real pictures (ceiling)" in text and "smoke run" in text


def test_a_card_is_filled(evaluated, tmp_path):
    report = read_report(evaluated[0] / "report")
    candidate = type("Candidate", (), {"folder": tmp_path, "name": report["entries"][0]["name"]})
    (tmp_path / "README.md").write_text("# mine\n\nwords\n")
    for _ in range(2):  # the second time in place of the first
        fill_cards(report, [candidate], tmp_path)
    text = (tmp_path / "README.md").read_text()
    assert text.startswith("# mine\n\nwords\n") and text.count("R-precision@1, hard") == 1


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["--preset", "no_such"], "no preset 'no_such'"),
        (["--prompts", "3"], "at least 20"),
        (["--leaderboard", "no_such.md"], "no file no_such.md"),
        (["--leaderboard", evaluate.__file__, "--output", "x"], "must have each of these lines once"),
        (["--output", __file__], "is a file: give a folder"),
        (
            ["--data", str(Path(__file__).parent), "--output", str(Path(__file__).parent / "x")],
            "beside the data",
        ),
        (["--sizes", str(2**31)], "at most 8192"),
        (["--seeds", "2000"], "at most 1000"),
    ],
)
def test_mistakes_are_said_before_any_work(capsys, arguments, message):
    with pytest.raises((SystemExit, ValueError)) as raised:
        evaluate.main(arguments)
    assert message in str(raised.value) + capsys.readouterr().err


def test_the_report_is_json_without_nan(evaluated):
    text = (evaluated[0] / "report" / "report.json").read_text()
    json.loads(text, parse_constant=lambda constant: pytest.fail(f"{constant} in report.json"))


def test_what_a_larger_picture_becomes():
    large = np.random.default_rng(0).integers(0, 256, (2, 8, 8, 3)).astype("uint8")
    means = large.reshape(2, 4, 2, 4, 2, 3).mean(axis=(2, 4))
    assert np.abs(at_size(large, 4).astype("float64") - means).max() <= 1  # rounded twice
    assert at_size(large, 8) is large
