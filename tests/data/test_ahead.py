"""Threads that make batches ahead change when they are made, and nothing else."""

import threading
import time

import keras
import numpy as np
import pytest

from keras_t2i.data import Pipeline
from keras_t2i.data import SetPipelineEpoch
from keras_t2i.data.ahead import Ahead
from keras_t2i.data.captioned_images import CaptionedImages
from keras_t2i.data.pictures import StoredPictures


def data(count=10):
    pictures = np.random.default_rng(0).integers(0, 256, (count, 4, 4, 3), "uint8")
    pictures[:, 0, 0, 0] = np.arange(count)
    captions = [[f"picture {i}", "some"] for i in range(count)]
    names = [str(i) for i in range(count)]
    return CaptionedImages(pictures, captions, names, np.arange(count), [{}] * count, "here")


def noise(images, rng):
    time.sleep(rng.uniform(0, 0.003))  # so that threads end in another order than they began
    return images ^ rng.integers(0, 2, images.shape, "uint8")


def pipeline(workers, **options):
    return Pipeline(data(), batch_size=3, seed=1, augmentations=(noise,), workers=workers, **options)


@pytest.mark.once
@pytest.mark.parametrize("workers", [1, 2, 5])
def test_batches_are_those_without_threads(workers):
    plain, ahead = pipeline(0), pipeline(workers)
    for epoch in (0, 1, 7, 2):  # one after the other, a resume, and back
        plain.start_at(epoch)
        ahead.start_at(epoch)
        for i in (*range(len(plain)), 0, 2):
            for name, rows in plain[i].items():
                np.testing.assert_array_equal(ahead[i][name], rows)


class Recorder(keras.Model):
    """Its loss is a sum that tells batches, and the order within them, apart; it learns nothing."""

    def __init__(self):
        super().__init__()
        self.weight = self.add_weight(shape=(), name="weight")

    def build(self, input_shape=None):
        self.built = True

    def call(self, x):
        return self.weight * 1.0

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        images = keras.ops.cast(x["images"][:, 0, :2, 0], "float32")
        return self.weight * 0 + keras.ops.sum(images * keras.ops.reshape(keras.ops.arange(1.0, 7.0), (3, 2)))


def losses(workers, epochs, start=0):
    pipe, found = pipeline(workers), []
    model = Recorder()
    model.compile(optimizer="sgd")
    see = keras.callbacks.LambdaCallback(
        on_train_batch_end=lambda batch, logs: found.append(float(logs["loss"]))
    )
    callbacks = [SetPipelineEpoch(pipe), see]
    model.fit(pipe, shuffle=False, verbose=0, epochs=epochs, initial_epoch=start, callbacks=callbacks)
    return found


def test_fit_is_fed_the_same_and_a_resume_too():
    plain = losses(0, 3)
    assert len({*plain}) > 6
    for workers in (1, 2):
        np.testing.assert_array_equal(losses(workers, 3), plain)
    resumed = losses(2, 3, start=2)  # the mean that Keras logs begins anew in each epoch
    np.testing.assert_array_equal(resumed, plain[-len(resumed) :])


@pytest.mark.once
def test_what_is_computed_is_what_was_asked_for_and_a_few_more():
    computed, main = [], threading.get_ident()

    def square(number):
        computed.append((number, threading.get_ident()))
        return number**2

    ahead = Ahead(square, workers=2)
    assert [ahead(i, 9) for i in (3, 4, 5)] == [9, 16, 25]
    assert ahead(0, 9) == 0 and ahead(9, 9) == 81
    time.sleep(0.05)
    numbers = [number for number, _ in computed]
    assert max(numbers) <= 9 and {0, 3, 4, 5, 9} <= {*numbers} and len(numbers) <= 14
    assert main not in {thread for _, thread in computed}


@pytest.mark.once
def test_an_error_is_of_its_own_step():
    def inverse(number):
        return 6 // (3 - number)

    ahead = Ahead(inverse, workers=1)
    assert ahead(1, 9) == 3 and ahead(2, 9) == 6
    with pytest.raises(ZeroDivisionError):
        ahead(3, 9)
    assert ahead(4, 9) == -6


@pytest.mark.once
def test_features_that_join_later_are_in_every_batch_behind():
    pipe = pipeline(2)
    assert "codes" not in pipe[0]
    pipe.add_image_features({"codes": np.arange(10)})
    assert all("codes" in pipe[i] for i in range(3))


@pytest.mark.once
def test_pictures_in_files_have_threads_and_those_in_memory_none():
    class Stored(StoredPictures):
        pictures, identity = data().pictures, b"these"
        shape = pictures.shape

        def __len__(self):
            return len(self.pictures)

        def __getitem__(self, rows):
            return self.pictures[rows]

        def take(self, indices, axis=0):
            return self.pictures[indices]

        def joined(self, other):
            raise NotImplementedError

    held = data()
    assert Pipeline(held, batch_size=3).ahead is None
    stored = CaptionedImages(Stored(), held.captions, held.names, held.groups, held.attributes, "here")
    pipe = Pipeline(stored, batch_size=3, training=False)
    assert pipe.ahead is not None and Pipeline(stored, workers=0).ahead is None
    found = np.concatenate([pipe[i]["images"] for i in range(len(pipe))])
    np.testing.assert_array_equal(found, held.pictures)
    assert pipe.ahead.found == {}  # validation ends where it ends
