"""The cleaning of parallel text that the recipes share."""

import sys
from collections import Counter
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "recipes" / "lib"))

from clean_parallel import clean
from filter_lengths import reason


@pytest.fixture
def sides(tmp_path):
    """Clean two texts; what was counted, and the two copies."""

    def run(first: bytes, second: bytes, drop: bool = False):
        paths, copies = ([tmp_path / f"{name}.{lang}" for lang in ("en", "de")] for name in ("train", "copy"))
        for path, content in zip(paths, (first, second), strict=True):
            path.write_bytes(content)
        counts = clean(tuple(paths), tuple(copies), drop)
        return counts, *(copy.read_bytes() for copy in copies)

    return run


def test_text_is_copied(sides):
    assert sides(b"a\n\nb\n", b"x\n\ny\n") == ({"read": 3}, b"a\n\nb\n", b"x\n\ny\n")


def test_line_ends_of_windows_and_a_byte_order_mark_go(sides):
    counts, first, second = sides(b"\xef\xbb\xbfa\r\nb\r\n", b"x\ny")
    assert (first, second) == (b"a\nb\n", b"x\ny\n")


def test_other_line_ends_of_unicode_stay_in_their_line(sides):
    text = "a\u2028b\x0bc\x85\n".encode()
    assert sides(text, b"x\n")[1] == text


def test_a_carriage_return_within_a_line_does_not_end_it(sides):
    assert sides(b"a\rb\r\nc\n", b"x\ny\r\n")[1:] == (b"a b\nc\n", b"x\ny\n")


def test_pairs_at_fault_are_dropped_and_counted(sides):
    first = b"a\n \nb\nc\0\nd\n\xff\xfe\n"
    second = b"x\ny\nz\xff\nz\n\nz\n"
    counts, first, second = sides(first, second, drop=True)
    assert counts == Counter({"read": 6, "an empty side": 2, "not valid UTF-8": 2, "a NUL byte": 1})
    assert (first, second) == (b"a\n", b"x\n")


@pytest.mark.parametrize(
    ("first", "second", "message"),
    [
        (b"a\nb\n", b"x\n", r"train.en and train.de: have 2 and 1 lines; line by line they must be"),
        (b"a\n", b"\n \n", r"train.de: is empty"),
        (b"", b"", r"train.en: is empty"),
        (b"a\n", b"\x1f\x8b\x08\x00", r"train.de: is compressed with gzip; unpack it"),
        (b"a\nb\n", b"x\ny\xff\n", r"train.de: line 2 is not valid UTF-8"),
        (b"a\nb\0\n", b"x\ny\n", r"train.en: line 2 has a NUL byte"),
    ],
)
def test_text_at_fault_is_refused(sides, first, second, message):
    with pytest.raises(SystemExit, match=message):
        sides(first, second)


@pytest.mark.parametrize(
    ("first", "second", "message"),
    [
        (b"a\nb\n", b"x\n", "have 2 and 1 lines"),
        (b"a\n", b"\n", "train.de: is empty"),
        ("a\n".encode("utf-16"), b"x\n\n", "no pair is left; dropped: 1 for not valid UTF-8, 1 for a NUL byte"),
    ],
)
def test_dropping_has_limits(sides, first, second, message):
    with pytest.raises(SystemExit, match=message):
        sides(first, second, drop=True)


@pytest.mark.parametrize(
    ("lengths", "expected"),
    [
        ((1, 1), None),
        ((2, 3), None),
        ((250, 250), None),
        ((0, 1), "an empty side after tokenisation"),
        ((251, 251), "a side of more than 250 tokens"),
        ((4, 2), "lengths of a ratio above 1.5"),
        ((2, 4), "lengths of a ratio above 1.5"),
    ],
)
def test_lengths(lengths, expected):
    assert reason(lengths, 250, 1.5) == expected
