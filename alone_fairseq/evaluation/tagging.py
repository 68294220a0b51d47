"""Part-of-speech tagging with vectors of words, of their characters, or both (Stratos 2017, Section 5.2, Table 3).

    v_w = e_w (+) h_w (FULL, and FULL+EMB, where e_w begins as a teacher's vector) or h_w (CHAR and CHAR(D))
    p(t_i | h_i) ~ exp(W_2 max(0, W_1 h_i + b_1) + b_2), h_i the states of a BiLSTM over a sentence's v_w

h_w is a student of characters or n-grams: new in CHAR, one that has learnt to give a teacher's vectors in CHAR(D).
Tags are predicted one by one. Words that are there once are taken for unknown ones half of the time, as in Lample
et al. (2016), whose model the paper follows.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from alone_fairseq.errors import UserError
from alone_fairseq.evaluation.tagged_text import Sentence
from alone_fairseq.reconstruction.student import SubwordStudent
from alone_fairseq.vectors import Vectors

UNKNOWN = 0  # row of words that the lookup does not have
NO_TAG = -100  # of padding, and of tags that the training data do not have; cross_entropy leaves it out
CLIP = 5.0


@dataclass(frozen=True)
class TaggerSettings:
    """The paper gives learning rate and dropout; the others are those of Lample et al. (2016), or ours.

    Attributes:
        hidden_dim: elements of a state of the BiLSTM, and of the layer behind it.
        dropout: of what goes into LSTMs and comes out of them.
        batch_size: sentences.
    """

    lr: float = 0.001
    dropout: float = 0.3
    hidden_dim: int = 100
    batch_size: int = 16
    epochs: int = 10
    seed: int = 1


@dataclass(frozen=True)
class Result:
    """Accuracy on each set in the epoch that was best on dev.

    Attributes:
        dev, test, new_words: shares of right tags; new_words of words in test that are not in train.
        lookup: rows of vectors of words and of parts of words, the paper's last column.
        parameters: all.
    """

    dev: float
    test: float
    new_words: float
    epoch: int
    lookup: int
    parameters: int
    settings: TaggerSettings


class Data:
    """Sentences as numbers of words and tags.

    Attributes:
        words: all words of all sets, known to the tagger or not: what is known is the tagger's affair.
    """

    def __init__(self, sets: dict[str, list[Sentence]]):
        self.words = sorted({word for sentences in sets.values() for one in sentences for word in one.words})
        self.tags = sorted({tag for sentence in sets["train"] for tag in sentence.tags})
        places = {word: place for place, word in enumerate(self.words)}
        tags = {tag: place for place, tag in enumerate(self.tags)}
        self.sets = {
            name: [
                (
                    torch.tensor([places[word] for word in one.words]),
                    torch.tensor([tags.get(tag, NO_TAG) for tag in one.tags]),
                )
                for one in sentences
            ]
            for name, sentences in sets.items()
        }
        self.counts = Counter(word for sentence in sets["train"] for word in sentence.words)
        self.seen = torch.tensor([word in self.counts for word in self.words])

    def check_tags(self) -> None:
        """Refuse a column in which there is nothing to learn, as XPOS is in many files of CoNLL-U.

        Raises:
            UserError: the training data have one tag only, or a set has none of theirs.
        """
        if len(self.tags) < 2:
            raise UserError(f"all words of the training data have the tag {self.tags[0]!r}; choose --tag-column")
        for name, sentences in self.sets.items():
            if all((tags == NO_TAG).all() for _, tags in sentences):
                raise UserError(f"{name} has no tag of the training data; choose --tag-column")


class Lookup(nn.Module):
    """e_w: a row for each word of the training data, and of a teacher if there is one (FULL+EMB).

    A word that has no row gets that of its lower-case form, or the one of unknown words.
    """

    def __init__(self, data: Data, dim: int, teacher: Vectors | None = None):
        super().__init__()
        known = sorted(data.counts)
        if teacher is not None:
            known += [word for word in teacher.words if word not in data.counts]
        rows = {word: row for row, word in enumerate(known, UNKNOWN + 1)}
        self.table = nn.Embedding(len(rows) + 1, dim)
        nn.init.uniform_(self.table.weight, -((3 / dim) ** 0.5), (3 / dim) ** 0.5)
        initialised = set()
        if teacher is not None:
            for word, row in rows.items():
                if (spelt := word if word in teacher.index else word.lower()) in teacher.index:
                    self.table.weight.data[row] = torch.from_numpy(teacher.matrix[teacher.index[spelt]])
                    initialised.add(word)
        found = [rows.get(word, rows.get(word.lower(), UNKNOWN)) for word in data.words]
        rare = [data.counts[word] == 1 and word not in initialised for word in data.words]
        self.register_buffer("rows", torch.tensor(found), persistent=False)  # of all words in the data
        self.register_buffer("rare", torch.tensor(rare), persistent=False)

    def forward(self, words: Tensor) -> Tensor:
        """(...) long -> (..., d)."""
        rows = self.rows[words]
        if self.training:
            dropped = self.rare[words] & (torch.rand(words.shape, device=words.device) < 0.5)
            rows = rows.masked_fill(dropped, UNKNOWN)
        return self.table(rows)


class Tagger(nn.Module):
    """Scores of all tags for each word of some sentences."""

    def __init__(self, data: Data, student: SubwordStudent, lookup: Lookup | None, settings: TaggerSettings):
        super().__init__()
        self.student, self.lookup = student, lookup
        for module in student.modules():
            if isinstance(module, nn.Dropout):
                module.p = settings.dropout
            elif isinstance(module, nn.MultiheadAttention):
                module.dropout = settings.dropout
        self.register_buffer("parts", student.parts(data.words), persistent=False)  # (words, longest)
        dim = student.embedding_dim + (lookup.table.embedding_dim if lookup else 0)
        self.dropout = nn.Dropout(settings.dropout)
        self.lstm = nn.LSTM(dim, settings.hidden_dim, batch_first=True, bidirectional=True)
        self.scores = nn.Sequential(
            nn.Linear(2 * settings.hidden_dim, settings.hidden_dim),
            nn.ReLU(),
            nn.Linear(settings.hidden_dim, len(data.tags)),
        )

    def forward(self, words: Tensor, lengths: Tensor) -> Tensor:
        """(sentences, longest) words, (sentences) -> (sentences, longest, tags)."""
        different, places = words.unique(return_inverse=True)
        parts = self.parts[different]
        parts = parts[:, : int(parts.ne(0).sum(1).max())]
        vectors = self.student.embed(parts)[places]  # (sentences, longest, d)
        if self.lookup is not None:
            vectors = torch.cat([self.lookup(words), vectors], dim=-1)
        packed = pack_padded_sequence(self.dropout(vectors), lengths, batch_first=True, enforce_sorted=False)
        states, _ = pad_packed_sequence(self.lstm(packed)[0], batch_first=True)  # (sentences, longest, 2 hidden)
        return self.scores(self.dropout(states))

    @property
    def lookup_rows(self) -> int:
        return sum(module.num_embeddings for module in self.modules() if isinstance(module, nn.Embedding))


def train(
    data: Data,
    student: SubwordStudent,
    settings: TaggerSettings,
    lookup: bool = False,
    teacher: Vectors | None = None,
    device: str = "cpu",
    progress: Callable[[int, float | None], object] = lambda sentences, dev: None,
) -> Result:
    """Train a tagger, and score the epoch that is best on dev.

    Args:
        student: changed by the training. FULL: ``lookup``; FULL+EMB: ``lookup`` and ``teacher``; CHAR: neither.
        progress: told of the sentences done, and at the end of an epoch of the accuracy on dev.

    Raises:
        UserError: the student can't give vectors for other words.
    """
    if not student.open_vocabulary:
        raise UserError("a tagger meets new words; give it a student of characters or n-grams, not of words")
    torch.manual_seed(settings.seed)
    table = (
        Lookup(data, teacher.matrix.shape[1] if teacher else student.embedding_dim, teacher) if lookup else None
    )
    tagger = Tagger(data, student, table, settings).to(device)
    optimizer = torch.optim.Adam(tagger.parameters(), lr=settings.lr)
    draw = np.random.default_rng(settings.seed)
    best = Result(-1.0, 0.0, 0.0, 0, tagger.lookup_rows, sum(p.numel() for p in tagger.parameters()), settings)
    for epoch in range(1, settings.epochs + 1):
        tagger.train()
        for batch in _batches(data.sets["train"], settings.batch_size, draw):
            words, lengths, tags = _padded(batch, device)
            loss = functional.cross_entropy(tagger(words, lengths).flatten(0, 1), tags.flatten())
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(tagger.parameters(), CLIP)
            optimizer.step()
            progress(len(batch), None)
        dev, _ = _accuracy(tagger, data, "dev", device)
        progress(0, dev)
        if dev > best.dev:
            best = Result(
                dev, *_accuracy(tagger, data, "test", device), epoch, best.lookup, best.parameters, settings
            )
    return best


def _batches(sentences: Sequence, size: int, draw: np.random.Generator) -> list[list]:
    """Sentences of about one length together, in a new order each time."""
    order = sorted(draw.permutation(len(sentences)), key=lambda place: len(sentences[place][0]))
    batches = [order[start : start + size] for start in range(0, len(order), size)]
    return [[sentences[place] for place in batches[number]] for number in draw.permutation(len(batches))]


def _padded(batch, device) -> tuple[Tensor, Tensor, Tensor]:
    """Words, (sentences, longest), lengths, on the CPU, and tags, (sentences, longest)."""
    words, tags = zip(*batch, strict=True)
    lengths = torch.tensor([len(one) for one in words])
    # A padded word is any one: the BiLSTM stops before it, and it has no tag.
    words = nn.utils.rnn.pad_sequence(words, batch_first=True, padding_value=int(words[0][0]))
    tags = nn.utils.rnn.pad_sequence(tags, batch_first=True, padding_value=NO_TAG)
    return words.to(device), lengths, tags.to(device)


@torch.no_grad()
def _accuracy(tagger: Tagger, data: Data, name: str, device) -> tuple[float, float]:
    """Shares of right tags: of all words, and of those that are not in train (NaN if all are)."""
    tagger.eval()
    right, known = [], []
    sentences = sorted(data.sets[name], key=lambda one: len(one[0]))
    for start in range(0, len(sentences), 64):
        batch = sentences[start : start + 64]
        words, lengths, tags = _padded(batch, device)
        found = tagger(words, lengths).argmax(-1).cpu()
        for (one, gold), predicted in zip(batch, found, strict=True):
            right.append(predicted[: len(gold)] == gold)
            known.append(data.seen[one])
    right, known = torch.cat(right), torch.cat(known)
    return right.double().mean().item(), right[~known].double().mean().item()
