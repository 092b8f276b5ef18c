"""The held-out split is a pure function of code point and style."""

import pytest

from keras_t2i.data.emoji import splits


def test_normalize_code_point_joins_spellings():
    assert splits.normalize_code_point("1f468-1f3fb-200d-2696-fe0f") == "1F468-1F3FB-200D-2696"
    assert splits.normalize_code_point("a9") == splits.normalize_code_point("00A9-FE0F") == "00A9"
    with pytest.raises(ValueError):
        splits.normalize_code_point("red-apple")


def test_family_joins_genders_and_tones():
    judges = ["1F468-1F3FB-200D-2696", "1F469-1F3FF-200D-2696", "1F9D1-200D-2696"]
    assert len({splits.family(code_point) for code_point in judges}) == 1
    assert splits.family("1F6B6-1F3FB-200D-2640") == splits.family("1F6B6") == "1F6B6"
    assert splits.toneless("1F469-1F3FF-200D-2696") == "1F469-200D-2696"
    assert splits.toneless("1F3FB") == "1F3FB"  # a swatch is an emoji of its own


@pytest.mark.parametrize(
    ("code_point", "kind"),
    [
        ("1F499", "colour"),  # blue heart
        ("1F49A", ""),  # green heart
        ("1F7E2", "colour"),  # green circle
        ("1F552", "clock"),  # three o'clock
        ("1F551", ""),  # two o'clock
        ("1F639", "catface"),
        ("1F468-1F3FF-200D-1F9B1", "hair"),  # man, dark, curly
        ("1F471-1F3FF-200D-2640", "hair"),  # woman, dark, blond
        ("1F468-1F3FD-200D-1F9B0", "hair"),  # man, medium, red
        ("1F34E", ""),
    ],
)
def test_held_out_kinds(code_point, kind):
    assert splits.held_out_kind(code_point) == kind


def test_one_tone_of_a_family_is_held_out_for_every_gender():
    families = [f"{0x1F600 + i:04X}" for i in range(400)]
    with_tone = 0
    for name in families:
        held = [t for t in splits.SKIN_TONES if splits.held_out_kind(f"{name}-{t}") == "tone"]
        both = [t for t in splits.SKIN_TONES if splits.held_out_kind(f"{name}-{t}-200D-2640") == "tone"]
        assert held == both and len(held) <= 1
        with_tone += len(held)
        if held:
            assert not splits.in_validation(name)
    assert 70 < with_tone < 130  # one family in four


def test_identical_pictures_never_straddle_splits():
    emoji = [f"{0x1F300 + i:04X}" for i in range(300)]
    # Each emoji in two styles; every third picture looks like its neighbour.
    code_points = [code_point for code_point in emoji for _ in range(2)]
    fingerprints = [i if i % 3 else i - 1 for i in range(len(code_points))]
    kinds = ["colour" if i == 100 else "" for i in range(len(code_points))]
    assigned = splits.assign_splits(code_points, kinds, fingerprints)
    where = {}
    for split, kind, group in assigned:
        assert where.setdefault(group, (split, kind)) == (split, kind)
    assert {split for split, _, _ in assigned} == set(splits.SPLITS)
    # Both styles of an emoji go together, except where one is held out.
    for (first, *_), (second, *_) in zip(assigned[::2], assigned[1::2], strict=True):
        assert first == second or "test" in (first, second)


def test_assignment_does_not_depend_on_the_order():
    code_points = [f"{0x1F300 + i:04X}" for i in range(200)]
    forward = splits.assign_splits(code_points, [""] * 200, code_points)
    backward = splits.assign_splits(code_points[::-1], [""] * 200, code_points[::-1])
    assert [split for split, _, _ in forward] == [split for split, _, _ in backward[::-1]]
