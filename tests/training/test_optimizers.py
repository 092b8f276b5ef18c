import keras
import numpy as np
import pytest

from keras_t2i.training.optimizers import adamw
from keras_t2i.training.optimizers import set_steps


def rates(optimizer, steps):
    return [float(keras.ops.convert_to_numpy(optimizer._learning_rate(step))) for step in steps]


def test_the_rate_rises_and_falls():
    optimizer = adamw(0.01, steps=2000, name="generator", beta_1=0.5)
    found = rates(optimizer, [0, 50, 100, 1050, 2000])
    assert found == pytest.approx([0, 0.005, 0.01, 0.00505, 0.0001], rel=1e-3)
    assert (optimizer.name, optimizer.beta_1, optimizer.weight_decay) == ("generator", 0.5, 1e-4)
    assert optimizer.global_clipnorm == 1.0 and optimizer.gradient_accumulation_steps is None


def test_a_short_run_rises_in_a_tenth_and_an_accumulated_one_longer():
    assert np.argmax(rates(adamw(0.01, steps=50), range(50))) == 5
    optimizer = adamw(0.01, steps=4000, accumulate=2)
    assert np.argmax(rates(optimizer, range(0, 4000, 100))) == 2
    assert optimizer.gradient_accumulation_steps == 2


@pytest.mark.parametrize(
    "arguments, message",
    [
        ((0.0, 10), "learning_rate must be above 0"),
        ((float("nan"), 10), "learning_rate must be above 0"),
        ((0.1, 10, 0), "accumulate must be at least 1"),
        ((0.1, 4, 1000), "at most the 4 steps of the run, received 1000"),
        ((0.1, 0), "at most the 0 steps"),
    ],
)
def test_wrong_numbers_are_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        adamw(*arguments)


def test_an_optimizer_of_open_length_is_set_later_and_stored():
    optimizer, closed = adamw(0.01), adamw(0.01, steps=2000)
    optimizer.build([keras.Variable([1.0])])
    set_steps(optimizer, 2000)
    set_steps(closed, 7)
    steps = [0, 50, 100, 1050, 2000]
    assert rates(optimizer, steps) == rates(closed, steps)
    assert {"rise", "fall"} <= {variable.name for variable in optimizer.variables}
    again = type(optimizer).from_config(optimizer.get_config())
    assert rates(again, steps) == rates(optimizer, steps) and again.steps is None
