"""TFRecord files against TensorFlow's own, and what is wrong with them."""

import pytest

from keras_t2i.utils.tfrecord import crc32c
from keras_t2i.utils.tfrecord import frame_record
from keras_t2i.utils.tfrecord import read_records

pytestmark = pytest.mark.once

RECORDS = [b"", b"one", bytes(range(256)) * 3]


def test_the_check_sum_is_that_of_the_rfc():
    # RFC 3720, appendix B.4, and the check value of the catalogue of CRCs.
    assert crc32c(bytes(32)) == 0x8A9136AA and crc32c(b"\xff" * 32) == 0x62A8AB43
    assert crc32c(bytes(range(32))) == 0x46DD794E and crc32c(b"123456789") == 0xE3069283


def test_tensorflow_reads_and_writes_the_same(tmp_path):
    tf = pytest.importorskip("tensorflow")
    (tmp_path / "ours").write_bytes(b"".join(map(frame_record, RECORDS)))
    assert list(tf.data.TFRecordDataset(str(tmp_path / "ours")).as_numpy_iterator()) == RECORDS
    with tf.io.TFRecordWriter(str(tmp_path / "theirs")) as writer:
        for record in RECORDS:
            writer.write(record)
    assert (tmp_path / "theirs").read_bytes() == (tmp_path / "ours").read_bytes()
    assert list(read_records(tmp_path / "theirs")) == RECORDS


def test_every_damage_is_found(tmp_path):
    path, content = tmp_path / "records", b"".join(map(frame_record, [b"one", b"two"]))
    ends = {0, 19, 38}  # a file that ends between records is whole, as far as it can tell
    for cut in range(len(content)):
        path.write_bytes(content[:cut])
        if cut in ends:
            assert list(read_records(path)) == [b"one", b"two"][: cut // 19]
        else:
            with pytest.raises(ValueError, match="records is damaged or was not written to its end"):
                list(read_records(path))
    for place in range(len(content)):
        path.write_bytes(content[:place] + bytes([content[place] ^ 4]) + content[place + 1 :])
        with pytest.raises(ValueError, match="records is damaged"):
            list(read_records(path))
