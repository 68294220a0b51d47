"""Files of word vectors: each format, and what may be wrong with one."""

import gzip
import lzma
from codecs import BOM_UTF8

import numpy as np
import pytest

from alone_fairseq.errors import UserError
from alone_fairseq.vectors import Vectors, read_vectors, write_vectors

WORDS = ["the", "naïve", "a\u00a0b", "42"]
MATRIX = np.array([[1, -2.5, 3e-9], [0, 0.1, 1e20], [7, 8, 9], [-1, 10, 0]], dtype=np.float32)
ROWS = [f"{word} {' '.join(map(str, row.tolist()))}" for word, row in zip(WORDS, MATRIX, strict=True)]


def binary(words=WORDS, matrix=MATRIX, end=b"\n", header=None):
    rows = [word.encode() + b" " + row.tobytes() + end for word, row in zip(words, matrix, strict=True)]
    return (header or f"{len(words)} {matrix.shape[1]}\n".encode()) + b"".join(rows)


def text(*rows):
    return "".join(f"{row}\n" for row in rows).encode()


@pytest.fixture
def file(tmp_path):
    def write(content, name="file"):
        (tmp_path / name).write_bytes(content)
        return tmp_path / name

    return write


FORMATS = {
    "word2vec": text("4 3", *ROWS),
    "a space behind each row": text("4 3", *(f"{row} " for row in ROWS)),  # as word2vec and fastText write
    "CRLF and tabs": text("4 3", *ROWS).replace(b"\n", b"\r\n").replace(b" ", b"\t"),
    "no line break at the end": text("4 3", *ROWS)[:-1],
    "binary": binary(),
    "binary without line breaks": binary(end=b""),  # as gensim writes
    "GloVe": text(*ROWS),
    "a byte order mark": BOM_UTF8 + text("4 3", *ROWS),
    "a byte order mark and no header": BOM_UTF8 + text(*ROWS),
    "gzip": gzip.compress(binary()),
    "xz": lzma.compress(text(*ROWS)),
}


@pytest.mark.parametrize("name", FORMATS)
def test_formats(file, name):
    vectors = read_vectors(file(FORMATS[name]))
    assert vectors.words == WORDS
    assert vectors.matrix.dtype == np.float32 and np.array_equal(vectors.matrix, MATRIX)
    first = read_vectors(file(FORMATS[name]), limit=2)
    assert first.words == WORDS[:2] and np.array_equal(first.matrix, MATRIX[:2])


def test_binary_of_many_values_is_not_taken_for_text(file):
    rng = np.random.default_rng(1)
    for dim in (1, 2, 300):
        matrix = rng.normal(size=(4, dim)).astype(np.float32)
        assert np.array_equal(read_vectors(file(binary(matrix=matrix))).matrix, matrix)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_npz(tmp_path, dtype):
    np.savez(tmp_path / "file.npz", words=WORDS, vectors=MATRIX[:, :2].astype(dtype))
    vectors = read_vectors(tmp_path / "file.npz")
    assert vectors.words == WORDS and vectors.matrix.dtype == np.float32
    assert np.array_equal(vectors.matrix, MATRIX[:, :2].astype(dtype).astype(np.float32))
    assert read_vectors(tmp_path / "file.npz", limit=2).words == WORDS[:2]


def test_what_is_written_is_read_by_us_and_by_gensim_to_the_last_bit(tmp_path):
    keyed = pytest.importorskip("gensim.models").KeyedVectors
    matrix = np.random.default_rng(1).normal(size=(4, 5)).astype(np.float32)
    write_vectors(tmp_path / "f.vec", Vectors(WORDS, matrix))
    ours, theirs = read_vectors(tmp_path / "f.vec"), keyed.load_word2vec_format(tmp_path / "f.vec")
    assert ours.words == theirs.index_to_key == WORDS
    assert np.array_equal(ours.matrix, matrix) and np.array_equal(theirs.vectors, matrix)
    theirs.save_word2vec_format(tmp_path / "f.bin", binary=True)
    assert np.array_equal(read_vectors(tmp_path / "f.bin").matrix, matrix)


BAD = {
    "empty": (b"", "is empty"),
    "header only": (text("2 3"), "line 1: says 2 words, but there are 0"),
    "no words": (text("0 3"), "line 1: says 0 words of 3 values"),
    "too few": (text("3 2", "a 1 2", "b 1 2"), "line 1: says 3 words, but there are 2"),
    "too many": (text("1 2", "a 1 2", "b 1 2"), "line 1: says 1 words, but there are more"),
    "wrong dimension": (text("2 3", "a 1 2", "b 1 2"), "line 2: 2 values, where line 1 says 3"),
    "ragged": (text("a 1 2", "b 1 2", "c 1"), "line 3: 1 values, where line 1 has 2"),
    "longer": (text("a 1 2", "b 1 2 3"), "line 2: 3 values, where line 1 has 2"),
    "blank line": (text("a 1 2", "", "b 1 2"), "line 2: 0 values"),
    "twice": (text("2 2", "a 1 2", "a 3 4"), "line 3: the word 'a' is there already, in line 2"),
    "space": (text("2 2", "new 1 2", "new york 1 2"), "line 3: the word has a space in it"),
    "space in the first word": (text("2 2", "San José 1 2", "b 1 2"), "line 2: the word has a space in it"),
    "digits with underscores": (text("a_b 1 2", "b 1 1_0"), "line 2: '1_0' is not a number"),
    "no word": (text("a 1 2", " 1 2"), "line 2: the word '' is empty"),
    "NaN": (text("2 2", "a 1 2", "b 1 nan"), "line 3: the vector of 'b' has values that are not finite"),
    "infinite": (text("a 1 2", "b 1 1e999"), "line 2: the vector of 'b' has values that are not finite"),
    "no number": (text("a 1 2", "b 1 x"), "line 2: 'x' is not a number"),
    "prose": (text("Some prose, ", "and more."), "line 1: 'prose,' is not a number"),
    "one word a line": (text("a", "b"), "line 1: no values behind the word"),
    "not UTF-8": (b"a 1 2\n\xff\xfe 1 2\n", "line 2: the word is not valid UTF-8"),
    "binary, cut short": (binary()[:-6], "word 4: the file ends in it; line 1 says 4 words of 3 values"),
    "binary, too many": (binary(header=b"3 3\n"), "line 1: says 3 words, but there are more"),
    "binary, far too long": (binary(header=b"4 999999999999999\n"), "line 1: says 999999999999999 values a word"),
    "binary, twice": (binary(words=["a", "b", "c", "b"]), "word 4: the word 'b' is there already, in word 2"),
    "binary, NaN": (binary(matrix=MATRIX * np.float32("nan")), "word 1: the vector of 'the' has values"),
    "fastText's model": (b"\xba\x16\x4f\x2f" + bytes(99), "a model of fastText; give the .vec file"),
    "gzip, cut short": (gzip.compress(text(*ROWS))[:-9], "damaged, or cut short"),
    "gzip, damaged": (gzip.compress(binary())[:20] + b"\xff" * 60, "damaged, or cut short"),
    "xz, cut short": (lzma.compress(text(*ROWS))[:-9], "damaged, or cut short"),
    "zip, damaged": (b"PK\x03\x04" + bytes(99), "damaged, or holds objects"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_files_get_one_line(file, name):
    content, message = BAD[name]
    with pytest.raises(UserError) as error:
        read_vectors(file(content, "bad.vec"))
    assert "bad.vec: " in str(error.value) and message in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"words": WORDS}, "must hold the arrays words and vectors, not words"),
        ({"words": WORDS[:3], "vectors": MATRIX}, "words must be V strings and vectors V x d floats"),
        ({"words": WORDS, "vectors": MATRIX[0]}, "words must be V strings and vectors V x d floats"),
        ({"words": np.array("a"), "vectors": MATRIX}, "words must be V strings and vectors V x d floats"),
        ({"words": np.array(WORDS, dtype=object), "vectors": MATRIX}, "holds objects, which are not loaded"),
        ({"words": ["a", "b", "a", "c"], "vectors": MATRIX}, "word 3: the word 'a' is there already, in word 1"),
        ({"words": WORDS, "vectors": np.full((4, 3), np.nan)}, "word 1: the vector of 'the'"),
        ({"words": np.array([], dtype="U1"), "vectors": np.zeros((0, 3))}, "no words in it"),
    ],
)
def test_bad_npz(tmp_path, arrays, message):
    np.savez(tmp_path / "bad.npz", **arrays)
    with pytest.raises(UserError) as error:
        read_vectors(tmp_path / "bad.npz")
    assert "bad.npz: " in str(error.value) and message in str(error.value) and "\n" not in str(error.value)


def test_npz_with_damage_that_numpy_does_not_expect(tmp_path):
    np.savez(tmp_path / "bad.npz", words=WORDS, vectors=MATRIX)
    content = bytearray((tmp_path / "bad.npz").read_bytes())
    content[content.index(b"PK\x01\x02") + 10] = 99  # the method of compression, in the list of contents
    (tmp_path / "bad.npz").write_bytes(content)
    with pytest.raises(UserError, match="bad.npz: damaged, or holds objects") as error:
        read_vectors(tmp_path / "bad.npz")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("word", ["new york", "", "a\tb", "a\nb"])
def test_words_that_a_file_cannot_hold_are_not_written(tmp_path, word):
    with pytest.raises(UserError, match="has a space in it or is empty"):
        write_vectors(tmp_path / "f.vec", Vectors([word], MATRIX[:1]))
    assert not list(tmp_path.iterdir())


def test_unit_rows():
    vectors = Vectors(["a", "b"], np.array([[3, 4], [0, 0]], dtype=np.float32))
    assert np.allclose(vectors.unit, [[0.6, 0.8], [0, 0]]) and vectors.index == {"a": 0, "b": 1}
