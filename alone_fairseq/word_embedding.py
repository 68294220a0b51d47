"""What the Transformer asks of an embedding; ALONE and the baselines it is compared with all answer."""

from collections.abc import Iterator, MutableMapping
from contextlib import contextmanager

from torch import Tensor, nn
from torch.nn import functional

from alone_fairseq.errors import TokenError, UserError
from alone_fairseq.filters import check_at_least


class WordEmbedding(nn.Module):
    """An embedding of V words that also gives scores to them.

    Attributes:
        num_embeddings: V.
        embedding_dim: D_e.
        padding_idx: index of the padding word, or None. ALONE only remembers it; in the baselines its row is
            zero at first, and gets no gradient from being looked up.
    """

    def __init__(self, num_embeddings: int, embedding_dim: int, padding_idx: int | None):
        super().__init__()
        check_at_least(num_embeddings, 1, "num_embeddings")
        check_at_least(embedding_dim, 1, "embedding_dim")
        if padding_idx is not None and not 0 <= padding_idx < num_embeddings:
            raise UserError(f"padding_idx {padding_idx} is not a word of {num_embeddings}")
        self.num_embeddings = num_embeddings
        self.embedding_dim = embedding_dim
        self.padding_idx = padding_idx

    def forward(self, tokens: Tensor) -> Tensor:
        """Embeddings of tokens: (*) long -> (*, D_e)."""
        raise NotImplementedError

    def matrix(self) -> Tensor:
        """Embeddings of all words: (V, D_e)."""
        raise NotImplementedError

    def project(self, features: Tensor) -> Tensor:
        """Scores of all words, tied to the embeddings: (*, D_e) -> (*, V)."""
        return one_product(features, self.matrix())

    @contextmanager
    def shared_matrix(self, store: MutableMapping | None = None) -> Iterator[None]:
        """Within this block whatever is costly is computed once, for look-ups and projection together."""
        yield

    def _check_tokens(self, tokens: Tensor) -> None:
        # A GPU would have to wait for the answer; there an id out of range trips CUDA's own assertion.
        if tokens.device.type == "cpu" and tokens.numel():
            low, high = int(tokens.min()), int(tokens.max())
            if low < 0 or high >= self.num_embeddings:
                raise TokenError(
                    f"token {low if low < 0 else high} is not one of the {self.num_embeddings} words 0 to "
                    f"{self.num_embeddings - 1}; were the data binarised with another dictionary?"
                )


def one_product(features: Tensor, weight: Tensor) -> Tensor:
    """``functional.linear``, (*, n) and (m, n) -> (*, m), as one product.

    Given three dimensions and a weight without gradient, as in a search, PyTorch may repeat the weight for each
    sentence of the batch.
    """
    flat = features.reshape(-1, features.shape[-1])
    return functional.linear(flat, weight).view(*features.shape[:-1], len(weight))
