import numpy as np

from keras_t2i.data import CaptionedImages
from keras_t2i.data import leave_out_groups
from keras_t2i.data.leaving_out import join


def data_of(names, attributes, groups=None):
    n = len(names)
    groups = np.arange(n) if groups is None else np.array(groups)
    captions = [[name] for name in names]
    return CaptionedImages(np.zeros((n, 8, 8, 3), "uint8"), captions, names, groups, attributes)


def test_pictures_are_left_out_with_their_like():
    attributes = [
        {"base": "judge", "tone": "dark", "style": "noto"},
        {"base": "judge", "tone": "dark", "style": "twemoji"},
        {"base": "judge", "tone": "light", "style": "noto"},
        {"base": "cook", "tone": "light", "style": "noto", "held_out": "tone"},
        {"base": "cook", "tone": "light", "style": "twemoji"},
        {},
    ]
    found = leave_out_groups(data_of(list("abcdef"), attributes))
    assert [groups.tolist() for groups in found] == [
        [0, 1, 2, 3, 4, 5],
        [0, 0, 1, 2, 2, 3],
        [0, 0, 0, 1, 1, 2],
    ]


def test_equal_pictures_are_one_whatever_their_names():
    attributes = [{"base": "apple", "style": "noto"}, {"base": "fruit", "style": "noto"}, {"base": "car"}]
    found = leave_out_groups(data_of(list("abc"), attributes, groups=[7, 7, 3]))
    assert [groups.tolist() for groups in found] == [[1, 1, 0]]


def test_where_nothing_is_said_of_a_picture_it_is_left_out_alone():
    (alone,) = leave_out_groups(data_of(list("ab"), [{}, {}]))
    assert alone.tolist() == [0, 1]


def test_groups_are_joined_through_others():
    assert join(np.array([0, 0, 1, 1, 2]), np.array([0, 1, 1, 2, 3])).tolist() == [0, 0, 0, 0, 1]
