"""Students of word vectors, ``--to vectors`` and ``--to safetensors``."""

from pathlib import Path

import torch

from alone_fairseq.checkpoint.files import replacing
from alone_fairseq.errors import UserError
from alone_fairseq.reconstruction.student import Student
from alone_fairseq.reconstruction.student_file import content
from alone_fairseq.vectors import Vectors
from alone_fairseq.vectors import write_vectors as write


@torch.no_grad()
def write_vectors(student: Student, words: Path | None, output: Path, force: bool) -> None:
    """Vectors of the words in a file, or of those that the student has learnt."""
    listed = student.words if words is None else read_words(words)
    write(output, Vectors(listed, student.vectors(listed).numpy()), force)
    unknown = set(listed).difference(student.words)
    print(f"{len(listed):,} words, {len(unknown):,} of them not learnt; {size(student)}")


def write_small(student: Student, output: Path, force: bool, dtype: torch.dtype) -> None:
    """Parameters, settings and words, for ``alone_fairseq.reconstruction.load_student``."""
    with replacing(output, force) as file:
        file.write(content(student, dtype))
        print(f"{file.tell():,} bytes; {size(student)}")


def size(student: Student) -> str:
    values = len(student.words) * student.embedding_dim
    share = student.parameter_count / values
    return f"{student.parameter_count:,} parameters for {values:,} values: {share:.1%}"


def read_words(path: Path) -> list[str]:
    """One a line, each once, in the order in which they come."""
    try:
        lines = path.read_bytes().decode("utf-8-sig").split("\n")
    except UnicodeDecodeError as error:
        raise UserError(f"{path}: not valid UTF-8: {error.reason} at byte {error.start}") from error
    words = list(dict.fromkeys(line.strip() for line in lines if line.strip()))
    if not words:
        raise UserError(f"{path}: no words in it")
    return words
