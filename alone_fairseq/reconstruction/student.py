"""What all students answer: vectors of the words that they learn, and of others if they are made of sub-words."""

import hashlib
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from alone_fairseq.errors import UserError
from alone_fairseq.reconstruction.spelling import Parts
from alone_fairseq.word_embedding import WordEmbedding

OTHER_WORDS = "these weights were trained on other words; give the same teacher and --words, or another --save-dir"
ROWS = 1024  # words whose activations exist at the same time where no gradients are wanted


class Student(nn.Module):
    """Gives a vector for each word of a teacher, from fewer parameters.

    Attributes:
        words: the V words that it learns, as the teacher orders them.
        embedding_dim: d, elements of a vector.
        open_vocabulary: whether it has vectors for other words, too.
        settings: what it was built from, a ``StudentConfig``; None if it was built by hand.
    """

    open_vocabulary = False
    settings = None

    def __init__(self, words: Sequence[str], embedding_dim: int):
        super().__init__()
        self.words, self.embedding_dim = list(words), embedding_dim
        # Which words these are, so that weights are not loaded for others. In a floating type, since averaging
        # and EMA treat a checkpoint's tensors alike.
        digest = hashlib.sha256("\n".join(self.words).encode()).digest()
        self.register_buffer("word_probe", torch.tensor([float(byte) for byte in digest[:16]]))

    def forward(self, words: Tensor) -> Tensor:
        """Vectors of words by their indices: (n) long -> (n, d), differentiable."""
        raise NotImplementedError

    def vectors(self, words: Sequence[str]) -> Tensor:
        """Vectors of words as they are written: (n, d), differentiable.

        Raises:
            UserError: one of them can't have a vector.
        """
        raise NotImplementedError

    def _load_from_state_dict(self, state_dict, prefix, local_metadata, strict, missing, unexpected, errors):
        probe = state_dict.get(f"{prefix}word_probe")
        if probe is not None and not torch.equal(probe.float().cpu().round(), self.word_probe.float().cpu()):
            errors.append(f"{prefix}word_probe: {OTHER_WORDS}")
        super()._load_from_state_dict(state_dict, prefix, local_metadata, strict, missing, unexpected, errors)

    @property
    def parameter_count(self) -> int:
        """Values that have to be kept, trained or not."""
        return sum(parameter.numel() for parameter in self.parameters())


class WordStudent(Student):
    """A word's index is all that this student knows: ALONE, or one of its baselines (ALONE, Section 3.1).

    Args:
        embedding: of as many words.
    """

    def __init__(self, words: Sequence[str], embedding: WordEmbedding):
        super().__init__(words, embedding.embedding_dim)
        self.embedding = embedding

    def forward(self, words: Tensor) -> Tensor:
        return self.embedding(words)

    def vectors(self, words: Sequence[str]) -> Tensor:
        places = {word: place for place, word in enumerate(self.words)}
        for word in words:
            if word not in places:
                raise UserError(
                    f"{word!r} is not one of the {len(places):,} words of this student; only students of "
                    "characters and n-grams have vectors for other words"
                )
        device = next(self.parameters()).device
        return self(torch.tensor([places[word] for word in words], dtype=torch.long, device=device))


class SubwordStudent(Student):
    """A vector is computed from the parts of a word: its characters, or its n-grams.

    Args:
        parts: what words are cut into.
    """

    open_vocabulary = True

    def __init__(self, words: Sequence[str], embedding_dim: int, parts: Parts):
        super().__init__(words, embedding_dim)
        self.parts = parts
        learnt, starts = parts.in_a_row(self.words)
        self.register_buffer("learnt_parts", learnt, persistent=False)
        self.register_buffer("starts", starts, persistent=False)  # (V + 1)

    def embed(self, parts: Tensor) -> Tensor:
        """Vectors of words from their parts: (n, longest) long -> (n, d)."""
        raise NotImplementedError

    def forward(self, words: Tensor) -> Tensor:
        starts = self.starts[words]  # (n)
        lengths = self.starts[words + 1] - starts
        places = torch.arange(int(lengths.max()), device=starts.device)  # (longest)
        rows = (starts[:, None] + places).clamp(max=len(self.learnt_parts) - 1)
        behind = places >= lengths[:, None]
        return self.embed(self.learnt_parts[rows].long().masked_fill(behind, 0))

    def vectors(self, words: Sequence[str]) -> Tensor:
        rows = max(1, len(words)) if torch.is_grad_enabled() else ROWS
        portions = (self.parts(words[start : start + rows]) for start in range(0, len(words), rows))
        found = [self.embed(parts.to(self.starts.device)) for parts in portions]
        return torch.cat(found) if found else torch.zeros(0, self.embedding_dim, device=self.starts.device)
