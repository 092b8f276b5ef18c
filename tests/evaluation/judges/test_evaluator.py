import ast
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
from tiny import CAPTIONS
from tiny import tiny_preprocessor

from keras_t2i.data import CaptionedImages
from keras_t2i.evaluation.judges import evaluator
from keras_t2i.evaluation.judges.evaluator import PACKAGED_JUDGES
from keras_t2i.evaluation.judges.evaluator import TOWERS
from keras_t2i.evaluation.judges.evaluator import Evaluator
from keras_t2i.evaluation.judges.evaluator import Judge
from keras_t2i.evaluation.judges.evaluator import Judges
from keras_t2i.evaluation.judges.evaluator import half_of
from keras_t2i.models import DualEncoder
from keras_t2i.presets.saving import save_preset

ROOT = Path(__file__).parents[3]
SMALL = {
    "RecurrentTextEncoder": {"embedding_dim": 8, "units": 8},
    "PlainTower": {"filters": (8, 16)},
    "TransformerTextEncoder": {"width": 16, "depth": 1, "heads": 2},
    "PatchTransformer": {"width": 16, "depth": 1, "heads": 2},
}


def tiny_evaluator(architecture, half=0):
    text, image = TOWERS[architecture]
    size = tiny_preprocessor().tokenizer.vocabulary_size()
    return Evaluator(
        text(size, 8, code_dim=12, **SMALL[text.__name__]),
        image(8, code_dim=12, **SMALL[image.__name__]),
        half,
    )


def tiny_judge(architecture, half=0):
    return Judge(tiny_evaluator(architecture, half), tiny_preprocessor(), architecture)


def some_pictures(count, groups=None):
    rng = np.random.default_rng(0)
    pictures = rng.integers(0, 256, (count, 8, 8, 3)).astype("uint8")
    groups = np.arange(count) if groups is None else np.asarray(groups)
    return CaptionedImages(pictures, [[CAPTIONS[0]]] * count, [f"picture {i}" for i in range(count)], groups)


@pytest.mark.parametrize("architecture", sorted(TOWERS))
def test_codes_have_length_one_and_do_not_depend_on_the_batch(architecture):
    judge, data = tiny_judge(architecture), some_pictures(5)
    codes, texts = judge.encode_image(data.pictures), judge.encode_text(CAPTIONS)
    assert codes.shape == texts.shape == (5, 12)
    for both in (codes, texts):
        np.testing.assert_allclose(np.linalg.norm(both, axis=1), 1, rtol=1e-5)
    np.testing.assert_allclose(judge.encode_image(data.pictures[3:4]), codes[3:4], atol=1e-5)
    np.testing.assert_allclose(judge.encode_text(CAPTIONS[2:3]), texts[2:3], atol=1e-5)


@pytest.mark.parametrize("architecture", sorted(TOWERS))
def test_padding_has_no_effect(architecture):
    # The embedding of id 0, which pads, is moved far away: captions shorter than 8 pieces must not notice.
    judge = tiny_judge(architecture)
    before = judge.encode_text(CAPTIONS)
    table = next(w for w in judge.network.text_encoder.weights if w.shape[0] > 100)
    values = keras.ops.convert_to_numpy(table).copy()
    values[0] += 50
    table.assign(values)
    np.testing.assert_allclose(judge.encode_text(CAPTIONS), before, atol=1e-5)
    values[1:] += np.random.default_rng(0).normal(size=values[1:].shape)
    table.assign(values)
    assert np.abs(judge.encode_text(CAPTIONS) - before).max() > 1e-2


@pytest.mark.parametrize("architecture", sorted(TOWERS))
def test_a_preset_comes_back_the_same(architecture, tmp_path):
    judge, pictures = tiny_judge(architecture, half=1), some_pictures(3).pictures
    save_preset(judge.network, tmp_path / "judge", preprocessor=judge.preprocessor)
    again = Judge.from_preset(tmp_path / "judge")
    assert again.half == 1
    np.testing.assert_allclose(again.encode_image(pictures), judge.encode_image(pictures), atol=1e-6)
    np.testing.assert_allclose(again.encode_text(CAPTIONS), judge.encode_text(CAPTIONS), atol=1e-6)


def test_a_judge_is_refused_where_training_takes_a_dual_encoder(tmp_path):
    save_preset(tiny_evaluator("attentive"), tmp_path / "judge", preprocessor=tiny_preprocessor())
    with pytest.raises(ValueError, match="holds a Evaluator; DualEncoder needs a DualEncoder"):
        DualEncoder.from_preset(tmp_path / "judge")


def test_halves_are_of_about_one_size_and_keep_equal_pictures_together():
    halves = half_of(some_pictures(2000))
    assert set(halves.tolist()) == {0, 1}
    assert abs(halves.mean() - 0.5) < 4 * 0.5 / np.sqrt(2000)  # four standard deviations
    paired = half_of(some_pictures(2000, groups=np.arange(2000) // 2))
    np.testing.assert_array_equal(paired[0::2], paired[1::2])
    order = np.random.default_rng(0).permutation(2000)
    np.testing.assert_array_equal(half_of(some_pictures(2000).take(order)), halves[order])


def test_no_picture_is_judged_by_who_learned_from_its_half():
    data = some_pictures(40)
    judges = Judges([tiny_judge("convolutional", half=0), tiny_judge("attentive", half=1)])
    chosen = judges.unseen_by(data)
    np.testing.assert_array_equal(chosen, 1 - half_of(data))  # the judge of half 0 stands first
    texts = judges.encode_text(CAPTIONS)
    scores = judges.encode_image(data.pictures, chosen) @ texts.T
    for i, which in enumerate(chosen):
        alone = judges.judges[which]
        expected = alone.encode_image(data.pictures[i : i + 1]) @ alone.encode_text(CAPTIONS).T
        np.testing.assert_allclose(scores[i : i + 1], expected, atol=1e-5)
    np.testing.assert_allclose(np.linalg.norm(judges.encode_image(data.pictures), axis=1), 2**0.5, rtol=1e-5)


def test_judges_of_one_half_are_refused():
    with pytest.raises(ValueError, match="All judges learned from half 1"):
        Judges([tiny_judge("attentive", half=1), tiny_judge("convolutional", half=1)])


def test_wrong_pictures_are_refused():
    judge = tiny_judge("convolutional")
    with pytest.raises(ValueError, match=r"judges uint8 \(n, 8, 8, 3\), got uint8 \(2, 16, 16, 3\)"):
        judge.encode_image(np.zeros((2, 16, 16, 3), "uint8"))
    with pytest.raises(ValueError, match="got float64"):
        judge.encode_image(np.zeros((2, 8, 8, 3)))


def test_the_packaged_judges_are_small_and_of_different_halves_and_seeds():
    folders = [ROOT / "keras_t2i" / "presets" / name for name in PACKAGED_JUDGES]
    total = sum(file.stat().st_size for folder in folders for file in folder.rglob("*") if file.is_file())
    assert total <= 4e6
    judges = Judges.from_presets()
    assert [judge.half for judge in judges.judges] == [0, 1]


TRAINING = sorted(
    file.stem for file in (ROOT / "recipes").glob("train_*.py") if file.stem != "train_evaluator"
)


def test_no_training_imports_a_judge():
    # Everything that trains a generator is imported in a new process, which then tells what it has loaded.
    recipes = [ROOT / "recipes" / f"{name}.py" for name in (*TRAINING, "generate")]
    code = f"""
import importlib, importlib.util, pkgutil, sys
import keras_t2i.training, keras_t2i.objectives, keras_t2i.models, keras_t2i.data, keras_t2i.layers
rooms = (keras_t2i.training, keras_t2i.objectives, keras_t2i.models, keras_t2i.data, keras_t2i.layers)
for package in rooms:
    for module in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
        importlib.import_module(module.name)
sys.path.insert(0, {str(ROOT / "recipes")!r})
for file in {[str(recipe) for recipe in recipes]}:
    spec = importlib.util.spec_from_file_location("recipe", file)
    spec.loader.exec_module(importlib.util.module_from_spec(spec))
print(sorted(name for name in sys.modules if name.startswith("keras_t2i.evaluation.judges")))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "[]"


def test_nothing_that_trains_names_a_judge():
    # Imports inside functions too, and the names of the packaged judges. `push` sends their presets.
    may = {ROOT / "recipes" / f"{name}.py" for name in ("evaluate", "train_evaluator", "push")}
    searched = [*(ROOT / "recipes").glob("*.py"), *(ROOT / "keras_t2i").rglob("*.py")]
    seen = 0
    for file in searched:
        if file in may or (ROOT / "keras_t2i" / "evaluation") in file.parents:
            continue
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            names = [alias.name for alias in getattr(node, "names", []) if isinstance(alias, ast.alias)]
            names += [getattr(node, "module", None) or "", getattr(node, "value", "")]
            assert not any(isinstance(n, str) and "evaluation.judges" in n for n in names), file
            assert not any(isinstance(n, str) and n in PACKAGED_JUDGES for n in names), file
        seen += 1
    assert seen > 40 and evaluator.__name__ == "keras_t2i.evaluation.judges.evaluator"
