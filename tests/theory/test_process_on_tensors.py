import keras
import numpy as np
import pytest
from keras import ops
from theory_cases import INSIDE
from theory_cases import every_process

FUNCTIONS = ("alpha", "sigma", "alpha_dot", "sigma_dot", "log_snr", "log_snr_dot")


@keras.saving.register_keras_serializable(package="theory")
class AllFunctions(keras.layers.Layer):
    """Functions of a process within a compiled model."""

    def __init__(self, process):
        super().__init__(dtype="float32")
        self.process = process

    def call(self, t):
        process = self.process
        values = [getattr(process, f)(t) for f in FUNCTIONS]
        values.append(process.time_of_log_snr(process.log_snr(t)))
        if process.gaussian:
            values += [process.drift(t), process.diffusion_squared(t)]
        return ops.stack(values, axis=-1)


@every_process
def test_compiled_float32_tensors_agree_with_float64(process):
    t = INSIDE.astype("float32")
    found = keras.Sequential([AllFunctions(process)]).predict_on_batch(t)
    wanted = [getattr(process, f)(t) for f in FUNCTIONS] + [t]
    if process.gaussian:
        wanted += [process.drift(t), process.diffusion_squared(t)]
    assert found.dtype == "float32"
    for i, values in enumerate(wanted):
        np.testing.assert_allclose(found[:, i], values, rtol=1e-4, atol=1e-6)


@every_process
def test_float32_tensors_at_the_ends(process):
    t = ops.convert_to_tensor(np.array([0.0, 1.0], "float32"))
    for f in ("alpha", "sigma"):
        found = ops.convert_to_numpy(getattr(process, f)(t))
        np.testing.assert_allclose(found, getattr(process, f)(np.array([0.0, 1.0])), rtol=1e-4, atol=1e-7)


@every_process
def test_mixing_is_alike_for_tensors_and_arrays(process):
    generator = np.random.default_rng(0)
    x0, noise = generator.standard_normal((2, 3, 4, 4, 3), dtype="float32")
    t = np.array([0.1, 0.5, 0.9], "float32")
    wanted = process.alpha(t)[:, None, None, None] * x0 + process.sigma(t)[:, None, None, None] * noise
    tensors = [ops.convert_to_tensor(v) for v in (x0, noise, t)]
    found = {
        "tensors": process.diffuse(*tensors),
        "arrays": process.diffuse(x0, noise, t),
        "tensors, times on the host": process.diffuse(*tensors[:2], t),
    }
    for form, x in found.items():
        assert keras.backend.standardize_dtype(x.dtype) == "float32", form
        np.testing.assert_allclose(ops.convert_to_numpy(x), wanted, rtol=2e-4, atol=1e-5)
    assert process.diffuse(x0, noise, 0.3).dtype == "float32"
    with pytest.raises(ValueError, match="a number or has the shape"):
        process.diffuse(x0, noise, t[:, None])
