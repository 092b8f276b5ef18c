import hashlib
import json

import keras
import numpy as np
import pytest
from keras import ops

from keras_t2i.data import augmentation
from keras_t2i.data import pipeline as pipelines
from keras_t2i.data.balance import concept_shares
from keras_t2i.data.captioned_images import CaptionedImages
from keras_t2i.data.pipeline import Pipeline
from keras_t2i.data.pipeline import SetPipelineEpoch
from keras_t2i.data.texts import ListsOfTexts
from keras_t2i.data.texts import Texts


class LengthPreprocessor:
    """Token ids that tell which caption they came from: "7 2" becomes [7, 2]."""

    calls = 0

    def generate_preprocess(self, captions):
        self.calls += 1
        return np.array([[int(part) for part in caption.split()] for caption in captions])


def make_data(n=10, size=4):
    pictures = np.random.default_rng(0).integers(0, 256, (n, size, size, 3), dtype="uint8")
    captions = [[f"{i} {k}" for k in range(1 + i % 3)] for i in range(n)]
    return CaptionedImages(pictures, captions, [f"picture {i}" for i in range(n)], np.arange(n))


def assert_batches_equal(batch, other):
    assert batch.keys() == other.keys()
    for key in batch:
        np.testing.assert_array_equal(batch[key], other[key])


def test_batch_is_a_pure_function_of_seed_and_step():
    options = {"batch_size": 4, "augmentations": (augmentation.horizontal_flip, augmentation.translate(1))}
    pipeline = Pipeline(make_data(), LengthPreprocessor(), seed=2**63, **options)
    batches = [pipeline.batch(step) for step in range(6)]
    again = Pipeline(make_data(), LengthPreprocessor(), seed=2**63, **options)
    for step in (5, 0, 3):
        assert_batches_equal(again.batch(step), batches[step])
    other = Pipeline(make_data(), LengthPreprocessor(), seed=1, **options)
    assert any((other.batch(step)["groups"] != batches[step]["groups"]).any() for step in range(6))


@pytest.mark.parametrize(("n", "batch_size"), [(10, 4), (10, 10), (3, 8), (1, 2)])
def test_passes_run_into_each_other_and_show_each_picture_once(n, batch_size):
    pipeline = Pipeline(make_data(n), batch_size=batch_size)
    stream = np.concatenate([pipeline.batch(step)["groups"] for step in range(4 * n)])
    passes = stream[: len(stream) // n * n].reshape(-1, n)
    assert (np.sort(passes) == np.arange(n)).all()
    if n > 1:
        assert len(np.unique(passes, axis=0)) > 1


def test_dtypes_shapes_and_pairing():
    data = make_data()
    preprocessor = LengthPreprocessor()
    pipeline = Pipeline(data, preprocessor, batch_size=7)
    assert len(pipeline) == 2
    token_ids = set()
    for step in range(40):
        batch = pipeline.batch(step)
        assert {key: (str(value.dtype), value.shape) for key, value in batch.items()} == {
            "images": ("uint8", (7, 4, 4, 3)),
            "token_ids": ("int32", (7, 2)),
            "groups": ("int32", (7,)),
        }
        np.testing.assert_array_equal(batch["token_ids"][:, 0], batch["groups"])
        np.testing.assert_array_equal(batch["images"], data.pictures[batch["groups"]])
        token_ids |= {tuple(ids) for ids in batch["token_ids"].tolist()}
    assert len(token_ids) == sum(len(captions) for captions in data.captions)
    assert preprocessor.calls == 1


def test_rows_beside_captions_are_of_the_caption_that_was_drawn():
    data = make_data()
    table = np.array([[int(part) for part in caption.split()] for some in data.captions for caption in some])
    for training in (True, False):
        options = {"batch_size": 4, "caption_features": {"codes": table / 2}, "training": training}
        pipeline = Pipeline(data, LengthPreprocessor(), **options)
        alone = Pipeline(data, **options)
        for step in range(6):
            batch = pipeline.batch(step)
            np.testing.assert_array_equal(2 * batch["codes"], batch["token_ids"])
            np.testing.assert_array_equal(alone.batch(step)["codes"], batch["codes"])
    for name, rows in (("codes", table[1:]), ("images", table)):
        with pytest.raises(ValueError, match=f"a row for each of the {len(table)} captions"):
            Pipeline(data, caption_features={name: rows})
    with pytest.raises(ValueError, match="'codes'"):
        Pipeline(data, image_features={"codes": table[: len(data)]}, caption_features={"codes": table})


def test_validation_shows_every_picture_once_with_its_plain_caption():
    data = make_data()
    pipeline = Pipeline(data, LengthPreprocessor(), batch_size=4, training=False)
    assert [len(batch["groups"]) for batch in pipeline] == [4, 4, 2]
    pipeline.start_at(3)
    batches = list(pipeline)
    np.testing.assert_array_equal(np.concatenate([b["images"] for b in batches]), data.pictures)
    token_ids = np.concatenate([b["token_ids"] for b in batches])
    np.testing.assert_array_equal(token_ids, [[i, 0] for i in range(10)])


@pytest.mark.parametrize(
    ("change", "options", "message"),
    [
        (lambda data: data.take([]), {}, "no picture"),
        (lambda data: data.captions[3].clear() or data, {}, "picture 3"),
        (lambda data: setattr(data, "pictures", data.pictures / 255) or data, {}, "uint8"),
        (lambda data: data, {"batch_size": 0}, "batch_size"),
        (
            lambda data: data,
            {"training": False, "augmentations": (augmentation.horizontal_flip,)},
            "training=False",
        ),
    ],
)
def test_impossible_arguments_are_named(change, options, message):
    with pytest.raises(ValueError, match=message):
        Pipeline(change(make_data()), **options)


@keras.saving.register_keras_serializable(package="test_pipeline")
class Recorder(keras.Model):
    """Trains nothing; writes down the groups of every batch, in compiled code."""

    def __init__(self, rows=16, batch_size=4):
        super().__init__()
        self.row = self.add_weight(shape=(), dtype="int32", initializer="zeros", trainable=False)
        self.seen = self.add_weight(
            shape=(rows, batch_size), dtype="int32", trainable=False, initializer="zeros"
        )
        self.weight = self.add_weight(shape=(), initializer="ones")

    def call(self, inputs):
        return ops.mean(ops.cast(inputs["images"], "float32")) * self.weight

    def compute_loss(self, x, y=None, y_pred=None, sample_weight=None, training=True):
        if training:
            is_row = ops.arange(self.seen.shape[0])[:, None] == self.row
            self.seen.assign(ops.where(is_row, x["groups"], self.seen.value))
            self.row.assign(self.row + 1)
            return y_pred * 0.0
        return y_pred * 0.0 + ops.cast(ops.shape(x["images"])[0], "float32")

    def recorded(self):
        rows = ops.convert_to_numpy(self.seen)[: int(self.row)]
        self.row.assign(0)
        return rows


class StopAt(keras.callbacks.Callback):
    def __init__(self, epoch, batch, error=None):
        super().__init__()
        self.epoch_and_batch = (epoch, batch)
        self.error = error

    def on_epoch_begin(self, epoch, logs=None):
        self.epoch = epoch

    def on_train_batch_end(self, batch, logs=None):
        if (self.epoch, batch) == self.epoch_and_batch:
            if self.error:
                raise self.error
            self.model.stop_training = True


def fit(model, pipeline, *callbacks, **options):
    callbacks = [*callbacks, SetPipelineEpoch(pipeline)]
    return model.fit(pipeline, shuffle=False, callbacks=callbacks, verbose=0, **options)


def make_recorder():
    model = Recorder()
    model.compile(optimizer="sgd")
    return model


def expected(steps):
    pipeline = Pipeline(make_data(), batch_size=4, seed=5)
    return np.stack([pipeline.batch(step)["groups"] for step in steps])


def test_fit_goes_on_from_epoch_to_epoch():
    pipeline = Pipeline(make_data(), batch_size=4, seed=5)
    model = make_recorder()
    fit(model, pipeline, epochs=3)
    np.testing.assert_array_equal(model.recorded(), expected(range(9)))
    # Again, in the middle, and once more from the start, with the same objects.
    fit(model, pipeline, initial_epoch=2, epochs=4)
    np.testing.assert_array_equal(model.recorded(), expected(range(6, 12)))
    fit(model, pipeline, epochs=1)
    np.testing.assert_array_equal(model.recorded(), expected(range(3)))


def test_fit_of_an_unbuilt_model_at_a_later_epoch():
    model = make_recorder()
    fit(model, Pipeline(make_data(), batch_size=4, seed=5), initial_epoch=2, epochs=4)
    np.testing.assert_array_equal(model.recorded(), expected(range(6, 12)))


def test_fit_after_a_stop_within_an_epoch():
    pipeline = Pipeline(make_data(), batch_size=4, seed=5)
    model = make_recorder()
    fit(model, pipeline, StopAt(epoch=1, batch=0), epochs=3)
    np.testing.assert_array_equal(model.recorded(), expected(range(4)))
    fit(model, pipeline, initial_epoch=1, epochs=3)
    np.testing.assert_array_equal(model.recorded(), expected(range(3, 9)))


def test_fit_resumed_by_keras_own_callback(tmp_path):
    def run(*callbacks):
        model = make_recorder()
        model.build({"images": (None, 4, 4, 3), "groups": (None,)})
        backup = keras.callbacks.BackupAndRestore(tmp_path / "backup")
        fit(model, Pipeline(make_data(), batch_size=4, seed=5), backup, *callbacks, epochs=4)
        return model

    with pytest.raises(KeyboardInterrupt):
        run(StopAt(epoch=2, batch=1, error=KeyboardInterrupt))
    # The record itself is restored as well, so it shows both runs.
    np.testing.assert_array_equal(run().recorded(), expected(range(12)))


def test_validation_covers_each_picture_once():
    model = make_recorder()
    pipeline = Pipeline(make_data(), batch_size=4, seed=5)
    validation = Pipeline(make_data(), batch_size=4, training=False)
    history = fit(model, pipeline, epochs=2, validation_data=validation).history
    np.testing.assert_array_equal(model.recorded(), expected(range(6)))
    # The loss is the batch's size and Keras averages it over the pictures: (4*4 + 4*4 + 2*2) / 10.
    np.testing.assert_allclose(history["val_loss"], [3.6, 3.6], rtol=1e-6)


def test_fit_that_repeats_its_first_epoch_warns():
    with pytest.warns(UserWarning, match="SetPipelineEpoch"):
        make_recorder().fit(Pipeline(make_data(), batch_size=4), epochs=3, shuffle=False, verbose=0)


def test_fit_with_steps_of_its_own_is_refused():
    pipeline = Pipeline(make_data(), batch_size=4)
    with pytest.raises(ValueError, match="give `steps_per_epoch` to the Pipeline"):
        fit(make_recorder(), pipeline, epochs=2, steps_per_epoch=2)


def test_a_batch_is_not_made_of_many_repeats():
    with pytest.warns(UserWarning, match="A batch of 100000 of 10 pictures .*: it has 4096"):
        pipeline = Pipeline(make_data(10), batch_size=100_000)
    assert len(pipeline.batch(0)["images"]) == 4096


def test_shares_are_how_often_a_pass_shows_each_picture():
    shares = np.array([4.0, 2.0, 1.0, 0.5, 0.5, 0.5, 0.5, 0.5, 0.25, 0.25])
    options = {"batch_size": 10, "seed": 3, "shares": shares}
    pipeline = Pipeline(make_data(), **options)
    passes = np.stack([np.bincount(pipeline.indices(step), minlength=10) for step in range(400)])
    assert (passes.sum(axis=1) == 10).all()
    assert (passes >= np.floor(shares)).all() and (passes <= np.ceil(shares)).all()
    np.testing.assert_allclose(passes.mean(axis=0), shares, atol=0.1)
    again = Pipeline(make_data(), **options)
    np.testing.assert_array_equal(again.indices(7), pipeline.indices(7))
    assert "shares" in pipeline.fingerprint() and "shares" not in Pipeline(make_data()).fingerprint()


@pytest.mark.parametrize("shares", [np.ones(9), np.zeros(10), np.full(10, np.nan)])
def test_shares_are_checked(shares):
    with pytest.raises(ValueError, match="a finite number above 0 for each of the 10 pictures"):
        Pipeline(make_data(), shares=shares)


def test_concept_shares_by_hand():
    data = make_data(6)
    judge, apple = {"base": "judge", "style": "noto"}, {"base": "apple", "style": "noto"}
    data.attributes = [judge, judge, judge, judge, apple, {"tone": "light"}]
    shares = concept_shares(data)
    np.testing.assert_allclose(shares / shares[4], [0.5, 0.5, 0.5, 0.5, 1, 1])
    assert abs(shares.mean() - 1) < 1e-12
    np.testing.assert_array_equal(concept_shares(data, power=0), np.ones(6))
    np.testing.assert_allclose(concept_shares(data, power=1)[:4].sum(), concept_shares(data, power=1)[4])
    with pytest.raises(ValueError, match="from 0 to 1"):
        concept_shares(data, power=2)


def test_texts_that_are_packed_and_tokenized_in_parts_give_the_same_run(monkeypatch):
    data = make_data()
    data.captions[4] = data.captions[2]
    plain = Pipeline(data, LengthPreprocessor(), batch_size=4)
    monkeypatch.setattr(pipelines, "DISTINCT", 3)
    data.captions, data.names = ListsOfTexts(data.captions), Texts(data.names)
    packed = Pipeline(data, LengthPreprocessor(), batch_size=4)
    assert packed.preprocessor.calls > 1 == plain.preprocessor.calls
    np.testing.assert_array_equal(packed.token_table, plain.token_table)
    assert packed.fingerprint() == plain.fingerprint()
    # As it always was, or a run that is under way could not be gone on with.
    of_captions = hashlib.blake2b(b"()" + json.dumps(list(data.captions)).encode(), digest_size=16)
    assert plain.fingerprint()["captions"] == of_captions.hexdigest()
    assert_batches_equal(packed.batch(5), plain.batch(5))
