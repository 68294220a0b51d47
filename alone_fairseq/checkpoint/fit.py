"""ALONE fitted to a matrix that is there already (Section 3.1): the least weighted squared distance.

Three things make it quick. What can be had exactly is not trained: rows of their own are copied, and the bias is
the mean. W_1 ... W_L take Muon's steps, with a learning rate that falls to nothing. And since embeddings are
linear in W_L, its best values for the features that were found are computed at the end, by weighted least squares.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from alone_fairseq.embedding import AloneEmbedding
from alone_fairseq.errors import UserError
from alone_fairseq.muon import AdamMuon

ADAM_RATE, MUON_RATE = 1e-3, 1e-2  # at the start, of o and of W_1 ... W_L
ROWS = 4096  # words at a time
RIDGE = 1e-3  # share of the features' mean square that keeps the last solution from being wild


class FitError(UserError):
    """A fit that came to nothing."""


class LeftOverError(UserError):
    """The state of a stopped fit can't be gone on with."""


@dataclass(frozen=True)
class Quality:
    """How near embeddings are to those they stand for.

    Attributes:
        error: weighted squared distance as a share of the targets' distance from their mean.
        cosines: mean cosine in each band of frequency, {(first word, last word + 1): cosine}; words without any
            weight do not count, as padding, whose row may be zero.
    """

    error: float
    cosines: dict[tuple[int, int], float]


class Fit:
    """A fit that can be stopped and gone on with.

    Args:
        embedding: with V words; what it holds is replaced.
        target: (V, D_e) float32.
        weights: of the words in the loss, (V), not negative.
        updates: how many steps.
    """

    def __init__(self, embedding: AloneEmbedding, target: Tensor, weights: Tensor, updates: int):
        self.embedding, self.updates, self.done = embedding.train(), updates, 0
        self.target = target
        self.own = 0 if embedding.own is None else len(embedding.own)
        rest = weights[self.own :].double()
        if not rest.sum() > 0:
            raise UserError("none of the words without rows of their own has any weight; give fewer words rows")
        self.weights = (rest / rest.sum()).float()  # (V - own)
        with torch.no_grad():
            if embedding.own is not None:
                embedding.own.copy_(target[: self.own])
            if embedding.bias is not None:
                embedding.bias.copy_(target[self.own :].mean(0))
        self.optimizer = AdamMuon(
            list(embedding.weights),
            [embedding.base],
            ADAM_RATE,
            (0.9, 0.999),
            1e-8,
            weight_decay=0.0,
            momentum=0.95,
            factor=MUON_RATE / ADAM_RATE,
        )

    def run(self, progress: Callable[[int, float], Any], save: Callable[[], Any] = lambda: None) -> None:
        """Make the steps that are left; ``progress`` is told of each with its error, then ``save`` is called."""
        spread = self._distance(self.target[self.own :].mean(0).expand_as(self.target[self.own :]))
        spread = spread if spread > 0 else torch.ones_like(spread)  # of a single word
        while self.done < self.updates:
            loss = self._distance(self.embedding.matrix()[self.own :]) / spread
            loss.backward()
            for group in self.optimizer.param_groups:
                group["lr"] = ADAM_RATE * (1 - self.done / self.updates)
            self.optimizer.step()
            self.embedding.zero_grad()
            self.done += 1
            progress(1, loss.item())
            save()
        self._solve_last_layer()

    def state_dict(self) -> dict[str, Any]:
        return {
            "done": self.done,
            "target": self._digest(),
            "embedding": self.embedding.state_dict(),
            "optimizer": self.optimizer.state_dict(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        if state["target"] != self._digest():
            raise LeftOverError("left by the fit of another model")
        try:
            self.embedding.load_state_dict(state["embedding"])
        except RuntimeError as error:  # of filters that follow from words, say
            raise LeftOverError("left by a fit with other words") from error
        self.done = state["done"]
        self.optimizer.load_state_dict(state["optimizer"])

    def _digest(self) -> str:
        digest = hashlib.sha256(self.target.cpu().numpy().tobytes())
        digest.update(self.weights.cpu().numpy().tobytes())
        return digest.hexdigest()

    def _distance(self, rows: Tensor) -> Tensor:
        return (self.weights * (rows - self.target[self.own :]).square().sum(1)).sum()

    @torch.no_grad()
    def _solve_last_layer(self) -> None:
        """W_L by weighted least squares, (X^T F X + r I) W_L^T = X^T F Y, X and Y with their means taken off."""
        last = self.embedding.weights[-1]  # (D_e, D_inter)
        wide = {"dtype": torch.float64, "device": last.device}
        gram, product = torch.zeros(last.shape[1], last.shape[1], **wide), torch.zeros(last.t().shape, **wide)
        total, weighted_total = torch.zeros(2, last.shape[1], **wide)
        target = self.target[self.own :].double()
        if self.embedding.bias is not None:
            target = target - self.embedding.bias.double()
        for start in range(0, len(target), ROWS):
            rows = slice(start, min(start + ROWS, len(target)))
            x = self.embedding.features(slice(self.own + rows.start, self.own + rows.stop)).double()
            weighted = self.weights[rows, None].double() * x  # (rows, D_inter)
            gram += weighted.t() @ x
            product += weighted.t() @ target[rows]
            total += x.sum(0)
            weighted_total += weighted.sum(0)
        if self.embedding.bias is not None:
            mean = total / len(target)
            cross = torch.outer(weighted_total, mean)
            gram += torch.outer(mean, mean) - cross - cross.t()  # the weights' sum is 1
            product -= torch.outer(mean, self.weights.double() @ target)
        gram.diagonal().add_(RIDGE * gram.diagonal().mean() + torch.finfo(gram.dtype).tiny)
        last.copy_(torch.linalg.solve(gram, product).t())


def word_weights(dictionary) -> Tensor:
    """The square root of each word's count, so that rare words are not left out: (V)."""
    counts = torch.tensor(dictionary.count, dtype=torch.float32)
    counts.clamp_(min=1)
    counts[dictionary.eos()] = counts.max()  # in each sentence, and not counted
    counts[dictionary.pad()] = 0
    return counts.sqrt()


@torch.no_grad()
def quality(made: Tensor, target: Tensor, weights: Tensor, bands=(0, 100, 1000, 10_000)) -> Quality:
    """Compare (V, D_e) ``made`` with ``target``."""
    share = (weights / weights.sum())[:, None]
    center = (share * target).sum(0)
    lost, spread = (share * (made - target).square()).sum(), (share * (target - center).square()).sum()
    cosine = torch.cosine_similarity(made, target, dim=1)
    ends = [*(band for band in bands if band < len(target)), len(target)]
    cosines = {(a, b): cosine[a:b][weights[a:b] > 0].mean().item() for a, b in zip(ends, ends[1:], strict=False)}
    return Quality((lost / spread if spread > 0 else lost).item(), cosines)
