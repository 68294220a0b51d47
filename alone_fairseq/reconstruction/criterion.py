"""``--criterion embedding_reconstruction``: a distance to the teacher's vectors, and the global loss if wanted."""

import logging
from dataclasses import dataclass, field

import torch
from fairseq.criterions import FairseqCriterion, register_criterion
from fairseq.dataclass import ChoiceEnum, FairseqDataclass
from fairseq.logging import metrics
from torch import Tensor
from torch.nn import functional

from alone_fairseq.config import refuse
from alone_fairseq.reconstruction.losses import DISTANCES, global_loss, nearest, random_others

logger = logging.getLogger(__name__)
DEFAULT_OTHERS = (5, 5)  # nearest neighbours and words drawn at random, as in Ohashi et al. 2020


@dataclass
class ReconstructionCriterionConfig(FairseqDataclass):
    distance: ChoiceEnum(list(DISTANCES)) = field(
        default="squared",
        metadata={
            "help": "between a student's vector and the teacher's; mean-squared with --global-loss is the loss of"
            " Ohashi et al. 2020, where squared would weigh as many times as much as a vector has elements"
        },
    )
    global_loss: bool = field(
        default=False,
        metadata={"help": "add the squared differences of the cosines to other words' vectors"},
    )
    global_neighbours: int = field(
        default=DEFAULT_OTHERS[0], metadata={"help": "nearest neighbours of a word among those other words"}
    )
    global_random: int = field(
        default=DEFAULT_OTHERS[1], metadata={"help": "words drawn at random among those other words"}
    )


@register_criterion("embedding_reconstruction", dataclass=ReconstructionCriterionConfig)
class EmbeddingReconstructionCriterion(FairseqCriterion):
    """Summed over the words of a batch; fairseq divides by their number.

    Words are drawn from PyTorch's generator, which fairseq seeds before each update by its number: a training that
    is resumed draws the same.
    """

    def __init__(self, task, distance, global_loss, global_neighbours, global_random):
        super().__init__(task)
        if distance not in DISTANCES:
            refuse(f"--distance must be one of {', '.join(DISTANCES)}, not {distance}")
        self.distance, self.global_random = DISTANCES[distance], global_random
        self.has_global_loss = global_loss
        if not global_loss and (global_neighbours, global_random) != DEFAULT_OTHERS:
            logger.warning("--global-neighbours and --global-random have no effect without --global-loss")
        if global_loss:
            if min(global_neighbours, global_random) < 0 or not global_neighbours + global_random:
                refuse("--global-neighbours and --global-random must be 0 or more, and not both 0")
            teacher = torch.from_numpy(task.teacher.matrix)
            if len(teacher) < 2:
                refuse("--global-loss compares words with others: one word is not enough")
            self.register_buffer("teacher", teacher, persistent=False)
            count = min(global_neighbours, len(teacher) - 1)
            if count < global_neighbours:
                logger.warning(f"--global-neighbours: {count}, for there are no more other words")
            self.register_buffer("neighbours", nearest(teacher, count), persistent=False)

    def forward(self, model, sample, reduce=True):
        words, target = sample["net_input"]["words"], sample["target"]
        made = model(**sample["net_input"])  # (n, d)
        local = self.distance(made.float(), target).sum()
        loss, logged = local, {}
        if self.has_global_loss:
            similar = global_loss(made.float(), target, self._others(words)).sum()
            loss, logged = local + similar, {"local": local.detach(), "global": similar.detach()}
        with torch.no_grad():
            logged["cosine"] = functional.cosine_similarity(made.float(), target, dim=1).sum()
        counts = {"sample_size": len(words), "ntokens": len(words), "nsentences": len(words)}
        return loss, len(words), {"loss": loss.detach(), **logged, **counts}

    def _others(self, words: Tensor) -> Tensor:
        """The teacher's vectors of the words that each word is compared with: (n) -> (n, k, d)."""
        self.to(words.device)  # fairseq-validate moves the model alone
        drawn = random_others(words, len(self.teacher), self.global_random)
        return self.teacher[torch.cat([self.neighbours[words], drawn], dim=1)].float()

    @staticmethod
    def reduce_metrics(logging_outputs) -> None:
        size = sum(log["sample_size"] for log in logging_outputs)
        for name in ("loss", "local", "global", "cosine"):
            if name in logging_outputs[0]:
                total = sum(log[name] for log in logging_outputs)
                metrics.log_scalar(name, total / size, size, round=6)

    @staticmethod
    def logging_outputs_can_be_summed() -> bool:
        return True
