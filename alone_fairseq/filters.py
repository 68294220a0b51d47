"""Filters: what makes one word's embedding differ from another's (ALONE, Section 2.1, Equations 1 and 2).

A word's filter m_w is drawn at random and never trained, so it need not be stored: everything here is a
pure function of a seed and some sizes, the same on each machine, device and library version. Filters are
drawn with ``numpy.random.RandomState``, whose stream is frozen, and normals are rounded to multiples of
2^-16, so that the last bits of a maths library's logarithm do not matter.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from alone_fairseq.errors import UserError

KINDS = ("real", "binary")
CODES_FROM = ("index", "symbol")  # what a word's columns follow from

PROBES = 16  # values of a fingerprint, which tells in a checkpoint what filters it was trained with
# They are multiples of 1/16: half a step of slack is for averaging, EMA and half precision.
PROBE_SLACK = 1 / 32
MOST_CODEBOOKS = 256

# Below this many elements two words with different columns may still get the same binary filter.
_FEW_BITS = 128


@dataclass(frozen=True)
class FilterSpec:
    """All that defines the filters of a vocabulary.

    Args:
        kind: ``real`` (m_w = sum of columns, Normal) or ``binary`` (the sum clipped to {0, 1}, Bernoulli).
        num_embeddings: V, the number of words.
        dim: D_o, the number of elements of a filter.
        codebooks: M, the number of codebooks a word takes a column from; 0 draws each word's filter
            independently (the paper's "naive" filters).
        codes: c, the number of columns of a codebook.
        zero_prob: p_o, the probability that an element of a binary filter is 0.
        seed: seed of the draw.
        symbols: the V words, if a word's columns shall follow from its symbol and not from its index.
    """

    kind: str
    num_embeddings: int
    dim: int
    codebooks: int = 8
    codes: int = 64
    zero_prob: float = 0.5
    seed: int = 1
    symbols: tuple[str, ...] | None = None

    def __post_init__(self):
        check_one_of(self.kind, KINDS, "filter", "--alone-filter")
        for name, flag, least in (
            ("num_embeddings", None, 1),
            ("dim", "--alone-base-dim", 1),
            ("codebooks", "--alone-codebooks", 0),
            ("codes", "--alone-codes", 1),
        ):
            check_at_least(getattr(self, name), least, name, flag)
        if self.codebooks > MOST_CODEBOOKS:
            raise UserError(
                f"codebooks (--alone-codebooks) must be {MOST_CODEBOOKS} at most, not {self.codebooks}"
            )
        if not 0.0 < self.zero_prob < 1.0:
            raise UserError(f"zero_prob (--alone-zero-prob) must lie between 0 and 1, not {self.zero_prob}")
        if not 0 <= self.seed < 2**32:
            raise UserError(f"seed (--alone-seed) must lie between 0 and 2^32 - 1, not {self.seed}")
        if self.symbols is not None and len(self.symbols) != self.num_embeddings:
            raise UserError(f"{len(self.symbols)} symbols were given for {self.num_embeddings} embeddings")
        if self.codebooks and self.codes**self.codebooks < self.num_embeddings:
            raise UserError(
                f"{self.codebooks} codebooks of {self.codes} columns give {self.codes**self.codebooks} filters, "
                f"fewer than {self.num_embeddings} words; raise --alone-codebooks or --alone-codes"
            )
        if self.kind == "binary" and self.dim < 32 and 2**self.dim < self.num_embeddings:
            raise UserError(
                f"binary filters of {self.dim} elements (--alone-base-dim) are fewer than "
                f"{self.num_embeddings} words; raise --alone-base-dim"
            )

    def draw(self) -> tuple[np.ndarray, np.ndarray | None]:
        """Draw the filters.

        Returns:
            ``(table, codes)``. With codebooks: their columns as rows, (M c, D_o), and the row of the table
            that word w takes from each, (V, M). Without: one filter a row, (V, D_o), and None. Real tables
            are float32, binary ones uint8.
        """
        if not self.codebooks:
            return self._independent(), None
        columns = _Columns(self.kind, self.zero_prob, self.codebooks)
        table = columns.draw(_stream(self.seed, "codebooks"), (self.codebooks * self.codes, self.dim))
        draw_codes = self._codes_by_symbol if self.symbols is not None else self._codes_by_index
        codes = draw_codes()
        if self.kind == "binary" and self.dim < _FEW_BITS:
            self._check_distinct(np.minimum(table[codes + self._offsets()].sum(axis=1), 1).astype(np.uint8))
        return table, codes

    def _codes_by_index(self) -> np.ndarray:
        # A collision is drawn again from a stream of its own: the first rows are the same for every V.
        codes = _stream(self.seed, "codes").randint(
            self.codes, size=(self.num_embeddings, self.codebooks), dtype=np.int64
        )
        again = _stream(self.seed, "collisions")
        seen = set()
        for row in codes:
            while row.tobytes() in seen:
                row[:] = again.randint(self.codes, size=self.codebooks, dtype=np.int64)
            seen.add(row.tobytes())
        return codes.astype(self._code_type)

    def _codes_by_symbol(self) -> np.ndarray:
        # Never drawn again: a word's columns must not depend on which other words there are.
        codes = np.empty((self.num_embeddings, self.codebooks), dtype=self._code_type)
        owner: dict[bytes, str] = {}
        for row, symbol in zip(codes, self.symbols, strict=True):
            row[:] = _hash(self.seed, symbol, self.codebooks, np.uint64) % np.uint64(self.codes)
            if row.tobytes() in owner:
                raise UserError(
                    f"the words {owner[row.tobytes()]!r} and {symbol!r} have the same columns; "
                    "choose another --alone-seed"
                )
            owner[row.tobytes()] = symbol
        return codes

    def _independent(self) -> np.ndarray:
        columns = _Columns(self.kind, self.zero_prob, 1)
        if self.symbols is None:
            table = columns.draw(_stream(self.seed, "independent"), (self.num_embeddings, self.dim))
        else:
            table = np.stack(
                [
                    columns.draw(np.random.RandomState(_hash(self.seed, symbol, 4, np.uint32)), self.dim)
                    for symbol in self.symbols
                ]
            )
        if self.kind == "binary" and self.dim < _FEW_BITS:
            self._check_distinct(table)
        return table

    def _check_distinct(self, filters: np.ndarray) -> None:
        seen: dict[bytes, int] = {}
        for word, row in enumerate(filters):
            other = seen.setdefault(row.tobytes(), word)
            if other != word:
                raise UserError(
                    f"words {other} and {word} have the same binary filter of {self.dim} elements; "
                    "raise --alone-base-dim or choose another --alone-seed"
                )

    def _offsets(self) -> np.ndarray:
        return np.arange(self.codebooks) * self.codes

    @property
    def _code_type(self) -> type:
        return np.uint8 if self.codes <= 256 else np.int32


@dataclass(frozen=True)
class _Columns:
    """The distribution of one column's elements, if M of them are summed (Section 2.1)."""

    kind: str
    zero_prob: float
    codebooks: int

    def draw(self, stream: np.random.RandomState, shape) -> np.ndarray:
        if self.kind == "binary":
            return (stream.random_sample(shape) < 1.0 - self.zero_prob ** (1.0 / self.codebooks)).astype(np.uint8)
        normals = stream.standard_normal(shape) * self.codebooks**-0.5  # variance 1 / M
        return (np.rint(normals * 2.0**16) * 2.0**-16).astype(np.float32)


def fingerprint(kind: str, table: np.ndarray, codes: np.ndarray | None) -> np.ndarray:
    """Sixteen values that tell one draw of filters from any other.

    They are multiples of 1/16 in [0, 1): few enough bits to outlive half precision, averaging and years of EMA.

    Returns:
        (16,) float32.
    """
    digest = hashlib.sha256(f"{kind} {table.shape}".encode())
    for array in (table, codes):
        if array is not None:
            digest.update(np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("<")).data)
    eight_bytes = np.frombuffer(digest.digest(), dtype=np.uint8)[:8]
    return np.concatenate([eight_bytes >> 4, eight_bytes & 15]).astype(np.float32) / 16


def check_at_least(value: int, least: int, name: str, flag: str | None = None) -> None:
    """Refuse an argument below its least sensible value."""
    if value < least:
        raise UserError(f"{name}{f' ({flag})' if flag else ''} must be {least} or more, not {value}")


def check_own_rows(own_rows: int, words: int) -> None:
    """Refuse more rows of their own than there are words, or as many."""
    check_at_least(own_rows, 0, "own_rows", "--alone-own-rows")
    if own_rows >= words:
        raise UserError(f"own_rows (--alone-own-rows) must be below the number of words, {words}, not {own_rows}")


def check_one_of(value: str, choices: Sequence[str], name: str, flag: str) -> None:
    """Refuse an argument that is none of its choices."""
    if value not in choices:
        raise UserError(f"unknown {name} {value!r} ({flag}); choose from {', '.join(choices)}")


def _stream(seed: int, purpose: str) -> np.random.RandomState:
    """A stream of its own for each purpose, so that none shifts another."""
    return np.random.RandomState(_hash(seed, purpose, 8, np.uint32))


def _hash(seed: int, text: str, count: int, dtype) -> np.ndarray:
    """``count`` integers that depend on nothing but the seed and the text."""
    size = np.dtype(dtype).itemsize
    digest = hashlib.shake_256(f"{seed} {text}".encode("utf-8", "surrogateescape")).digest(count * size)
    return np.frombuffer(digest, dtype=np.dtype(dtype).newbyteorder("<")).astype(dtype)
