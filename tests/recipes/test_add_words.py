"""The table of `data.nearest_words`, in a preset: what it says itself is tested in `tests/data`."""

import numpy as np
import pytest
from tiny import tiny_generator

from keras_t2i.models import Generator

pytestmark = pytest.mark.once


def test_words_that_captions_did_not_teach(recipe, folder, tmp_path, capsys):
    tiny_generator().save_to_preset(tmp_path / "preset")
    frequent = [f"frequent{i} 0 1" for i in range(500)]
    vectors = "\n".join([*frequent, "disc 1 0", "bar 0.8 0.6", "disk 2 0.1", "vector -1 -1"])
    (tmp_path / "glove.txt").write_text(vectors + "\n")
    command = [str(tmp_path / "preset"), str(tmp_path / "more"), "--data", str(folder)]
    found = recipe("add_words")([*command, "--vectors", str(tmp_path / "glove.txt")])
    assert found == {"disk": "disc"}
    shown = capsys.readouterr().out
    assert "disk as disc" in shown and "1 words more" in shown
    before, more = (Generator.from_preset(tmp_path / name) for name in ("preset", "more"))
    with pytest.warns(UserWarning, match='"disk" as "disc"'):
        drawn = more.generate("a red disk", seed=3)
    np.testing.assert_array_equal(drawn, before.generate("a red disc", seed=3))
    with pytest.raises(SystemExit, match="2"):
        recipe("add_words")([*command, "--vectors", str(tmp_path / "none.txt")])
    assert "none.txt" in capsys.readouterr().err
