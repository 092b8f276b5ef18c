import keras
import numpy as np
import pytest
from keras import ops
from scipy.ndimage import zoom
from scipy.signal import correlate
from scipy.special import expit
from tiny_renderer import SIZES
from tiny_renderer import tiny_renderer
from tiny_renderer import waves

from keras_t2i.models import Renderer
from keras_t2i.models.networks.renderer import doubled


@pytest.fixture(scope="module")
def network():
    return tiny_renderer()


def said(network, images, noise_level=0.0):
    """What a network says to one picture `(h, w, 3)`, without the batch's axis."""
    inputs = {"images": images[None], "noise_level": np.full(1, noise_level, "float32")}
    return {name: ops.convert_to_numpy(values)[0] for name, values in network(inputs).items()}


def enlarged(picture):
    """Linear interpolation to twice the size, by SciPy; the border goes on."""
    return zoom(picture.astype("float64"), (2, 2, 1), order=1, mode="nearest", grid_mode=True)


def seen(images, slot):
    """What a slot's colors begin with: the enlarged picture, from a pixel below, above, right or left."""
    rows, columns = ((4, 2), (0, 2), (2, 4), (2, 0))[slot]  # of the enlarged picture, with two on each side
    large = np.pad(enlarged(images), ((2, 2), (2, 2), (0, 0)), "edge")
    return large[rows : rows + 2 * images.shape[0], columns : columns + 2 * images.shape[1]]


class Evaluated:
    """The network in NumPy: float64, layer by layer, its weights read by name."""

    def __init__(self, network):
        self.network = network

    def layer(self, x, name):
        """A convolution that keeps the size, or a dense layer."""
        kernel, bias = (weight.astype("float64") for weight in self.network.get_layer(name).get_weights())
        if kernel.ndim == 2:
            return x @ kernel + bias
        padded = np.pad(x, ((1, 1), (1, 1), (0, 0)))
        return np.concatenate([correlate(padded, k, "valid") for k in np.moveaxis(kernel, -1, 0)], -1) + bias

    def block(self, x, name):
        y = self.layer(x * expit(x), f"{name}_1_conv")
        return x + self.layer(y * expit(y), f"{name}_2_conv")

    def stack(self, x, depth, name):
        for i in range(depth):
            x = self.block(x, f"{name}_block{i}")
        return x

    def down(self, x, name):
        h, w, c = x.shape
        blocks = x.reshape(h // 2, 2, w // 2, 2, c).transpose(0, 2, 1, 3, 4)
        return self.layer(blocks.reshape(h // 2, w // 2, 4 * c), name)

    def up(self, x, name, block=2):
        x = self.layer(x, name)
        h, w, c = x.shape
        x = x.reshape(h, w, block, block, c // block**2).transpose(0, 2, 1, 3, 4)
        return x.reshape(h * block, w * block, c // block**2)

    def __call__(self, images, noise_level):
        blocks = self.network.blocks
        plane = np.full_like(images[..., :1], 5 * noise_level)
        full = self.stack(self.layer(np.concatenate([images, plane], -1), "conv"), blocks[0], "down0")
        half = self.stack(self.down(full, "down1"), blocks[1], "down1")
        quarter = self.stack(self.down(half, "down2"), blocks[2], "down2")
        half = self.stack(half + self.up(quarter, "up1"), 1, "up1")
        x = self.stack(full + self.up(half, "up0"), blocks[3], "up0")
        x = self.block(self.up(x, "fine2"), "fine2_block0")
        y = self.block(self.up(x, "fine4"), "fine4_block0")
        logits = self.up(y * expit(y), "logits_dense", self.network.nodes_per_pixel // 4)
        residuals = self.layer(x * expit(x), "colors_dense")
        parts = []
        for slot in range(self.network.slots):
            parts += [residuals[..., 4 * slot : 4 * slot + 3] + seen(images, slot)]
            parts += [expit(residuals[..., 4 * slot + 3 : 4 * slot + 4] + 2)]
        return {"logits": logits, "colors": np.concatenate(parts, -1)}


@pytest.mark.parametrize(("nodes", "h", "w"), [(4, 12, 8), (8, 8, 20), (8, 4, 4)])
def test_shapes_and_types(nodes, h, w):
    network = tiny_renderer(nodes_per_pixel=nodes)
    assert network.nodes == {"logits": nodes, "colors": 2}
    fields = network({"images": np.stack([waves(h, w)] * 3), "noise_level": np.zeros(3, "float32")})
    assert {name: tuple(values.shape) for name, values in fields.items()} == {
        "logits": (3, nodes * h, nodes * w, 3),
        "colors": (3, 2 * h, 2 * w, 12),
    }
    assert {keras.backend.standardize_dtype(values.dtype) for values in fields.values()} == {"float32"}


def test_another_number_of_nodes_is_named():
    for nodes in (0, 2, 16):
        with pytest.raises(ValueError, match=f"nodes_per_pixel must be 4 or 8, got {nodes}"):
            Renderer(**SIZES, nodes_per_pixel=nodes)


@pytest.mark.parametrize("options", [{}, {"nodes_per_pixel": 4, "blocks": (0, 2, 1, 1)}])
def test_the_network_is_what_numpy_makes_of_its_weights(options):
    network, images = tiny_renderer(**options), waves(8, 12)
    expected = Evaluated(network)(images.astype("float64"), 0.1)
    for name, values in said(network, images, 0.1).items():
        assert expected[name].std() > 0.1
        np.testing.assert_allclose(values, expected[name], atol=1e-4)


def test_the_noise_level_is_seen(network):
    fields = [said(network, waves(8, 8), level) for level in (0.0, 0.2)]
    assert all(np.abs(fields[0][name] - fields[1][name]).max() > 1e-2 for name in fields[0])


def test_preset_and_config_round_trip(network, tmp_path):
    network.save_to_preset(tmp_path / "preset")
    opened, again = Renderer.from_preset(tmp_path / "preset"), Renderer.from_config(network.get_config())
    assert opened.get_config() == again.get_config() == network.get_config()
    assert {name: getattr(opened, name) for name in SIZES} == SIZES
    again.set_weights(network.get_weights())
    expected = said(network, waves(8, 12))
    for one in (opened, again):
        for name, values in said(one, waves(8, 12)).items():
            np.testing.assert_array_equal(values, expected[name])


def test_bfloat16_is_close_and_its_fields_are_float32(network):
    narrow = Renderer(**SIZES, dtype="mixed_bfloat16")
    narrow.set_weights(network.get_weights())
    exact, rounded = (said(one, waves(8, 12)) for one in (network, narrow))
    for name in exact:
        assert rounded[name].dtype == np.float32
        error = np.linalg.norm(exact[name] - rounded[name]) / np.linalg.norm(exact[name])
        assert 0 < error < 0.05


@pytest.mark.parametrize("shape", [(1, 5), (2, 2), (7, 4)])
def test_a_picture_is_doubled_as_by_scipy(shape):
    x = np.random.default_rng(0).standard_normal((*shape, 3)).astype("float32")
    found = doubled(doubled(ops.convert_to_tensor(x[None]), 1), 2)
    np.testing.assert_allclose(ops.convert_to_numpy(found)[0], enlarged(x), atol=1e-6)


def test_colors_are_the_moved_pictures_but_for_residuals(network):
    """Without them, those of every slot are the picture's, enlarged, and nearly opaque."""
    plain, images = Renderer(**SIZES), waves(8, 12)
    plain.set_weights(network.get_weights())
    dense = plain.get_layer("colors_dense")
    dense.set_weights([0 * weight for weight in dense.get_weights()])
    colors = said(plain, images)["colors"].reshape(16, 24, 3, 4)
    for slot in range(3):
        np.testing.assert_allclose(colors[:, :, slot, :3], seen(images, slot), atol=1e-6)
    np.testing.assert_allclose(colors[..., 3], expit(2.0), atol=1e-6)


def test_an_untrained_network_draws_about_its_input():
    keras.utils.set_random_seed(0)
    network, images = Renderer(**SIZES), waves(12, 16)
    rows, columns = ((np.arange(n, dtype="float32") + 0.5) for n in (12, 16))
    drawn = network.draw(said(network, images), rows, columns, np.float32(1))
    assert drawn.shape == (12, 16, 4)
    smooth = enlarged(images).reshape(12, 2, 16, 2, 3).mean(axis=(1, 3))
    assert np.corrcoef(drawn[..., :3].ravel(), smooth.ravel())[0, 1] > 0.8


@pytest.mark.parametrize("axis", [0, 1])
def test_a_shifted_picture_has_shifted_fields(network, axis):
    """By 4 pixels, what the network halves twice; away from the border."""
    images = waves(64, 64)
    shifted = np.roll(images, 4, axis)
    before, after = said(network, images), said(network, shifted)
    for name, nodes in network.nodes.items():
        inner = slice(24 * nodes, 40 * nodes)
        expected = np.roll(before[name], 4 * nodes, axis)[inner, inner]
        np.testing.assert_allclose(after[name][inner, inner], expected, atol=1e-5)
