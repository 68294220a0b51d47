"""Students of character n-grams: "Bag of N-gram" and "N-gram SAM" of Ohashi et al. 2020, small ones.

The poster does not say how they are built beyond their names and sizes. Both have a vector for each of the most
frequent n-grams: a word's is their mean, or the mean of what self-attention makes of them.
"""

from collections.abc import Sequence

from torch import Tensor, nn

from alone_fairseq.errors import UserError
from alone_fairseq.reconstruction.spelling import NGrams
from alone_fairseq.reconstruction.student import SubwordStudent


class NGramBag(SubwordStudent):
    """The mean of the vectors of a word's n-grams.

    They are used times the root of d, as a Transformer's embeddings are: a mean of twenty then begins about as
    long as a word's vector, a step of Adam moves it as far, and the attention's weights differ from the start.

    Args:
        shortest, longest: characters of an n-gram, with the marks of a word's ends.
        kept: n-grams that have a vector.
    """

    def __init__(
        self, words: Sequence[str], embedding_dim: int, *, shortest: int = 3, longest: int = 6, kept: int = 8000
    ):
        ngrams = NGrams(words, shortest, longest, kept)
        super().__init__(words, embedding_dim, ngrams)
        self.embedding = nn.Embedding(len(ngrams), embedding_dim, padding_idx=0)
        nn.init.normal_(self.embedding.weight[1:], std=embedding_dim**-0.5)

    def embed(self, parts: Tensor) -> Tensor:
        return self.pool(self.scaled(parts), parts)

    def scaled(self, parts: Tensor) -> Tensor:
        """Vectors of n-grams: (n, longest) long -> (n, longest, d)."""
        return self.embedding(parts) * self.embedding_dim**0.5

    @staticmethod
    def pool(values: Tensor, parts: Tensor) -> Tensor:
        """Mean over a word's n-grams: (n, longest, d) -> (n, d)."""
        there = parts.ne(0)[..., None].to(values.dtype)  # (n, longest, 1)
        return (values * there).sum(1) / there.sum(1)


class NGramAttention(NGramBag):
    """The mean over x + attention(x), x the vectors of a word's n-grams, through a projection.

    Args:
        heads: of the attention; the elements of a vector are divided among them.
        dropout: of the attention's weights.
    """

    def __init__(
        self,
        words: Sequence[str],
        embedding_dim: int,
        *,
        shortest: int = 3,
        longest: int = 6,
        kept: int = 8000,
        heads: int = 1,
        dropout: float = 0.0,
    ):
        if heads < 1 or embedding_dim % heads:
            raise UserError(f"--attention-heads {heads} does not divide the {embedding_dim} elements of a vector")
        super().__init__(words, embedding_dim, shortest=shortest, longest=longest, kept=kept)
        self.attention = nn.MultiheadAttention(embedding_dim, heads, dropout=dropout, batch_first=True)
        self.output = nn.Linear(embedding_dim, embedding_dim)

    def embed(self, parts: Tensor) -> Tensor:
        x = self.scaled(parts)  # (n, longest, d)
        attended, _ = self.attention(x, x, x, key_padding_mask=parts.eq(0), need_weights=False)
        return self.output(self.pool(x + attended, parts))
