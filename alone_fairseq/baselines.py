"""The embeddings that ALONE is compared with (Table 2), behind the interface of ``WordEmbedding``."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from alone_fairseq.filters import check_at_least
from alone_fairseq.word_embedding import WordEmbedding, one_product


class LookupEmbedding(WordEmbedding):
    """The conventional embedding: one trained (V, D_e) table, initialised as fairseq does."""

    def __init__(self, num_embeddings: int, embedding_dim: int, padding_idx: int | None = None):
        super().__init__(num_embeddings, embedding_dim, padding_idx)
        # Not called "weight": fairseq would make an output projection of it when it loads a checkpoint.
        self.table = nn.Parameter(torch.empty(num_embeddings, embedding_dim))
        nn.init.normal_(self.table, std=embedding_dim**-0.5)
        _clear(self.table, padding_idx)

    def forward(self, tokens: Tensor) -> Tensor:
        self._check_tokens(tokens)
        return functional.embedding(tokens, self.table, self.padding_idx)

    def matrix(self) -> Tensor:
        return self.table


class FactorizedEmbedding(WordEmbedding):
    """A narrow (V, r) table and an (D_e, r) projection: V r + r D_e parameters (Section 3.2, Table 2).

    Both start so that their product has the standard deviation of a lookup, D_e^-1/2.
    """

    def __init__(
        self, num_embeddings: int, embedding_dim: int, padding_idx: int | None = None, *, factorized_dim: int
    ):
        super().__init__(num_embeddings, embedding_dim, padding_idx)
        check_at_least(factorized_dim, 1, "factorized_dim", "--factorized-dim")
        self.table = nn.Parameter(torch.empty(num_embeddings, factorized_dim))
        self.projection = nn.Parameter(torch.empty(embedding_dim, factorized_dim))
        nn.init.normal_(self.table, std=factorized_dim**-0.5)
        nn.init.normal_(self.projection, std=embedding_dim**-0.5)
        _clear(self.table, padding_idx)

    def forward(self, tokens: Tensor) -> Tensor:
        self._check_tokens(tokens)
        narrow = functional.embedding(tokens, self.table, self.padding_idx)  # (*, r)
        return functional.linear(narrow, self.projection)  # (*, D_e)

    def matrix(self) -> Tensor:
        return functional.linear(self.table, self.projection)  # (V, D_e)

    def project(self, features: Tensor) -> Tensor:
        narrow = one_product(features, self.projection.t())  # (*, r): cheaper than by the matrix
        return one_product(narrow, self.table)  # (*, V)


def _clear(table: Tensor, padding_idx: int | None) -> None:
    if padding_idx is not None:
        nn.init.zeros_(table[padding_idx])
