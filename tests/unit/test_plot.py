"""``alone plot``: validation and training curves from fairseq-train's logs."""

import re
from pathlib import Path

import pytest
from matplotlib.figure import Figure
from matplotlib.image import imread

from alone_fairseq.cli import main
from alone_fairseq.cli.plot import read_curve
from alone_fairseq.errors import UserError

HEAD = "2026-01-01 00:00:00 | INFO | "
SIMPLE = f"""\
{HEAD}fairseq_cli.train | {{'task': {{'num_updates': 7}}}}
{HEAD}train_inner | epoch 001:     10 / 100 loss=9.1, ppl=500, num_updates=10
{HEAD}valid | epoch 001 | valid on 'valid' subset | loss 5.5 | nll_loss 5.25 | ppl 38.05 | wps 0 | num_updates 100
{HEAD}valid | epoch 001 | valid on 'other' subset | loss 7.5 | nll_loss 7.25 | ppl 70.05 | num_updates 100
{HEAD}train | epoch 001 | loss 9.5 | ppl 600 | num_updates 100
{HEAD}valid | epoch 002 | valid on 'valid' subset | loss 4.5 | ppl 19.03 | num_updates 200 | best_loss 4.5
"""
EXPECTED = {100: 5.5, 200: 4.5}


def json_line(subset, update, loss):
    statistics = f'"{subset}_loss": "{loss}", "{subset}_ppl": "{2**loss:.2f}", "{subset}_num_updates": "{update}"'
    return f'{HEAD}{subset} | {{"epoch": 1, {statistics}, "{subset}_best_loss": "1"}}\n'


FORMATS = {
    "simple": SIMPLE,
    "tqdm": SIMPLE.replace(HEAD + "valid", "epoch 001:  50%|█   | 1/2 [00:01<00:01]\r\x1b[A" + HEAD + "valid"),
    "hydra": re.sub(re.escape(HEAD) + r"(valid|train) \|", r"[2026-01-01 00:00:00,000][\1][INFO] -", SIMPLE),
    "json": json_line("train", 100, 9.5)
    + json_line("valid", 100, 5.5)
    + json_line("valid1", 100, 7.5)
    + json_line("train_inner", 150, 9.0)
    + json_line("valid", 200, 4.5),
}


@pytest.fixture
def log(tmp_path):
    def write(content, name="train.log"):
        (tmp_path / name).write_text(content)
        return str(tmp_path / name)

    return write


@pytest.mark.parametrize("format_", FORMATS)
def test_formats(log, format_):
    assert read_curve(log(FORMATS[format_]), "loss") == EXPECTED


def test_metric(log):
    assert read_curve(log(SIMPLE), "ppl") == {100: 38.05, 200: 19.03}
    assert read_curve(log(FORMATS["json"]), "ppl") == {100: 45.25, 200: 22.63}


def test_a_restart_counts_the_later_value(log):
    again = FORMATS["json"] + json_line("valid", 100, 5.4) + json_line("valid", 150, 5.0)
    assert list(read_curve(log(again), "loss").items()) == [(100, 5.4), (150, 5.0), (200, 4.5)]


@pytest.mark.parametrize("length", [-60, -20, -5])
def test_a_log_that_is_still_written(log, length):
    assert read_curve(log(SIMPLE[:length]), "loss")[100] == 5.5


@pytest.mark.parametrize("format_", FORMATS)
def test_the_training_stands_in_where_nothing_was_validated(log, figures, tmp_path, format_):
    trained = "".join(line for line in FORMATS[format_].splitlines(True) if "valid" not in line)
    logs = [log(trained, "student.log"), log(SIMPLE, "lookup.log")]
    with pytest.raises(UserError, match="no results of validation in it"):
        read_curve(logs[0], "loss")
    for given in (logs[:1], logs):
        assert main(["plot", *given, "--output", str(tmp_path / f"{len(given)}.png")]) == 0
    alone, both = (figure.axes[0] for figure in figures)
    assert (alone.get_ylabel(), both.get_ylabel()) == ("training loss", "training and validation loss")
    assert [line.get_label() for line in alone.lines] == ["student"]
    assert [line.get_label() for line in both.lines] == ["student, training", "lookup, validation"]
    assert both.lines[0].get_xydata().tolist() == [[100, 9.5]]


@pytest.fixture
def figures(monkeypatch):
    """The figures that are saved, for a look at them."""
    figures, save = [], Figure.savefig

    def keep(figure, *args, **kwargs):
        figures.append(figure)
        save(figure, *args, **kwargs)

    monkeypatch.setattr(Figure, "savefig", keep)
    return figures


def test_picture(log, figures, tmp_path, capsys):
    logs = [log(SIMPLE, "lookup.log"), log(FORMATS["json"], "alone.log")]
    assert main(["plot", *logs, "--output", str(tmp_path / "curves.png"), "--metric", "ppl"]) == 0
    assert capsys.readouterr() == ("", "")
    assert imread(tmp_path / "curves.png").shape[2] == 4
    (axes,) = figures[0].axes
    assert [line.get_label() for line in axes.lines] == ["lookup", "alone"]
    assert axes.lines[0].get_xydata().tolist() == [[100, 38.05], [200, 19.03]]
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("updates", "validation perplexity")
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["lookup", "alone"]


def test_labels(log, figures, tmp_path):
    (tmp_path / "other").mkdir()
    logs = [log(SIMPLE), log(SIMPLE, "other/train.log")]
    assert main(["plot", *logs, "--output", str(tmp_path / "1.png")]) == 0
    assert main(["plot", *logs, "--output", str(tmp_path / "2.png"), "--labels", "same", "same"]) == 0
    labels = [[line.get_label() for line in figure.axes[0].lines] for figure in figures]
    assert labels == [logs, ["same", "same"]]


@pytest.mark.parametrize(
    ("content", "flags", "message"),
    [
        ("", [], "train.log: no results of training in it; is it the log of fairseq-train?"),
        ("\x89PNG\r\n\x1a\n\x00" * 9, [], "train.log: no results of training in it"),
        (SIMPLE, ["--metric", "bleu"], "train.log: has no bleu of 'valid', only loss, ppl, num_updates"),
        (SIMPLE, ["--labels", "a", "b"], "--labels: 2 for 1 logs"),
    ],
)
def test_errors(log, tmp_path, capsys, content, flags, message):
    assert main(["plot", log(content), "--output", str(tmp_path / "curves.png"), *flags]) == 1
    err = capsys.readouterr().err
    assert message in err
    assert err.count("\n") == 1
    assert not (tmp_path / "curves.png").exists()


def test_existing_picture(log, tmp_path, capsys):
    picture = tmp_path / "curves.png"
    picture.write_text("precious")
    assert main(["plot", log(SIMPLE), "--output", str(picture)]) == 1
    assert "curves.png: exists already; add --force to replace it" in capsys.readouterr().err
    assert picture.read_text() == "precious"
    assert main(["plot", log(SIMPLE), "--output", str(picture), "--force"]) == 0
    assert picture.read_bytes().startswith(b"\x89PNG")


def test_a_log_is_never_replaced_by_its_picture(log, capsys):
    path = log(SIMPLE)
    assert main(["plot", path, "--output", path, "--force"]) == 1
    assert f"{path}: is a file to read; name another one to write" in capsys.readouterr().err
    assert Path(path).read_text() == SIMPLE
