"""Distances and the global loss against arithmetic on single numbers."""

import math
from types import SimpleNamespace

import pytest
import torch

from alone_fairseq.reconstruction import criterion
from alone_fairseq.reconstruction.losses import DISTANCES, global_loss, nearest, random_others

MADE = [[1.0, -2.0, 0.5], [0.0, 3.0, 4.0]]
TARGET = [[0.5, 1.0, 0.5], [1.0, 0.0, 2.0]]


def cosine(u, v):
    dot = sum(a * b for a, b in zip(u, v, strict=True))
    return dot / (math.sqrt(sum(a * a for a in u)) * math.sqrt(sum(b * b for b in v)))


SCALAR = {
    "manhattan": lambda u, v: sum(abs(a - b) for a, b in zip(u, v, strict=True)),
    "euclidean": lambda u, v: math.sqrt(sum((a - b) ** 2 for a, b in zip(u, v, strict=True))),
    "squared": lambda u, v: sum((a - b) ** 2 for a, b in zip(u, v, strict=True)),
    "linf": lambda u, v: max(abs(a - b) for a, b in zip(u, v, strict=True)),
    "cosine": lambda u, v: -cosine(u, v),
    "mean-squared": lambda u, v: sum((a - b) ** 2 for a, b in zip(u, v, strict=True)) / len(u),
}


@pytest.mark.parametrize("name", DISTANCES)
def test_distances(name):
    expected = [SCALAR[name](u, v) for u, v in zip(MADE, TARGET, strict=True)]
    found = DISTANCES[name](torch.tensor(MADE), torch.tensor(TARGET))
    assert found.tolist() == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("name", DISTANCES)
def test_a_distance_of_zero_has_a_finite_gradient(name):
    made = torch.tensor([*MADE, [0.0, 0.0, 0.0]], requires_grad=True)
    loss = DISTANCES[name](made, made.detach().clone())
    assert loss.tolist()[:2] == pytest.approx([-1.0 if name == "cosine" else 0.0] * 2)
    loss.sum().backward()
    assert made.grad.isfinite().all()


def test_global_loss():
    others = torch.randn(2, 4, 3, generator=torch.Generator().manual_seed(1))
    expected = [
        sum((cosine(u, v) - cosine(e, v)) ** 2 for v in words) / len(words)
        for u, e, words in zip(MADE, TARGET, others.tolist(), strict=True)
    ]
    found = global_loss(torch.tensor(MADE), torch.tensor(TARGET), others)
    assert found.tolist() == pytest.approx(expected, rel=1e-5)
    assert global_loss(2 * torch.tensor(TARGET), torch.tensor(TARGET), others).abs().max() < 1e-12


def test_the_global_loss_takes_a_vector_of_zeros():
    made = torch.zeros(1, 3, requires_grad=True)
    global_loss(made, torch.tensor(TARGET[:1]), torch.ones(1, 2, 3)).sum().backward()
    assert made.grad.isfinite().all()


@pytest.mark.parametrize("rows", [1, 3, 100])
def test_nearest_neighbours_are_those_of_largest_cosine(rows):
    matrix = torch.randn(8, 5, generator=torch.Generator().manual_seed(1))
    found = nearest(matrix, 3, rows).tolist()
    for word, vector in enumerate(matrix.tolist()):
        others = [v for v in range(8) if v != word]
        others.sort(key=lambda v: -cosine(vector, matrix[v].tolist()))
        assert found[word] == others[:3]


def test_random_words_are_all_others_and_never_the_word_itself():
    words = torch.arange(4)
    drawn = random_others(words, 4, 200)
    assert drawn.shape == (4, 200)
    for word in range(4):
        assert set(drawn[word].tolist()) == set(range(4)) - {word}


def test_the_criterion_compares_with_the_nearest_words_and_with_words_drawn(monkeypatch):
    """Local and global loss, the latter over both kinds of words, by their original vectors."""
    matrix = torch.randn(9, 3, generator=torch.Generator().manual_seed(1))
    made = torch.randn(2, 3, generator=torch.Generator().manual_seed(2)).requires_grad_()
    words, drawn = torch.tensor([4, 7]), torch.tensor([[0, 1, 2], [3, 5, 0]])
    monkeypatch.setattr(criterion, "random_others", lambda words, total, count: drawn[:, :count])
    task = SimpleNamespace(teacher=SimpleNamespace(matrix=matrix.numpy()))
    sample = {"net_input": {"words": words}, "target": matrix[words]}

    def gradient(**options):
        settings = {"distance": "mean-squared", "global_neighbours": 2, "global_random": 3, **options}
        loss, size, logged = criterion.EmbeddingReconstructionCriterion(task, **settings)(
            lambda words: made, sample
        )
        assert size == 2 and logged["loss"] == loss
        return loss, torch.autograd.grad(loss, made)[0]

    def similar(n, others):
        u, e = made[n].tolist(), matrix[words[n]].tolist()
        return sum((cosine(u, v) - cosine(e, v)) ** 2 for v in others) / len(others)

    vectors, expected = matrix.tolist(), 0.0
    for n, word in enumerate(words.tolist()):
        by_cosine = sorted(set(range(9)) - {word}, key=lambda v: -cosine(vectors[word], vectors[v]))
        expected += SCALAR["mean-squared"](made[n].tolist(), vectors[word])
        expected += similar(n, [vectors[v] for v in by_cosine[:2] + drawn[n].tolist()])
    both, step = gradient(global_loss=True)
    assert both.item() == pytest.approx(expected, rel=1e-5)
    local, local_step = gradient(global_loss=False)
    assert local < both and not torch.allclose(step, local_step)
