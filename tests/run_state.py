"""What a run is, as arrays, and how far two are apart."""

import keras
import numpy as np


def state(objective):
    """All that a run is: weights, averages, random states, optimizer."""
    variables = [*objective.variables, *objective.optimizer.variables]
    return [keras.ops.convert_to_numpy(v) for v in variables]


def begin_again(objective, fresh):
    """Give an objective that was trained the state of a fresh one: what is compiled is used again, and
    compiling is what takes the time."""
    fresh.optimizer.build(fresh.trainable_variables)
    variables = [*objective.variables, *objective.optimizer.variables]
    for variable, value in zip(variables, state(fresh), strict=True):
        variable.assign(value)


def largest_difference(weights, others):
    return max(
        np.abs(w.astype("float64") - o.astype("float64")).max() for w, o in zip(weights, others, strict=True)
    )
