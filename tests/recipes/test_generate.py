import socket
import warnings
from pathlib import Path

import generate as recipe
import numpy as np
import pytest
from PIL import Image
from tiny import tiny_generator
from tiny_diffusion import tiny_diffusion_generator
from tiny_renderer import tiny_stage

from keras_t2i.models import Generator
from keras_t2i.utils.images import make_grid


@pytest.fixture(scope="module")
def generator():
    return tiny_generator()


@pytest.fixture(scope="module")
def preset(generator, tmp_path_factory):
    folder = tmp_path_factory.mktemp("presets") / "tiny"
    generator.save_to_preset(folder)
    return str(folder)


@pytest.fixture(autouse=True)
def somewhere_offline(tmp_path, monkeypatch):
    def refuse(*args, **kwargs):
        raise AssertionError(f"network: {args}")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.chdir(tmp_path)


def test_one_picture(preset, generator, capsys):
    file = recipe.main(["A red  apple!", "--preset", preset, "--seed", "3", "--scale", "2"])
    assert file == Path.cwd() / "pictures" / "a-red-apple.png"
    assert str(file) in capsys.readouterr().out
    expected = generator.generate("a red apple !", seed=3)
    np.testing.assert_array_equal(np.asarray(Image.open(file)), make_grid(expected[None], scale=2))


@pytest.mark.once
def test_a_picture_of_the_same_name_is_kept(preset):
    files = [recipe.main(["a red apple", "--preset", preset, "--scale", "1"]) for _ in range(3)]
    assert [file.name for file in files] == ["a-red-apple.png", "a-red-apple-2.png", "a-red-apple-3.png"]


def test_grid_and_output(preset, generator):
    arguments = ["--seed", "0", "--num-images", "3", "--best-of", "2", "--temperature", "0.5", "--scale", "1"]
    file = recipe.main(["a red apple", "a car", *arguments, "--preset", preset, "--output", "new/two.PNG"])
    pictures = generator.generate(["a red apple", "a car"], seed=0, num_images=3, best_of=2, temperature=0.5)
    np.testing.assert_array_equal(np.asarray(Image.open(file)), make_grid(pictures, columns=3))
    again = ["--preset", preset, "--scale", "8", "--output", "new/two.PNG"]
    assert recipe.main(["a", "b", *again]) == file
    assert np.asarray(Image.open(file)).shape == (8 * 8, 2 * 8 * 8 + 2, 3)


def test_without_a_word_on_size_it_is_512_by_the_packaged_renderer(preset, generator, capsys):
    file = recipe.main(["a red apple", "--preset", preset, "--seed", "3"])
    assert "512 x 512 pixels" in capsys.readouterr().out
    expected = generator.generate("a red apple", seed=3, size=512).astype(int)
    assert np.abs(np.asarray(Image.open(file)) - expected).max() <= 1


def test_any_size_by_a_renderer(preset, generator, tmp_path, capsys):
    tiny_stage().save_to_preset(tmp_path / "renderer")
    options = ["--preset", preset, "--seed", "3", "--renderer", str(tmp_path / "renderer")]
    whole = Generator.from_stages(decoder=generator, renderer=tiny_stage())
    file = recipe.main(["a red apple", *options, "--size", "40x60"])
    assert "60 x 40 pixels" in capsys.readouterr().out
    expected = whole.generate("a red apple", seed=3, size=(40, 60)).astype(int)
    assert np.abs(np.asarray(Image.open(file)) - expected).max() <= 1
    file = recipe.main(
        ["a red apple", "a car", *options, "--size", "40", "--transparent", "--output", "two.png"]
    )
    pictures = whole.generate(["a red apple", "a car"], seed=3, size=40, background=None)
    assert np.abs(np.asarray(Image.open(file)).astype(int) - make_grid(pictures)).max() <= 1
    for wrong in ("0", "x", "1x2x3", "70000"):
        with pytest.raises(SystemExit):
            recipe.main(["a red apple", *options, "--size", wrong])
        assert "size" in capsys.readouterr().err


def test_diffusion(tmp_path, capsys):
    generator = tiny_diffusion_generator()
    generator.save_to_preset(tmp_path / "diffusion")
    command = ["a red apple", "a car", "--preset", str(tmp_path / "diffusion"), "--seed", "3", "--scale", "1"]
    settings = ["--num-steps", "4", "--guidance-scale", "1.5", "--frames", "new/a.png"]
    file = recipe.main([*command, *settings])
    options = {"num_steps": 4, "guidance_scale": 1.5}
    pictures = generator.generate(["a red apple", "a car"], seed=3, **options)
    found = np.asarray(Image.open(file)).astype(int)
    assert np.abs(found - make_grid(pictures)).max() <= 1
    strip = np.asarray(Image.open("new/a.png")).astype(int)
    expected = make_grid(generator.generate_frames("a red apple", seed=3, **options), columns=4)
    assert np.abs(strip - expected).max() <= 1
    assert str(Path("new/a.png").absolute()) in capsys.readouterr().out
    with pytest.raises(SystemExit):
        recipe.main([*command, "--temperature", "2"])
    assert "temperature" in capsys.readouterr().err


@pytest.mark.once
def test_words_that_are_read_as_others_are_told_in_a_line(tmp_path, monkeypatch):
    monkeypatch.setattr(warnings, "formatwarning", warnings.formatwarning)  # put back after
    generator = tiny_generator()
    generator.preprocessor.tokenizer.set_nearest_words({"scarlet": "red"})
    generator.save_to_preset(tmp_path / "preset")
    with pytest.warns(UserWarning, match="scarlet") as caught:
        recipe.main(["a scarlet apple", "--preset", str(tmp_path / "preset"), "--scale", "1"])
    said = warnings.formatwarning(caught[0].message, UserWarning, "file.py", 1)
    assert said == 'note: read as what was learned from captions: "scarlet" as "red"\n'


@pytest.mark.once
def test_a_file_of_prompts(preset, capsys):
    Path("prompts.txt").write_text("a red apple\n\na car\n")
    command = ["--prompts", "prompts.txt", "--preset", preset, "--scale", "2", "--output", "drawn"]
    assert recipe.main([*command, "--num-images", "2", "--seed", "3"]) == "drawn"
    said = capsys.readouterr().out
    assert "left out: line 2 is blank" in said and "drawn (4 pictures, seed 3, " in said
    names = sorted(file.name for file in Path("drawn").rglob("*.png"))
    assert names == [
        f"000000{i}-{j}-{name}.png" for i, name in ((0, "a-red-apple"), (2, "a-car")) for j in "01"
    ]
    assert np.asarray(Image.open(f"drawn/00000/{names[0]}")).shape == (16, 16, 3)
    recipe.main([*command, "--num-images", "2"])  # the seed is that of the folder
    assert "4 pictures, 4 of them kept, seed 3" in capsys.readouterr().out
    with pytest.raises(SystemExit):
        recipe.main(command)
    assert "another call: num_images differ" in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments, message",
    [
        ([], "PROMPT"),
        (["a", "--prompts", __file__], "give one"),
        (["--prompts", __file__], "--output FOLDER"),
        (["--prompts", "nothing.txt"], "no file nothing.txt"),
        (["--prompts", __file__, "--output", "o", "--svg"], "not with --prompts"),
        (["a", "--beam", "--runner", "FlinkRunner", "--seed", "3"], "--beam is for --prompts"),
        (["a", "--seed", "x"], "seed"),
        (["a", "--num-images", "0"], "at least 1"),
        (["a", "--preset", "no_such"], "no preset 'no_such'"),
        (["  "], "Caption 0 is empty"),
        (["a", "--temperature", "-1"], "temperature"),
        (["a", "--seed", "-1"], "seed"),
        (["a", "--output", "picture.jpg"], ".png"),
        (["a", "--renderer", "no_such"], "no preset 'no_such'"),
        (["a", "--size", "64", "--scale", "2"], "not allowed with"),
        (["a", "--scale", "2", "--transparent"], "--transparent"),
        (["a", "--num-steps", "4"], "one step"),
        (["a", "--guidance-scale", "2"], "guidance_scale"),
        (["a", "--frames", "a.gif"], "one step"),
    ],
)
def test_errors_are_one_line_and_code_2(preset, capsys, arguments, message):
    if "--preset" not in arguments:
        arguments = ["--preset", preset, *arguments]
    with pytest.raises(SystemExit) as exit:
        recipe.main(arguments)
    assert exit.value.code == 2
    last = capsys.readouterr().err.splitlines()[-1]
    assert last.startswith("generate.py: error: ") and message in last
    assert not Path("pictures").exists()


def test_names():
    assert recipe.free_name("../../etc/passwd").name == "etc-passwd.png"
    assert recipe.free_name("日本の 猫").name == "日本の-猫.png"
    assert recipe.free_name("?!").name == "picture.png"
    assert len(recipe.free_name("猫" * 500).name.encode()) < 200


def test_help_names_every_default(capsys):
    with pytest.raises(SystemExit) as exit:
        recipe.main(["--help"])
    assert exit.value.code == 0
    text = " ".join(capsys.readouterr().out.split())
    for default in ("diffusion_emoji", "random", "default: 1", "1.0", "512", "pictures/<prompt>.png"):
        assert default in text


@pytest.mark.once
def test_curves_in_place_of_pixels(preset, generator, tmp_path, capsys):
    pytest.importorskip("contourpy")
    tiny_stage().save_to_preset(tmp_path / "renderer")
    both = ["--preset", preset, "--renderer", str(tmp_path / "renderer"), "--seed", "3", "--svg"]
    whole = Generator.from_stages(decoder=generator, renderer=tiny_stage())
    expected = whole.generate(["a red apple", "a car"], seed=3, output="svg", background=None)
    recipe.main(["a red apple", "a car", *both, "--transparent"])
    found = [Path("pictures", name).read_text() for name in ("a-red-apple.svg", "a-car.svg")]
    assert found == expected
    file = recipe.main(["a red apple", *both, "--output", "new/one.svg", "--size", "64"])
    assert file == Path.cwd() / "new" / "one.svg" and 'width="64"' in file.read_text()
    for prompts, output in ((["a", "b"], "two.svg"), (["a"], "one.png")):
        with pytest.raises(SystemExit) as error:
            recipe.main([*prompts, *both, "--output", output])
        assert error.value.code == 2
        assert "--svg: --output names an .svg file, of one picture" in capsys.readouterr().err
        assert not Path(output).exists()
