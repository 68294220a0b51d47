"""At inference the matrix is computed once and kept: how it is known that it is still the right one."""

import torch
from torch import Tensor


class KeptMatrix:
    """A matrix, and a copy of the weights that it was made of."""

    def __init__(self, weights: list[Tensor], matrix: Tensor):
        self.weights, self.matrix = weights, matrix
        self._version = matrix._version

    def is_made_of(self, weights: list[Tensor]) -> bool:
        """Whether ``weights`` would make it again; not once PyTorch knows that somebody has written to it."""
        untouched = self.matrix._version == self._version and len(weights) == len(self.weights)
        return untouched and all(map(_same, self.weights, weights))


def _same(kept: Tensor, weight: Tensor) -> bool:
    # Compared value by value: a version counter would be cheaper, but writes through .data do not move it.
    return kept.device == weight.device and kept.dtype == weight.dtype and torch.equal(kept, weight)
