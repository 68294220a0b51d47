"""``--criterion label_smoothed_distillation``: tuning towards a teacher's word distribution and the references.

Word-level knowledge distillation (Kim and Rush 2016, Section 3.1) with a temperature (Hinton et al. 2015): for
each word of the reference, w T^2 KL(teacher || student) + (1 - w) label-smoothed cross-entropy, in the first both
distributions softened by T. Meant for a model that `alone compress` has made; its teacher is the original. A
teacher with length control is told the length of the reference, as in its own training.
"""

import math
from copy import copy
from dataclasses import dataclass, field
from typing import Any

import torch
from fairseq import checkpoint_utils, utils
from fairseq.criterions import register_criterion
from fairseq.criterions.label_smoothed_cross_entropy import (
    LabelSmoothedCrossEntropyCriterion,
    LabelSmoothedCrossEntropyCriterionConfig,
)
from fairseq.logging import metrics
from torch import Tensor

from alone_fairseq.checkpoint.files import load_checkpoint, meters_are_data
from alone_fairseq.checkpoint.trust import check_trusted
from alone_fairseq.config import one_line_errors, refuse
from alone_fairseq.errors import UserError


@dataclass
class LabelSmoothedDistillationConfig(LabelSmoothedCrossEntropyCriterionConfig):
    teacher_checkpoint: str = field(
        default="", metadata={"help": "checkpoint of the teacher, which has the student's dictionaries"}
    )
    distil_weight: float = field(
        default=0.5, metadata={"help": "w, share of the teacher in the loss, above 0 and at most 1"}
    )
    distil_temperature: float = field(
        default=1.0, metadata={"help": "T, by which the logits of teacher and student are divided"}
    )


@register_criterion("label_smoothed_distillation", dataclass=LabelSmoothedDistillationConfig)
class LabelSmoothedDistillationCriterion(LabelSmoothedCrossEntropyCriterion):
    """The teacher is loaded at the first training step, and is in no checkpoint. Validation does without it: its
    loss is the label-smoothed cross-entropy, and can be compared with that of other trainings."""

    def __init__(
        self,
        task,
        sentence_avg: bool,
        label_smoothing: float,
        teacher_checkpoint: str,
        distil_weight: float,
        distil_temperature: float,
        ignore_prefix_size: int = 0,
        report_accuracy: bool = False,
    ):
        super().__init__(task, sentence_avg, label_smoothing, ignore_prefix_size, report_accuracy)
        if not teacher_checkpoint:
            refuse("--criterion label_smoothed_distillation needs --teacher-checkpoint")
        if not 0 < distil_weight <= 1:
            refuse(f"--distil-weight must be above 0 and at most 1, not {distil_weight}")
        if not 0 < distil_temperature < math.inf:
            refuse(f"--distil-temperature must be above 0, not {distil_temperature}")
        self.teacher_checkpoint = teacher_checkpoint
        self.weight, self.temperature = distil_weight, distil_temperature
        self._teacher: list[torch.nn.Module] = []  # in a list, so that it is no part of this module

    def forward(self, model, sample, reduce=True):
        if not self.training:
            return super().forward(model, sample, reduce)
        output = model(**sample["net_input"])
        references, nll = self.compute_loss(model, output, sample, reduce=reduce)
        teacher = self.teacher(like=output[0])
        with torch.no_grad():
            taught = teacher(**sample["net_input"])
        if taught[0].shape != output[0].shape:
            refuse(f"{self.teacher_checkpoint}: the teacher has other words than the student")
        kept = self.ignore_prefix_size
        divergence = word_divergence(
            output[0][:, kept:],
            taught[0][:, kept:],
            model.get_targets(sample, output)[:, kept:].ne(self.padding_idx),
            self.temperature,
        )
        divergence = divergence.sum() if reduce else divergence.view(references.shape)
        loss = (1 - self.weight) * references + self.weight * self.temperature**2 * divergence
        sample_size = sample["target"].size(0) if self.sentence_avg else sample["ntokens"]
        log = {
            "loss": loss.data,
            "nll_loss": nll.data,
            "distil_loss": divergence.data,
            "ntokens": sample["ntokens"],
            "nsentences": sample["target"].size(0),
            "sample_size": sample_size,
        }
        if self.report_accuracy:
            correct, total = self.compute_accuracy(model, output, sample)
            log |= {"n_correct": utils.item(correct.data), "total": utils.item(total.data)}
        return loss, sample_size, log

    def teacher(self, like: Tensor) -> torch.nn.Module:
        """The teacher, for inference, on the device of ``like`` and in its type."""
        if not self._teacher:
            with one_line_errors():
                self._teacher.append(load_teacher(self.teacher_checkpoint, self.task))
        (teacher,) = self._teacher
        held = next(teacher.parameters())
        if (held.device, held.dtype) != (like.device, like.dtype):
            teacher.to(like)
        return teacher

    @classmethod
    def reduce_metrics(cls, logging_outputs) -> None:
        super().reduce_metrics(logging_outputs)
        if any("distil_loss" in log for log in logging_outputs):
            words = sum(log["ntokens"] for log in logging_outputs)
            divergence = sum(log.get("distil_loss", 0) for log in logging_outputs)
            metrics.log_scalar("distil_loss", divergence / words / math.log(2), words, round=3)


def word_divergence(student: Tensor, teacher: Tensor, counted: Tensor, temperature: float) -> Tensor:
    """KL(teacher || student) at each place, in nats, both softened by the temperature.

    Args:
        student, teacher: logits, (batch, length, V).
        counted: the places that count, (batch, length) bool; 0 elsewhere.

    Returns:
        (batch, length) float32.
    """
    ours, theirs = (utils.log_softmax(logits.float() / temperature, dim=-1) for logits in (student, teacher))
    divergence = torch.nn.functional.kl_div(ours, theirs, reduction="none", log_target=True)
    return divergence.sum(-1).masked_fill(~counted, 0.0)


def load_teacher(path: str, task: Any) -> torch.nn.Module:
    """The model in a checkpoint, with the dictionaries of ``task``, for inference.

    Raises:
        UserError: it is missing, damaged, of a model that is not trusted, or has other words.
    """
    try:
        check_trusted(path, load_checkpoint(path))
    except OSError as error:
        raise UserError(f"--teacher-checkpoint {path}: {error.strerror}") from error
    task = copy(task)  # for building a model with ALONE makes its task log that model's gradients
    if getattr(getattr(task, "cfg", None), "eval_bleu", False):
        task.cfg = copy(task.cfg)
        task.cfg.eval_bleu = False  # it is the student that searches in validation
    try:
        with meters_are_data():
            (teacher,), _ = checkpoint_utils.load_model_ensemble([path], task=task)
    except (AssertionError, AttributeError, LookupError, RuntimeError, TypeError, ValueError) as error:
        detail = str(error).split("\n")[0]
        raise UserError(f"--teacher-checkpoint {path}: does not load for these data: {detail}") from error
    return teacher.eval().requires_grad_(False)
