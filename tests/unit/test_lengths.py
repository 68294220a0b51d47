"""``alone lengths``: how far outputs are from the wanted length."""

import json
import os
import threading

import pytest
from matplotlib.image import imread

from alone_fairseq.cli import main
from alone_fairseq.evaluation.lengths import Lengths

TEXTS = ["abcde", "é b", "", "abcdefg"]  # 5, 3, 0 and 7 characters


@pytest.fixture
def alone_lengths(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)

    def run(*flags, texts=TEXTS):
        (tmp_path / "TEXTS").write_text("".join(f"{text}\n" for text in texts), encoding="utf-8")
        status = main(["lengths", "--hypotheses", "TEXTS", *flags])
        return status, *capsys.readouterr()

    return run


@pytest.mark.parametrize("read", ["TEXTS", "WANTED"])
def test_a_histogram_never_replaces_what_is_read(alone_lengths, tmp_path, read):
    (tmp_path / "WANTED").write_text("5\n" * len(TEXTS))
    status, out, err = alone_lengths("--desired", "WANTED", "--plot", read, "--force")
    assert (status, out) == (1, "") and f"{read}: is a file to read; name another one to write" in err
    assert len((tmp_path / read).read_text().splitlines()) == len(TEXTS)


def test_lengths_from_a_pipe(alone_lengths, tmp_path):
    os.mkfifo(tmp_path / "pipe")
    writer = threading.Thread(target=(tmp_path / "pipe").write_text, args=("5\n" * len(TEXTS),))
    writer.start()
    status, out, _ = alone_lengths("--desired", "pipe", "--json")
    writer.join()
    assert status == 0 and json.loads(out)["items"] == len(TEXTS)


def test_deviations_are_in_characters():
    report = Lengths.of(TEXTS, 5).report()
    assert report["absolute"] == (0 + 2 + 5 + 2) / 4
    assert report["squared"] == (0 + 4 + 25 + 4) / 4
    assert report["deviation"] == (0 - 2 - 5 + 2) / 4
    assert (report["exact"], report["longer"], report["length"], report["items"]) == (0.25, 0.25, 3.75, 4)


def test_one_length_a_line():
    assert Lengths.of(TEXTS, [5, 3, 1, 7]).deviations.tolist() == [0, 0, -1, 0]


def test_the_command(alone_lengths, tmp_path):
    status, out, err = alone_lengths("--desired", "5")
    assert (status, err) == (0, "")
    assert out.splitlines()[:2] == ["mean absolute deviation  2.25 characters", "mean squared deviation   8.25"]
    (tmp_path / "WANTED").write_text("5\n3\n1\n7\n")
    assert json.loads(alone_lengths("--desired", "WANTED", "--json")[1])["absolute"] == 0.25


@pytest.mark.parametrize("desired", ["5", "WANTED"])
def test_histogram(alone_lengths, tmp_path, desired):
    (tmp_path / "WANTED").write_text("5\n3\n1\n7\n")
    flags = ["--desired", desired, "--plot", "lengths.png"]
    assert alone_lengths(*flags)[0] == 0
    assert imread(tmp_path / "lengths.png").std() > 0
    status, out, err = alone_lengths(*flags)
    assert (status, out) == (1, "") and "lengths.png: exists already; add --force" in err
    assert alone_lengths(*flags, "--force")[0] == 0


@pytest.mark.parametrize(
    ("desired", "texts", "message"),
    [
        ("0", TEXTS, "--desired 0: a wanted length must be between 1"),
        ("-3", TEXTS, "--desired -3: a wanted length must be between 1"),
        ("many", TEXTS, "--desired many: neither a number"),
        ("gold", TEXTS, "--desired gold: give a number, or a file with the length of each reference"),
        ("TWO", TEXTS, "2 wanted lengths for 4 texts; there must be one for each"),
        ("BAD", TEXTS, "BAD, line 2: 'x' is not a number"),
        ("5", [], "there is no text whose length could be counted"),
    ],
)
def test_mistakes(alone_lengths, tmp_path, desired, texts, message):
    (tmp_path / "TWO").write_text("5\n3\n")
    (tmp_path / "BAD").write_text("5\nx\n5\n5\n")
    status, out, err = alone_lengths(f"--desired={desired}", texts=texts)
    assert (status, out, err.count("\n")) == (1, "", 1)
    assert message in err
