import json

import numpy as np
import pytest
from PIL import Image
from tiny import tiny_generator

from keras_t2i.data.folder.captioned_folder import load_captioned_folder
from keras_t2i.models import prompt_files
from keras_t2i.models.prompt_files import draw_prompts
from keras_t2i.models.prompt_files import generate_file
from keras_t2i.models.prompt_files import read_prompts

LINES = ["a red apple", "", "a green apple", "a red car", "A red  apple", "clock face", "../../a car"]


@pytest.fixture(scope="module")
def generator():
    return tiny_generator()


@pytest.fixture(scope="module")
def preset(generator, tmp_path_factory):
    folder = tmp_path_factory.mktemp("presets") / "tiny"
    generator.save_to_preset(folder)
    return folder


@pytest.fixture
def prompts(tmp_path, monkeypatch):
    monkeypatch.setattr(prompt_files, "PART", 2)  # lines
    (tmp_path / "prompts.txt").write_text("\n".join(LINES) + "\n")
    return tmp_path / "prompts.txt"


def pictures(folder):
    return {file.relative_to(folder).as_posix(): file.read_bytes() for file in sorted(folder.rglob("*.*"))}


def test_pictures_are_those_of_their_prompt_and_seed(generator, preset, prompts, tmp_path):
    made = generate_file(prompts, tmp_path / "drawn", preset, num_images=2, seed=5, batch_size=4, scale=3)
    assert made == (12, 0, 5, {2: "is blank"})
    found = pictures(tmp_path / "drawn")
    for index, prompt in enumerate(LINES):
        here = [name for name in found if f"/{index:07}-" in name]
        assert len(here) == (2 if prompt else 0)
        for j, name in enumerate(here):
            alone = generator.generate(prompt, seed=5 + 2 * index + j).astype(int)
            drawn = np.asarray(Image.open(tmp_path / "drawn" / name)).astype(int)
            np.testing.assert_array_equal(drawn, drawn[::3, ::3].repeat(3, 0).repeat(3, 1))
            assert np.abs(drawn[::3, ::3] - alone).max() <= 1  # another batch size rounds its own way
    assert "00000/0000000-0-a-red-apple.png" in found and "00003/0000006-1-a-car.png" in found
    data = load_captioned_folder(tmp_path / "drawn", "all", 8)  # captions lie with the pictures
    assert sorted(np.ravel(data.captions)) == sorted([line for line in LINES if line] * 2)


def test_a_picture_does_not_depend_on_its_place_or_its_neighbors(generator, tmp_path):
    some = [(i, f"a red {thing}") for i, thing in enumerate(("apple", "car", "clock", "face", "thirty"))]
    draw_prompts(generator, some, tmp_path / "one", seed=3, batch_size=4)
    draw_prompts(generator, some[::-1], tmp_path / "other", seed=3, batch_size=4)
    draw_prompts(generator, some[3:4], tmp_path / "alone", seed=3, batch_size=4)
    one, other, alone = (pictures(tmp_path / name) for name in ("one", "other", "alone"))
    assert {k: one[k] for k in one if k.endswith(".png")} == {k: other[k] for k in one if k.endswith(".png")}
    (name,) = (name for name in alone if name.endswith(".png"))
    assert alone[name] == one[name] and len({*one.values()}) == 6


def test_it_goes_on_where_it_was_killed(preset, prompts, tmp_path, monkeypatch):
    whole, folder = tmp_path / "whole", tmp_path / "killed"
    generate_file(prompts, whole, preset, seed=5, batch_size=4)
    draw, drawn = prompt_files.draw_prompts, []

    def killed(generator, some, *args, **options):
        if len(drawn) == 2:
            raise KeyboardInterrupt
        drawn.append(some)
        draw(generator, some, *args, **options)

    monkeypatch.setattr(prompt_files, "draw_prompts", killed)
    with pytest.raises(KeyboardInterrupt):
        generate_file(prompts, folder, preset, seed=5, batch_size=4)
    (folder / "00000" / "0000000-a-red-apple.png").write_bytes(b"damaged")
    (folder / "00002").mkdir()
    (folder / "00002" / "metadata.jsonl").write_text("[1]\nhalf")
    drawn.clear()
    monkeypatch.setattr(
        prompt_files, "draw_prompts", lambda g, some, *a, **k: (drawn.append(some), draw(g, some, *a, **k))
    )
    made = generate_file(prompts, folder, preset, batch_size=4)  # by the seed that is there
    assert [some[0][0] for some in drawn] == [0, 4, 6] and made == (6, 2, 5, {2: "is blank"})
    assert pictures(folder) == pictures(whole)
    drawn.clear()
    assert generate_file(prompts, folder, preset, batch_size=4).kept == 6 and drawn == []


def test_pictures_of_another_call_are_no_part_of_it(preset, prompts, tmp_path):
    folder = tmp_path / "drawn"
    generate_file(prompts, folder, preset, seed=5, batch_size=4)
    before = pictures(folder)
    for options in ({"seed": 6}, {"num_images": 2}, {"temperature": 0.5}, {"batch_size": 8}):
        with pytest.raises(ValueError, match=f"another call.*{'settings|' + next(iter(options))}"):
            generate_file(prompts, folder, preset, **{"batch_size": 4, **options})
    prompts.write_text("a car")
    with pytest.raises(ValueError, match=r"another call: prompts differ\. Choose another folder"):
        generate_file(prompts, folder, preset, batch_size=4)
    assert pictures(folder) == before
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "letter.txt").write_text("dear")
    with pytest.raises(FileExistsError, match=r"letter\.txt"):
        generate_file(prompts, tmp_path / "mine", preset)
    with pytest.raises(ValueError, match="temperature"):
        generate_file(prompts, tmp_path / "next", preset, temperature=-1.0)
    assert (
        generate_file(prompts, tmp_path / "next", preset).pictures == 1
    )  # nothing was drawn, nothing is held


@pytest.mark.once
def test_lines(tmp_path):
    file = tmp_path / "lines.txt"
    file.write_bytes(b"\xef\xbb\xbf one \r\n \t\r\nb\xff\nfour\xe2\x80\xa8still four\n\x00\nsix")
    prompts, problems = read_prompts(file)
    assert prompts == [(0, "one"), (3, "four\u2028still four"), (5, "six")]
    assert problems == {2: "is blank", 3: "is not UTF-8 (byte 0xff)", 5: "is blank"}
    file.write_text("\n\n")
    with pytest.raises(ValueError, match="no prompt in"):
        read_prompts(file)


def test_on_beam_they_are_the_same(preset, prompts, tmp_path):
    pytest.importorskip("apache_beam")
    generate_file(prompts, tmp_path / "plain", preset, seed=5, batch_size=4)
    made = generate_file(prompts, tmp_path / "beam", preset, seed=5, batch_size=4, beam=[])
    assert made == (6, 0, 5, {2: "is blank"})
    assert pictures(tmp_path / "beam") == pictures(tmp_path / "plain")
    removed = tmp_path / "beam" / "00001" / "metadata.jsonl"
    content = removed.read_bytes()
    removed.unlink()
    assert generate_file(prompts, tmp_path / "beam", preset, batch_size=4, beam=[]).kept == 4
    assert removed.read_bytes() == content and json.loads(content.split(b"\n")[0])["seed"] == 7
    with pytest.raises(RuntimeError, match=r"A worker of Apache Beam failed: .*temperature"):
        generate_file(prompts, tmp_path / "bad", preset, seed=5, beam=[], temperature=-1.0)
    with pytest.raises(ValueError, match="knows no option 'runer'"):
        generate_file(prompts, tmp_path / "odd", preset, seed=5, beam=["--runer=FlinkRunner"])
