"""TensorBoard's event files: what a kill cuts, and that TensorFlow writes the same."""

import numpy as np
import pytest
from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.util.tensor_util import make_ndarray

from keras_t2i.training.event_files import EventFile
from keras_t2i.training.event_files import last_step
from keras_t2i.utils.tfrecord import read_records

pytestmark = pytest.mark.once

PICTURE = np.arange(4 * 6 * 3, dtype="uint8").reshape(4, 6, 3)


def values(folder):
    """The values of a folder's only file, and which version it says that it has."""
    (file,) = folder.glob("events.out.tfevents.*")
    first, *events = map(Event.FromString, read_records(file))
    return first.file_version, [(event.step, value) for event in events for value in event.summary.value]


def test_what_a_kill_cut_is_not_the_last_step(tmp_path):
    assert last_step(tmp_path) == -1
    file = EventFile(tmp_path)
    file.write(0, {})
    assert not list(tmp_path.iterdir())
    for step in range(3):
        file.write(step, {"loss": 0.5})
    assert last_step(tmp_path) == 2
    file.path.write_bytes(file.path.read_bytes()[:-5])
    assert last_step(tmp_path) == 1
    EventFile(tmp_path).write(2, {"loss": 0.5})  # of the run that goes on
    assert last_step(tmp_path) == 2 and len(list(tmp_path.iterdir())) == 2


def test_tensorflow_writes_the_same(tmp_path):
    tf = pytest.importorskip("tensorflow")
    EventFile(tmp_path / "ours").write(7, {"loss": 0.5, "drawn": PICTURE})
    with tf.summary.create_file_writer(str(tmp_path / "theirs")).as_default(step=7):
        tf.summary.scalar("loss", 0.5)
        tf.summary.image("drawn", PICTURE[None])
    (version, ours), (their_version, theirs) = values(tmp_path / "ours"), values(tmp_path / "theirs")
    assert version == their_version
    for (step, value), (their_step, their_value) in zip(ours, theirs, strict=True):
        assert step == their_step and value.tag == their_value.tag
        assert value.metadata.plugin_data == their_value.metadata.plugin_data
        of_value, of_theirs = make_ndarray(value.tensor), make_ndarray(their_value.tensor)
        assert of_value.dtype == of_theirs.dtype and of_value.shape == of_theirs.shape
        if value.tag == "loss":
            assert of_value == of_theirs == 0.5
        else:
            assert list(of_value[:2]) == list(of_theirs[:2]) == [b"6", b"4"]
            pictures = [tf.io.decode_png(of[2]).numpy() for of in (of_value, of_theirs)]
            np.testing.assert_array_equal(pictures[0], pictures[1])
            np.testing.assert_array_equal(pictures[0], PICTURE)
