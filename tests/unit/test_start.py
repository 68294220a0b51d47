"""ALONE started from word vectors."""

import pytest
import torch
from fairseq.data import Dictionary

from alone_fairseq import AloneEmbedding
from alone_fairseq.checkpoint.fit import word_weights
from alone_fairseq.errors import UserError
from alone_fairseq.start import fit_to_vectors, initial_rows
from alone_fairseq.vectors import Vectors, read_vectors, write_vectors

DIM = 6
WORDS = [f"word{n}" for n in range(30)]


@pytest.fixture
def dictionary() -> Dictionary:
    """Four symbols of fairseq's own, the words, the last one first, and one that has no vector."""
    made = Dictionary()
    for count, word in enumerate(WORDS[::-1]):
        made.add_symbol(word, n=count + 1)
    made.add_symbol("unknown")
    return made


def build(words: int, **options) -> AloneEmbedding:
    torch.manual_seed(1)
    return AloneEmbedding(words, DIM, 1, inter_dim=60, codebooks=4, codes=16, **options)


@pytest.fixture
def path(tmp_path) -> str:
    """Vectors that ALONE can be, moved and made larger."""
    matrix = build(30).matrix().detach().numpy() * 7 + 3
    write_vectors(tmp_path / "words.vec", Vectors(WORDS, matrix))
    return str(tmp_path / "words.vec")


def vectors_in_order(path) -> torch.Tensor:
    """As they lie in the dictionary."""
    return torch.from_numpy(read_vectors(path).matrix[::-1].copy())


def test_rows_are_the_vectors_centred_and_as_large_as_a_lookup(dictionary, path):
    otherwise = torch.randn(len(dictionary), DIM)
    rows, known = initial_rows(path, dictionary, otherwise)
    assert known.tolist() == [False] * 4 + [True] * 30 + [False]
    wanted = vectors_in_order(path)
    wanted -= wanted.mean(0)
    torch.testing.assert_close(rows[known], wanted / wanted.std() * DIM**-0.5)
    assert torch.equal(rows[~known], otherwise[~known])


@pytest.mark.parametrize("options", [{}, {"center": True}, {"center": True, "own_rows": 10}], ids=str)
def test_embeddings_are_fitted_to_vectors(dictionary, path, options):
    embedding = build(len(dictionary), **options)
    before = embedding.matrix().detach().clone()
    fit_to_vectors(embedding, dictionary, path)
    made, (wanted, known) = embedding.matrix().detach(), initial_rows(path, dictionary, before)
    distances = [torch.pdist(matrix[known]) for matrix in (made, wanted)]
    assert torch.corrcoef(torch.stack(distances))[0, 1] > 0.9
    own = options.get("own_rows", 0)
    assert torch.equal(made[:own], wanted[:own])  # those of <s>, <pad>, </s> and <unk> are as they were
    assert embedding.training and all(parameter.grad is None for parameter in embedding.parameters())


def test_the_start_is_the_same_each_time(dictionary, path):
    embeddings = [build(len(dictionary)) for _ in range(2)]
    for embedding in embeddings:
        fit_to_vectors(embedding, dictionary, path, updates=3)
    assert torch.equal(*(embedding.matrix() for embedding in embeddings))


def test_words_without_a_vector_do_not_count(dictionary, path):
    """A word that weighs as much as all others takes nothing from them if it has no vector."""
    dictionary.count[-1] = 10**6
    assert word_weights(dictionary)[-1] > word_weights(dictionary)[4:-1].sum()
    embedding = build(len(dictionary))
    fit_to_vectors(embedding, dictionary, path)
    wanted, known = initial_rows(path, dictionary, embedding.matrix().detach())
    assert (embedding.matrix().detach() - wanted)[known].square().mean() < 0.2 / DIM


def test_what_is_no_start_is_refused(dictionary, path, tmp_path):
    (tmp_path / "narrow.vec").write_text("1 2\nword3 1 2\n")
    (tmp_path / "other.vec").write_text("1 6\nother 1 2 3 4 5 6\n")
    for name, message in (
        ("narrow.vec", "narrow.vec: has vectors of 2 elements, and embeddings have 6"),
        ("other.vec", "other.vec: has a vector for no word of the dictionary"),
        ("none.vec", "none.vec: No such file"),
    ):
        with pytest.raises(UserError, match=message):
            fit_to_vectors(build(len(dictionary)), dictionary, str(tmp_path / name))
    (tmp_path / "few.vec").write_text("1 6\nword29 1 2 3 4 5 6\n")
    with pytest.raises(UserError, match="few.vec: has vectors only for words with rows of their own"):
        fit_to_vectors(build(len(dictionary), own_rows=5), dictionary, str(tmp_path / "few.vec"))
