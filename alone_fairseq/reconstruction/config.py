"""Which student is trained: the flags of all students, and what is built from them."""

from argparse import Namespace
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any

from fairseq.dataclass import ChoiceEnum, FairseqDataclass

from alone_fairseq.config import EmbeddingConfig, build_embedding, not_default
from alone_fairseq.errors import UserError
from alone_fairseq.filters import check_at_least, check_one_of
from alone_fairseq.reconstruction.char_cnn import CharacterCNN
from alone_fairseq.reconstruction.characters import CharacterBiLSTM, CharacterRNN
from alone_fairseq.reconstruction.ngrams import NGramAttention, NGramBag
from alone_fairseq.reconstruction.student import Student, WordStudent

STUDENTS = ("words", "char-bilstm", "char-rnn", "char-cnn", "ngram-bag", "ngram-attention")


@dataclass
class StudentConfig(EmbeddingConfig, FairseqDataclass):
    student: ChoiceEnum(list(STUDENTS)) = field(
        default="words",
        metadata={"help": "what a vector is made of: the word's index (--embedding), characters, or n-grams"},
    )
    char_dim: int = field(
        default=0, metadata={"help": "d_c, elements of a character's vector (0: as many as a word's)"}
    )
    hidden_dim: int = field(default=512, metadata={"help": "elements of a state of char-rnn"})
    char_filters: int = field(default=200, metadata={"help": "most filters of char-cnn for a window's width"})
    student_dropout: float = field(
        default=0.0, metadata={"help": "dropout of LSTMs, attention, or before the last layer of char-cnn"}
    )
    highway: bool = field(default=False, metadata={"help": "a highway behind the ReLU of char-bilstm"})
    ngram_min: int = field(default=3, metadata={"help": "characters of the shortest n-grams"})
    ngram_max: int = field(default=6, metadata={"help": "characters of the longest n-grams"})
    ngrams: int = field(default=8000, metadata={"help": "n-grams with a vector, the most frequent ones"})
    attention_heads: int = field(default=1, metadata={"help": "heads of ngram-attention"})


OWN = {  # the flags of each student, beside --student
    "words": {one.name for one in fields(EmbeddingConfig)},
    "char-bilstm": {"char_dim", "student_dropout", "highway"},
    "char-rnn": {"char_dim", "hidden_dim", "student_dropout"},
    "char-cnn": {"char_dim", "char_filters", "student_dropout"},
    "ngram-bag": {"ngram_min", "ngram_max", "ngrams"},
    "ngram-attention": {"ngram_min", "ngram_max", "ngrams", "attention_heads", "student_dropout"},
}


class Vocabulary:
    """Words in the place of a fairseq dictionary, without fairseq's special symbols."""

    def __init__(self, words: Sequence[str]):
        self.symbols = list(words)

    def __len__(self) -> int:
        return len(self.symbols)

    def pad(self) -> None:
        return None


def student_settings(given: Namespace | Mapping[str, Any]) -> StudentConfig:
    """Those of ``given`` that belong to a student; what is missing, or null in a YAML file, has its default."""
    values = vars(given) if isinstance(given, Namespace) else given
    names = [one.name for one in fields(StudentConfig) if not one.name.startswith("_")]
    return StudentConfig(**{name: values[name] for name in names if values.get(name) is not None})


def without_effect(cfg: StudentConfig) -> list[str]:
    """Flags that were given, and that the student does not have."""
    names = sorted(not_default(cfg, StudentConfig) - OWN[cfg.student] - {"student"})
    return [f"--{name.replace('_', '-')}" for name in names]


def build_student(cfg: StudentConfig, words: Sequence[str], embedding_dim: int) -> Student:
    """The student that ``cfg`` asks for.

    Raises:
        UserError: sizes that make no sense.
    """
    check_one_of(cfg.student, STUDENTS, "student", "--student")
    for name in ("char_dim", "hidden_dim", "char_filters", "ngrams"):
        check_at_least(getattr(cfg, name), 0 if name == "char_dim" else 1, name, f"--{name.replace('_', '-')}")
    if not 0 <= cfg.student_dropout < 1:
        raise UserError(f"--student-dropout must be 0 or more and below 1, not {cfg.student_dropout}")
    char_dim, dropout = cfg.char_dim or embedding_dim, cfg.student_dropout
    ngrams = {"shortest": cfg.ngram_min, "longest": cfg.ngram_max, "kept": cfg.ngrams}
    build: dict[str, Callable[[], Student]] = {
        "words": lambda: WordStudent(words, build_embedding(cfg, Vocabulary(words), embedding_dim)),
        "char-bilstm": lambda: CharacterBiLSTM(
            words, embedding_dim, char_dim=char_dim, dropout=dropout, highway=cfg.highway
        ),
        "char-rnn": lambda: CharacterRNN(
            words, embedding_dim, char_dim=char_dim, hidden_dim=cfg.hidden_dim, dropout=dropout
        ),
        "char-cnn": lambda: CharacterCNN(
            words, embedding_dim, char_dim=char_dim, filters=cfg.char_filters, dropout=dropout
        ),
        "ngram-bag": lambda: NGramBag(words, embedding_dim, **ngrams),
        "ngram-attention": lambda: NGramAttention(
            words, embedding_dim, **ngrams, heads=cfg.attention_heads, dropout=dropout
        ),
    }
    student = build[cfg.student]()
    student.settings = cfg
    return student
