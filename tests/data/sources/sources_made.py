"""Sources of the same few pictures, as other programs write them."""

import io
import json
import tarfile

import numpy as np
import pytest
from PIL import Image

COUNT, SIZE, IN_A_SHARD = 40, 12, 16


def png(i):
    """Bytes of a picture, another for each number."""
    file = io.BytesIO()
    pixels = np.random.default_rng(i).integers(0, 256, (14, 12 + i % 5, 3), "uint8")
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


def captions(i):
    return [f"picture {i}", "zwei \U0001f34e"][: 1 + i % 2]


def table(start=0, stop=COUNT):
    pa = pytest.importorskip("pyarrow")
    images = [{"bytes": png(i), "path": f"{i}.png"} for i in range(start, stop)]
    return pa.table({"image": images, "caption": [captions(i) for i in range(start, stop)]})


def parquet(folder):
    """Two files, the first of row groups that no shard and no batch begins with."""
    write = pytest.importorskip("pyarrow.parquet").write_table
    write(table(0, 27), folder / "0.parquet", row_group_size=7)
    write(table(27), folder / "1.parquet")
    return folder


def stream(table, file):
    ipc = pytest.importorskip("pyarrow.ipc")
    with ipc.new_stream(str(file), table.schema) as writer:
        writer.write_table(table, max_chunksize=9)


def arrow(folder):
    ipc = pytest.importorskip("pyarrow.ipc")
    stream(table(0, 23), folder / "0.arrow")
    with ipc.new_file(str(folder / "1.arrow"), table().schema) as writer:
        writer.write_table(table(23), max_chunksize=4)
    return folder


def saved(folder):
    """As `DatasetDict.save_to_disk` writes it."""
    (folder / "dataset_dict.json").write_text('{"splits": ["train", "test"]}')
    for split, rows in {"train": table(), "test": table(0, 3)}.items():
        (folder / split).mkdir()
        stream(rows, folder / split / "data-00000-of-00001.arrow")
        state = {"_data_files": [{"filename": "data-00000-of-00001.arrow"}], "_split": split}
        (folder / split / "dataset_info.json").write_text("{}")
        (folder / split / "state.json").write_text(json.dumps(state))
    return folder


def hub(folder, monkeypatch):
    """As `hf download` leaves it: links to blobs."""
    write = pytest.importorskip("pyarrow.parquet").write_table
    at = folder / "hub" / "datasets--me--birds"
    data = at / "snapshots" / "abc" / "data"
    for made in (data, at / "blobs", at / "refs"):
        made.mkdir(parents=True)
    (at / "refs" / "main").write_text("abc")
    parts = {
        "train-00000-of-00002": (0, 27),
        "train-00001-of-00002": (27, COUNT),
        "test-00000-of-00001": (0, 3),
    }
    for name, part in parts.items():
        write(table(*part), at / "blobs" / name)
        (data / f"{name}.parquet").symlink_to(at / "blobs" / name)
    monkeypatch.setenv("HF_HOME", str(folder))
    return "hf:me/birds"


def prepared_by_datasets(folder, monkeypatch):
    at = folder / "datasets" / "me___birds" / "default-1a" / "0.0.0" / "cafe"
    at.mkdir(parents=True)
    (at / "dataset_info.json").write_text("{}")
    stream(table(), at / "birds-train.arrow")
    stream(table(0, 3), at / "birds-test.arrow")
    monkeypatch.setenv("HF_HOME", str(folder))
    return "hf:me/birds"


def add(archive, name, content, **attributes):
    member = tarfile.TarInfo(name)
    member.size = len(content)
    for key, value in attributes.items():
        setattr(member, key, value)
    archive.addfile(member, io.BytesIO(content))


def tar(folder):
    for file, numbers in {"0.tar": range(27), "1.tar": range(27, COUNT)}.items():
        with tarfile.open(folder / file, "w") as archive:
            for i in numbers:
                add(archive, f"./{i:02}.PNG" if i % 2 else f"{i:02}.jpg", png(i))  # its bytes say what it is
                if i % 3:
                    add(archive, f"./{i:02}.txt" if i % 2 else f"{i:02}.txt", "\n".join(captions(i)).encode())
                else:
                    text = json.dumps({"caption": captions(i)}).encode()
                    add(archive, f"./{i:02}.json" if i % 2 else f"{i:02}.json", text)
    return folder


def tfds(folder, monkeypatch, file_format):
    """A data set of captions, made by TFDS itself."""
    import tensorflow_datasets as tfds

    class Birds(tfds.core.GeneratorBasedBuilder, skip_registration=True):
        VERSION = tfds.core.Version("1.0.0")
        code_path = None  # there are no checksums to look for

        def _info(self):
            of_one = {
                "image": tfds.features.Image(),
                "captions": tfds.features.Sequence(tfds.features.Text()),
            }
            features = tfds.features.FeaturesDict(of_one | {"id": np.int64})
            return tfds.core.DatasetInfo(builder=self, features=features, disable_shuffling=True)

        def _split_generators(self, dl_manager):
            return {"train": self._generate_examples()}

        def _generate_examples(self):
            for i in range(COUNT):
                yield i, {"image": io.BytesIO(png(i)), "captions": captions(i), "id": i}

    Birds(data_dir=folder, file_format=file_format).download_and_prepare()
    monkeypatch.setenv("TFDS_DATA_DIR", str(folder))
    return "tfds:birds"
