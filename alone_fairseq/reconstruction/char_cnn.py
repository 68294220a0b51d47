"""The "Character-CNN" of Ohashi et al. 2020, whose poster does not say how it is built: as in Kim et al. 2016.

Filters over windows of 1 to 7 characters, the marks of a word's beginning and end among them, the maximum over the
word, highways, and a projection.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from alone_fairseq.reconstruction.spelling import Characters
from alone_fairseq.reconstruction.student import SubwordStudent

WIDTHS = range(1, 8)
FILTERS = 50  # of a window of one character; of w characters w times as many, up to ``filters``
HIGHWAYS = 2


class CharacterCNN(SubwordStudent):
    """Window by window, whatever other words are in the batch.

    Args:
        char_dim: elements of a character's vector.
        filters: most filters of a window's width.
        dropout: before the projection.
    """

    def __init__(
        self, words: Sequence[str], embedding_dim: int, *, char_dim: int, filters: int, dropout: float = 0.0
    ):
        characters = Characters(words, ends=True)
        super().__init__(words, embedding_dim, characters)
        self.embedding = nn.Embedding(len(characters), char_dim, padding_idx=0)
        counts = [min(filters, FILTERS * width) for width in WIDTHS]
        self.windows = nn.ModuleList(
            nn.Conv1d(char_dim, count, width) for width, count in zip(WIDTHS, counts, strict=True)
        )
        size = sum(counts)
        self.highways = nn.ModuleList(nn.Linear(size, 2 * size) for _ in range(HIGHWAYS))
        for highway in self.highways:
            nn.init.constant_(highway.bias[size:], -2.0)  # carry at first, as in Kim et al.
        self.dropout = nn.Dropout(dropout)
        self.output = nn.Linear(size, embedding_dim)

    def embed(self, parts: Tensor) -> Tensor:
        empty = parts.eq(0)[:, None]  # (n, 1, longest)
        characters = self.embedding(parts).transpose(1, 2)  # (n, d_c, longest)
        found = []
        for width, window in zip(WIDTHS, self.windows, strict=True):
            values = window(functional.pad(characters, (0, width - 1)))  # (n, filters, longest)
            # A window starts at a character or mark of the word; what is behind its end is zero.
            found.append(values.masked_fill(empty, -torch.inf).amax(2).tanh())
        features = torch.cat(found, dim=1)  # (n, size)
        for highway in self.highways:
            new, gate = highway(features).chunk(2, dim=1)
            gate = torch.sigmoid(gate)
            features = gate * functional.relu(new) + (1 - gate) * features
        return self.output(self.dropout(features))
