from collections import Counter

from keras_t2i.utils.hashing import bucket


def test_buckets_are_the_same_everywhere():
    # Written down: splits and halves of every data set that was ever made depend on them.
    assert [bucket("tone", name, 10) for name in ("1F468", "1F469", "1F9D1")] == [3, 1, 7]
    assert [bucket("order", name, 10) for name in ("1F468", "1F469", "1F9D1")] == [4, 6, 0]


def test_buckets_are_filled_alike():
    counts = Counter(bucket("test", str(i), 8) for i in range(8000))
    assert set(counts) == set(range(8)) and all(880 < count < 1120 for count in counts.values())
