"""The gradient norms of ALONE's parts in fairseq's log."""

from types import SimpleNamespace

import pytest
import torch
from fairseq import options
from fairseq.dataclass.utils import convert_namespace_to_omegaconf
from fairseq.logging import metrics
from fairseq.optim.fp16_optimizer import FP16Optimizer
from torch import nn

from alone_fairseq import AloneEmbedding
from alone_fairseq.gradients import log_gradients


class Task:
    """Counts the steps of the optimizer."""

    steps = 0

    def optimizer_step(self, optimizer, model, update_num):
        self.steps += 1


@pytest.fixture
def model():
    embedding = AloneEmbedding(10, 4, inter_dim=8)
    model = nn.ModuleDict({"encoder": embedding, "decoder": embedding, "other": nn.Linear(2, 2)})
    for parameter in model.parameters():
        parameter.grad = torch.full_like(parameter, 2.0)
    return model


def logged(task, optimizer, model) -> dict:
    with metrics.aggregate(new_root=True) as log:
        task.optimizer_step(optimizer, model=model, update_num=1)
    return dict(log.get_smoothed_values())


def test_norms_of_the_parts(model):
    task = Task()
    log_gradients(task, model)
    values = logged(task, SimpleNamespace(), model)
    weights = pytest.approx(2 * 32**0.5, abs=1e-4)
    assert values == {"gnorm_o": 2 * 4**0.5, "gnorm_w1": weights, "gnorm_w2": weights}
    assert task.steps == 1


def test_half_precision_is_unscaled_and_its_overflows_are_counted(model):
    """With fairseq's own optimizer, whose private names are relied on: they may change."""
    line = (
        "data --arch transformer_tiny --optimizer adam --lr 0 --fp16 --fp16-init-scale 4 --fp16-no-flatten-grads"
    )
    arguments = options.parse_args_and_arch(options.get_training_parser(), line.split())
    optimizer = FP16Optimizer.build_optimizer(
        convert_namespace_to_omegaconf(arguments), list(model.half().parameters())
    )
    task = Task()
    task.optimizer_step = lambda optimizer, model, update_num: optimizer.step()
    log_gradients(task, model)
    for gradient in (2.0, torch.inf, 2.0):
        loss = sum((gradient * parameter).sum() for parameter in set(model.parameters()))
        optimizer.zero_grad()
        optimizer.backward(loss)  # times the loss scale
        if gradient == torch.inf:
            with pytest.raises(OverflowError):
                optimizer.clip_grad_norm(0)
            continue
        optimizer.clip_grad_norm(0)
        values = logged(task, optimizer, model)
    assert values["gnorm_o"] == 2 * 4**0.5
    assert values["overflows"] == 1


def test_the_loss_scale_of_amp_has_no_count_of_overflows(model):
    task = Task()
    log_gradients(task, model)
    scaler = torch.amp.GradScaler("cpu", enabled=False)
    assert logged(task, SimpleNamespace(scaler=scaler), model).keys() == {"gnorm_o", "gnorm_w1", "gnorm_w2"}


def test_an_overflow_of_amp_is_not_in_the_mean_of_an_epoch(model):
    """It takes the step all the same, with gradients that its scaler passes over."""
    task = Task()
    log_gradients(task, model)
    model["encoder"].base.grad[0] = torch.inf
    optimizer = SimpleNamespace(scaler=torch.amp.GradScaler("cpu", enabled=False))
    assert logged(task, optimizer, model).keys() == {"gnorm_w1", "gnorm_w2"}
    assert task.steps == 1


def test_what_is_not_trained_is_left_out(model):
    model["encoder"].base.requires_grad_(False)
    task = Task()
    log_gradients(task, model)
    assert logged(task, SimpleNamespace(), model).keys() == {"gnorm_w1", "gnorm_w2"}


def test_models_without_alone_are_left_alone():
    task = Task()
    log_gradients(task, nn.Linear(2, 2))
    assert "optimizer_step" not in vars(task)
