import warnings

import pytest

from keras_t2i.utils.deprecation import former_argument


def test_the_new_name_is_silent():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert former_argument("old", None, "new", 3) == 3


def test_the_old_name_is_taken_and_named_where_it_was_written():
    with pytest.warns(DeprecationWarning, match="old is now called new") as caught:
        assert former_argument("old", 0, "new", 3) == 0
    assert caught[0].filename == __file__
