"""Equation 3: factored, direct and chunked, forward and backward."""

import pytest
import torch

from alone_fairseq import storage
from alone_fairseq.ffn import Direct, Factored, chunked_ffn
from alone_fairseq.filters import FilterSpec

WORDS, D_O, D_INTER, D_E = 13, 20, 6, 3


def tensor(*shape):
    """Values without a random generator: the same on every machine."""
    count = torch.Size(shape).numel()
    return torch.sin(torch.arange(1, count + 1, dtype=torch.float64)).view(shape)


def drawn(kind, codebooks=3, codes=4):
    table, codes = FilterSpec(kind, WORDS, D_O, codebooks, codes).draw()
    return torch.from_numpy(table), None if codes is None else torch.from_numpy(codes)


def parameters(layers=2):
    """o, W_1 ... W_L"""
    sizes = [D_O, *[D_INTER] * (layers - 1), D_E]
    weights = [tensor(m, n) for n, m in zip(sizes, sizes[1:], strict=False)]
    return [tensor(D_O) + 2, *weights]


def by_hand(kind, table, codes, base, w1, *rest):
    """The paper's formula in scalar arithmetic, a word at a time."""
    result = []
    for word in range(WORDS):
        m = [0.0] * D_O
        for element in range(D_O):
            if codes is None:
                m[element] = float(table[word, element])
            else:
                per_book = len(table) // codes.shape[1]
                for book in range(codes.shape[1]):
                    m[element] += float(table[book * per_book + int(codes[word, book]), element])
            if kind == "binary":
                m[element] = min(m[element], 1.0)
        x = [m[i] * float(base[i]) for i in range(D_O)]
        x = [sum(float(w) * v for w, v in zip(row, x, strict=True)) for row in w1]
        for weight in rest:
            x = [max(v, 0.0) for v in x]
            x = [sum(float(w) * v for w, v in zip(row, x, strict=True)) for row in weight]
        result.append(x)
    return torch.tensor(result, dtype=torch.float64)


def fast(kind, table, codes, base, w1, *rest, factored, chunk_size, units=None):
    if factored:
        return chunked_ffn(Factored(codes, len(table)), chunk_size, units, (table.double() * base) @ w1.t(), *rest)
    return chunked_ffn(Direct(kind, table, codes), chunk_size, units, w1 * base, *rest)


CASES = [
    ("real", 3, True),
    ("real", 3, False),
    ("binary", 3, False),
    ("real", 0, False),
    ("binary", 0, False),
]


@pytest.mark.parametrize(("chunk_size", "units"), [(1, None), (4, None), (4, 1), (4, 4), (100, 6)])
@pytest.mark.parametrize("layers", [1, 2, 4])
@pytest.mark.parametrize(("kind", "codebooks", "factored"), CASES)
def test_equals_the_paper_s_formula(kind, codebooks, factored, layers, chunk_size, units):
    filters, weights = drawn(kind, codebooks), parameters(layers)
    expected = by_hand(kind, *filters, *weights)
    actual = fast(kind, *filters, *weights, factored=factored, chunk_size=chunk_size, units=units)
    torch.testing.assert_close(actual, expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("units", [None, 4])
@pytest.mark.parametrize("layers", [1, 2, 4])
@pytest.mark.parametrize(("kind", "codebooks", "factored"), CASES)
def test_gradients(kind, codebooks, factored, layers, units):
    weights = [w.requires_grad_() for w in parameters(layers)]
    filters = drawn(kind, codebooks)
    assert torch.autograd.gradcheck(
        lambda *w: fast(kind, *filters, *w, factored=factored, chunk_size=4, units=units), weights
    )


def test_factored_equals_direct_in_float32():
    filters = drawn("real")
    weights = [w.float().requires_grad_() for w in parameters()]
    table, codes = filters
    matrices = [
        chunked_ffn(Factored(codes, len(table)), 4, None, (table * weights[0]) @ weights[1].t(), weights[2]),
        chunked_ffn(Direct("real", table, codes), 4, None, weights[1] * weights[0], weights[2]),
    ]
    torch.testing.assert_close(matrices[0], matrices[1], rtol=1e-6, atol=1e-6)
    gradients = [torch.autograd.grad((m * tensor(WORDS, D_E).float()).sum(), weights) for m in matrices]
    for factored, direct in zip(*gradients, strict=True):
        torch.testing.assert_close(factored, direct, rtol=1e-6, atol=1e-6 * direct.abs().max().item())


def test_no_hidden_activations_are_kept():
    base, w1, w2 = (w.requires_grad_() for w in parameters())
    table, codes = drawn("real")
    first_weight = (table.double() * base) @ w1.t()
    kept = []
    with torch.autograd.graph.saved_tensors_hooks(lambda t: kept.append(t.shape) or t, lambda t: t):
        chunked_ffn(Factored(codes, len(table)), 4, None, first_weight, w2).sum()
    assert (WORDS, D_INTER) not in kept
    assert sorted(kept) == sorted([first_weight.shape, w2.shape])


def test_filters_of_a_chunk_are_made_once_a_pass(monkeypatch):
    made = []
    combine = storage.combine
    monkeypatch.setattr(storage, "combine", lambda *given: made.append(given[-1]) or combine(*given))
    base, w1, w2 = (w.requires_grad_() for w in parameters())
    matrix = chunked_ffn(Direct("binary", *drawn("binary")), 4, 2, w1 * base, w2)
    chunks = -(-WORDS // 4)
    assert len(made) == chunks
    matrix.sum().backward()
    assert len(made) == 2 * chunks


@pytest.mark.parametrize("factored", [True, False])
@pytest.mark.parametrize("frozen", [(0,), (2,), (0, 1), (0, 2)])
def test_frozen_weights_get_no_gradient_and_the_others_theirs(factored, frozen):
    gradients = []
    for fixed in ((), frozen):
        weights = parameters()
        for number, weight in enumerate(weights):
            weight.requires_grad_(number not in fixed)
        fast("real", *drawn("real"), *weights, factored=factored, chunk_size=4).square().sum().backward()
        gradients.append([weight.grad for weight in weights])
    for number, (all_trained, some) in enumerate(zip(*gradients, strict=True)):
        if number in frozen:
            assert some is None
        else:
            torch.testing.assert_close(some, all_trained, rtol=0, atol=0)


def test_second_derivatives_are_refused_rather_than_wrong():
    weights = [w.requires_grad_() for w in parameters()]
    matrix = fast("real", *drawn("real"), *weights, factored=True, chunk_size=4)
    (gradient,) = torch.autograd.grad(matrix.square().sum(), weights[2], create_graph=True)
    with pytest.raises(RuntimeError, match="once_differentiable"):
        gradient.sum().backward()
