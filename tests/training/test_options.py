from types import SimpleNamespace

import pytest

from keras_t2i.training import options


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
    assert options.has_bfloat16(file) is expected


@pytest.mark.parametrize("precision", ["mixed_bfloat16", "float32"])
@pytest.mark.parametrize("has", [True, False])
def test_slow_precision_is_said(monkeypatch, capsys, precision, has):
    monkeypatch.setattr(options, "has_bfloat16", lambda: has)
    options.prepare(SimpleNamespace(seed=0, smoke=False, precision=precision, data="openmoji", output="x"))
    assert capsys.readouterr().err.count("no bfloat16 arithmetic") == (
        precision == "mixed_bfloat16" and not has
    )


def test_an_output_in_the_data_is_refused_whatever_the_flags(tmp_path):
    (tmp_path / "a.png").touch()
    for flags in ([], ["--restart"]):
        parser = options.training_parser("", "x", epochs=1, batch_size=1, learning_rate=1e-3)
        for output in (tmp_path, tmp_path.parent, tmp_path / "runs" / "x"):
            args = parser.parse_args(["--data", str(tmp_path), "--output", str(output), *flags])
            with pytest.raises(ValueError, match="beside the data"):
                options.prepare(args)
    assert [p.name for p in tmp_path.iterdir()] == ["a.png"]
    options.prepare(parser.parse_args(["--output", "openmoji"]))  # the set of that name is no folder
