import pickle
import sys

import pytest

from keras_t2i.data.texts import ListsOfTexts
from keras_t2i.data.texts import Texts

WORDS = ["apple", "", "große Äpfel", "苹果", "🍎", "odd\udcff.png", "two\nlines"]
LISTS = [WORDS[:2], [], WORDS[2:6], [""], WORDS[6:]]


@pytest.mark.parametrize(("kind", "plain"), [(Texts, WORDS), (ListsOfTexts, LISTS)])
def test_they_are_read_like_a_list(kind, plain):
    texts = kind(plain)
    assert len(texts) == len(plain) and list(texts) == plain == texts[:] and texts == plain == texts
    for i in range(-len(plain), len(plain)):
        assert texts[i] == plain[i]
    assert texts[1:-1] == plain[1:-1] and texts[::-2] == plain[::-2] and texts[9:] == []
    assert plain[2] in texts and texts != plain[:-1] and texts != [*plain[:-1], plain[0]] and texts != "apple"
    assert texts + texts == texts + plain == plain + texts == plain + plain
    assert pickle.loads(pickle.dumps(texts)) == texts
    assert repr(texts) == f"<{kind.__name__}: {len(plain)}>"
    for outside in (len(plain), -len(plain) - 1):
        with pytest.raises(IndexError):
            texts[outside]
    texts.append(plain[0])
    assert texts == [*plain, plain[0]]
    assert not len(kind()) and list(kind()) == []


def test_they_take_little_more_than_their_letters():
    lists = ListsOfTexts([f"picture {i} of some discs"] for i in range(100_000))
    held = sum(map(sys.getsizeof, (lists.ends, lists.texts.ends, lists.texts.letters)))
    assert held < 100_000 * 50
