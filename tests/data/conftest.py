import pytest


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """The cache of fitted pictures, empty."""
    monkeypatch.setenv("KERAS_T2I_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def folder(tmp_path, cache):
    """An empty folder for a person's pictures."""
    path = tmp_path / "my pictures"
    path.mkdir()
    return path
