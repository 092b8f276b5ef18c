"""Words and vectors of two numbers, and a WordNet of eight nouns."""

import numpy as np
import pytest

from keras_t2i.data.nearest_words import WordNet
from keras_t2i.data.nearest_words import nearest_words
from keras_t2i.data.nearest_words import read_vectors

pytestmark = pytest.mark.once
CAPTIONS = ["a Red couch", "taxi", "hospital"]
ANGLES = {  # in degrees: cosines are closed forms
    **{"a": 0, "red": 5, "couch": 90, "taxi": 180, "hospital": 220},
    **{"sofa": 100, "ambulance": 201, "ambulances": 201, "scarlet": 50, "it's": 90, "hugo": 91},
}
# Synset: words, hypernyms.
NOUNS = {
    "00000001": (["thing"], []),
    "00000002": (["vehicle"], ["00000001"]),
    "00000003": (["taxi"], ["00000002"]),
    "00000004": (["ambulance"], ["00000002"]),
    "00000005": (["hospital"], ["00000001"]),
    "00000006": (["couch", "sofa"], ["00000001"]),
    "00000007": (["clinic"], ["00000005"]),
    "00000008": (["was"], ["00000007", "00000002"]),
}


@pytest.fixture
def wordnet(tmp_path):
    """Files as wndb(5WN) says: `data.noun` has hexadecimal word counts and decimal pointer counts."""
    data, index = ["  1 licence"], ["  1 licence"]
    for synset, (words, above) in NOUNS.items():
        named = " ".join(f"{word} 0" for word in words)
        pointers = " ".join(f"@ {target} n 0000" for target in above)
        beside = f"~ {synset} n 0000"  # another kind of pointer
        line = f"{synset} 06 n {len(words):02x} {named} {len(above) + 1:03d} {pointers} {beside} | what it is"
        data.append(line.replace("  ", " "))
        index += [f"{word} n 1 1 @ 1 0 {synset}  " for word in words]
    (tmp_path / "data.noun").write_text("\n".join(data) + "\n")
    (tmp_path / "index.noun").write_text("\n".join(index) + "\n")
    (tmp_path / "index.adj").write_text("  1 licence\nscarlet a 1 1 & 1 0 00000009  \n")
    (tmp_path / "index.verb").write_text("  1 licence\n")
    return WordNet(tmp_path)


def table(*args, **options):
    radians = np.deg2rad(list(ANGLES.values()))
    vectors = 3 * np.stack([np.cos(radians), np.sin(radians)], axis=1).astype("float32")
    return nearest_words(CAPTIONS, list(ANGLES), vectors, *args, unasked=0, unread=1, **options)


def test_the_nearest_by_vectors():
    """Ambulances: 19 degrees to the hospital, 21 to the taxi; scarlet: 40 to the couch, 45 to red."""
    expected = {
        "sofa": "couch",
        "ambulance": "hospital",
        "ambulances": "hospital",
        "scarlet": "couch",
        "hugo": "couch",
    }
    assert table() == expected
    least = np.cos(np.deg2rad(40))
    assert "scarlet" in table(least=least - 1e-6) and "scarlet" not in table(least=least + 1e-6)
    assert nearest_words(["zebra"], list(ANGLES), np.ones((len(ANGLES), 2), "float32")) == {}


def test_wordnet_brings_nearer_what_is_of_a_kind(wordnet):
    """Two steps from ambulance to taxi are 0.12 more, three to hospital 0.08; names are left."""
    assert wordnet.distance("ambulance", "taxi") == 2 and wordnet.distance("ambulances", "hospital") == 3
    assert wordnet.distance("couch", "sofa") == 0 and wordnet.distance("clinic", "sofa") == 3
    assert wordnet.distance("was", "taxi") == 2  # by the second of its hypernyms
    assert wordnet.distance("scarlet", "couch") == np.inf
    assert table(wordnet) == {"sofa": "couch", "ambulance": "taxi", "ambulances": "taxi", "scarlet": "couch"}
    assert "hugo" not in wordnet and "scarlet" in wordnet


def test_frequent_words_are_left(wordnet):
    vectors = np.eye(len(ANGLES), dtype="float32") + 1
    found = nearest_words(CAPTIONS, list(ANGLES), vectors, least=0, unasked=6, unread=3)
    assert found.keys() == {"ambulance", "ambulances", "scarlet", "hugo"} and {*found.values()} <= {
        "taxi",
        "hospital",
    }


def test_files_of_vectors(tmp_path):
    path = tmp_path / "glove.txt"
    path.write_text("the 1 -2.5\ncafé 0.5 1e-3\nof 0 0\n", encoding="utf-8")
    words, vectors = read_vectors(path, most=2)
    assert words == ["the", "café"] and vectors.dtype == np.float32
    np.testing.assert_array_equal(vectors, np.float32([[1, -2.5], [0.5, 1e-3]]))
    for line in ("of", "of 1", "of 1 2 3", "of one 2"):
        path.write_text(f"the 1 2\n{line}\n")
        with pytest.raises(ValueError, match=r"glove.txt, line 2: not a word and its numbers"):
            read_vectors(path)
    with pytest.raises(FileNotFoundError):
        WordNet(tmp_path)
