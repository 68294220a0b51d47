"""Equations 1 and 2: the draw of the filters."""

import math

import numpy as np
import pytest

from alone_fairseq.errors import UserError
from alone_fairseq.filters import FilterSpec, fingerprint

PINNED_REAL = [10807.0, 7429.0, -10781.0, 8098.0]
PINNED_CODES = [60, 21, 18, 54, 61, 18, 62, 2]
PINNED_BINARY = [
    0,
    0,
    0,
    1,
    0,
    0,
    0,
    0,
    1,
    0,
    0,
    0,
    0,
    0,
    0,
    0,
    0,
    0,
    0,
    1,
    1,
    0,
    0,
    0,
    0,
    0,
    1,
    0,
    0,
    0,
    0,
    0,
    1,
    0,
    0,
    0,
    0,
    0,
    0,
    0,
]
PINNED_SYMBOLS = [[63, 33, 10, 17, 54, 39, 5, 22], [16, 41, 30, 36, 55, 36, 61, 48]]
PINNED_PROBE = [5.0, 10.0, 1.0, 13.0]


def rows(spec):
    """m_w of all words, written out: the columns of each word summed, and clipped if binary."""
    table, codes = spec.draw()
    if codes is None:
        return table.astype(np.float64)
    result = np.zeros((spec.num_embeddings, spec.dim))
    for word in range(spec.num_embeddings):
        for book in range(spec.codebooks):
            result[word] += table[book * spec.codes + int(codes[word, book])]
    return np.minimum(result, 1) if spec.kind == "binary" else result


def test_real_columns_are_normal_with_variance_one_over_m():
    table, _ = FilterSpec("real", 10, 512, codebooks=4, codes=256).draw()
    count = table.size
    assert abs(table.mean()) < 4 * 0.5 / math.sqrt(count)
    assert abs(table.var() - 1 / 4) < 4 * (1 / 4) * math.sqrt(2 / count)
    standard = np.sort(table.ravel()) * 2
    for deviation, share in ((-2, 0.02275), (-1, 0.15866), (0, 0.5), (1, 0.84134), (2, 0.97725)):
        assert abs((standard < deviation).mean() - share) < 4 * math.sqrt(share * (1 - share) / count)


def test_real_values_are_multiples_of_two_to_the_minus_16():
    table, _ = FilterSpec("real", 10, 64).draw()
    assert (table * 2.0**16 == np.rint(table * 2.0**16)).all()


@pytest.mark.parametrize("zero_prob", [0.3, 0.5, 0.8])
@pytest.mark.parametrize("codebooks", [0, 1, 8])
def test_share_of_zeros_in_a_binary_filter_is_p_o(zero_prob, codebooks):
    spec = FilterSpec("binary", 500, 1024, codebooks, 512, zero_prob)
    filters = rows(spec)
    assert set(np.unique(filters)) == {0, 1}
    # Words share columns, so elements of different words are not independent: the columns of one element are.
    effective = (codebooks or 1) * (512 if codebooks else 500) * 1024
    assert abs((filters == 0).mean() - zero_prob) < 5 / math.sqrt(effective)


def test_codes_are_uniform():
    _, codes = FilterSpec("real", 40000, 4).draw()
    counts = np.bincount(codes.ravel(), minlength=64)
    expected = codes.size / 64
    assert ((counts - expected) ** 2 / expected).sum() < 63 + 5 * math.sqrt(2 * 63)


def test_first_values_are_pinned():
    """The draw is part of the format of a checkpoint: if this fails, old checkpoints load no more."""
    table, codes = FilterSpec("real", 1000, 512).draw()
    assert table.shape == (512, 512) and table.dtype == np.float32
    assert codes.shape == (1000, 8) and codes.dtype == np.uint8
    assert (table[0, :4] * 2**16).tolist() == PINNED_REAL
    assert codes[0].tolist() == PINNED_CODES
    assert FilterSpec("binary", 1000, 512).draw()[0][0, :40].tolist() == PINNED_BINARY
    words = FilterSpec("real", 2, 512, symbols=("</s>", "Grüße")).draw()[1]
    assert words.tolist() == PINNED_SYMBOLS
    assert (fingerprint("real", table, codes)[:4] * 16).tolist() == PINNED_PROBE


@pytest.mark.parametrize("codebooks", [0, 8])
def test_first_rows_are_the_same_for_every_vocabulary_size(codebooks):
    small, large = (FilterSpec("real", words, 16, codebooks) for words in (100, 5000))
    assert (rows(small) == rows(large)[:100]).all()


@pytest.mark.parametrize(("codebooks", "codes", "words"), [(3, 4, 64), (1, 50, 50), (2, 100, 9000)])
def test_all_words_have_distinct_codes_even_if_they_need_them_all(codebooks, codes, words):
    _, drawn = FilterSpec("real", words, 4, codebooks, codes).draw()
    assert len({row.tobytes() for row in drawn}) == words
    fewer = FilterSpec("real", words - 7, 4, codebooks, codes).draw()[1]
    assert (fewer == drawn[: words - 7]).all()


def test_seeds_differ_and_repeat():
    first, again, other = (fingerprint("real", *FilterSpec("real", 99, 8, seed=s).draw()) for s in (1, 1, 2))
    assert (first == again).all()
    assert (first != other).any()


def test_symbols_decide_whatever_their_place():
    spec = {"kind": "real", "dim": 8, "seed": 3}
    a = FilterSpec(num_embeddings=3, symbols=("a", "b", "c"), **spec).draw()[1]
    b = FilterSpec(num_embeddings=4, symbols=("x", "c", "b", "a"), **spec).draw()[1]
    assert (a == b[[3, 2, 1]]).all()
    naive = [
        FilterSpec(num_embeddings=len(words), symbols=words, codebooks=0, **spec).draw()[0]
        for words in (("a", "b"), ("b", "a"))
    ]
    assert (naive[0] == naive[1][::-1]).all()


def test_a_collision_of_symbols_names_both_words():
    words = tuple(f"w{i}" for i in range(60))
    with pytest.raises(UserError, match=r"the words 'w\d+' and 'w\d+' have the same columns"):
        FilterSpec("real", 60, 8, codebooks=1, codes=64, symbols=words).draw()
    with pytest.raises(UserError, match="the words 'twice' and 'twice' have the same columns"):
        FilterSpec("real", 2, 8, symbols=("twice", "twice")).draw()


def test_the_same_binary_filter_for_two_words_is_refused():
    with pytest.raises(UserError, match="same binary filter of 7 elements"):
        FilterSpec("binary", 120, 7, codebooks=0).draw()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"kind": "complex"}, "unknown filter 'complex'"),
        ({"codebooks": -1}, "--alone-codebooks.* must be 0 or more, not -1"),
        ({"codes": 0}, "--alone-codes.* must be 1 or more, not 0"),
        ({"dim": 0}, "--alone-base-dim.* must be 1 or more, not 0"),
        ({"num_embeddings": 0}, "num_embeddings must be 1 or more"),
        ({"zero_prob": 0.0}, "--alone-zero-prob.* between 0 and 1, not 0.0"),
        ({"zero_prob": 1.0}, "between 0 and 1, not 1.0"),
        ({"seed": -1}, "--alone-seed"),
        ({"codebooks": 257}, "--alone-codebooks.* must be 256 at most, not 257"),
        ({"codebooks": 2, "codes": 9}, "give 81 filters, fewer than 100 words"),
        ({"kind": "binary", "dim": 6}, "6 elements .* fewer than 100 words"),
        ({"symbols": ("a",)}, "1 symbols were given for 100 embeddings"),
    ],
)
def test_bad_sizes_are_refused_in_one_line(change, message):
    with pytest.raises(UserError, match=message) as error:
        FilterSpec(**{"kind": "real", "num_embeddings": 100, "dim": 8, **change})
    assert "\n" not in str(error.value)
