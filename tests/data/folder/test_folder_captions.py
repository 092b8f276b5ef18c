import csv
import json
import unicodedata

import pytest
from PIL import Image

from keras_t2i.data.folder.captioned_folder import load_captioned_folder
from keras_t2i.data.folder.captioned_folder import read_captioned_folder


def save(path, color=(255, 0, 0), size=(8, 8), **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, color).save(path, **options)


def write_csv(folder, *rows, encoding="utf-8"):
    with (folder / "metadata.csv").open("w", newline="", encoding=encoding) as file:
        csv.writer(file).writerows([("file_name", "text"), *rows])


def write_jsonl(folder, *rows):
    lines = [json.dumps(dict(zip(("file_name", "text"), row, strict=True))) for row in rows]
    (folder / "metadata.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")


def read_captions(folder):
    data, report = read_captioned_folder(folder, 4)
    return dict(zip(data.names, data.captions, strict=True)), report.problems


CAPTIONS = {
    "a.png": ['a "red", round apple'],
    "ß ö/日本 語.png": ["赤いりんご", "ein Apfel"],
    "sub/deep/c d.png": ["x" * 300_000],
    "sub/e.png": ["تفاحة, حمراء", "apple 🍎"],
}


def test_captions_from_csv(folder):
    for name in CAPTIONS:
        save(folder / name)
    # Several lines in one field, and several rows for one file.
    rows = [(name, "\n".join(captions)) for name, captions in CAPTIONS.items() if name != "sub/e.png"]
    write_csv(folder, *rows, *[("sub/e.png", caption) for caption in CAPTIONS["sub/e.png"]])
    assert read_captions(folder) == (CAPTIONS, {})


def test_captions_from_jsonl(folder):
    for name in CAPTIONS:
        save(folder / name)
    write_jsonl(folder, *[(name, "\r\n".join(captions)) for name, captions in CAPTIONS.items()])
    assert read_captions(folder) == (CAPTIONS, {})


def test_captions_from_text_files(folder):
    for name, captions in CAPTIONS.items():
        save(folder / name)
        text = "\n\n  ".join(captions) + "\n"
        (folder / name).with_suffix(".txt").write_text(text, encoding="utf-8")
    assert read_captions(folder) == (CAPTIONS, {})


def test_metadata_in_a_nested_folder_is_relative_to_it(folder):
    save(folder / "train" / "a.png")
    save(folder / "b.png")
    write_jsonl(folder / "train", ("a.png", "a"))
    (folder / "b.txt").write_text("b")
    assert read_captions(folder) == ({"train/a.png": ["a"], "b.png": ["b"]}, {})


def test_rows_are_joined_with_equal_captions_once(folder):
    save(folder / "a.png")
    write_csv(folder, ("a.png", "one\ntwo"), ("./a.png", "two"), ("x/../a.png", "three"))
    assert read_captions(folder) == ({"a.png": ["one", "two", "three"]}, {})


def test_byte_order_mark_and_commas_without_quotes(folder):
    save(folder / "a.png")
    (folder / "metadata.csv").write_bytes(b"\xef\xbb\xbfFile_Name, text\r\na.png,a red, round apple\r\n\r\n")
    assert read_captions(folder) == ({"a.png": ["a red, round apple"]}, {})


def test_names_in_another_spelling_are_found(folder):
    on_disk = ["sub/" + unicodedata.normalize("NFD", "é.png"), unicodedata.normalize("NFC", "ö.png"), "B.JPG"]
    for name in on_disk:
        save(folder / name)
    rows = [("sub\\é.png", "1"), (unicodedata.normalize("NFD", "ö.png"), "2"), ("b.jpg", "3")]
    write_csv(folder, *rows)
    captions, problems = read_captions(folder)
    assert [captions[name] for name in on_disk] == [["1"], ["2"], ["3"]]
    assert problems == {}


def test_captions_are_always_text_that_can_be_encoded(folder):
    save(folder / "a.png")
    (folder / "metadata.jsonl").write_text('{"file_name": "a.png", "text": "x\\ud800y\\u2028z"}')
    assert read_captions(folder)[0] == {"a.png": ["x?y", "z"]}


def test_every_caption_problem_is_named(folder):
    for name in "abcdefg":
        save(folder / f"{name}.png")
    (folder / "b.txt").write_text("from the text file")
    (folder / "c.txt").write_text(" \n")
    (folder / "d.txt").write_bytes("Äpfel".encode("latin-1"))
    (folder / "metadata.jsonl").write_text(
        '{"file_name": "a.png", "text": "good"}\n{"file_name": "a.png", "text": ""}\n'
        '{"file_name": "e.png", "text": null}\n{"file_name": "f.png", "text": 7}\n'
        '{"text": "x"}\nnonsense\n["g.png"]\n{"file_name": "gone.png", "text": "x"}\n'
    )
    captions, problems = read_captions(folder)
    assert captions == {"a.png": ["good"], "b.png": ["from the text file"]}
    assert problems == {
        "c.png": "has an empty caption",
        "d.png": "has a caption that cannot be read: d.txt is not UTF-8 (byte 0xc4 at position 0): "
        "save it with the encoding UTF-8",
        "e.png": "has an empty caption",
        "f.png": 'has a "text" that is not a string',
        "g.png": "has no caption",
        "gone.png": "is missing",
        "metadata.jsonl, line 5": 'has no "file_name" that is a string',
        "metadata.jsonl, line 6": "is not JSON: Expecting value: line 1 column 1 (char 0)",
        "metadata.jsonl, line 7": 'has no "file_name" that is a string',
    }


def test_malformed_csv_rows_are_named(folder):
    for name in "abc":
        save(folder / f"{name}.png")
    rows = ["text,file_name", '"bad" quotes,a.png', "red, round,b.png", "good,c.png", ",c.png", "nothing"]
    rows += ['"never closed,b.png', "good,a.png"]
    (folder / "metadata.csv").write_text("\n".join(rows))
    captions, problems = read_captions(folder)
    assert captions == {"c.png": ["good"]}
    assert "malformed" in problems["metadata.csv, line 2"]
    assert "put the caption in quotes" in problems["metadata.csv, line 3"]
    assert problems["metadata.csv, line 6"] == "names no file"
    assert "malformed" in problems["metadata.csv, line 7"]


def test_lonely_text_file_is_named(folder):
    save(folder / "a.png")
    (folder / "a.txt").write_text("a")
    (folder / "b.txt").write_text("b")
    assert read_captions(folder)[1] == {"b.txt": "has no picture of its name beside it"}


def test_metadata_must_be_utf8_with_its_columns(folder):
    save(folder / "a.png")
    write_csv(folder, ("a.png", "a"), encoding="utf-16")
    with pytest.raises(ValueError, match=r"metadata.csv is not UTF-8 \(byte 0xff at position 0\)"):
        load_captioned_folder(folder)
    (folder / "metadata.csv").write_text("image;caption\na.png;a\n")
    with pytest.raises(ValueError, match=r"needs the columns file_name and text, found \['image;caption'\]"):
        load_captioned_folder(folder)


@pytest.mark.parametrize("column", ["text", "caption", "captions", "prompt", "Caption"])
@pytest.mark.parametrize("kind", ["csv", "jsonl"])
def test_usual_names_of_columns(folder, column, kind):
    save(folder / "a.png")
    row = {"file_name": "a.png", column: "a red apple", "tags": "x"}
    text = json.dumps(row) if kind == "jsonl" else ",".join(row) + "\n" + ",".join(row.values())
    (folder / f"metadata.{kind}").write_text(text)
    assert read_captions(folder)[0] == {"a.png": ["a red apple"]}


def test_a_row_without_a_known_column_says_which_there_are(folder):
    save(folder / "a.png")
    (folder / "metadata.jsonl").write_text('{"file_name": "a.png", "label": "a"}')
    with pytest.raises(ValueError, match=r"none of the columns text, .* there are \['file_name', 'label'\]"):
        load_captioned_folder(folder)


@pytest.mark.parametrize("header", ["file_name;text", '"file_name"x,text'])
def test_a_csv_of_another_kind_is_named(folder, header):
    save(folder / "a.png")
    (folder / "metadata.csv").write_text(f"{header}\na.png;a\n")
    with pytest.raises(ValueError, match=r"metadata.csv (needs .* separated by ';'|has a malformed first)"):
        load_captioned_folder(folder)


def test_a_missing_file_of_a_folder_within_is_not_that_of_its_name_above(folder):
    save(folder / "a.png")
    (folder / "a.txt").write_text("a")
    (folder / "sub").mkdir()
    (folder / "sub" / "metadata.csv").write_text("file_name,text\na.png,b\n")
    captions, problems = read_captions(folder)
    assert (captions, problems) == ({"a.png": ["a"]}, {"sub/a.png": "is missing"})


def test_words_for_nothing_are_told(folder):
    save(folder / "a.png")
    save(folder / "b.png", (0, 0, 255))
    write_csv(folder, ("a.png", "nan"), ("b.png", "None"))
    with pytest.warns(UserWarning, match=r"2 of the captions are 'None' and 'nan' \(the first is of a.png\)"):
        assert load_captioned_folder(folder, "all", 4).captions == [["nan"], ["None"]]
