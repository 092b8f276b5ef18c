"""What Keras can do with a model while it is trained, done with objectives: see docs/keras_verbs.md."""

import copy

import keras
import numpy as np
import pytest
from every_objective import OF_WINDOWS
from every_objective import TRAININGS
from keras import callbacks
from tiny_objectives import tiny_autoencoder
from tiny_objectives import tiny_gan
from tiny_objectives import tiny_objective
from tiny_objectives import tiny_pipeline
from verbs import difference
from verbs import made
from verbs import said

from keras_t2i.data import SetPipelineEpoch
from keras_t2i.objectives.consistency import CodeConsistency
from keras_t2i.objectives.prior import PriorDenoising
from keras_t2i.objectives.reconstruction import Reconstruction
from keras_t2i.training.averages import ExponentialMovingAverage
from keras_t2i.training.averages import PowerFunctionEMA


def fit(objective, epochs=1, **options):
    objective.fit(tiny_pipeline(), epochs=epochs, verbose=0, shuffle=False, **options)
    return objective


@pytest.mark.parametrize("make", [lambda: tiny_objective("reconstruction"), tiny_gan], ids=["plain", "gan"])
def test_what_modelcheckpoint_saves_trains_on(make, tmp_path):
    objective = fit(make(), callbacks=[callbacks.ModelCheckpoint(tmp_path / "{epoch}.keras")])
    opened = keras.models.load_model(tmp_path / "1.keras")
    assert type(opened) is type(objective)
    assert opened.averaging == objective.averaging
    fit(objective), fit(opened)
    assert difference(opened.get_weights(), objective.get_weights()) == 0


EVERY = TRAININGS | OF_WINDOWS


@pytest.mark.parametrize("name", EVERY)
def test_every_argument_is_stored(name, tmp_path):
    objective = EVERY[name]()
    objective.save(tmp_path / "x.keras")
    opened = keras.models.load_model(tmp_path / "x.keras")
    assert difference(opened.get_weights(), objective.get_weights()) == 0
    assert opened.get_config().keys() == objective.get_config().keys()


def test_averages_and_options_are_stored():
    averages = PowerFunctionEMA((0.1, 0.2))
    objective = PriorDenoising(made("Prior"), weight={"name": "edm"}, averages=averages)
    opened = PriorDenoising.from_config(objective.get_config())
    assert (opened.averaging, len(opened.averages)) == (averages, 2)
    assert opened.weight == objective.weight
    assert (
        Reconstruction.from_config(Reconstruction(tiny_autoencoder(), averages=None).get_config()).averages
        == []
    )


def test_a_network_given_twice_is_one_when_opened(tmp_path):
    decoder, dual_encoder, tower = (made(name) for name in ("ConceptDecoder", "DualEncoder", "ImageTower"))
    objective = CodeConsistency(decoder, dual_encoder, critics=[tower], outside=tower)
    objective.save(tmp_path / "x.keras")
    opened = keras.models.load_model(tmp_path / "x.keras")
    assert opened.outside is opened.critics[0]
    assert difference(said(opened.outside), said(tower)) == 0
    objective = CodeConsistency(decoder, dual_encoder, critics=[dual_encoder.image_encoder])
    with pytest.raises(ValueError, match="dual_encoder and critics of this objective share weights"):
        objective.save(tmp_path / "y.keras")


def test_copies_train_as_the_original():
    objective = tiny_objective("reconstruction")
    twin = copy.deepcopy(objective)
    assert difference(twin.get_weights(), objective.get_weights()) == 0
    assert type(keras.models.clone_model(objective)) is Reconstruction


class KilledError(Exception):
    pass


class Kill(callbacks.Callback):
    def on_epoch_begin(self, epoch, logs=None):
        if epoch == 2:
            raise KilledError


@pytest.mark.parametrize("name", ["reconstruction", "variational"])
def test_backup_and_restore_ends_where_an_uninterrupted_fit_does(name, tmp_path):
    """With `SetPipelineEpoch`, for a pipeline does not know with which epoch a `fit` goes on."""

    def fit_to_the_end(*others):
        objective, pipeline = tiny_objective(name), tiny_pipeline(batch_size=4, steps_per_epoch=2)
        options = {"epochs": 4, "verbose": 0, "shuffle": False}
        objective.fit(pipeline, callbacks=[SetPipelineEpoch(pipeline), *others], **options)
        return objective

    backup = tmp_path / "backup"
    with pytest.raises(KilledError):
        fit_to_the_end(callbacks.BackupAndRestore(backup), Kill())
    resumed, whole = fit_to_the_end(callbacks.BackupAndRestore(backup)), fit_to_the_end()
    assert int(resumed.steps) == 8
    assert difference(resumed.get_weights(), whole.get_weights()) == 0


def test_early_stopping_and_swapped_averages():
    stop = callbacks.EarlyStopping("loss", min_delta=1e9, restore_best_weights=True)
    adam = lambda: keras.optimizers.Adam(3e-3, use_ema=True)  # noqa: E731
    objective = tiny_objective("reconstruction", optimizer=adam)
    fit(objective, 3, callbacks=[stop, callbacks.SwapEMAWeights()])
    assert int(objective.steps) == 1  # of three: the best


def test_lora_is_trained_and_averaged(tmp_path):
    network = made("Prior")
    network.enable_lora(2)
    objective = PriorDenoising(network, averages=ExponentialMovingAverage(0.9))
    assert difference(said(objective.average), said(network)) < 1e-6
    names = {variable.name for variable in objective.trainable_variables}
    assert {"lora_kernel_a", "lora_kernel_b"} <= names
    assert "kernel" not in names
    objective.update_averages()
    assert difference(said(objective.average), said(network)) < 1e-6
    with pytest.raises(NotImplementedError, match="save_lora_weights"):
        objective.save(tmp_path / "x.keras")


def test_whole_numbers_are_not_trained():
    with pytest.raises(NotImplementedError, match="train first, then quantize what draws"):
        tiny_objective("reconstruction").quantize("int8")
    network = made("Prior")
    network.quantize("int8", filters="head")
    with pytest.raises(ValueError, match=r"is quantized .layer 'head', int8. and cannot be trained"):
        PriorDenoising(network)
    assert np.isfinite(said(network)[0]).all()
