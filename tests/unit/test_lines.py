r"""Lines of text: only ``\n`` ends one, and none waits longer than it must."""

import os
import threading

import pytest

from alone_fairseq.lines import read_windows, write_lines


@pytest.fixture
def windows(tmp_path):
    def read(content, size=100):
        (tmp_path / "text").write_bytes(content)
        with open(tmp_path / "text", "rb") as stream:
            return list(read_windows(stream, size))

    return read


@pytest.mark.parametrize(
    ("content", "lines"),
    [
        (b"", []),
        (b"\n", [""]),
        (b"one\ntwo\n", ["one", "two"]),
        (b"one\ntwo", ["one", "two"]),
        (b"one\r\n\r\ntwo\r\n", ["one", "", "two"]),
        ("a\x0bb\x0cc\x85d\u2028e\rf\n".encode(), ["a\x0bb\x0cc\x85d\u2028e\rf"]),
        (b"\0\n", ["\0"]),
    ],
)
def test_lines(windows, content, lines):
    assert [line for _, window in windows(content) for line in window] == lines


def test_windows_are_numbered(windows):
    assert windows(b"1\n2\n3\n4\n5", size=2) == [(1, ["1", "2"]), (3, ["3", "4"]), (5, ["5"])]


def test_lines_longer_than_a_chunk(windows, monkeypatch):
    monkeypatch.setattr("alone_fairseq.lines.CHUNK", 3)
    assert windows("Grüße\n\nx\n".encode()) == [(1, ["Grüße", "", "x"])]


def test_invalid_utf8_is_named(windows, capsys):
    assert windows(b"\xff\n\xef\xbf\xbd\n\xc3\n", size=1) == [(1, ["\ufffd"]), (2, ["\ufffd"]), (3, ["\ufffd"])]
    assert capsys.readouterr().err.splitlines() == [
        "alone: warning: line 1: invalid UTF-8, replaced by U+FFFD",
        "alone: warning: line 3: invalid UTF-8, replaced by U+FFFD",
    ]


def test_a_pause_ends_a_window():
    """Read while the writer has the pipe open and nothing more to say: it may be waiting for an answer."""
    end, start = os.pipe()
    with open(end, "rb") as stream, open(start, "wb", buffering=0) as writer:
        hang_up = threading.Timer(10, writer.close)  # or this test would wait for ever where it should fail
        hang_up.start()
        windows = read_windows(stream, 100)
        writer.write(b"one\ntwo\nth")
        assert next(windows) == (1, ["one", "two"])
        writer.write(b"ree\n")
        assert next(windows) == (3, ["three"])
        hang_up.cancel()


def test_written_at_once_and_in_utf8_whatever_the_locale(tmp_path, monkeypatch):
    with open(tmp_path / "text", "w", encoding="ascii", newline="\r\n") as stdout:
        monkeypatch.setattr("sys.stdout", stdout)
        write_lines(["Grüße", ""])
        assert (tmp_path / "text").read_bytes() == "Grüße\n\n".encode()
