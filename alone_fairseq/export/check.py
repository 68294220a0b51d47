"""Whether an exported model says the same as the one it was made from."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from alone_fairseq.errors import UserError
from alone_fairseq.export.plain import Plain

# Of log-probabilities. Sums in another order bring 1e-5 where these reach -20, a few units of the last place.
FLOAT32_BOUND = 1e-4


@dataclass(frozen=True)
class Pair:
    """A sentence and a translation to be scored, as ids without </s>: (source length), (target length) int64."""

    source: Tensor
    target: Tensor


def random_pairs(task, model, count: int = 16) -> list[Pair]:
    """Sentences of random words of both dictionaries, the same each time."""
    longest = min(20, *(positions - 1 for positions in model.max_positions()))  # and </s>
    generator = torch.Generator().manual_seed(1)

    def sentence(dictionary):
        (length,) = torch.randint(1, longest + 1, (1,), generator=generator).tolist()
        return torch.randint(dictionary.nspecial, len(dictionary), (length,), generator=generator)

    return [Pair(sentence(task.source_dictionary), sentence(task.target_dictionary)) for _ in range(count)]


@torch.no_grad()
def log_probabilities(model, task, pair: Pair, desired_length: int | None = None) -> Tensor:
    """Of all words at each place of the target, </s> included: (target length + 1, V) float32.

    Args:
        desired_length: what a model with length control is told.
    """
    eos = torch.tensor([task.target_dictionary.eos()])
    source = torch.cat([pair.source, eos])[None]
    told = {} if desired_length is None else {"tgt_lengths": torch.tensor([desired_length + 1])}
    logits, _ = model(source, torch.tensor([source.shape[1]]), torch.cat([eos, pair.target])[None], **told)
    return logits[0].float().log_softmax(-1)


def compare(plain: Plain, theirs: Callable[[Pair], Tensor], bound: float) -> None:
    """Score random sentences with the original and with ``theirs``, which answers like ``log_probabilities``."""
    pairs = random_pairs(plain.task, plain.model)
    ours = [log_probabilities(plain.model, plain.task, pair) for pair in pairs]
    report_difference(largest_difference(ours, list(map(theirs, pairs))), bound)


def largest_difference(ours: Sequence[Tensor], theirs: Sequence[Tensor]) -> float:
    """Of log-probabilities, over all pairs; not a number where they do not fit together."""
    if [one.shape for one in ours] != [other.shape for other in theirs]:
        return math.nan
    # Unlike Python's max, PyTorch's hands on what is not a number.
    largest = [(one - other).abs().max() for one, other in zip(ours, theirs, strict=True)]
    return torch.stack(largest).max().item()


def report_difference(difference: float, bound: float) -> None:
    """Print it.

    Raises:
        UserError: it is larger than ``bound``, or not a number.
    """
    told = f"largest difference of log-probabilities: {difference:.1e}, on random sentences (bound {bound:.0e})"
    if not difference <= bound:
        raise UserError(f"{told}; nothing is written")
    print(told)
