"""``--optimizer adam_muon``: Muon for the weights of ALONE's feed-forward network, Adam for all else.

Muon (Jordan et al. 2024, torch.optim.Muon) takes a step with all singular values of a matrix's momentum made
equal. W_1 ... W_L are shared by all words; Adam's step follows the few directions in which frequent words pull,
Muon's gives those of rare words the same length, as Adam does in a lookup, where each word has a row of its own.
At the same learning rate a step of Muon has the root mean square of one of Adam; --muon-lr-factor is for more.
"""

import math
from dataclasses import dataclass, field

import torch
from fairseq.optim import FairseqOptimizer, register_optimizer
from fairseq.optim.adam import Adam, FairseqAdam, FairseqAdamConfig

from alone_fairseq.config import PARAM_GROUP, refuse


class AdamMuon(torch.optim.Optimizer):
    """Muon for ``matrices``, Adam for ``others``; their states are kept as those of one optimizer."""

    def __init__(self, matrices, others, lr, betas, eps, weight_decay, momentum, factor):
        self.factors = (factor, 1.0)[: 1 + bool(others)]  # of the learning rate
        muon = torch.optim.Muon(
            matrices, lr, weight_decay=weight_decay, momentum=momentum, adjust_lr_fn="match_rms_adamw"
        )
        # Without any, as for a student with a frozen o, Adam would refuse to be.
        self.parts = (muon, Adam(others, lr, betas, eps, weight_decay)) if others else (muon,)
        super().__init__([{**part.defaults, "params": part.param_groups[0]["params"]} for part in self.parts], {})

    def step(self, closure=None):
        loss = None if closure is None else closure()
        for part, factor, group in zip(self.parts, self.factors, self.param_groups, strict=True):
            # Loading makes a new state and new groups.
            changed = {"lr": factor * group["lr"], "weight_decay": group["weight_decay"] / factor}
            # When fairseq loads a checkpoint it gives all groups Adam's settings of now, of which eps is not
            # Muon's, and leaves them Muon's of then.
            changed |= {name: part.defaults[name] for name in ("eps", "momentum") if name in part.defaults}
            part.state, part.param_groups = self.state, [{**group, **changed}]
            part.step()
        return loss


@dataclass
class AdamMuonConfig(FairseqAdamConfig):
    muon_momentum: float = field(default=0.95, metadata={"help": "momentum of Muon"})
    muon_lr_factor: float = field(default=2.0, metadata={"help": "learning rate of Muon, as a multiple of --lr"})


@register_optimizer("adam_muon", dataclass=AdamMuonConfig)
class FairseqAdamMuon(FairseqOptimizer):
    """Settings are those of ``adam``; weight decay is for both."""

    def __init__(self, cfg: AdamMuonConfig, params):
        super().__init__(cfg)
        params = list(params)
        if cfg.use_old_adam or cfg.fp16_adam_stats:
            refuse("adam_muon has no --use-old-adam and no --fp16-adam-stats; leave them out")
        if not 0 < cfg.muon_lr_factor < math.inf:
            refuse(f"--muon-lr-factor must be above 0, not {cfg.muon_lr_factor}")
        if not 0 <= cfg.muon_momentum < 1:
            refuse(f"--muon-momentum must be 0 or more and below 1, not {cfg.muon_momentum}")
        if len(params) == 1 and params[0].dim() == 1:
            refuse("adam_muon needs the weights one by one; with --fp16 or --bf16 add --fp16-no-flatten-grads")
        matrices = [p for p in params if getattr(p, "param_group", None) == PARAM_GROUP]
        if not matrices:
            refuse("adam_muon is for a model with --embedding alone; use --optimizer adam")
        others = [p for p in params if getattr(p, "param_group", None) != PARAM_GROUP]
        self._optimizer = AdamMuon(
            matrices, others, momentum=cfg.muon_momentum, factor=cfg.muon_lr_factor, **self.optimizer_config
        )

    # The learning rate, betas and so on are named and read as those of ``adam``.
    optimizer_config = FairseqAdam.optimizer_config

    @property
    def supports_flat_params(self):
        return False

    @property
    def supports_memory_efficient_fp16(self):  # asked for nothing but --memory-efficient-fp16 and -bf16
        refuse("adam_muon has no --memory-efficient-fp16 and no --memory-efficient-bf16; use --fp16 or --bf16")
