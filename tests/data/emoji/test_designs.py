"""The larger set, built from tiny packages that stand in for those of npm."""

import json
import shutil
import subprocess
from collections import namedtuple

import numpy as np
import pytest
from PIL import Image

from keras_t2i.data.emoji import design_drawings
from keras_t2i.data.emoji import packages as npm
from keras_t2i.data.emoji.designs import load_emoji
from keras_t2i.data.emoji.designs import prepare_emoji
from keras_t2i.data.emoji.designs_builder import EmojiDesigns
from keras_t2i.data.emoji.slugs import code_point_of
from keras_t2i.data.emoji.splits import HELD_OUT_FAMILIES
from keras_t2i.data.emoji.splits import STYLE_FAMILIES
from keras_t2i.data.emoji.splits import held_out_kind
from keras_t2i.data.emoji.splits import in_validation

pytestmark = pytest.mark.once

ICONIFY = {
    **{"noto": "#0f0", "twemoji": "#ff0", "fluent flat": "#f00", "noto v1": "#0ff"},
    **{"emojione": "#f0f", "emojione v1": "#888", "fxemoji": "#000"},
}
LEFT_HALF = '<path fill="#f00" d="M0 0h8v16H0z"/>'


def write(path, content):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content), encoding="utf-8")


@pytest.fixture
def packages(tmp_path):
    """A cache folder with every package installed: a few pictures each."""
    folder = npm.packages_folder(tmp_path)
    for design in (*npm.DESIGNS.values(), npm.WORDS):
        write(npm.package_folder(folder, design) / "package.json", {"version": design.version})
    for design, color in ICONIFY.items():
        package = npm.package_folder(folder, npm.DESIGNS[design])
        body = LEFT_HALF.replace("#f00", color)
        icons = {"apple": {"body": body}, "left-light": {"body": body}, "copy": {"body": body}}
        icons["blank"] = {"body": ""}
        aliases = {"right-light": {"parent": "left-light", "hFlip": True}}
        write(package / "icons.json", {"icons": icons, "aliases": aliases, "width": 16, "height": 16})
        chars = {"1f34e": "apple", "1f448-1f3fb": "left-light", "a9-fe0f": "copy", "1f34f": "blank"}
        write(package / "chars.json", {**chars, "e000": "apple"})
    assets = npm.package_folder(folder, npm.DESIGNS["fluent 3d"]) / "assets"
    assets.mkdir()
    for name in ("1f34e", "a9", "00a9"):
        Image.new("RGBA", (20, 20), (0, 0, 255, 255)).save(assets / f"{name}.webp", lossless=True)
    words = npm.package_folder(folder, npm.WORDS)
    apple = {"label": "red apple", "hexcode": "1F34E", "tags": ["apple", "fruit"], "group": 4, "subgroup": 42}
    write(words / "en" / "data.json", [apple])
    write(words / "meta" / "groups.json", {"groups": {"4": "food-drink"}, "subgroups": {"42": "food-fruit"}})
    return folder


def test_iconify_drawings(packages):
    package = npm.package_folder(packages, npm.DESIGNS["fluent flat"])
    found = {d.code_point: d.draw(16) for d in design_drawings.iconify_drawings(package, "fluent flat")}
    assert set(found) == {"1F34E", "1F448-1F3FB", "1F449-1F3FB", "00A9", "1F34F", "E000"}
    assert found["1F34E"][8, 4].tolist() == [255, 0, 0] and found["1F34E"][8, 12].tolist() == [255] * 3
    # The hand that points right is that which points left, mirrored.
    np.testing.assert_array_equal(found["1F449-1F3FB"], found["1F448-1F3FB"][:, ::-1])


def test_padded_and_unpadded_files_count_once(packages):
    package = npm.package_folder(packages, npm.DESIGNS["fluent 3d"])
    found = list(design_drawings.webp_drawings(package, "fluent 3d"))
    assert [drawing.code_point for drawing in found] == ["00A9", "1F34E"]
    assert found[0].draw(8).shape == (8, 8, 3)


def test_prepare_and_load(packages, tmp_path, monkeypatch):
    only = {"1F34E", "00A9", "1F34F"}
    small = [drawing for drawing in design_drawings.openmoji_drawings() if drawing.code_point in only]
    monkeypatch.setattr(design_drawings, "openmoji_drawings", lambda: small)
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: pytest.fail("everything is installed already"))
    prepare_emoji(size=8, data_dir=tmp_path)
    sets = {split: load_emoji(split, size=8, data_dir=tmp_path) for split in ("train", "validation", "test")}
    names = {name for pictures in sets.values() for name in pictures.names}
    assert {"1F34E openmoji", "1F34E black line", "1F34E noto", "1F34E fluent 3d"} <= names
    assert "1F34F noto" not in names and "E000 noto" not in names  # blank; without a name
    every = {
        name: (captions, attributes, group)
        for pictures in sets.values()
        for name, captions, attributes, group in zip(
            pictures.names, pictures.captions, pictures.attributes, pictures.groups, strict=True
        )
    }
    captions, attributes, group = every["1F34E twemoji"]
    assert captions[0] == "red apple, twemoji"
    assert attributes["group"] == "food-drink" and attributes["style"] == "twemoji"
    assert attributes["held_out"] or "red apple, fruit, twemoji" in captions
    assert every["00A9 twemoji"][2] == group  # the same picture under another name
    assert "Apache-2.0" in sets["train"].source and "CC BY-SA" in sets["train"].source


def test_openmoji_alone_needs_no_npm(tmp_path, monkeypatch):
    monkeypatch.setattr(shutil, "which", lambda name: None)
    prepare_emoji(size=8, data_dir=tmp_path, designs=(), limit=12)
    assert len(load_emoji("train", size=8, data_dir=tmp_path, designs=(), limit=12)) > 6


def test_clear_errors(tmp_path, monkeypatch):
    with pytest.raises(FileNotFoundError, match=r"prepare_data\.py --size 8"):
        load_emoji("train", size=8, data_dir=tmp_path)
    with pytest.raises(ValueError, match="'noto', 'twemoji'"):
        load_emoji("train", designs=["nato"], data_dir=tmp_path)
    with pytest.raises(ValueError, match="'validation'"):
        load_emoji("valid", data_dir=tmp_path)
    monkeypatch.setattr(shutil, "which", lambda name: None)
    with pytest.raises(RuntimeError, match=r"Node\.js"):
        prepare_emoji(size=8, data_dir=tmp_path)
    monkeypatch.setattr(shutil, "which", lambda name: name)
    monkeypatch.setattr(subprocess, "run", lambda command, **_: subprocess.CompletedProcess(command, 1))
    with pytest.raises(RuntimeError, match="could not fetch @iconify-json/noto"):
        prepare_emoji(size=8, data_dir=tmp_path, designs=["noto"])


def test_an_emoji_is_held_out_in_one_family_of_designs():
    emoji = [f"{0x1F300 + i:04X}" for i in range(600)]
    held = {}
    for code_point in emoji:
        styles = {style for style in STYLE_FAMILIES if held_out_kind(code_point, style) == "style"}
        families = {STYLE_FAMILIES[style] for style in styles}
        assert len(families) <= 1
        assert styles == {style for style, family in STYLE_FAMILIES.items() if family in families}
        if styles:
            held[code_point] = families.pop()
            assert not in_validation(code_point)  # its words are seen in training, in other designs
    assert 40 < len(held) < 80
    assert set(held.values()) == set(HELD_OUT_FAMILIES) < set(STYLE_FAMILIES.values())


@pytest.mark.parametrize(
    ("slug", "code_point"),
    [
        ("red-apple", "1F34E"),
        ("woman-judge-dark-skin-tone", "1F469-1F3FF-200D-2696"),
        ("flag-for-france", "1F1EB-1F1F7"),
        ("flag-for-united-states", "1F1FA-1F1F8"),
        ("flag-for-cote-divoire", "1F1E8-1F1EE"),
        ("bear-face", "1F43B"),
        ("o-button", "1F17E"),
        ("greenapple", "1F34F"),
        ("aerialtramway", "1F6A1"),
        ("keycap-5", "0035-20E3"),
        ("letter-q", None),
        ("", None),
    ],
)
def test_code_points_are_found_by_name(slug, code_point):
    assert code_point_of(slug) == code_point


def test_drawings_without_code_points_are_found_by_their_names(tmp_path):
    icons = {
        "red-apple": {"body": LEFT_HALF},
        "boar-thing": {"body": LEFT_HALF},
        "bear-face": {"body": LEFT_HALF},
    }
    aliases = {"boar": {"parent": "boar-thing"}, "bear": {"parent": "bear-face"}}
    write(tmp_path / "icons.json", {"icons": icons, "aliases": aliases, "width": 16, "height": 16})
    write(tmp_path / "chars.json", {})
    found = list(design_drawings.iconify_drawings(tmp_path, "fxemoji"))
    assert [drawing.code_point for drawing in found] == ["1F34E", "1F417", "1F43B"]


def test_a_copy_of_another_design_is_left_out():
    builder = object.__new__(EmojiDesigns)
    picture = np.full((32, 32, 3), 200, "uint8")
    noto = [picture]
    take = namedtuple("Take", "style")
    assert builder.is_copy(take("noto v1"), picture + np.uint8(1), noto)
    assert not builder.is_copy(take("noto v1"), picture + np.uint8(3), noto)
    assert not builder.is_copy(take("black line"), picture, [picture])
