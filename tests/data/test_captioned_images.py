import numpy as np
import pytest

from keras_t2i.data import CaptionedImages


def numbered(n):
    pictures = np.arange(n, dtype="uint8")[:, None, None, None] * np.ones((1, 2, 2, 3), "uint8")
    return CaptionedImages(
        pictures, [[f"picture {i}"] for i in range(n)], [str(i) for i in range(n)], np.arange(n)
    )


@pytest.mark.parametrize(
    ("n", "count", "names"), [(9, 3, "048"), (10, 4, "0369"), (3, 12, "012"), (5, 1, "0")]
)
def test_a_few_are_spread_evenly_over_all(n, count, names):
    few = numbered(n).spread(count)
    assert few.names == list(names)
    assert few.pictures[:, 0, 0, 0].tolist() == [int(name) for name in names]
    assert few.plain_captions == [f"picture {name}" for name in names]
