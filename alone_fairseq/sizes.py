"""What the embeddings of a vocabulary cost: the formulas of Table 1 (ALONE, Section 2.3), and bytes.

Table 1 counts values. Beyond it, a file and a memory hold bytes, a word's codes take room too, and whoever
keeps the matrix that ALONE computes, as inference does, has more in memory than with a lookup.
"""

from dataclasses import dataclass

from alone_fairseq.filters import PROBES, FilterSpec, check_at_least, check_own_rows
from alone_fairseq.storage import STORAGES


@dataclass(frozen=True)
class Sizes:
    """All that the costs depend on.

    Args:
        vocab: V, words.
        dim: D_e, elements of an embedding.
        base_dim: D_o, elements of ALONE's base embedding and of its filters.
        inter_dim: D_inter, width of its network's hidden layers.
        layers: L, layers of its network.
        codebooks: M; 0 is an independent filter for each word.
        codes: c, columns of a codebook.
        filter: ``real`` or ``binary``.
        freeze_base: whether the base embedding is not trained.
        center: whether the mean over the vocabulary is replaced by a trained bias.
        own_rows: words with rows of their own.
        given: whether the filters were given and not drawn: they are in a checkpoint, all of them.
        factorized_dim: r of the factorized embedding.

    Raises:
        UserError: for sizes that make no sense.
    """

    vocab: int
    dim: int
    base_dim: int
    inter_dim: int = 4096
    layers: int = 2
    codebooks: int = FilterSpec.codebooks
    codes: int = FilterSpec.codes
    filter: str = "real"
    freeze_base: bool = False
    center: bool = False
    own_rows: int = 0
    given: bool = False
    factorized_dim: int = 1

    def __post_init__(self):
        for name in ("dim", "inter_dim", "layers", "factorized_dim"):
            check_at_least(getattr(self, name), 1, name)
        FilterSpec(self.filter, self.vocab, self.base_dim, self.codebooks, self.codes)  # checks the others
        check_own_rows(self.own_rows, self.vocab)

    @property
    def alone_parameters(self) -> int:
        vectors = (self.dim if self.center else 0) + self.own_rows * self.dim
        return alone_parameters(self.dim, self.base_dim, self.inter_dim, self.layers) + vectors


@dataclass(frozen=True)
class Cost:
    """What one kind of embedding takes.

    Attributes:
        embedding: its name.
        parameters: trained values.
        saved: values in a checkpoint.
        filters: values of the filters, as Table 1 counts them.
        filter_bytes: bytes of the filters in memory, codes included.
        given: values of given filters, which are in a checkpoint, too.
        kept: values that inference keeps beside the parameters: the matrix, and a copy of the weights it is made
            of, to notice a change.
    """

    embedding: str
    parameters: int
    saved: int
    filters: int = 0
    filter_bytes: int = 0
    given: int = 0
    kept: int = 0

    @property
    def memory_bytes(self) -> int:
        """Bytes in memory at inference, in float32."""
        return 4 * self.saved + self.filter_bytes + 4 * self.kept


def lookup_parameters(vocab: int, dim: int) -> int:
    return vocab * dim


def factorized_parameters(vocab: int, dim: int, factorized_dim: int) -> int:
    return vocab * factorized_dim + factorized_dim * dim


def alone_parameters(dim: int, base_dim: int, inter_dim: int, layers: int = 2) -> int:
    """D_o for the base embedding, and the layers: D_o -> D_inter -> ... -> D_e."""
    if layers == 1:
        return base_dim + dim * base_dim
    return base_dim + inter_dim * (base_dim + dim) + (layers - 2) * inter_dim**2


def factorized_dim_like(parameters: int, vocab: int, dim: int) -> int:
    """The r with which a factorized embedding comes nearest to a number of parameters."""
    return max(1, round(parameters / (vocab + dim)))


def compare(sizes: Sizes) -> list[Cost]:
    """Lookup, factorized embedding, and ALONE with its filters held in each of the three ways, or given."""
    lookup = lookup_parameters(sizes.vocab, sizes.dim)
    factorized = factorized_parameters(sizes.vocab, sizes.dim, sizes.factorized_dim)
    alone = sizes.alone_parameters
    trained = alone - (sizes.base_dim if sizes.freeze_base else 0)
    return [
        Cost("lookup", lookup, lookup),
        Cost(f"factorized, r = {sizes.factorized_dim}", factorized, factorized),
        *(
            Cost(
                f"ALONE, {storage}",
                trained,
                alone + PROBES,
                *filter_cost(storage, sizes),
                given=sizes.vocab * sizes.base_dim if sizes.given else 0,
                kept=lookup + alone,
            )
            for storage in (("given",) if sizes.given else STORAGES)
        ),
    ]


def filter_cost(storage: str, sizes: Sizes) -> tuple[int, int]:
    """Values of the filters (Table 1), and their bytes in memory with the words' codes."""
    value_bytes = 4 if sizes.filter == "real" else 1
    if storage == "volatile":
        return 0, 0
    if storage == "expanded" or not sizes.codebooks:
        values = sizes.base_dim * sizes.vocab
        return values, values * value_bytes
    values = sizes.codebooks * sizes.base_dim * sizes.codes
    code_bytes = 1 if sizes.codes <= 256 else 4
    return values, values * value_bytes + sizes.vocab * sizes.codebooks * code_bytes
