"""Files of TensorBoard's events, without TensorFlow: tensorboard's own messages, in a TFRecord file."""

import contextlib
import io
import itertools
import os
import socket
import time

import numpy as np
from PIL import Image

from keras_t2i.utils.files import append_bytes
from keras_t2i.utils.tfrecord import frame_record
from keras_t2i.utils.tfrecord import read_records


class EventFile:
    """A file of TensorBoard's events, made when the first is written: nothing of it waits in memory.

    Args:
        folder: path, of the file; TensorBoard shows each folder as a run.
    """

    numbers = itertools.count()  # files of one second have different names

    def __init__(self, folder):
        self.folder, self.path = folder, None

    def write(self, step, figures):
        """Write figures of one step: dict of a tag to a float or to a picture, uint8 `(h, w, 3)`."""
        from tensorboard.compat.proto.event_pb2 import Event
        from tensorboard.compat.proto.summary_pb2 import Summary

        if not figures:
            return
        now = time.time()
        summary = Summary(value=[summarize(*figure) for figure in figures.items()])
        events = [Event(wall_time=now, step=step, summary=summary)]
        if self.path is None:
            of_process = f"{socket.gethostname()}.{os.getpid()}.{next(self.numbers)}"
            self.path = self.folder / f"events.out.tfevents.{now:.0f}.{of_process}.v2"
            events.insert(0, Event(wall_time=now, file_version="brain.Event:2"))
        append_bytes(self.path, b"".join(frame_record(event.SerializeToString()) for event in events))


def summarize(tag, value):
    """A float or a picture, uint8 `(h, w, 3)`, as the value of a `Summary`, as TensorFlow 2 writes it."""
    from tensorboard.compat.proto.summary_pb2 import Summary
    from tensorboard.compat.proto.tensor_pb2 import TensorProto
    from tensorboard.compat.proto.tensor_shape_pb2 import TensorShapeProto
    from tensorboard.compat.proto.types_pb2 import DT_FLOAT
    from tensorboard.compat.proto.types_pb2 import DT_STRING
    from tensorboard.plugins.image.metadata import create_summary_metadata as of_image
    from tensorboard.plugins.scalar.metadata import create_summary_metadata as of_scalar

    if np.ndim(value) == 0:
        content = np.asarray(value, "<f4").tobytes()
        tensor = TensorProto(dtype=DT_FLOAT, tensor_shape=TensorShapeProto(), tensor_content=content)
        return Summary.Value(tag=tag, metadata=of_scalar(None, None), tensor=tensor)
    height, width = value.shape[:2]
    png = io.BytesIO()
    Image.fromarray(np.asarray(value)).save(png, "png")
    parts = [str(width).encode(), str(height).encode(), png.getvalue()]
    shape = TensorShapeProto(dim=[TensorShapeProto.Dim(size=len(parts))])
    tensor = TensorProto(dtype=DT_STRING, tensor_shape=shape, string_val=parts)
    return Summary.Value(tag=tag, metadata=of_image(None, None), tensor=tensor)


def last_step(folder):
    """The last step of a folder of TensorBoard's files, an int; -1: there is none."""
    from tensorboard.compat.proto.event_pb2 import Event

    last = -1
    for file in folder.glob("events.out.*"):
        with contextlib.suppress(ValueError):  # a kill left half an event at the end
            for content in read_records(file):
                event = Event.FromString(content)
                last = max(last, event.step if event.summary.value else -1)
    return last
