import keras
import numpy as np
import pytest
from keras import ops
from tiny_diffusion import filled
from tiny_objectives import tiny_pipeline

from keras_t2i.models import Prior
from keras_t2i.models import PriorStage
from keras_t2i.objectives.prior import PriorDenoising
from keras_t2i.training.averages import PowerFunctionEMA
from keras_t2i.utils.embeddings import l2_normalize


def codes(n, seed=0):
    return l2_normalize(np.random.default_rng(seed).standard_normal((n, 8))).astype("float32")


def tiny_prior(**options):
    return Prior(8, **{"width": 16, "blocks": 1, "condition_dim": 16, "whitened_dim": 8, **options})


def numpy(structure):
    return keras.tree.map_structure(ops.convert_to_numpy, structure)


def test_the_loss_by_hand():
    """Straight path, x0, uniform times, no weight: everything anew, in NumPy."""
    prior = filled(tiny_prior())
    batch = {"text_codes": codes(40), "image_codes": codes(40, 1)}
    prior.adapt(batch["text_codes"], batch["image_codes"])
    objective = PriorDenoising(prior, averages=None)
    seen = numpy(objective(batch))
    images = batch["image_codes"].astype("float64")
    x0, t = (images - images.mean(0)) / images.std(0), seen["t"].astype("float64")[:, None]
    np.testing.assert_allclose(seen["x0"], x0, atol=1e-4)
    noisy = (1 - t) * x0 + t * seen["noise"]
    inputs = {
        "codes": (noisy / np.sqrt((1 - t) ** 2 + t**2)).astype("float32"),
        "log_snr": (2 * np.log((1 - t) / t)).astype("float32")[:, 0],
        "text_code": batch["text_codes"],
        "condition_mask": np.ones(40, "float32"),
    }
    output = ops.convert_to_numpy(prior(inputs))
    np.testing.assert_allclose(seen["output"], output, atol=1e-3)
    loss = float(ops.convert_to_numpy(objective.compute_loss(batch, y_pred=objective(batch), training=False)))
    assert loss == pytest.approx(np.square(output - x0).mean(), rel=1e-3)
    assert np.abs(np.sort(t[:, 0]) - (np.arange(40) + 0.5) / 40).max() < 0.05


def test_few_codes_are_learned_by_heart():
    """Eight texts and their image concepts: afterwards each draw is the concept of its text."""
    keras.utils.set_random_seed(0)
    texts, images = codes(8), codes(8, 1)
    prior = tiny_prior(width=32, process="cosine")
    prior.adapt(texts, images)
    pipeline = tiny_pipeline(
        batch_size=64,
        steps_per_epoch=200,
        image_features={"image_codes": images},
        caption_features={"text_codes": texts},
    )
    batch = pipeline.batch(3)
    np.testing.assert_array_equal(batch["image_codes"], images[pipeline.indices(3)])
    np.testing.assert_array_equal(batch["text_codes"], texts[pipeline.indices(3)])
    objective = PriorDenoising(prior, averages=PowerFunctionEMA((0.1,)))
    objective.compile(optimizer=keras.optimizers.Adam(1e-2))
    stage = PriorStage(objective.average)
    before = np.sum(stage.sample_codes(texts, seed=0) * images, axis=1)
    objective.fit(pipeline, verbose=0, shuffle=False)
    after = np.sum(stage.sample_codes(texts, seed=0) * images, axis=1)
    assert before.mean() < 0.5 and after.min() > 0.95


def test_wrong_arguments_are_named():
    for options, message in [
        ({"caption_dropout": 1.0}, "caption_dropout must be in"),
        ({"weight": "heavy"}, "no weight 'heavy'"),
        ({"times": "never"}, "no times 'never'"),
    ]:
        with pytest.raises(ValueError, match=message):
            PriorDenoising(tiny_prior(), **options)
