"""``alone average``: which checkpoints, what mean, what file."""

import math
from pathlib import Path

import pytest
import torch

from alone_fairseq.checkpoint.files import load_checkpoint
from alone_fairseq.cli import main


def write(folder, name, update, model, **extra_state):
    state = {
        "args": None,
        "cfg": {"task": {"_name": "translation"}, "model": {}, "update": update},
        "model": model,
        "criterion": None,
        "optimizer_history": [{"num_updates": update, "optimizer_name": "FairseqAdam"}],
        "task_state": {},
        "extra_state": {"train_iterator": {"epoch": update}, **extra_state},
        "last_optimizer_state": {"state": torch.zeros(10_000)},
    }
    torch.save(state, folder / name)


@pytest.fixture
def alone_average(tmp_path, capsys):
    """Run the command on ``inputs``; returns its exit status, the names it printed, and standard error."""
    (tmp_path / "inputs").mkdir()

    def run(*arguments):
        status = main(
            ["average", "--inputs", str(tmp_path / "inputs"), "--output", str(tmp_path / "mean.pt"), *arguments]
        )
        out, err = capsys.readouterr()
        return status, [Path(line).name for line in out.splitlines()], err

    return run


@pytest.fixture
def inputs(tmp_path, alone_average):
    return tmp_path / "inputs"


@pytest.fixture
def averaged(tmp_path):
    return lambda: load_checkpoint(tmp_path / "mean.pt")


def test_the_newest_by_update(inputs, alone_average, averaged):
    """Not by name, by epoch or by time: checkpoint2.pt has more updates than checkpoint_10_90.pt."""
    files = [
        ("checkpoint2.pt", 100),
        ("checkpoint_10_90.pt", 90),
        ("checkpoint10.pt", 80),
        ("checkpoint_3_9.pt", 9),
        ("checkpoint_1_70.pt", 70),
    ]
    for name, update in files:
        write(inputs, name, update, {"weight": torch.tensor(float(update))})
    for name in ("checkpoint_best.pt", "checkpoint_last.pt", "checkpoint5.pt.tmp", "averaged.pt"):
        write(inputs, name, 1000, {"weight": torch.tensor(1000.0)})
    status, names, _ = alone_average("--last", "3")
    assert (status, names) == (0, ["checkpoint2.pt", "checkpoint_10_90.pt", "checkpoint10.pt"])
    assert averaged()["model"]["weight"] == 90


def test_one_update_counts_once(inputs, alone_average, averaged):
    for name, update in (("checkpoint_1_10.pt", 10), ("checkpoint1.pt", 10), ("checkpoint2.pt", 20)):
        write(inputs, name, update, {"weight": torch.tensor(float(update))})
    assert alone_average("--last", "2")[0] == 0
    assert averaged()["model"]["weight"] == 15


def test_everything_but_the_weights_is_the_newest(inputs, alone_average, averaged):
    for update in (1, 2):
        write(inputs, f"checkpoint{update}.pt", update, {"weight": torch.zeros(2)}, ema={"weight": torch.ones(2)})
    assert alone_average("--last", "2")[0] == 0
    state = averaged()
    assert state["cfg"]["update"] == 2
    assert state["optimizer_history"][-1]["num_updates"] == 2
    assert state["extra_state"] == {"train_iterator": {"epoch": 2}}
    assert state["last_optimizer_state"] is None


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_precision(inputs, alone_average, averaged, dtype):
    """Summed in half precision, 60,000 + 60,000 would be infinite; in float32, 2^24 + 1 would be 2^24."""
    values = {torch.float16: (60_000.0, 60_000.0), torch.bfloat16: (3.0, 4.0)}.get(dtype, (2.0**24, 1.0, 1.0, 2.0))
    for update, value in enumerate(values, 1):
        write(inputs, f"checkpoint{update}.pt", update, {"weight": torch.tensor([value], dtype=dtype)})
    assert alone_average("--last", str(len(values)))[0] == 0
    weight = averaged()["model"]["weight"]
    assert weight.dtype == dtype
    assert weight.item() == math.fsum(values) / len(values)


def test_equal_weights_stay_bit_for_bit(inputs, alone_average, averaged):
    weight = torch.sin(torch.arange(100.0))
    for update in range(1, 8):
        write(inputs, f"checkpoint{update}.pt", update, {"weight": weight})
    assert alone_average("--last", "7")[0] == 0
    assert torch.equal(averaged()["model"]["weight"], weight)


def test_whole_numbers(inputs, alone_average, averaged):
    for update in (1, 2):
        write(inputs, f"checkpoint{update}.pt", update, {"codes": torch.arange(5), "mask": torch.tensor([True])})
    assert alone_average("--last", "2")[0] == 0
    model = averaged()["model"]
    assert torch.equal(model["codes"], torch.arange(5))
    assert torch.equal(model["mask"], torch.tensor([True]))


def test_tied_weights_stay_tied(inputs, alone_average, averaged, tmp_path):
    for update in (1, 2):
        weight = torch.full((100, 100), float(update))
        model = {"input": weight, "output": weight, "other": weight.clone(), "transposed": weight.T}
        write(inputs, f"checkpoint{update}.pt", update, model)
    assert alone_average("--last", "2")[0] == 0
    model = averaged()["model"]
    assert model["input"].data_ptr() == model["output"].data_ptr()
    assert model["input"].data_ptr() != model["other"].data_ptr()
    assert all(torch.equal(weight, torch.full((100, 100), 1.5)) for weight in model.values())


def test_no_larger_than_its_inputs(inputs, alone_average, tmp_path):
    for update in (1, 2):
        weight = torch.full((100, 100), float(update))
        write(inputs, f"checkpoint{update}.pt", update, {"input": weight, "output": weight})
    assert alone_average("--last", "2")[0] == 0
    without_optimizer = (inputs / "checkpoint2.pt").stat().st_size - 40_000
    assert (tmp_path / "mean.pt").stat().st_size == pytest.approx(without_optimizer, abs=1000)


@pytest.mark.parametrize(
    ("model", "message"),
    [
        ({"weight": torch.zeros(2), "codes": torch.arange(2), "more": torch.zeros(1)}, "more is in only one"),
        ({"weight": torch.zeros(2)}, "codes is in only one"),
        ({"weight": torch.zeros(3), "codes": torch.arange(2)}, "the shapes of weight are (3,) and (2,)"),
        ({"weight": torch.zeros(2), "codes": torch.ones(2).long()}, "codes holds whole numbers other than in"),
    ],
)
def test_other_models(inputs, alone_average, tmp_path, model, message):
    write(inputs, "checkpoint2.pt", 2, {"weight": torch.zeros(2), "codes": torch.arange(2)})
    write(inputs, "checkpoint1.pt", 1, model)
    status, _, err = alone_average("--last", "2")
    assert status == 1
    assert message in err
    assert "checkpoint1.pt: " in err
    assert err.count("\n") == 1
    assert not (tmp_path / "mean.pt").exists()


def test_filters_that_differ_have_no_mean(inputs, alone_average):
    probe = torch.linspace(-1, 1, 16)
    write(inputs, "checkpoint2.pt", 2, {"x.filter_probe": probe.half()})
    write(inputs, "checkpoint1.pt", 1, {"x.filter_probe": probe.half() + 1e-3})
    assert alone_average("--last", "2")[0] == 0, "rounded"
    write(inputs, "checkpoint1.pt", 1, {"x.filter_probe": probe.flip(0).half()})
    status, _, err = alone_average("--last", "2", "--force")
    assert status == 1 and "checkpoint1.pt: not of the same model as" in err
    assert "x.filter_probe is of other filters or words" in err


def test_too_few(inputs, alone_average, tmp_path):
    write(inputs, "checkpoint1.pt", 1, {"weight": torch.zeros(2)})
    write(inputs, "checkpoint_best.pt", 1, {"weight": torch.zeros(2)})
    status, names, err = alone_average()
    assert (status, names) == (1, [])
    assert "has 1 checkpoints (best and last not counted), not 10; choose a smaller --last" in err
    assert not (tmp_path / "mean.pt").exists()


def test_damaged_input(inputs, alone_average, tmp_path):
    write(inputs, "checkpoint_1_1.pt", 1, {"weight": torch.zeros(2)})
    (inputs / "checkpoint_1_2.pt").write_bytes((inputs / "checkpoint_1_1.pt").read_bytes()[:-100])
    status, _, err = alone_average("--last", "2")
    assert status == 1
    assert "checkpoint_1_2.pt: not a checkpoint, or cut short" in err
    assert not (tmp_path / "mean.pt").exists()


def test_existing_output(inputs, alone_average, averaged, tmp_path):
    write(inputs, "checkpoint1.pt", 1, {"weight": torch.zeros(2)})
    (tmp_path / "mean.pt").write_text("precious")
    status, _, err = alone_average("--last", "1")
    assert status == 1
    assert "mean.pt: exists already; add --force to replace it" in err
    assert (tmp_path / "mean.pt").read_text() == "precious"
    assert alone_average("--last", "1", "--force")[0] == 0
    assert torch.equal(averaged()["model"]["weight"], torch.zeros(2))


def test_a_mean_never_replaces_what_it_is_of(inputs, alone_average, tmp_path):
    write(inputs, "checkpoint1.pt", 1, {"weight": torch.zeros(2)})
    write(inputs, "checkpoint2.pt", 2, {"weight": torch.ones(2)})
    (tmp_path / "mean.pt").symlink_to(inputs / "checkpoint1.pt")
    status, _, err = alone_average("--last", "2", "--force")
    assert status == 1 and "mean.pt: is a file to read; name another one to write" in err


def test_no_such_folder(inputs, alone_average):
    inputs.rmdir()
    status, _, err = alone_average()
    assert status == 1
    assert "No such file or directory" in err
