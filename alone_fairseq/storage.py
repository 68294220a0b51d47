"""How the filters of a vocabulary are held in memory: three ways, the same filters (ALONE, Table 1).

``codebook``: M c columns of D_o values, and for each word its M codes. ``expanded``: one filter a word.
``volatile``: nothing, they are drawn again from the seed each time. None of it is in the state dict.
"""

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from alone_fairseq.errors import UserError
from alone_fairseq.filters import FilterSpec, check_one_of, fingerprint

STORAGES = ("codebook", "expanded", "volatile")


class Filters(nn.Module):
    """The filters m_w of all words.

    Attributes:
        kind: ``real`` or ``binary``.
        shape: (V, D_o).
        spec: how they are drawn; None for given ones.
        probe: sixteen values that tell these filters from others, see ``filters.fingerprint``.
    """

    def __init__(self, spec: FilterSpec, storage: str = "codebook"):
        super().__init__()
        check_one_of(storage, STORAGES, "storage", "--alone-storage")
        self.kind, self.shape = spec.kind, (spec.num_embeddings, spec.dim)
        table, codes = spec.draw()
        self.probe = fingerprint(self.kind, table, codes)
        self.spec, self.volatile = spec, storage == "volatile"
        self._hold(None, None) if self.volatile else self._hold(*_tensors(table, codes))
        if storage == "expanded":
            self._hold(self.rows(), None)

    @classmethod
    def given(cls, filters: Tensor) -> "Filters":
        """Filters from elsewhere, (V, D_o): taken as binary where all are 0 or 1."""
        if filters.dim() != 2 or not filters.numel():
            raise UserError(f"filters must have the shape (words, elements), not {tuple(filters.shape)}")
        if not torch.isfinite(filters.float()).all():
            raise UserError("filters must be finite numbers")
        self = cls.__new__(cls)
        nn.Module.__init__(self)
        binary = bool(((filters == 0) | (filters == 1)).all())
        self.kind, self.shape, self.spec = "binary" if binary else "real", tuple(filters.shape), None
        self.volatile = False
        table = filters.detach().to("cpu", torch.uint8 if binary else torch.float32).contiguous()
        self.probe = fingerprint(self.kind, table.numpy(), None)
        self._hold(table, None)
        return self

    def _hold(self, table: Tensor | None, codes: Tensor | None) -> None:
        # Real values are held as the bits of a float32: half() and bfloat16() leave integers as they are.
        if table is not None and self.kind == "real":
            table = table.view(torch.int32)
        elif table is not None:
            table = table.to(torch.uint8)
        self.register_buffer("table", table, persistent=False)
        self.register_buffer("codes", codes, persistent=False)

    def tables(self, device: torch.device) -> tuple[Tensor, Tensor | None]:
        """Columns of the codebooks, (M c, D_o), and codes, (V, M); or filters, (V, D_o), and None."""
        if self.volatile:
            table, codes = _tensors(*self.spec.draw())
            return table.to(device), None if codes is None else codes.to(device)
        return self.table.view(torch.float32) if self.kind == "real" else self.table, self.codes

    def rows(self, words: Tensor | None = None, device: torch.device | str = "cpu") -> Tensor:
        """Filters of words, (n) long -> (n, D_o) float32; of all words without an argument."""
        table, codes = self.tables(device)
        return combine(self.kind, table, codes, slice(None) if words is None else words)


def combine(kind: str, table: Tensor, codes: Tensor | None, words: slice | Tensor) -> Tensor:
    """m_w = f(sum of its columns), Equation 1, f the identity (real) or clipping to {0, 1} (binary)."""
    if codes is None:
        return table[words].float()  # (n, D_o)
    total = functional.embedding_bag(index(codes[words], len(table)), table.float(), mode="sum")  # (n, D_o)
    return total.clamp_(max=1.0) if kind == "binary" else total


def index(codes: Tensor, table_rows: int) -> Tensor:
    """Rows of the table that hold the words' columns: codes (n, M) -> (n, M) long."""
    codebooks = codes.shape[1]
    return codes.long() + torch.arange(0, table_rows, table_rows // codebooks, device=codes.device)


def _tensors(table: np.ndarray, codes: np.ndarray | None) -> tuple[Tensor, Tensor | None]:
    return torch.from_numpy(table), None if codes is None else torch.from_numpy(codes)
