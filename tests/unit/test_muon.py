"""``--optimizer adam_muon``: which weights get which step, and what a restart needs."""

import copy

import pytest
import torch
from fairseq.optim.adam import Adam
from omegaconf import OmegaConf
from torch import nn

from alone_fairseq.config import PARAM_GROUP
from alone_fairseq.errors import FatalUserError
from alone_fairseq.muon import AdamMuonConfig, FairseqAdamMuon

LR = 0.01
INF = float("inf")


def optimizer(params, **settings):
    cfg = AdamMuonConfig(adam_betas="(0.9, 0.98)", lr=[LR], **settings)
    return FairseqAdamMuon(OmegaConf.structured(cfg), params)


def weights():
    """A matrix for Muon, and another and a vector for Adam."""
    numbers = torch.sin(torch.arange(200.0))
    muon, other, vector = (nn.Parameter(numbers[a:b].clone()) for a, b in ((0, 96), (96, 192), (192, 200)))
    muon.data, other.data = muon.data.view(8, 12), other.data.view(8, 12)
    muon.param_group = PARAM_GROUP
    return [other, muon, vector]


def step(optimizer, params, number=1):
    for parameter in params:
        parameter.grad = torch.cos(parameter.detach() * 7 * number)
    optimizer.step()


def test_muon_makes_all_singular_values_alike_and_adam_has_the_rest():
    ours, adams = weights(), weights()
    before = ours[1].detach().clone()
    adam = Adam(adams, LR, (0.9, 0.98))
    ours_optimizer = optimizer(ours)
    step(ours_optimizer, ours), step(adam, adams)
    assert torch.equal(ours[0], adams[0]) and torch.equal(ours[2], adams[2])
    change = before - ours[1].detach()
    # 0.2 sqrt(max(rows, columns)) is for the root mean square; five Newton-Schulz steps end between 0.6 and 1.3.
    singular = torch.linalg.svdvals(change) / (2 * LR * 0.2 * 12**0.5)
    assert singular.min() > 0.6 and singular.max() < 1.3
    spread = torch.linalg.svdvals(torch.cos(before * 7))
    assert spread.max() / spread.min() > 4  # of the gradient itself
    assert (change * torch.cos(before * 7)).sum() > 0


def test_the_learning_rate_is_fairseq_s_for_all():
    params = weights()
    before = [p.detach().clone() for p in params]
    slow = optimizer(params)
    slow.set_lr(0.0)
    step(slow, params)
    assert all(torch.equal(one, other) for one, other in zip(before, params, strict=True))


@pytest.mark.parametrize("settings", [{"adam_eps": 1e-3}, {"weight_decay": 0.1, "muon_momentum": 0.5}])
def test_a_restart_changes_nothing(settings):
    whole, parts = weights(), weights()
    first = optimizer(whole, **settings)
    for number in range(1, 5):
        step(first, whole, number)
    second = optimizer(parts, **settings)
    for number in (1, 2):
        step(second, parts, number)
    saved = copy.deepcopy(second.state_dict())
    third = optimizer(parts, **settings)
    third.load_state_dict(saved, third.optimizer_config)
    for number in (3, 4):
        step(third, parts, number)
    assert all(torch.equal(one, other) for one, other in zip(whole, parts, strict=True))


def test_a_restart_takes_the_momentum_of_now():
    ends = []
    for before, after in ((0.5, 0.9), (0.5, 0.5)):
        params = weights()
        first = optimizer(params, muon_momentum=before)
        step(first, params)
        saved = copy.deepcopy(first.state_dict())
        second = optimizer(params, muon_momentum=after)
        second.load_state_dict(saved, second.optimizer_config)
        step(second, params, 2)
        ends.append(params[1].detach().clone())
    assert not torch.equal(*ends)


def test_nothing_may_be_left_for_adam():
    whole, parts = weights()[1:2], weights()[1:2]
    only = optimizer(whole)
    step(only, whole)
    both = optimizer([*parts, nn.Parameter(torch.ones(3))])
    step(both, parts)
    assert torch.equal(whole[0], parts[0])


def test_settings_reach_muon():
    ends = []
    for settings in ({}, {"muon_momentum": 0.5}, {"weight_decay": 0.1}, {"muon_lr_factor": 1.0}):
        params = weights()
        ours = optimizer(params, **settings)
        for number in (1, 2):
            step(ours, params, number)
        ends.append(params[1].detach().clone())
    assert not any(torch.equal(ends[0], end) for end in ends[1:])


def test_weight_decay_is_the_same_for_all():
    ends = []
    for settings in ({}, {"weight_decay": 0.1}):
        params = weights()
        before = [p.detach().clone() for p in params]
        step(optimizer(params, **settings), params)
        ends.append([p.detach() for p in params])
    for start, free, decayed in zip(before, *ends, strict=True):
        torch.testing.assert_close(free - decayed, LR * 0.1 * start, rtol=1e-3, atol=1e-7)


def test_what_muon_is_not_for_is_refused():
    for settings in ({"use_old_adam": True}, {"fp16_adam_stats": True}):
        with pytest.raises(FatalUserError, match="adam_muon has no"):
            optimizer(weights(), **settings)
    with pytest.raises(FatalUserError, match="no --memory-efficient-fp16"):
        optimizer(weights()).supports_memory_efficient_fp16  # noqa: B018, fairseq asks
    with pytest.raises(FatalUserError, match="--embedding alone"):
        optimizer([nn.Parameter(torch.ones(3, 2)), nn.Parameter(torch.ones(2))])
    with pytest.raises(FatalUserError, match="--fp16-no-flatten-grads"):
        optimizer([nn.Parameter(torch.ones(50))])


@pytest.mark.parametrize(("name", "values"), [("muon_lr_factor", (0, -1, INF)), ("muon_momentum", (1, -0.5, INF))])
def test_numbers_that_make_no_sense_are_refused(name, values):
    for value in (*values, float("nan")):
        with pytest.raises(FatalUserError, match=f"--{name.replace('_', '-')} must be .*, not {float(value)}"):
            optimizer(weights(), **{name: value})
