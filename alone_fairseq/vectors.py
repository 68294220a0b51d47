"""Word vectors in the formats that they are handed round in.

    word2vec, text      a line "V d", then a line a word: the word and d numbers; fastText's .vec is the same
    word2vec, binary    a line "V d", then for each word: the word, a space, d float32
    GloVe               word2vec's text without the first line
    .npz                NumPy arrays: words (V), vectors (V, d)

All but the last may be compressed by gzip or xz. ``read_vectors`` finds out which it is.
"""

import os
import re
from array import array
from codecs import BOM_UTF8
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from typing import BinaryIO

import numpy as np

from alone_fairseq.checkpoint.files import replacing
from alone_fairseq.compressed import open_compressed
from alone_fairseq.errors import UserError

HEADER = re.compile(rb"(\d+)[ \t](\d+)[ \t]*\r?\n")
FASTTEXT_MODEL = b"\xba\x16\x4f\x2f"
NO_TEXT = re.compile(rb"[\x00-\x08\x0e-\x1f\x7f-\xff]")
MOST_VALUES = 1 << 20  # of a vector; a header that says more is damaged
WHITE = re.compile(r"[ \t\n\r\v\f]")


@dataclass(frozen=True, eq=False)
class Vectors:
    """Words and their vectors.

    Attributes:
        words: V different ones, none empty; files list the most frequent first.
        matrix: (V, d) float32.
    """

    words: list[str]
    matrix: np.ndarray

    @cached_property
    def index(self) -> dict[str, int]:
        """The row of each word."""
        return {word: row for row, word in enumerate(self.words)}

    @cached_property
    def unit(self) -> np.ndarray:
        """The rows with a norm of 1, (V, d); rows of zeros stay."""
        norms = np.linalg.norm(self.matrix, axis=1, keepdims=True)
        return self.matrix / np.where(norms > 0, norms, 1)


def read_vectors(path: str | os.PathLike, limit: int | None = None) -> Vectors:
    """Read word vectors of any format above.

    Args:
        limit: read the first so many words only.

    Raises:
        UserError: a wrong header, a row of another length, a word twice, empty, with a space in it or not
            UTF-8, a value that is not a finite number, nothing in it, or of no format above.
    """
    with open_compressed(path) as file:
        if file.peek(len(BOM_UTF8)).startswith(BOM_UTF8):
            file.read(len(BOM_UTF8))
        start = file.peek()
        if not start:
            raise UserError(f"{path}: is empty")
        if start.startswith(b"PK\x03\x04"):
            return _checked(path, *_read_npz(path, limit), place=lambda row: f"word {row + 1}")
        if start.startswith(FASTTEXT_MODEL):
            raise UserError(f"{path}: a model of fastText; give the .vec file that lies beside it")
        header = HEADER.match(start)
        if header is None:
            return _checked(path, *_read_text(path, file, None, limit), place=lambda row: f"line {row + 1}")
        size = int(header[1]), int(header[2])
        if not all(size):
            raise UserError(f"{path}: line 1: says {size[0]} words of {size[1]} values; there must be some")
        if size[1] > MOST_VALUES:
            raise UserError(f"{path}: line 1: says {size[1]} values a word; is this a file of word vectors?")
        file.readline()
        if _is_binary(start[header.end() :], size[1]):
            return _checked(path, *_read_binary(path, file, *size, limit), place=lambda row: f"word {row + 1}")
        return _checked(path, *_read_text(path, file, size, limit), place=lambda row: f"line {row + 2}")


def write_vectors(path: str | os.PathLike, vectors: Vectors, force: bool = False) -> None:
    """Write word2vec's text format, which gensim's ``KeyedVectors`` reads."""
    with replacing(path, force) as file:
        dump_vectors(file, vectors)


def dump_vectors(file: BinaryIO, vectors: Vectors) -> None:
    """Write word2vec's text format to an open file."""
    for word in vectors.words:
        if not word or WHITE.search(word):
            raise UserError(
                f"the word {word!r} has a space in it or is empty, which a file of vectors cannot hold"
            )
    file.write(f"{len(vectors.words)} {vectors.matrix.shape[1]}\n".encode())
    for word, vector in zip(vectors.words, vectors.matrix, strict=True):
        # Nine digits tell any two float32 apart.
        file.write(f"{word} {' '.join(f'{value:.9g}' for value in vector.tolist())}\n".encode())


def _is_binary(rows: bytes, dim: int) -> bool:
    """Whether the first row has numbers in binary: not readable as text, and with bytes that no text has."""
    values = rows.partition(b" ")[2]
    line, end, _ = values.partition(b"\n")
    fields = line.split()
    # A word with a space in it is refused as text; without its end, the line's last number may be cut.
    numbers = fields[-dim:] if end else fields[1:-1]
    readable = bool(numbers) and all(map(_is_number, numbers))
    return not readable and NO_TEXT.search(values[: 4 * dim]) is not None


def _read_text(path, file, size: tuple[int, int] | None, limit):
    """(words, values, d) of a text file whose header, if it has one, has been read."""
    words, values = [], array("f")
    dim = size and size[1]
    for number, line in enumerate(islice(file, limit), start=2 if size else 1):
        word, *fields = re.split(rb"[ \t]", line.rstrip(b" \t\r\n"))
        dim = dim or len(fields)
        if len(fields) != dim or not dim:
            raise UserError(f"{path}: line {number}: {_ragged(fields, dim, size)}")
        try:
            if b"_" in line and any(b"_" in field for field in fields):
                raise ValueError  # 1_000 is a number for Python only
            values.extend(map(float, fields))
        except ValueError:
            bad = next(field for field in fields if not _is_number(field))
            raise UserError(f"{path}: line {number}: {_shown(bad)} is not a number") from None
        words.append(word)
        if size and len(words) > size[0]:
            raise UserError(f"{path}: line 1: says {size[0]} words, but there are more")
    if size and len(words) < min(size[0], limit or size[0]):
        raise UserError(f"{path}: line 1: says {size[0]} words, but there are {len(words)}")
    return words, np.frombuffer(values, dtype=np.float32), dim


def _ragged(fields, dim, size):
    if len(fields) > (dim or 0) and not _is_number(fields[0]):
        return (
            f"the word has a space in it, or the file is none of word vectors: {_shown(fields[0])} is not a number"
        )
    if not dim:
        return "no values behind the word; is this a file of word vectors?"
    return f"{len(fields)} values, where line 1 {'says' if size else 'has'} {dim}"


def _is_number(field):
    if b"_" in field:
        return False
    try:
        float(field)
    except ValueError:
        return False
    return True


def _shown(field):
    text = field.decode(errors="replace")
    return repr(text if len(text) <= 30 else f"{text[:30]}...")


def _read_binary(path, file, count, dim, limit):
    """(words, values, d) of word2vec's binary format, the header being read."""
    wanted = min(count, limit or count)
    words, values = [], array("f")
    for number in range(1, wanted + 1):
        word = bytearray()
        while (byte := file.read(1)) not in (b" ", b""):
            word += byte
        row = file.read(4 * dim)
        if len(row) < 4 * dim:
            raise UserError(
                f"{path}: word {number}: the file ends in it; line 1 says {count} words of {dim} values"
            )
        words.append(bytes(word.removeprefix(b"\n")))  # some writers end each word's values with a line break
        values.frombytes(row)
    if wanted == count and file.read(2).strip():
        raise UserError(
            f"{path}: line 1: says {count} words, but there are more, or they have more than {dim} values"
        )
    return words, np.frombuffer(values, dtype="<f4"), dim


def _read_npz(path, limit):
    """(words, values, d) of NumPy's arrays; what is pickled is not loaded."""
    try:
        with np.load(path, allow_pickle=False) as arrays:
            if not {"words", "vectors"} <= set(arrays):
                raise UserError(f"{path}: must hold the arrays words and vectors, not {', '.join(arrays)}")
            words, matrix = arrays["words"], arrays["vectors"]
    except (UserError, MemoryError):
        raise
    except Exception as error:  # what NumPy, zipfile and zlib raise for damaged bytes has no common class
        raise UserError(
            f"{path}: damaged, or holds objects, which are not loaded: {' '.join(str(error).split())}"
        ) from error
    if words.dtype.kind != "U" or matrix.dtype.kind != "f" or matrix.ndim != 2 or words.shape != matrix.shape[:1]:
        raise UserError(
            f"{path}: words must be V strings and vectors V x d floats, not {words.dtype} {words.shape} and"
            f" {matrix.dtype} {matrix.shape}"
        )
    return words[:limit].tolist(), matrix[:limit].astype(np.float32).ravel(), matrix.shape[1]


def _checked(path, words: list, values: np.ndarray, dim: int, place: Callable[[int], str]) -> Vectors:
    """The vectors, if each word is one, and there once, and each value is finite."""
    if not len(values):
        raise UserError(f"{path}: no words in it")
    matrix = values.reshape(len(words), dim)
    seen: dict[str, int] = {}
    for row, word in enumerate(_decoded(path, words, place)):
        if not word or WHITE.search(word):
            raise UserError(f"{path}: {place(row)}: the word {word!r} is empty or has a space in it")
        if word in seen:
            raise UserError(f"{path}: {place(row)}: the word {word!r} is there already, in {place(seen[word])}")
        seen[word] = row
    finite = np.isfinite(matrix).all(axis=1)
    if not finite.all():
        row = int(finite.argmin())
        raise UserError(f"{path}: {place(row)}: the vector of {list(seen)[row]!r} has values that are not finite")
    return Vectors(list(seen), matrix)


def _decoded(path, words, place) -> Iterator[str]:
    for row, word in enumerate(words):
        try:
            yield word if isinstance(word, str) else word.decode()
        except UnicodeDecodeError:
            raise UserError(f"{path}: {place(row)}: the word is not valid UTF-8") from None
