"""What recipes share: devices, logs and checkpoints of a training, settings of a row, and finished runs."""

import runpy
import sys

import pytest
import torch
from commands import RECIPES, call, fake, refusal


def test_a_run_that_is_trained_again_is_not_in_the_table(tmp_path, monkeypatch):
    (tmp_path / "lookup-seed1").mkdir()
    (tmp_path / "lookup-seed1" / "newstest2014.bleu").touch()
    finished = runpy.run_path(str(RECIPES / "lib" / "results.py"))["finished_runs"]
    assert finished(tmp_path, ["lookup"], "newstest2014") == []
    (tmp_path / "lookup-lrpe_pe-seed1").mkdir()
    (tmp_path / "lookup-lrpe_pe-seed1" / "test-75.scored").touch()
    monkeypatch.syspath_prepend(str(RECIPES / "headline"))
    of_headlines = runpy.run_path(str(RECIPES / "headline" / "table.py"))["finished_runs"]
    assert of_headlines(tmp_path, "test", "75") == []


def test_without_gpus_given_as_many_train_as_divide_the_batches():
    for here, batches, machines, count in ((6, 128, 1, 4), (8, 2, 1, 2), (3, 128, 2, 4), (8, 128, 1, 8)):
        script = f""". {RECIPES}/lib/options.sh; . {RECIPES}/lib/training.sh; count_gpus() {{ echo {here}; }}
            processes=1 gpus=; count_devices {batches} {machines}; echo $count"""
        assert call("bash", "-ec", script).stdout == f"{count}\n"


def test_the_log_of_a_training_without_checkpoints_is_put_aside(tmp_path):
    log = tmp_path / "train.log"
    log.write_text("old")
    script = f". {RECIPES}/lib/training.sh; launch=true; train BIN {tmp_path}"
    (tmp_path / "checkpoints").mkdir()
    (tmp_path / "checkpoints" / "checkpoint1.pt").touch()
    assert call("bash", "-ec", script).returncode == 0 and log.read_text() == "old", "one that goes on keeps it"
    (tmp_path / "checkpoints" / "checkpoint1.pt").unlink()
    assert call("bash", "-ec", script).returncode == 0
    assert log.read_text() == "" and (tmp_path / "train.log.before").read_text() == "old"
    assert call("bash", "-ec", script).returncode == 0
    assert (tmp_path / "train.log.before").read_text() == "old", "of all that were begun"


def test_the_last_line_of_a_row_needs_no_end(tmp_path):
    (tmp_path / "row.conf").write_text("# a row\nembedding lookup\ndropout 0.3")
    script = f'. {RECIPES}/lib/options.sh; read_settings {tmp_path}/row.conf "embedding dropout"; echo $dropout'
    assert call("bash", "-ec", script).stdout == "0.3\n"


def test_a_training_without_a_whole_epoch_has_not_ended(tmp_path):
    script = f". {RECIPES}/lib/options.sh; . {RECIPES}/lib/training.sh; end_training {tmp_path}"
    (tmp_path / "checkpoints").mkdir()
    (tmp_path / "checkpoints" / "checkpoint_best.pt").touch()
    assert "ended within epoch 1; give it more time" in refusal(call("bash", "-c", script))
    assert not (tmp_path / "trained").exists()
    (tmp_path / "checkpoints" / "checkpoint1.pt").touch()
    assert call("bash", "-c", script).returncode == 0 and (tmp_path / "trained").exists()


@pytest.mark.parametrize("first", [0, 2])
def test_epochs_on_other_data_do_not_count_for_patience(tmp_path, first):
    for epoch, loss in ((1, 2.0), (2, 3.0)):
        known = {"model": {"_name": "transformer"}, "task": {"_name": "translation"}}
        state = {"cfg": known, "model": {"rows": torch.zeros(1)}, "optimizer_history": []}
        state["extra_state"] = {"val_loss": loss, "best": 2.0}
        torch.save(state, tmp_path / f"checkpoint{epoch}.pt")
    line = [sys.executable, RECIPES / "lib" / "fairseq_train.py", "--patience", 1, "--save-dir", tmp_path]
    result = call(*line, LEAD_EPOCHS=str(first))
    assert ("no gain in the last 1 validations" in result.stdout) == (first == 0)
    assert (result.returncode == 0) == (first == 0), "fairseq-train itself misses the data"


@pytest.mark.parametrize(
    ("losses", "best", "count"),
    [
        ([3, 2, 2.5], 2, 1),
        ([3, 2], 2, 0),
        ([2.5, 2.6], 2, 2),
        ([3, None, 3.1, None, 3.2, None], 3, 2),
        ([None], None, 0),
    ],
)
def test_what_has_not_been_validated_is_no_loss(losses, best, count):
    assert runpy.run_path(str(RECIPES / "lib" / "fairseq_train.py"))["without_gain"](losses, best) == count


@pytest.mark.parametrize(
    ("newest", "kept", "averaged"), [(1, 10, 1), (6, 10, 3), (7, 10, 4), (30, 10, 10), (30, 12, 10), (30, 1, 1)]
)
def test_no_more_than_the_later_half_of_the_epochs_is_averaged(tmp_path, newest, kept, averaged):
    (tmp_path / "checkpoints").mkdir()
    for epoch in range(max(1, newest - kept + 1), newest + 1):
        (tmp_path / "checkpoints" / f"checkpoint{epoch}.pt").touch()
    path = fake(tmp_path / "bin", "alone", 'echo "$@"')
    script = f". {RECIPES}/lib/training.sh; average_newest {tmp_path} 10 averaged.pt"
    result = call("bash", "-c", script, PATH=path)
    assert f"--last {averaged} --output averaged.pt" in result.stdout, result.stderr
