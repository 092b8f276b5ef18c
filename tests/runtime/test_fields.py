import keras
import numpy as np
import pytest
from keras import ops
from scipy.interpolate import BSpline
from scipy.special import expit
from scipy.special import softmax as softmax_of_scipy

from keras_t2i_runtime.fields import STEEPNESS_ONE
from keras_t2i_runtime.fields import draw_fields
from keras_t2i_runtime.fields import mix_slots
from keras_t2i_runtime.fields import read_field
from keras_t2i_runtime.fields import softmax
from keras_t2i_runtime.fields import spline_matrix

ROWS = [(2, 1), (3, 2), (4, 8), (16, 2), (40, 8)]  # nodes, nodes per pixel


def random(shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape).astype("float32")


def positions(count, per_pixel, number=37):
    """All over a row of nodes, from border to border."""
    return np.linspace(0, count / per_pixel, number, dtype="float32")


def cubic_of_scipy(places, count):
    """Uniform cubic B-splines, one around each node; those beyond the border belong to the outermost node."""
    splines = BSpline.design_matrix(places, np.arange(-4.0, count + 4.0), 3).toarray()
    first, last = splines[:, :3].sum(axis=1), splines[:, -3:].sum(axis=1)
    return np.column_stack([first, splines[:, 3:-3], last])


def both(function, *arguments, atol=2e-6, **options):
    """What a function makes of arrays, after the check that it makes the same of tensors."""
    found = function(*arguments, **options)
    of_tensors = function(
        *keras.tree.map_structure(
            lambda x: ops.convert_to_tensor(x) if isinstance(x, np.ndarray) else x, arguments
        ),
        **options,
    )
    assert isinstance(found, np.ndarray) and found.dtype == np.float32
    assert ops.is_tensor(of_tensors) and ops.convert_to_numpy(of_tensors).dtype == np.float32
    np.testing.assert_allclose(ops.convert_to_numpy(of_tensors), found, atol=atol)
    return found


@pytest.mark.parametrize(("count", "per_pixel"), ROWS)
def test_nodes_count_as_scipy_has_them(count, per_pixel):
    at = positions(count, per_pixel)
    places = at.astype("float64") * per_pixel - 0.5
    cubic = both(spline_matrix, at, count, per_pixel)
    np.testing.assert_allclose(cubic, cubic_of_scipy(places, count), atol=4e-6)
    linear = both(spline_matrix, at, count, per_pixel, cubic=False)
    expected = [np.interp(places, np.arange(count), node) for node in np.eye(count)]
    np.testing.assert_allclose(linear, np.transpose(expected), atol=4e-6)
    for matrix in (cubic, linear):
        assert matrix.shape == (len(at), count) and matrix.min() >= 0
        np.testing.assert_allclose(matrix.sum(axis=-1), 1, atol=2e-6)


def test_many_rows_of_positions_are_read_at_once():
    at = np.random.default_rng(0).uniform(0, 3, (2, 5, 7)).astype("float32")
    matrices = both(spline_matrix, at, 6, 2)
    assert matrices.shape == (2, 5, 7, 6)
    np.testing.assert_array_equal(matrices[1, 3], spline_matrix(at[1, 3], 6, 2))


@pytest.mark.parametrize("cubic", [True, False])
def test_a_node_alone_is_everywhere(cubic):
    matrix = both(spline_matrix, positions(1, 2), 1, 2, cubic=cubic)
    np.testing.assert_array_equal(matrix, np.ones((37, 1)))


@pytest.mark.parametrize(("cubic", "border"), [(True, 1.5), (False, 0.5)])
def test_a_linear_function_is_itself_inside_and_goes_on_level_beyond(cubic, border):
    count, per_pixel = 24, 4
    values = np.float32(3) * (np.arange(count, dtype="float32") + 0.5) / per_pixel - 2  # 3 x - 2 at the nodes
    at = positions(count, per_pixel, 200)
    read = spline_matrix(at, count, per_pixel, cubic) @ values
    inside = (at * per_pixel >= border) & (at * per_pixel <= count - border)
    assert inside.sum() > 150
    np.testing.assert_allclose(read[inside], 3 * at[inside] - 2, atol=1e-5)
    ends = spline_matrix(np.float32([0.0, 6.0]), count, per_pixel, cubic) @ values
    reach = 0.75 / 48 if cubic else 0.0  # a B-spline of a ramp that is level from its first node on
    np.testing.assert_allclose(ends, [values[0] + reach, values[-1] - reach], atol=1e-5)


def test_a_field_is_read_channel_by_channel():
    field, rows, columns = random((2, 1, 5, 4, 3)), random((2, 3, 7, 5), 1), random((2, 3, 6, 4), 2)
    read = both(read_field, field, rows, columns)
    expected = np.einsum("nmph,nahwc,nmqw->nmcpq", *(a.astype("float64") for a in (rows, field, columns)))
    assert read.shape == (2, 3, 3, 7, 6)
    np.testing.assert_allclose(read, expected, atol=1e-5)


def test_the_softmax_is_scipys():
    x = 30 * random((2, 4, 5, 6))
    expected = softmax_of_scipy(x.astype("float64"), axis=1)
    np.testing.assert_allclose(both(softmax, x), expected, atol=1e-6)


@pytest.mark.filterwarnings("ignore:You are using a softmax over axis -3")
def test_one_slot_is_its_color_at_every_scale():
    logits, colors = random((3, 1, 5, 6)), random((3, 4, 5, 6), 1)
    pixels = both(mix_slots, logits, colors, np.float32([0.5, 8, 1e4]))
    np.testing.assert_array_equal(pixels, colors)


@pytest.mark.parametrize("slots", [2, 4])
def test_slots_are_mixed_by_the_softmax(slots):
    logits, colors = random((2, slots, 5, 6)), random((2, 4 * slots, 5, 6), 1)
    scale = np.float32([2, 24])
    shares = softmax_of_scipy(logits.astype("float64") * (scale / STEEPNESS_ONE)[:, None, None, None], axis=1)
    by_slot = colors.reshape(2, slots, 4, 5, 6)  # red, green, blue and opacity of one slot, then of the next
    expected = np.einsum("nkpq,nkcpq->ncpq", shares, by_slot)
    np.testing.assert_allclose(both(mix_slots, logits, colors, scale), expected, atol=4e-6)
    steep = both(mix_slots, logits, colors, np.float32([1e6, 1e6]))
    largest = np.take_along_axis(by_slot, logits.argmax(axis=1)[:, None, None], axis=1)[:, 0]
    np.testing.assert_allclose(steep, largest, atol=1e-5)


def fields_with_an_edge(edge, slope, side=8, nodes=8):
    """Left of `edge` a dark, half transparent slot, right of it a light, opaque one."""
    x = (np.arange(side * nodes, dtype="float32") + 0.5) / nodes
    logits = np.stack([np.zeros_like(x), slope * (x - np.float32(edge))], axis=-1)
    colors = np.float32([-1, -1, -1, 0.5, 1, 0, 0.5, 1])
    return {
        "logits": np.broadcast_to(logits, (1, side * nodes, side * nodes, 2)).copy(),
        "colors": np.broadcast_to(colors, (1, 2 * side, 2 * side, 8)).copy(),
    }


@pytest.mark.parametrize("scale", [4, 16, 64, 512])
def test_an_edge_stays_in_its_place_and_gets_sharper(scale):
    """It is where the logits are equal, and a sigmoid as wide as 8 input pixels over slope and scale."""
    edge, slope = 3.37, 4.0
    at = (edge + np.linspace(-8, 8, 33) / scale).astype("float32")[None]
    rows = np.float32([[2.1, 5.3]])
    fields, nodes = fields_with_an_edge(edge, slope), {"logits": 8, "colors": 2}
    rounding = 4e-6 * slope * scale / STEEPNESS_ONE + 1e-5  # of the places, by the steepness
    drawn = both(draw_fields, fields, rows, at, np.float32([scale]), nodes, atol=rounding)
    assert drawn.shape == (1, 2, 33, 4)
    share = expit(slope * scale / STEEPNESS_ONE * (at[0].astype("float64") - edge))[:, None]
    expected = (1 - share) * [-1, -1, -1, 0.5] + share * [1, 0, 0.5, 1]
    np.testing.assert_allclose(drawn[0], [expected, expected], atol=rounding)
    assert drawn[0, 0, 16] == pytest.approx([0, -0.5, -0.25, 0.75], abs=rounding)
    assert (np.diff(drawn[0, 0, :, 0]) >= 0).all()


def test_windows_are_drawn_as_if_each_were_alone():
    rng = np.random.default_rng(3)
    fields = {"logits": random((2, 1, 16, 32, 3)), "colors": random((2, 1, 8, 16, 12), 1)}
    rows, columns = (rng.uniform(0, n, (2, 5, 6)).astype("float32") for n in (4, 8))
    scale, nodes = rng.uniform(4, 64, (2, 5)).astype("float32"), {"logits": 4, "colors": 2}
    # The softmax takes logits up to 64 times as large, and their rounding with them.
    drawn = both(draw_fields, fields, rows, columns, scale, nodes, atol=2e-5)
    assert drawn.shape == (2, 5, 6, 6, 4)
    one = {name: field[1, 0] for name, field in fields.items()}
    alone = draw_fields(one, rows[1, 3], columns[1, 3], scale[1, 3], nodes)
    np.testing.assert_allclose(drawn[1, 3], alone, atol=2e-5)
