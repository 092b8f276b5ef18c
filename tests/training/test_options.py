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
    options.prepare(SimpleNamespace(seed=0, smoke=False, precision=precision))
    assert capsys.readouterr().err.count("no bfloat16 arithmetic") == (
        precision == "mixed_bfloat16" and not has
    )
