import numpy as np
import pytest

from keras_t2i.utils.random_streams import random_stream


def test_generator_is_the_same_on_every_machine():
    assert random_stream(1, "order", 2).integers(2**32, size=3).tolist() == [
        721968787,
        2420121323,
        2366661205,
    ]


def test_generators_differ_in_each_argument():
    arguments = [(0, "a", 0, 0), (1, "a", 0, 0), (0, "b", 0, 0), (0, "a", 1, 0), (0, "a", 0, 1)]
    arguments += [(2**64 - 1, "a", 0, 0), (0, "a", 2**64 - 1, 0)]
    draws = np.array([random_stream(*a).random(1000) for a in arguments])
    assert np.abs(np.corrcoef(draws) - np.eye(len(arguments))).max() < 0.15


@pytest.mark.parametrize("arguments", [(-1, "a"), (2**64, "a"), (0, "a", -1), (0, "a", 0, 2**64)])
def test_generator_names_what_is_out_of_range(arguments):
    with pytest.raises(ValueError, match="must be between"):
        random_stream(*arguments)
