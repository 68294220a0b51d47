"""The feed-forward network over the whole vocabulary, fast and in little memory (ALONE, Equation 3).

e_w = W_L max(0, ... W_2 max(0, W_1 (m_w * o))). Three things make it cheap:

* *The first layer is linear in the filter.* For real filters W_1 (m_w * o) is a sum of M rows of the small
  product H = (S * o) W_1^T, S the (M c, D_o) codebooks: a gather and a sum in the place of a product
  (``Factored``). Binary filters are clipped after the sum, so they need the product (``Direct``).
* *Hidden activations are not kept.* The vocabulary is worked through in chunks, and a chunk's activations are
  computed again in the backward pass (``chunked_ffn``). Two layers are also a sum of narrower networks, each with
  some of the hidden units: taken one after the other, a chunk's activations, and the rows of H that they are
  gathered from or the filters that they are made of, stay in the cache whatever D_inter is.
* *The base embedding is folded into W_1 once*, W' = W_1 * o, so that the gradients of both follow from one
  product, dW'.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional

from alone_fairseq import storage


class Factored:
    """First layer as a sum of M rows of H = (S * o) W_1^T. Its weight is H, (M c, D_inter)."""

    def __init__(self, codes: Tensor, table_rows: int):
        self.codes, self.table_rows = codes, table_rows  # (n, M), M c

    def __len__(self) -> int:
        return len(self.codes)

    def __call__(self, weight: Tensor, rows: slice = slice(None)) -> Tensor:
        index = storage.index(self.codes[rows], self.table_rows)  # (rows, M)
        return functional.embedding_bag(index, weight, mode="sum")  # (rows, D_inter)

    def units(self, weight: Tensor, part: slice) -> Tensor:
        """The share that some hidden units have in ``weight``."""
        return weight[:, part]

    def order(self, parts: Iterator, chunks: list) -> Iterator[tuple]:
        """Each part with each chunk: part by part, so that its columns of H stay in the cache."""
        return ((part, rows) for part in parts for rows in chunks)

    def accumulate(self, grad_weight: Tensor, grad_output: Tensor, rows: slice) -> None:
        for column in storage.index(self.codes[rows], self.table_rows).unbind(1):
            grad_weight.index_add_(0, column, grad_output)


class Direct:
    """First layer as the product of a word's filter with W' = W_1 * o. Its weight is W', (D_inter, D_o)."""

    def __init__(self, kind: str, table: Tensor, codes: Tensor | None):
        # Codebooks are small: converted once. One filter a word is converted a chunk at a time.
        self.kind, self.table, self.codes = kind, table if codes is None else table.float(), codes
        self.made: tuple[slice, Tensor] | None = None  # the last rows, and their filters

    def __len__(self) -> int:
        return len(self.table if self.codes is None else self.codes)

    def __call__(self, weight: Tensor, rows: slice = slice(None)) -> Tensor:
        return self._filters(rows, weight) @ weight.t()  # (rows, D_inter)

    def units(self, weight: Tensor, part: slice) -> Tensor:
        return weight[part]

    def order(self, parts: Iterator, chunks: list) -> Iterator[tuple]:
        """Each part with each chunk: chunk by chunk, so that its filters are made once."""
        parts = list(parts)
        return ((part, rows) for rows in chunks for part in parts)

    def accumulate(self, grad_weight: Tensor, grad_output: Tensor, rows: slice) -> None:
        grad_weight.addmm_(grad_output.t(), self._filters(rows, grad_weight))

    def _filters(self, rows: slice, like: Tensor) -> Tensor:
        if self.made is None or self.made[0] != rows:
            self.made = rows, storage.combine(self.kind, self.table, self.codes, rows).to(like.dtype)
        return self.made[1]  # (rows, D_o)


def chunked_ffn(
    first: Factored | Direct, chunk_size: int, units: int | None, first_weight: Tensor, *weights: Tensor
) -> Tensor:
    """Embeddings of all rows of ``first``, ``chunk_size`` rows and ``units`` hidden units at a time.

    Args:
        first: the first layer, for n words.
        chunk_size: rows whose hidden activations exist at the same time.
        units: at most so many hidden units of a network with two layers at the same time; None: all.
        first_weight: the first layer's weight, see ``Factored`` and ``Direct``.
        weights: W_2 ... W_L, each (out, in); none for a single layer without ReLU.

    Returns:
        (n, D_e).
    """
    return _ChunkedFFN.apply(first, chunk_size, units, first_weight, *weights)


class _ChunkedFFN(torch.autograd.Function):
    @staticmethod
    def forward(ctx, first, chunk_size, units, first_weight, *weights):
        ctx.first, ctx.chunks, ctx.units = first, _chunks(len(first), chunk_size), units
        ctx.save_for_backward(first_weight, *weights)
        with torch.autocast(first_weight.device.type, enabled=False):
            if not weights:
                return torch.cat([first(first_weight, rows) for rows in ctx.chunks])
            output = first_weight.new_empty(len(first), weights[-1].shape[0])
            for part, rows in first.order(_parts(units, first, first_weight, weights), ctx.chunks):
                hidden = hidden_layers(first, rows, part.first_weight, part.weights)[-1]
                output[rows].addmm_(hidden, part.weights[-1].t(), beta=float(part.units.start > 0))
        return output

    @staticmethod
    @once_differentiable
    def backward(ctx, grad_output):
        first, (first_weight, *weights) = ctx.first, ctx.saved_tensors
        needs_first, *needs = ctx.needs_input_grad[3:]
        grad_first = torch.empty_like(first_weight) if needs_first else None
        grads = [torch.zeros_like(w) if n else None for w, n in zip(weights, needs, strict=True)]
        with torch.autocast(first_weight.device.type, enabled=False):
            for part, rows in first.order(_parts(ctx.units, first, first_weight, weights), ctx.chunks):
                grad = grad_output[rows]
                if weights:
                    hiddens = hidden_layers(first, rows, part.first_weight, part.weights)
                    for layer in reversed(range(len(weights))):
                        if grads[layer] is not None:
                            grads[layer][:, part.units].addmm_(grad.t(), hiddens[layer])
                        grad = grad @ part.weights[layer]
                        torch.ops.aten.threshold_backward(grad, hiddens[layer], 0, grad_input=grad)
                if needs_first:
                    first.accumulate(part.grad_first, grad, rows)
                    if rows is ctx.chunks[-1]:
                        first.units(grad_first, part.units).copy_(part.grad_first)
        return (None, None, None, grad_first, *grads)


@dataclass(frozen=True)
class _Part:
    """The network with some of its hidden units alone, in pieces of memory of their own."""

    units: slice
    first_weight: Tensor
    weights: list[Tensor]

    @cached_property
    def grad_first(self) -> Tensor:
        """Gradient of ``first_weight`` so far."""
        return torch.zeros_like(self.first_weight)


def _parts(units: int | None, first, first_weight: Tensor, weights: Sequence[Tensor]) -> Iterator[_Part]:
    """The hidden units of two layers, at most ``units`` at a time; a deeper network can't be taken apart."""
    slices = [slice(0, None)]
    if units is not None and len(weights) == 1:
        width = weights[0].shape[1]
        count = -(-width // units)
        slices = _chunks(width, -(-width // count))
    for part in slices:
        own = first.units(first_weight, part).contiguous()
        yield _Part(part, own, [weight[:, part].contiguous() for weight in weights])


def hidden_layers(first, rows, first_weight, weights) -> list[Tensor]:
    """Input of each layer after the first, for one chunk: [(rows, D_inter), ...]."""
    hiddens = [first(first_weight, rows).relu_()]
    for weight in weights[:-1]:
        hiddens.append((hiddens[-1] @ weight.t()).relu_())
    return hiddens


def _chunks(count: int, size: int) -> list[slice]:
    return [slice(start, min(start + size, count)) for start in range(0, count, size)]
