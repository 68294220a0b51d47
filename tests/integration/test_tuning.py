"""Training with ``label_smoothed_distillation``: one teacher, loaded once, in nobody's checkpoint."""

import re

import pytest
import torch
from commands import SMALL, SMALL_LM, TRAINING, as_old, language_model_data, run, train, weights
from fairseq_cli import train as fairseq_train
from fairseq_cli import validate

from alone_fairseq import UserError, distillation
from alone_fairseq.cli import main

DISTIL = "--criterion label_smoothed_distillation --label-smoothing 0.1 --dropout 0 --lr 0.001 --seed 1"


@pytest.fixture(scope="module")
def teacher(tiny_data, tmp_path_factory):
    return train(tiny_data, tmp_path_factory.mktemp("teacher"), "--embedding lookup --max-update 40 --dropout 0")


@pytest.fixture
def loaded(monkeypatch):
    """The teachers that are loaded from now on."""
    teachers, original = [], distillation.load_teacher

    def kept(path, task):
        teachers.append(original(path, task))
        return teachers[-1]

    monkeypatch.setattr(distillation, "load_teacher", kept)
    return teachers


def distil_losses(data, folder, line, model=f"{SMALL} --arch transformer_alone_tiny") -> list[float]:
    """Train; the divergence at each update."""
    log = run(fairseq_train, f"{data} --save-dir {folder} {TRAINING} {model} {line} --log-interval 1")
    return [float(loss) for loss in re.findall(r"distil_loss=([\d.]+)", log)]


def test_a_compressed_model_comes_nearer_to_the_original(tiny_data, teacher, tmp_path, loaded):
    compressed = tmp_path / "compressed.pt"
    line = ["--inter-dim", "16", "--updates", "5", "--output", str(compressed)]
    teacher = as_old(teacher, tmp_path / "old.pt")
    assert main(["compress", str(teacher), "--data", str(tiny_data), *line]) == 0
    line = (
        f"{DISTIL} --teacher-checkpoint {teacher} --distil-weight 0.9 --distil-temperature 2"
        f" --finetune-from-model {compressed} --alone-inter-dim 16 --alone-center"
    )
    losses = distil_losses(tiny_data, tmp_path / "tuned", f"{line} --max-update 8")
    assert len(losses) == 8 and losses[-1] < 0.7 * losses[0]
    (only,) = loaded
    assert not only.training and all(p.grad is None and not p.requires_grad for p in only.parameters())
    names = weights(tmp_path / "tuned" / "checkpoint_last.pt").keys()
    assert names == weights(compressed).keys()
    state = torch.load(tmp_path / "tuned" / "checkpoint_last.pt", weights_only=True)
    assert not state["criterion"]


def test_a_stopped_training_goes_on(tiny_data, teacher, tmp_path):
    line = f"{DISTIL} --teacher-checkpoint {teacher} --save-interval-updates 2"
    whole = train(tiny_data, tmp_path / "whole", f"{line} --max-update 4")
    train(tiny_data, tmp_path / "parts", f"{line} --max-update 2")
    parts = train(tiny_data, tmp_path / "parts", f"{line} --max-update 4")
    for one, other in zip(weights(whole).values(), weights(parts).values(), strict=True):
        torch.testing.assert_close(one, other)


def test_validation_needs_no_teacher(tiny_data, teacher, tmp_path):
    gone = tmp_path / "gone.pt"
    gone.write_bytes(teacher.read_bytes())
    checkpoint = train(tiny_data, tmp_path / "run", f"{DISTIL} --teacher-checkpoint {gone} --max-update 2")
    gone.unlink()
    line = f"{tiny_data} --path {checkpoint} --cpu --task translation --max-tokens 400 --no-progress-bar"
    log = run(validate, f"{line} --log-format simple --required-batch-size-multiple 1")
    assert re.search(r"valid on 'valid' subset \| loss [\d.]+", log) and "distil_loss" not in log


def test_language_models_learn_from_language_models(tiny_data, tmp_path):
    data = language_model_data(tiny_data, tmp_path / "lm")
    teacher = train(data, tmp_path / "teacher", "--max-update 2", model=SMALL_LM)
    line = f"{DISTIL} --teacher-checkpoint {teacher} --max-update 2"
    losses = distil_losses(data, tmp_path / "student", line, SMALL_LM)
    assert len(losses) == 2 and losses[0] > 0


def test_a_teacher_with_alone_is_not_in_the_log_of_the_student(tiny_data, tmp_path):
    """Its gradients are none, and would halve the norms."""
    teacher = train(tiny_data, tmp_path / "teacher", "--max-update 2")
    norms = []
    common = f"{TRAINING} {SMALL} --arch transformer_alone_tiny {DISTIL} --max-update 1 --log-interval 1 --no-save"
    taught = f"--teacher-checkpoint {teacher} --distil-weight 1e-9"
    for line in (taught, "--criterion label_smoothed_cross_entropy"):
        log = run(fairseq_train, f"{tiny_data} --save-dir {tmp_path / 'student'} {common} {line}")
        norms.append(re.findall(r"gnorm_o=[\d.]+", log))
    assert norms[0] and norms[0] == norms[1]


def test_a_teacher_with_length_control_may_teach_what_is_validated_by_bleu(tiny_data, tmp_path):
    """It is told the lengths of the references, and searches nothing."""
    teacher = train(tiny_data, tmp_path / "teacher", "--length-control lrpe --max-update 2")
    line = f"{DISTIL} --teacher-checkpoint {teacher} --eval-bleu --max-update 2"
    assert len(distil_losses(tiny_data, tmp_path / "student", line)) == 2


def test_teachers_that_cannot_teach_are_refused(tiny_data, teacher, tmp_path):
    (tmp_path / "text.pt").write_text("text")
    small = tmp_path / "small"
    small.mkdir()
    for path in tiny_data.iterdir():
        (small / path.name).symlink_to(path)
    for name in ("dict.en.txt", "dict.de.txt"):
        (small / name).unlink()
        (small / name).write_text("".join((tiny_data / name).read_text().splitlines(True)[:-1]))
    other = train(small, tmp_path / "other", "--embedding lookup --max-update 1")
    for option, message in (
        ("", "needs --teacher-checkpoint"),
        (f"--teacher-checkpoint {tmp_path / 'none.pt'}", "none.pt: No such file"),
        (f"--teacher-checkpoint {tmp_path / 'text.pt'}", "not a checkpoint"),
        (f"--teacher-checkpoint {other}", "does not load for these data"),
        (f"--teacher-checkpoint {teacher} --distil-weight 2", "--distil-weight"),
    ):
        with pytest.raises(UserError, match=message) as error:
            train(tiny_data, tmp_path / "run", f"{DISTIL} {option} --max-update 1")
        assert "\n" not in str(error.value)
