import prepare_data

from keras_t2i.data.emoji.designs import load_emoji


def test_smoke_prepares_a_set_that_loads(tmp_path, capsys):
    prepare_data.main(["--smoke", "--size", "16", "--data-dir", str(tmp_path)])
    shown = capsys.readouterr().out
    assert "black line" in shown and str(tmp_path) in shown
    pictures = load_emoji("train", 16, tmp_path, (), 40)
    assert pictures.pictures.shape[1:] == (16, 16, 3) and len(pictures) > 10
    assert f"{len(pictures):12}" in shown
