"""What recipes share: numbers are checked, mistakes are one sentence, Ctrl-C says how to go on."""

import importlib
import json
import sys

import common
import numpy as np
import pytest

DEFAULTS = {"minutes": 1, "batch_size": 4, "learning_rate": 1e-3, "width": 3}


def parser(**changes):
    return common.training_parser("", "x", DEFAULTS, changes)


def test_a_command_is_shown_without_places_of_this_machine(tmp_path):
    def shown(text, **changes):
        return common.start(parser(**changes), text.split()).command

    assert shown("") == "python recipes/train_x.py"
    assert shown(f"--epochs 7 --restart --output {tmp_path}") == "python recipes/train_x.py --epochs 7"
    home = f"--data {tmp_path}/home/jane/pictures --minutes 3 --batch-size 4"
    assert shown(home) == "python recipes/train_x.py --data jane/pictures --minutes 3.0"


def test_a_run_writes_its_card_below_what_is_there(tmp_path, capsys):
    class Model:
        pass

    args = common.start(parser(), ["--output", str(tmp_path / "run"), "--epochs", "7"])
    args.source = "Drawn by me."
    card = common.card(args, {"seconds": 90}, Model())
    assert card.startswith("---\nlicense: cc-by-sa-4.0\nlanguage: en\ndatasets: [openmoji]\n")
    assert "# run\n" in card and "Drawn by me." in card and "1.5 minutes" in card and args.command in card
    assert "pipeline_tag" not in card
    file = tmp_path / "run" / "preset" / "README.md"
    file.parent.mkdir(parents=True)
    file.write_text(card.replace("# run\n", "# run\n\nMine.\n"))
    args.command = "python another.py"
    again = common.card(args, {"seconds": 90}, Model())
    assert "\nMine.\n" in again and "another.py" in again and "--epochs" not in again
    file.write_text("# Mine alone")
    assert common.card(args, {"seconds": 90}, Model()) is None and not capsys.readouterr().err
    file.write_text(card.replace("license:", "- license:"))
    assert common.card(args, {"seconds": 90}, Model()) is None  # the preset is saved, with the card as it is
    assert "stays as it is: the card's front matter" in capsys.readouterr().err


@pytest.mark.parametrize(
    "option, message",
    [
        ("--epochs 0", "argument --epochs: must be at least 1, got 0"),
        ("--epochs -1", "argument --epochs: must be at least 1"),
        ("--epochs 1.5", "argument --epochs: invalid int value: '1.5'"),
        ("--minutes 0", "argument --minutes: must be above 0"),
        ("--minutes inf", "argument --minutes: must be finite"),
        ("--epochs 1 --minutes 1", "not allowed with argument --epochs"),
        ("--batch-size 0", "argument --batch-size: must be at least 1"),
        ("--learning-rate nan", "argument --learning-rate: must be finite"),
        ("--learning-rate 0", "argument --learning-rate: must be above 0"),
        ("--accumulate 0", "argument --accumulate: must be at least 1"),
        ("--seed -1", "argument --seed: must be at least 0"),
        (f"--seed {2**40}", "argument --seed: must be at most 4294967295"),
        (f"--batch-size {2**31}", "argument --batch-size: must be at most 2147483647"),
        (f"--epochs {'9' * 400}", "argument --epochs: must be at most 2147483647"),
        ("--learning-rate 1e38", "argument --learning-rate: must be at most 1000000.0"),
        ("--minutes 1e300", "argument --minutes: must be at most 1000000.0"),
        ("--epochs=--", "argument --epochs: expected one argument"),
        ("--output=--", "argument --output: expected one argument"),
        ("--output=", "argument --output: is empty"),
        ("--data=", "argument --data: is empty"),
        ("--output=/dev/null", "argument --output: /dev/null is a file: give a folder"),
    ],
)
def test_numbers_are_checked(option, message, capsys):
    with pytest.raises(SystemExit) as left:
        common.start(parser(), option.split())
    assert left.value.code == 2 and message in capsys.readouterr().err


def test_hyperparameters_join_the_options_and_must_be_the_same_to_resume():
    args = common.start(parser(width=5, minutes=2), ["--seed", "3"])
    assert (args.width, args.minutes, args.epochs, args.seed) == (5, 2, None, 3)
    assert args.settings["width"] == 5 and json.dumps(args.settings)
    assert not {"output", "restart", "minutes", "epochs"} & set(args.settings)
    assert common.start(parser(), ["--epochs", "7"]).minutes is None
    smoke = common.start(parser(), ["--smoke"])
    assert (smoke.epochs, smoke.batch_size, smoke.minutes) == (2, 8, None)
    with pytest.raises(TypeError, match="there is no depth; there are minutes, batch_size"):
        parser(depth=2)


@pytest.mark.parametrize(
    "text, expected",
    [
        ("flags\t\t: fpu avx2 avx512f avx512_bf16\n", True),
        ("flags\t\t: fpu amx_bf16\n", True),
        ("flags\t\t: fpu avx2 avx512f\n", False),
        ("model name: of another kind\n", True),
        (None, True),
    ],
)
def test_processors_with_bfloat16_are_known(tmp_path, text, expected):
    file = tmp_path / "cpuinfo"
    if text is not None:
        file.write_text(text)
    assert common.has_arithmetic("bfloat16", file) is expected
    other = None if text is None else text.replace("avx512_bf16", "avx512_fp16")
    if text is not None:
        file.write_text(other)
    if text is None or "avx512_bf16" in text:
        assert common.has_arithmetic("float16", file) is expected


@pytest.mark.parametrize("precision", ["mixed_bfloat16", "mixed_float16", "float32"])
@pytest.mark.parametrize("has", [True, False])
def test_slow_precision_is_said(monkeypatch, capsys, precision, has):
    monkeypatch.setattr(common, "has_arithmetic", lambda dtype: has)
    common.start(parser(), ["--precision", precision])
    said = f"no {precision.removeprefix('mixed_')} arithmetic" in capsys.readouterr().err
    assert said == (precision != "float32" and not has)


def test_what_is_said_is_one_line_that_every_terminal_prints(capsys):
    for given in ("9" * 5000, "a" * 10**5, "a\n\u2028\x1b[31m\udcff\u202e"):
        with pytest.raises(SystemExit):
            common.start(parser(), ["--epochs", given])
        last = capsys.readouterr().err.split("error: ")[-1]
        assert len(last) < 700 and last.rstrip("\n").isprintable()


@pytest.mark.parametrize(
    "line, logs",
    [
        ("pictures --log csv", ["csv"]),
        ("--log csv pictures", ["csv"]),
        ("--log csv tensorboard pictures --minutes 3", ["csv", "tensorboard"]),
        ("--minutes 3 --lo csv pictures", ["csv"]),
        ("--log=csv pictures", ["csv"]),
        ("--log csv -- pictures", ["csv"]),
        ("--log csv --log=tensorboard pictures", ["tensorboard"]),
        ("pictures", []),
    ],
)
def test_the_order_of_a_folder_and_a_list_of_choices_does_not_matter(line, logs):
    parser = common.Parser()
    parser.add_argument("folder")
    parser.add_argument("--minutes", type=float)
    parser.add_argument("--log", nargs="+", default=[], choices=common.LOGS)
    found = parser.parse_args(line.split())
    assert (found.folder, found.log) == ("pictures", logs)


def test_two_words_keep_their_order_around_a_list_of_choices():
    parse = importlib.import_module("prepare_data").parse_arguments
    for line in ("pictures shards --designs noto", "--designs noto pictures shards"):
        assert vars(parse(line.split())) == vars(parse(["pictures", "--designs", "noto", "shards"]))
    with pytest.raises(SystemExit):
        parse(["pictures", "shards", "--designs", "no_such"])


def test_a_list_of_any_words_before_others_is_named(capsys):
    with pytest.raises(SystemExit):
        importlib.import_module("push").main(["--datasets", "a", "preset", "user/name"])
    said = capsys.readouterr().err.splitlines()[-1]
    assert "required: PRESET, USER/NAME (--datasets takes all words after it: put other words before" in said
    with pytest.raises(SystemExit):
        importlib.import_module("push").main(["preset", "user/name", "--datasets", "a", "--no-such"])
    assert "takes all words" not in capsys.readouterr().err


def test_home_is_home_after_an_equals_sign_too(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    assert common.start(parser(), ["--output=~/run"]).output == tmp_path / "run"
    assert str(common.start(parser(), ["--output=~nouser/run"]).output) == "~nouser/run"


def test_an_output_that_cannot_be_written_is_refused_before_any_work(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(NotADirectoryError):
        common.start(parser(), ["--output", str(tmp_path / "file" / "run")])
    with pytest.raises(OSError):
        common.start(parser(), ["--output", str(tmp_path / ("a" * 300))])


def test_an_output_in_the_data_is_refused_whatever_the_flags(tmp_path):
    (tmp_path / "a.png").touch()
    for flags in ([], ["--restart"]):
        for output in (tmp_path, tmp_path.parent, tmp_path / "runs" / "x"):
            with pytest.raises(ValueError, match="beside the data"):
                common.start(parser(), ["--data", str(tmp_path), "--output", str(output), *flags])
    assert [p.name for p in tmp_path.iterdir()] == ["a.png"]
    common.start(parser(), ["--output", "openmoji"])  # the set of that name is no folder


def raises(error):
    def main(argv):
        raise error

    return main


def ours(argv):
    common.start(parser(), ["--data", "pictures", "--output", "pictures/run"])


@pytest.mark.parametrize(
    "main, sentence",
    [
        (ours, "The output folder pictures/run is the data folder"),
        (raises(FileNotFoundError(2, "No such file", "captions.csv")), "No such file: 'captions.csv'"),
    ],
)
def test_a_mistake_of_a_person_is_one_sentence_and_code_2(main, sentence, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "pictures").mkdir()
    monkeypatch.setattr(sys, "argv", ["recipes/train_x.py"])
    with pytest.raises(SystemExit) as left:
        common.script(main)
    last = capsys.readouterr().err.splitlines()[-1]
    assert left.value.code == 2 and last.startswith("train_x.py: error: ") and sentence in last


def test_a_mistake_of_the_program_keeps_its_traceback():
    with pytest.raises(ValueError):
        common.script(lambda argv: np.ones(3).reshape(2, 2))
    with pytest.raises(ZeroDivisionError):
        common.script(lambda argv: 1 / 0)


@pytest.mark.parametrize("words", ["Stopped after epoch 3 of 9", ""])
def test_ctrl_c_says_how_to_go_on(words, capsys):
    with pytest.raises(SystemExit) as left:
        common.script(raises(KeyboardInterrupt(words)))
    said = capsys.readouterr().err.strip()
    assert left.value.code == 130 and said == (words or "Stopped before training began.")
