"""GloVe (Pennington et al. 2014): vectors whose products are the logarithms of co-occurrence counts.

    J = sum over X_ij > 0 of f(X_ij) (w_i . c_j + b_i + b'_j - log X_ij)^2,   f(x) = min(1, (x / x_max)^(3/4))

by AdaGrad. The steps are as long as those of the authors' program, which sums the squares of gradients times the
learning rate, beginning with 1; a step's own are in the sum here, and there from the next step on. It goes from
cell to cell; here it is batches of cells, in which no word has more than a few on average: with many at once, each
with its error before the step, J grows without end. The vector of a word is w + c.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from scipy.sparse import csr_array
from torch import Tensor

from alone_fairseq.errors import UserError
from alone_fairseq.reconstruction.teachers.corpus import Corpus
from alone_fairseq.vectors import Vectors


@dataclass(frozen=True)
class GloVeSettings:
    """Defaults as in the paper; it has x_max = 100 for billions of words.

    Attributes:
        x_max, power: of the weight f.
        cells: of the word that has most, in a batch, on average.
    """

    dim: int = 100
    epochs: int = 25
    lr: float = 0.05
    x_max: float = 100.0
    power: float = 0.75
    cells: int = 8
    seed: int = 1


def train(
    corpus: Corpus, counts: csr_array, settings: GloVeSettings, progress: Callable[[int, float], object]
) -> Vectors:
    """Fit vectors to co-occurrence counts, (V, V); ``progress`` is told of cells done and the mean of J.

    Raises:
        UserError: no words occur together.
    """
    if not counts.nnz:
        raise UserError("no two words of the corpus stand near each other in a line; is it a word a line?")
    filled = counts.tocoo()
    rows, columns = (torch.from_numpy(side.astype(np.int64)) for side in filled.coords)  # (cells)
    x = torch.from_numpy(filled.data)
    most = max(side.bincount().max().item() for side in (rows, columns))
    batch = max(1, settings.cells * len(x) // most)
    target, weight = x.log(), (x / settings.x_max).clamp(max=1) ** settings.power
    generator = torch.Generator().manual_seed(settings.seed)
    words, contexts = (Side(len(corpus.words), settings, own, generator) for own in (0, 1))
    for _ in range(settings.epochs):
        for cell in torch.randperm(len(x), generator=generator).split(batch):
            i, j = rows[cell], columns[cell]
            w, c = words.table[i], contexts.table[j]  # (batch, d + 2)
            error = (w * c).sum(1) - target[cell]
            slope = weight[cell] * error
            loss = (slope @ error).item() / len(cell)
            words.step(i, slope.unsqueeze(1) * c)
            contexts.step(j, slope.unsqueeze(1) * w)
            progress(len(cell), loss)
    return Vectors(corpus.words, (words.vectors + contexts.vectors).numpy())


class Side:
    """The vectors of words, or of contexts, and their AdaGrad.

    Each row is d elements, a bias, and a 1 that the bias of the other side is multiplied by; contexts have the
    last two the other way round, so that the product of two rows is w . c + b + b'.
    """

    def __init__(self, words: int, settings: GloVeSettings, own: int, generator: torch.Generator):
        dim = settings.dim
        self.dim, self.lr, self.one = dim, settings.lr, dim + 1 - own
        self.table = (torch.rand(words, dim + 2, generator=generator) - 0.5) / dim
        self.table[:, self.one] = 1
        self.squares = torch.ones_like(self.table)  # AdaGrad's sums; 1 to begin with, as in the authors' program

    @property
    def vectors(self) -> Tensor:
        return self.table[:, : self.dim]

    def step(self, rows: Tensor, gradients: Tensor) -> None:
        """One step of AdaGrad for ``rows`` (batch), some of them there several times, and (batch, d + 2)."""
        steps = self.lr * gradients
        steps[:, self.one] = 0
        self.squares.index_add_(0, rows, steps.square())
        self.table.index_add_(0, rows, steps / self.squares[rows].sqrt(), alpha=-1)
