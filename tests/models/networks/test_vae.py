import keras
import numpy as np
import pytest
from keras import ops
from tiny import tiny_generator
from tiny import tiny_vae
from tiny_diffusion import filled

from keras_t2i.models import VAE
from keras_t2i.models import ConvAutoencoder
from keras_t2i.models import Generator
from keras_t2i.models import VAEStage
from keras_t2i.models.networks.vae import LOG_VARIANCES
from keras_t2i.utils.images import to_uint8
from keras_t2i.utils.random_streams import random_stream

CONCEPTS = np.random.default_rng(0).standard_normal((3, 32)).astype("float32")
UNIT = CONCEPTS / np.linalg.norm(CONCEPTS, axis=1, keepdims=True)
SHIFT, SCALE = np.linspace(-1, 1, 32, dtype="float32"), np.float32(2)
PICTURES = np.random.default_rng(1).uniform(-1, 1, (3, 8, 8, 3)).astype("float32")
# Four pixels' red of what the two networks below draw of seed 0.
EXPECTED = [171, 39, 211, 136], [166, 12, 185, 144]


def numpy(structure):
    return keras.tree.map_structure(ops.convert_to_numpy, structure)


def new_vae(concept_dim=None, **options):
    """With codes that were standardized before."""
    keras.utils.set_random_seed(0)
    network = filled(tiny_vae(concept_dim, **options))
    for part in (network.encoder, network.decoder):
        part.get_layer("standardization").mean.assign(SHIFT)
        part.get_layer("standardization").scale.assign(np.full(32, SCALE))
    return network


def draw(vae, *arguments, **options):
    return VAEStage(vae).sample_images(*arguments, **options)


@pytest.fixture(scope="module")
def vae():
    return new_vae()


@pytest.fixture(scope="module")
def conditional():
    return new_vae(concept_dim=32)


def test_it_is_an_autoencoder_by_its_means(vae):
    posterior = numpy(vae.posterior(PICTURES))
    assert {name: (v.shape, str(v.dtype)) for name, v in posterior.items()} == {
        "mean": ((3, 32), "float32"),
        "log_variance": ((3, 32), "float32"),
    }
    codes = numpy(vae.encoder(PICTURES))
    np.testing.assert_allclose((posterior["mean"] - SHIFT) / SCALE, codes, atol=1e-5)
    through = numpy(vae.drawers[4](vae.grids(posterior["mean"])))
    np.testing.assert_allclose(numpy(vae(PICTURES)), through, atol=1e-5)
    np.testing.assert_allclose(numpy(vae.decoder(codes)), through, atol=1e-5)


def test_posterior_and_prior_start_as_standard_normals_but_for_the_mean():
    fresh = tiny_vae(concept_dim=32)
    assert (numpy(fresh.posterior(PICTURES))["log_variance"] == 0).all()
    assert all((value == 0).all() for value in numpy(fresh.prior(UNIT)).values())


def test_log_variances_are_clipped(conditional):
    network = new_vae(concept_dim=32)
    heads = network.posterior, network.prior
    for head in heads:
        bias = head.get_layer("log_variance").bias
        bias.assign(np.where(np.arange(bias.shape[0]) % 2, 1e3, -1e3))
    for head, x in zip(heads, (PICTURES, UNIT), strict=True):
        said = numpy(head(x))["log_variance"]
        assert {said.min(), said.max()} == set(np.float32(LOG_VARIANCES))


def test_samples_are_the_decoded_prior(vae, conditional):
    noise = np.stack(
        [random_stream(seed, "picture").standard_normal(32, dtype="float32") for seed in (5, 6, 7)]
    )
    expected = to_uint8(numpy(vae.decoder((noise - SHIFT) / SCALE)))
    found = draw(vae, 3, seed=5)
    assert found.dtype == "uint8" and found.shape == (3, 8, 8, 3)
    assert np.abs(found.astype(int) - expected).max() <= 1
    said = numpy(conditional.prior(UNIT))
    latents = said["mean"] + 0.5 * np.exp(said["log_variance"] / 2) * noise
    expected = to_uint8(numpy(conditional.decoder((latents - SHIFT) / SCALE)))
    found = draw(conditional, 7 * CONCEPTS, seed=5, temperature=0.5)  # their length does not matter
    assert np.abs(found.astype(int) - expected).max() <= 1


def test_a_picture_depends_on_its_own_seed_and_concept_alone(vae, conditional):
    together = draw(conditional, CONCEPTS, seed=[4, 9, 4])
    alone = draw(conditional, CONCEPTS[1:2], seed=9)
    assert np.abs(together[1].astype(int) - alone[0]).max() <= 1
    assert (together[0] != together[2]).any()  # one seed, two concepts
    same = draw(conditional, CONCEPTS[[0, 0]], seed=[1, 2])
    assert (same[0] != same[1]).any()
    same = draw(conditional, CONCEPTS[[0, 0]], seed=[1, 2], temperature=0.0)
    np.testing.assert_array_equal(same[0], same[1])
    assert (draw(vae, 2, seed=3)[1] == draw(vae, 1, seed=4)[0]).mean() > 0.99
    assert (draw(vae, 1) != draw(vae, 1)).any()


def test_every_backend_draws_the_same(vae, conditional):
    for found, expected in zip(
        (draw(vae, 1, seed=0), draw(conditional, CONCEPTS[:1], seed=0)), EXPECTED, strict=True
    ):
        np.testing.assert_allclose(found[0, 3, :4, 0], expected, atol=1)


def test_smaller_latents_are_drawn_with_the_same_weights():
    vae = new_vae()
    assert set(vae.drawers) == {4, 2, 1}
    own = {id(weight) for weight in vae.decoder.weights}
    for side, drawer in vae.drawers.items():
        assert drawer.output_shape == (None, 2 * side, 2 * side, 3)
        assert drawer.weights and {id(weight) for weight in drawer.weights} <= own
    # With silent blocks a corner of a constant grid sees the same whatever the grid's side.
    for layer in vae.decoder.layers:
        if layer.name.endswith(("_1_conv", "_2_conv")):
            layer.kernel.assign(np.zeros(layer.kernel.shape))
    cell = np.array([0.3, -0.8], "float32")
    drawn = {side: numpy(vae.drawers[side](np.tile(cell, (1, side, side, 1)))) for side in (4, 2)}
    np.testing.assert_allclose(drawn[2][0, 0, 0], drawn[4][0, 0, 0], atol=1e-5)
    np.testing.assert_allclose(drawn[2][0, -1, -1], drawn[4][0, -1, -1], atol=1e-5)


def test_standardized_codes_leave_samples_as_they_are():
    network = new_vae()
    before = draw(network, 4, seed=0), numpy(network.posterior(PICTURES)), numpy(network(PICTURES))
    codes = np.concatenate([numpy(network.encoder(PICTURES)), numpy(network.encoder(-PICTURES))])
    network.standardize(codes)
    again = np.concatenate([numpy(network.encoder(PICTURES)), numpy(network.encoder(-PICTURES))])
    np.testing.assert_allclose(again.mean(axis=0), 0, atol=1e-5)
    assert again.std() == pytest.approx(1, abs=1e-5)
    after = draw(network, 4, seed=0), numpy(network.posterior(PICTURES)), numpy(network(PICTURES))
    keras.tree.map_structure(lambda a, b: np.testing.assert_allclose(a, b, atol=1e-4), after, before)


def test_codes_that_are_all_the_same_cannot_be_standardized():
    with pytest.raises(ValueError, match=r"all codes are the same.*beta"):
        new_vae().standardize(np.ones((4, 32), "float32"))


@pytest.mark.parametrize("concept_dim", [None, 32])
def test_presets(concept_dim, tmp_path):
    network = new_vae(concept_dim)
    wanted = 2 if concept_dim is None else CONCEPTS[:2]
    expected = draw(network, wanted, seed=0)
    network.save_to_preset(tmp_path / "preset")
    for cls in (VAE, ConvAutoencoder):  # what takes an autoencoder takes this one
        opened = cls.from_preset(tmp_path / "preset")
        assert type(opened) is VAE
        assert opened.get_config() == network.get_config()
        assert opened.count_params() == network.count_params()
        for old, new in zip(network.get_weights(), opened.get_weights(), strict=True):
            np.testing.assert_array_equal(old, new)
        np.testing.assert_array_equal(draw(opened, wanted, seed=0), expected)
    assert (opened.prior is None) == (concept_dim is None)
    half = VAE.from_preset(tmp_path / "preset", dtype="bfloat16")
    assert half.encoder.compute_dtype == half.decoder.compute_dtype == "bfloat16"


def test_bfloat16_is_close(vae):
    exact, rounded = new_vae(), new_vae(dtype="mixed_bfloat16")
    assert {w.dtype for w in rounded.weights} == {"float32"}
    for name, value in numpy(rounded.posterior(PICTURES)).items():
        wide = numpy(exact.posterior(PICTURES))[name]
        assert value.dtype == "float32"
        assert 0 < np.linalg.norm(value - wide) / np.linalg.norm(wide) < 0.03


def test_whitening_of_concepts():
    network = tiny_vae(concept_dim=32)
    network.adapt(UNIT, noise_scale=1e-3)
    white = numpy(network.prior.get_layer("whitening")(UNIT))
    np.testing.assert_allclose(white.mean(axis=0), 0, atol=1e-4)
    np.testing.assert_allclose(white.std(axis=0)[:2], 1, atol=1e-2)  # three concepts differ in two directions


def test_wrong_arguments_are_named(vae, conditional):
    with pytest.raises(ValueError, match="not conditional: give the number of pictures"):
        draw(vae, CONCEPTS)
    with pytest.raises(TypeError, match="the number of pictures must be an int"):
        draw(vae, 2.5)
    for wrong in (3, CONCEPTS[:, :5], CONCEPTS[0], CONCEPTS * np.nan):
        with pytest.raises(ValueError, match=r"concepts must be finite \(n, 32\)"):
            draw(conditional, wrong)
    with pytest.raises(ValueError, match="2 seeds for 3 pictures"):
        draw(conditional, CONCEPTS, seed=[1, 2])
    with pytest.raises(ValueError, match="temperature must be 0 or more"):
        draw(vae, 1, temperature=-1)


def test_a_conditional_vae_is_a_generator(conditional):
    """Its stage behind a text encoder draws what it draws of the concepts."""
    tiny = tiny_generator()
    generator = Generator.from_stages(decoder=conditional, text_encoder=tiny)
    prompts = ["a red apple", "a green apple"]
    expected = draw(conditional, generator.encode_text(prompts), seed=3, temperature=0.5)
    found = generator.generate(prompts, seed=3, temperature=0.5)
    assert np.abs(found.astype(int) - expected).max() <= 1
    assert set(generator.sweeps) == {"temperature", "best_of"}
    with pytest.raises(NotImplementedError, match="use generate"):
        generator.decode(CONCEPTS)
    with pytest.raises(ValueError, match="concepts have 32 numbers, the VAE's prior takes 16"):
        Generator.from_stages(decoder=new_vae(concept_dim=16), text_encoder=tiny)
