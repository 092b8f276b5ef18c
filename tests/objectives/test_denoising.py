from statistics import NormalDist

import keras
import numpy as np
import pytest
from keras import ops
from run_state import begin_again
from run_state import state
from tiny import tiny_dual_encoder
from tiny_denoising import evaluated
from tiny_denoising import numpy
from tiny_denoising import tiny_denoising
from tiny_diffusion import filled
from tiny_diffusion import tiny_unet
from tiny_objectives import tiny_pipeline

from keras_t2i.diffusion import PROCESSES
from keras_t2i.diffusion import Parameterization
from keras_t2i.diffusion import from_config
from keras_t2i.models import CNNTextEncoder
from keras_t2i.models import ImageTower
from keras_t2i.objectives.denoising import Denoising
from keras_t2i.objectives.diffusion import LEVELS
from keras_t2i.objectives.distillation import ConsistencyTuning
from keras_t2i.training.run import train
from keras_t2i.training.snapshots import SaveSnapshots
from keras_t2i.training.snapshots import snapshots
from keras_t2i.utils.images import to_float


@pytest.fixture(scope="module")
def batch():
    return tiny_pipeline().batch(0)


@pytest.fixture(scope="module")
def network():
    return filled(tiny_unet())


def test_the_loss_by_hand(network, batch):
    """Straight path, x0, weight 1 / t^2 up to 400: everything anew, in NumPy."""
    objective = tiny_denoising(network, data_std=0.8)
    seen, loss, errors = evaluated(objective, batch)
    x0, noise, t = to_float(batch["images"]), seen["noise"], seen["t"].astype("float64")
    np.testing.assert_allclose(seen["x0"], x0, atol=1e-6)
    assert abs(noise.mean()) < 0.1 and abs(noise.std() - 1) < 0.05
    by_hand = t.reshape(-1, 1, 1, 1)
    noisy = (1 - by_hand) * x0 + by_hand * noise
    np.testing.assert_allclose(seen["x_t"], noisy, atol=1e-5)
    features = numpy(objective.features(batch["token_ids"]))
    output = network(
        {
            "images": (noisy / np.sqrt(((1 - by_hand) * 0.8) ** 2 + by_hand**2)).astype("float32"),
            "log_snr": (2 * np.log((1 - t) / t)).astype("float32"),
            "condition_mask": np.ones(8, "float32"),
            **features,
        }
    )
    output = ops.convert_to_numpy(output)
    np.testing.assert_allclose(seen["output"], output, atol=1e-4)
    squares = np.square(output - x0).mean(axis=(1, 2, 3))
    assert loss == pytest.approx((np.minimum(1 / t**2, 400) * squares).mean(), rel=1e-4)
    log_snr = 2 * np.log((1 - t) / t)
    for level, (lowest, highest) in LEVELS.items():
        here = (log_snr >= lowest) & (log_snr < highest)
        expected = squares[here].mean() if here.any() else 0
        assert errors[f"error_{level}"] == pytest.approx(expected, rel=1e-4)
    assert sum(value > 0 for value in errors.values()) >= 3


class Says:
    """In place of the network: always the same."""

    def __init__(self, output):
        self.output = output

    def __call__(self, inputs, training=False):
        return self.output


@pytest.mark.parametrize("kind", ["x0", "epsilon", "v", "flow"])
def test_every_prediction_has_the_same_loss_for_the_same_estimate(batch, kind, monkeypatch):
    """Under one weight, an estimate of the picture costs the same in whatever terms the network puts it."""
    objective = tiny_denoising(parameterization=kind)
    given = np.cos(np.arange(8 * 8 * 8 * 3)).reshape(8, 8, 8, 3).astype("float32")
    seen = numpy(objective(batch))
    truth = Parameterization("x0", objective.process)
    output = truth.convert(given, seen["x_t"], seen["t"], kind)
    monkeypatch.setattr(objective, "chosen", lambda training: Says(ops.convert_to_tensor(output)))
    _, loss, errors = evaluated(objective, batch)
    t, squares = seen["t"].astype("float64"), np.square(given - seen["x0"]).mean(axis=(1, 2, 3))
    assert loss == pytest.approx((np.minimum(1 / t**2, 400) * squares).mean(), rel=1e-3)
    assert errors["error_noisy"] == pytest.approx(
        squares[(t >= 0.5) & (t < 1 / (1 + np.exp(-1)))].mean(), rel=1e-3
    )
    perfect = truth.convert(seen["x0"], seen["x_t"], seen["t"], kind)
    monkeypatch.setattr(objective, "chosen", lambda training: Says(ops.convert_to_tensor(perfect)))
    assert evaluated(objective, batch)[1] < 1e-6


@pytest.mark.parametrize(
    "options",
    [
        {"process": name, "parameterization": kind, "weight": weight}
        for name, kind, weight in [
            ("cosine", "epsilon", "none"),
            ("edm", "x0", "edm"),
            ("variance_exploding", "score", "none"),
            ("linear", "v", "min_snr"),
            ("laplace", "v", {"name": "min_snr", "gamma": 3.0}),
        ]
    ],
)
def test_other_forms(batch, options, network):
    times = {"name": "normal_log_snr", "mean": 1.0, "std": 1.5}
    objective = tiny_denoising(network, times=times, data_std=0.9, **options)
    assert options["process"] in PROCESSES
    seen, loss, _ = evaluated(objective, batch, training=True)
    process = from_config(options["process"])
    t = seen["t"].astype("float64")
    # float32 times near the end of some paths are coarse.
    np.testing.assert_allclose(seen["log_snr"], process.log_snr(t), atol=0.02)
    prediction = Parameterization(options["parameterization"], process)
    target = prediction.target(seen["x0"].astype("float64"), seen["noise"], t)
    squares = np.square(seen["output"] - target).mean(axis=(1, 2, 3))
    alpha, sigma = process.alpha(t), process.sigma(t)
    snr = (alpha / sigma) ** 2
    weights = {
        "cosine": 1,
        "variance_exploding": 1,
        "edm": snr + 1 / 0.9**2,
        "linear": np.minimum(snr, 5) / (snr + 1),
        "laplace": np.minimum(snr, 3) / (snr + 1),
    }[options["process"]]
    assert loss == pytest.approx((weights * squares).mean(), rel=0.01)


def test_training_draws_at_random_and_validation_does_not(batch):
    objective = tiny_denoising(caption_dropout=0.5)
    first, second = (numpy(objective(batch)) for _ in range(2))
    np.testing.assert_array_equal(first["noise"], second["noise"])
    np.testing.assert_array_equal(first["t"], second["t"])
    # A place's level does not depend on how many follow.
    fewer = numpy(objective({name: rows[:3] for name, rows in batch.items()}))
    np.testing.assert_allclose(fewer["t"], first["t"][:3], rtol=1e-6)
    rolled = [numpy(objective(batch, training=True)) for _ in range(2)]
    assert np.abs(rolled[0]["noise"] - rolled[1]["noise"]).max() > 1
    assert np.abs(rolled[0]["t"] - rolled[1]["t"]).max() > 1e-3


@pytest.mark.parametrize("training", [True, False])
def test_a_batch_covers_all_noise_levels(training):
    pipeline = tiny_pipeline(batch_size=64)
    objective = tiny_denoising()
    t = np.sort(ops.convert_to_numpy(objective(pipeline.batch(0), training=training)["t"]))
    normal = np.log(t / (1 - t))  # logit-normal: standard normal by default
    assert abs(normal.mean()) < 0.1 and abs(normal.std() - 1) < 0.1
    grid = (np.arange(64) + 0.5) / 64
    uniform = np.array([NormalDist().cdf(z) for z in normal])
    assert np.abs(uniform - grid).max() < (1 / 64 if training else 0.05)


def test_captions_are_withheld_as_often_as_asked(monkeypatch):
    heard = []

    class Listens(Says):
        def __call__(self, inputs, training=False):
            heard.append(ops.convert_to_numpy(inputs["condition_mask"]))
            return inputs["images"]

    batch = tiny_pipeline(batch_size=2000).batch(0)
    objective = tiny_denoising(caption_dropout=0.3)
    monkeypatch.setattr(objective, "chosen", lambda training: Listens(None))
    objective(batch, training=True)
    objective(batch, training=False)
    assert set(heard[0]) == {0, 1} and heard[0].mean() == pytest.approx(0.7, abs=0.04)
    assert heard[1].min() == 1


def test_latents_are_diffused_in_place_of_pictures():
    latents = np.random.default_rng(0).standard_normal((8, 4, 4, 2)).astype("float32")
    pipeline = tiny_pipeline(image_features={"latents": latents}, training=False)
    objective = tiny_denoising(tiny_unet(4, channels=2), data_std=1.0)
    seen, _, _ = evaluated(objective, pipeline.batch(0))
    np.testing.assert_array_equal(seen["x0"], latents)
    assert seen["output"].shape == (8, 4, 4, 2)
    order = tiny_pipeline(image_features={"latents": latents}, batch_size=3)
    np.testing.assert_array_equal(order.batch(5)["latents"], latents[order.indices(5)])
    with pytest.raises(ValueError, match="a row for each of the 8 pictures"):
        tiny_pipeline(image_features={"latents": latents[:7]})
    with pytest.raises(ValueError, match="'images'"):
        tiny_pipeline(image_features={"images": latents})


def with_images(**options):
    keras.utils.set_random_seed(1)
    towers = tiny_dual_encoder(8, blocks=0)
    network = filled(tiny_unet(image_code=True))
    objective = Denoising(network, towers.text_encoder, image_encoder=towers.image_encoder, **options)
    return objective, towers


def test_the_network_is_given_the_concept_of_the_very_picture(batch):
    objective, towers = with_images(averages=None)
    expected = ops.convert_to_numpy(towers.encode_image(to_float(batch["images"])))
    found = ops.convert_to_numpy(objective.image_embeddings(batch["images"]))
    np.testing.assert_allclose(found, expected, atol=1e-5)
    larger = batch["images"].repeat(2, axis=1).repeat(2, axis=2)
    np.testing.assert_allclose(ops.convert_to_numpy(objective.image_embeddings(larger)), expected, atol=1e-5)
    seen = numpy(objective(batch))
    inputs = {
        "images": objective.process.c_in(seen["t"], 0.5)[:, None, None, None] * seen["x_t"],
        "log_snr": seen["log_snr"],
        "condition_mask": np.ones(8, "float32"),
        "image_code": expected,
        "image_condition_mask": np.ones(8, "float32"),
        **numpy(objective.features(batch["token_ids"])),
    }
    output = ops.convert_to_numpy(objective.network(inputs))
    np.testing.assert_allclose(seen["output"], output, atol=1e-4)
    other = objective.network({**inputs, "image_code": expected[::-1].copy()})
    assert np.abs(ops.convert_to_numpy(other) - output).max() > 1e-3


def test_words_and_image_concepts_are_withheld_apart(monkeypatch):
    heard = []

    class Listens(Says):
        def __call__(self, inputs, training=False):
            names = ("condition_mask", "image_condition_mask")
            heard.append(np.stack([ops.convert_to_numpy(inputs[name]) for name in names]))
            return inputs["images"]

    batch = tiny_pipeline(batch_size=2000).batch(0)
    objective, _ = with_images(averages=None, caption_dropout=0.5)
    monkeypatch.setattr(objective, "chosen", lambda training: Listens(None))
    objective(batch, training=True)
    objective(batch, training=False)
    np.testing.assert_allclose(heard[0].mean(axis=1), [0.5, 0.9], atol=0.04)
    assert heard[0].prod(axis=0).mean() == pytest.approx(0.45, abs=0.04)
    assert heard[1].min() == 1
    # A network that never hears words does not hear them in validation either.
    objective, _ = with_images(averages=None, caption_dropout=1)
    monkeypatch.setattr(objective, "chosen", lambda training: Listens(None))
    objective(batch, training=True)
    objective(batch, training=False)
    assert not heard[2][0].any() and not heard[3][0].any() and heard[3][1].all()


def test_wrong_image_encoders_are_named():
    towers = tiny_dual_encoder(8, blocks=0)
    image_encoder, words = towers.image_encoder, towers.text_encoder
    with pytest.raises(ValueError, match="image_encoder must be given"):
        Denoising(tiny_unet(image_code=True), words)
    with pytest.raises(ValueError, match="image_encoder must be given"):
        Denoising(tiny_unet(), words, image_encoder=image_encoder)
    with pytest.raises(ValueError, match="image_dropout must be in"):
        with_images(image_dropout=1.0)
    with pytest.raises(ValueError, match="codes have 16 numbers, the network's 32"):
        other = ImageTower(8, filters=(8,), blocks=(0,), poolings=1, code_dim=16)
        Denoising(tiny_unet(image_code=True), words, image_encoder=other)


def test_a_run_learns_and_resumes_exactly(tmp_path):
    """Three epochs in one go, and one and two: the same state, averages and snapshots, bit by bit."""

    def run(epochs, folder, objective=None):
        objective = objective or tiny_denoising(optimizer=keras.optimizers.SGD(0.02, momentum=0.9))
        logs = train(
            objective,
            tiny_pipeline(steps_per_epoch=3),
            epochs,
            folder,
            validation=tiny_pipeline(training=False) if folder.name == "whole" else None,
            callbacks=[SaveSnapshots(folder / "snapshots", every=2, epochs=3)],
        )
        return objective, logs

    encoder = [w.copy() for w in tiny_denoising().features.get_weights()]
    whole, logs = run(3, tmp_path / "whole")
    expected = state(whole)
    assert {f"val_error_{level}" for level in LEVELS} < set(logs)
    for before, after in zip(encoder, whole.features.get_weights(), strict=True):
        np.testing.assert_array_equal(before, after)
    assert len(whole.trainable_variables) == len(whole.network.trainable_variables)

    parts = tiny_denoising(optimizer=keras.optimizers.SGD(0.02, momentum=0.9))
    new = parts.evaluate(tiny_pipeline(training=False), verbose=0, return_dict=True)
    assert logs["val_loss"] < 0.95 * new["loss"]
    begin_again(whole, parts)
    run(1, tmp_path / "parts", whole)
    run(3, tmp_path / "parts", parts)
    assert int(parts.steps) == 9
    for one, other in zip(expected, state(parts), strict=True):
        np.testing.assert_array_equal(one, other)
    files = [[file for _, _, file in snapshots(tmp_path / name / "snapshots")] for name in ("whole", "parts")]
    assert [file.name for file in files[0]] == [
        "step_00000006_width_0.100.npz",
        "step_00000009_width_0.100.npz",
    ]
    for one, other in zip(*files, strict=True):
        with np.load(one) as a, np.load(other) as b:
            assert a.files == b.files
            for name in set(a.files) - {"run"}:  # each run has a name of its own
                np.testing.assert_array_equal(a[name], b[name])


def test_the_former_name_of_the_parameterization():
    with pytest.warns(DeprecationWarning, match="prediction is now called parameterization") as caught:
        objective = Denoising(tiny_unet(), tiny_dual_encoder(8, blocks=0).text_encoder, prediction="v")
    ours = [warning for warning in caught if "parameterization" in str(warning.message)]
    assert objective.parameterization.kind == "v" and [w.filename for w in ours] == [__file__]


def test_wrong_arguments_are_named():
    cases = [
        ({"process": "fog"}, "no process 'fog'"),
        ({"process": "indi"}, "does not end in noise"),
        ({"parameterization": "truth"}, "no parameterization 'truth'"),
        ({"weight": "heavy"}, "no weight 'heavy'"),
        ({"times": "never"}, "no times 'never'"),
        ({"caption_dropout": 1.0}, "caption_dropout must be in"),
        ({"data_std": 0.0}, "data_std must be above 0"),
    ]
    for options, message in cases:
        with pytest.raises(ValueError, match=message):
            tiny_denoising(**options)
    with pytest.raises(TypeError, match="colour"):
        tiny_denoising(times={"name": "logit_normal", "colour": 1})
    other = CNNTextEncoder(8, 8, embedding_dim=8, filters=12, blocks=0, hidden_dim=16, code_dim=32)
    with pytest.raises(ValueError, match=r"have \(32, 12\) numbers, the network's \(32, 8\)"):
        Denoising(tiny_unet(), other)


@pytest.mark.parametrize(("left_out", "least", "most"), [(0.0, 0, 0), (0.5, 0.35, 0.65), (1.0, 1, 1)])
def test_so_often_a_draft_does_not_know_its_picture(left_out, least, most):
    unet = filled(tiny_unet(draft_features=20, draft_components=4, data_std=0.5))
    objective = tiny_denoising(unet, left_out=left_out)
    n, random = 200, np.random.default_rng(0)
    inputs = {"text_code": random.standard_normal((n, unet.code_dim)).astype("float32")}
    inputs["condition_mask"] = np.ones(n, "float32")
    tensors = {name: ops.convert_to_tensor(value) for name, value in inputs.items()}
    components = random.standard_normal((n, 3, 4)).astype("float16")
    batch = {"left_out_components": components, "left_out_doubt": np.tile([10.0, 20.0, -1.0], (n, 1))}
    found = numpy(objective.drafts(tensors, keras.tree.map_structure(ops.convert_to_tensor, batch)))
    own = numpy(unet.draft_of(tensors))
    doubt = found["draft_doubt"]
    others = np.isin(doubt, [10.0, 20.0])
    assert least * 2 / 3 - 0.1 <= others.mean() <= most * 2 / 3 + 0.1  # the third is none: its own stays
    np.testing.assert_allclose(found["draft"][~others], own[0][~others], atol=1e-5)
    np.testing.assert_allclose(doubt[~others], own[1][~others], atol=1e-5)
    layer = unet.get_layer("draft")
    for i, one in ((0, 10.0), (1, 20.0)):
        here = doubt == one
        expected = numpy(layer.array_of(components[here, i], np.ones(here.sum(), "float32")))
        np.testing.assert_allclose(found["draft"][here], expected, atol=1e-4)
    assert objective.chosen(True).input.keys() - unet.input.keys() == {"draft", "draft_doubt"}
    assert objective.chosen(False) is objective.average


def test_how_often_a_draft_is_left_out_is_a_share():
    with pytest.raises(ValueError, match="left_out must be"):
        tiny_denoising(left_out=1.5)


@pytest.mark.parametrize("kind", [Denoising, ConsistencyTuning])
def test_what_is_opened_weighs_by_the_error_of_its_draft(kind, tmp_path):
    unet = filled(tiny_unet(draft_features=20, draft_components=4, data_std=0.5))
    unet.get_layer("draft_variance").curve.assign([0.01, 0.1, 0.5, 0.09])
    objective = tiny_denoising(unet, kind=kind, weight="edm")
    objective.save(tmp_path / "objective.keras")
    opened = keras.models.load_model(tmp_path / "objective.keras")
    for one in (objective, opened):
        assert one.weight["data_std"] == pytest.approx(0.3)  # not that of pictures, 0.5
        assert getattr(one, "spread", 0.3) == pytest.approx(0.3)
