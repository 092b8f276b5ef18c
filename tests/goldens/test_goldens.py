"""What comes out is what came out when the goldens were recorded: see `record.py`.

The parameters of a failed test say what changed. All backends are compared with what TensorFlow drew; a
training, in which dice are thrown, with what its own backend made. On the machine that recorded them, JAX
and torch drew pictures in which at most one value in two thousand was off, by 1 of 255; other numbers
were off by at most 3e-6 of the largest. Another processor may round otherwise, on TensorFlow too.

Without random numbers a training ends alike on all three.
"""

import keras
import numpy as np
import pytest
import record

BACKEND = keras.config.backend()
ROUNDED = 1  # of 255: how far rounding may move a value of a picture
FLOATS = 1e-4  # of the largest of an array, or of how far a variable moved


@pytest.fixture(scope="module")
def goldens():
    files = ("drawn", f"trained_{BACKEND}")
    return {name: dict(np.load(record.FOLDER / f"{name}.npz")) for name in files}


@pytest.fixture(scope="module")
def opened():
    """Presets that were opened, kept from test to test."""
    return {}


def of(arrays, *names):
    """Those whose names begin so."""
    start = "/".join(names)
    return {key: array for key, array in arrays.items() if f"{key}/".startswith(f"{start}/")}


@pytest.mark.parametrize("name, kind", record.DRAWN["small"])
def test_drawn(goldens, opened, name, kind):
    expected, found = of(goldens["drawn"], name, kind), record.drawn(name, kind, "small", opened)
    assert set(found) == set(expected)
    for key, array in found.items():
        golden = expected[key]
        assert (array.dtype, array.shape) == (golden.dtype, golden.shape), key
        if golden.dtype == "uint8":
            difference = np.abs(array.astype("int32") - golden)
            assert difference.max() <= ROUNDED, f"{key}: {(difference > ROUNDED).mean():.2%} differ"
        elif golden.dtype == "float32":
            np.testing.assert_allclose(array, golden, rtol=0, atol=FLOATS * np.abs(golden).max(), err_msg=key)
        else:
            np.testing.assert_array_equal(array, golden, err_msg=key)


# Variants, which JAX compiles for ten seconds each; the objectives' own tests run these forms on it.
NOT_ON_JAX = (
    "no average",
    "conditional VAE",
    "clip in micro-batches",
    "GAN, exact penalties",
    "GAN, in turn",
    "denoising latents",
    "denoising with image concepts",
    "denoising in another form",
)


@pytest.mark.parametrize("name", [n for n in record.TRAININGS if BACKEND != "jax" or n not in NOT_ON_JAX])
def test_trained(goldens, name):
    expected, found = of(goldens[f"trained_{BACKEND}"], name), record.trained(name, "small")
    assert set(found) == set(expected)
    for key, array in found.items():
        golden = expected[key]
        assert array.shape == golden.shape, key
        scale = np.abs(golden).max(axis=-1, keepdims=True)  # of a variable's movements
        error = np.abs(array - golden) / (scale + 1e-2)
        assert error.max() <= FLOATS, f"{key}: {error.max():.1e} at {error.argmax()}"
