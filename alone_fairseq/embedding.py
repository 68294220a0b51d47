"""All word embeddings from one embedding (ALONE, Takase & Kobayashi 2020, Section 2).

``AloneEmbedding`` stands where an ``nn.Embedding`` stood, in any PyTorch model; it does not import fairseq.
"""

from collections.abc import Iterator, Mapping, MutableMapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from types import MappingProxyType

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from alone_fairseq.errors import UserError
from alone_fairseq.ffn import Direct, Factored, chunked_ffn, hidden_layers
from alone_fairseq.filters import PROBE_SLACK, FilterSpec, check_at_least, check_own_rows
from alone_fairseq.given_filters import SAVED, GivenFilters
from alone_fairseq.kept_matrix import KeptMatrix
from alone_fairseq.storage import OTHER_FILTERS, Filters, combine
from alone_fairseq.word_embedding import WordEmbedding

# Words and hidden units that are worked on at a time. On a CPU their activations, 4 MB, and the rows that they are
# gathered from, 2 MB, shall stay in the cache; a GPU wants larger products.
_TILE = {"cpu": (1024, 1024)}
_TILE_ELSEWHERE = (8192, None)

# The store of the block of shared_matrix that this thread is in, by the id of its embedding.
_SHARED: ContextVar[Mapping[int, MutableMapping]] = ContextVar("shared", default=MappingProxyType({}))


class AloneEmbedding(WordEmbedding):
    """e_w = FFN(m_w * o): one trained vector o, a fixed random filter m_w for each word, a shared network.

    Equations 1 to 3: ``FFN(x) = W_2 max(0, W_1 x)``, W_1 (D_inter, D_o), W_2 (D_e, D_inter), no bias. The
    number of trained values, D_o + D_inter (D_o + D_e), does not depend on the vocabulary. Neither filters nor
    embeddings are in the state dict, but o, the weights and a fingerprint of the filters; where there are any, the
    bias, own rows and filters that were given, too.

    The embedding matrix is differentiable and computed anew where gradients are on; with gradients off and in
    evaluation mode it is kept until a weight has changed. ``shared_matrix`` shares it within a training step.

    Two variants beyond the paper train faster. With ``center`` the mean over the vocabulary is replaced by a
    trained bias, e_w = FFN(m_w * o) - mean_v FFN(m_v * o) + b: ReLU features are never negative, so that words
    share a large part which every step for one of them moves. With ``own_rows`` the first words, in a fairseq
    dictionary <s>, <pad>, </s>, <unk> and the most frequent ones, have a row each as in a lookup, and leave the
    network, and its mean, to the rest.

    Args:
        num_embeddings: V, words of the vocabulary.
        embedding_dim: D_e, elements of an embedding.
        padding_idx: remembered, no more: the row of the padding word is computed like any other.
        filter: ``real`` or ``binary``, see ``filters.py``.
        base_dim: D_o, elements of o and of a filter; default D_e.
        inter_dim: D_inter, width of the hidden layers.
        num_layers: L, layers of the network; 1 is one (D_e, D_o) matrix without ReLU.
        codebooks: M; 0 draws each word's filter independently.
        codes: c, columns of a codebook.
        zero_prob: p_o, share of zeros in a binary filter.
        relu_dropout: dropout after each ReLU, for tokens that are looked up, not for the matrix.
        stop_relu_dropout: number of updates (``set_num_updates``) after which that dropout stops; 0: never.
        train_base: whether o is trained.
        center: whether the mean over the vocabulary is replaced by a trained bias.
        own_rows: number of words, the first of the vocabulary, with trained rows of their own.
        storage: how the filters are held: ``codebook`` (M c D_o values and V M codes), ``expanded`` (one row a
            word) or ``volatile`` (not at all: drawn again each time). The filters are the same.
        seed: seed of the filters.
        chunk_size: words whose hidden activations exist at the same time; default by device.
        symbols: the V words as strings; their filters then follow from the words and not from their indices.

    Raises:
        UserError: (a ``ValueError``) for sizes that make no sense.
    """

    def __init__(
        self,
        num_embeddings: int,
        embedding_dim: int,
        padding_idx: int | None = None,
        *,
        filter: str = "real",
        base_dim: int | None = None,
        inter_dim: int = 4096,
        num_layers: int = 2,
        codebooks: int = 8,
        codes: int = 64,
        zero_prob: float = 0.5,
        relu_dropout: float = 0.0,
        stop_relu_dropout: int = 0,
        train_base: bool = True,
        center: bool = False,
        own_rows: int = 0,
        storage: str = "codebook",
        seed: int = 1,
        chunk_size: int | None = None,
        symbols: Sequence[str] | None = None,
    ):
        super().__init__(num_embeddings, embedding_dim, padding_idx)
        check_at_least(inter_dim, 1, "inter_dim", "--alone-inter-dim")
        check_at_least(num_layers, 1, "num_layers", "--alone-layers")
        check_at_least(stop_relu_dropout, 0, "stop_relu_dropout", "--alone-stop-relu-dropout")
        check_own_rows(own_rows, num_embeddings)
        if not 0.0 <= relu_dropout < 1.0:
            raise UserError(
                f"relu_dropout (--alone-relu-dropout) must be 0 or more and below 1, not {relu_dropout}"
            )
        if chunk_size is not None:
            check_at_least(chunk_size, 1, "chunk_size", "--alone-chunk-size")
        self.filter_store = (
            filter
            if isinstance(filter, Filters)
            else Filters(
                FilterSpec(
                    kind=filter,
                    num_embeddings=num_embeddings,
                    dim=embedding_dim if base_dim is None else base_dim,
                    codebooks=codebooks,
                    codes=codes,
                    zero_prob=zero_prob,
                    seed=seed,
                    symbols=None if symbols is None else tuple(symbols),
                ),
                storage,
            )
        )
        self.relu_dropout, self.stop_relu_dropout = relu_dropout, stop_relu_dropout
        self.chunk_size = chunk_size
        self.num_updates = 0
        base_dim = self.filter_store.shape[1]
        sizes = [base_dim, *[inter_dim] * (num_layers - 1), embedding_dim]
        self.base = nn.Parameter(torch.empty(base_dim), requires_grad=train_base)
        self.weights = nn.ParameterList(torch.empty(m, n) for n, m in zip(sizes, sizes[1:], strict=False))
        self.bias = nn.Parameter(torch.empty(embedding_dim)) if center else None
        self.own = nn.Parameter(torch.empty(own_rows, embedding_dim)) if own_rows else None
        # In a floating type, since averaging and EMA treat a checkpoint's tensors alike.
        self.register_buffer("filter_probe", torch.from_numpy(self.filter_store.probe.copy()))
        self.reset_parameters()
        self._kept: KeptMatrix | None = None

    @classmethod
    def from_filters(
        cls, filters: Tensor | np.ndarray, embedding_dim: int, padding_idx: int | None = None, **options
    ) -> "AloneEmbedding":
        """An embedding with given filters, (V, D_o), say those of the paper's code, instead of drawn ones.

        ``options`` are those of the constructor that do not say how filters are drawn. Such filters are in the
        state dict, V D_o values; one with others is refused.
        """
        drawn = {"filter", "base_dim", "codebooks", "codes", "zero_prob", "storage", "seed", "symbols"}
        if drawn & options.keys():
            raise UserError(f"the filters are given, so {', '.join(sorted(drawn & options.keys()))} can't be")
        given = GivenFilters.of(torch.as_tensor(filters))
        return cls(given.shape[0], embedding_dim, padding_idx, filter=given, **options)

    @classmethod
    def from_file(cls, path, symbols: Sequence[str] | None = None, **options) -> "AloneEmbedding":
        """The embedding in the small file that ``alone export --to safetensors`` writes.

        Args:
            symbols: the words, for an embedding that was trained with them.
            options: of the constructor: ``storage``, ``chunk_size``, ``relu_dropout``, ``train_base`` ...

        Raises:
            UserError: the file is missing, damaged, or of another kind.
        """
        from alone_fairseq.embedding_file import read

        return read(path, symbols, **options)

    def reset_parameters(self) -> None:
        """Initialise as in the paper's code: Xavier uniform for W, a Normal for o by the kind of filter."""
        for weight in self.weights:
            nn.init.xavier_uniform_(weight)
        hidden = self.weights[0].shape[0] if len(self.weights) > 1 else 0
        width = hidden + self.embedding_dim  # D_inter + D_e
        nn.init.normal_(self.base, std=width ** (-0.3 if self.filter_store.kind == "real" else -0.05))
        if self.bias is not None:
            nn.init.zeros_(self.bias)
        if self.own is not None:
            nn.init.normal_(self.own, std=self.embedding_dim**-0.5)  # as of a lookup

    def forward(self, tokens: Tensor) -> Tensor:
        """Embeddings of tokens: (*) long -> (*, D_e).

        Raises:
            IndexError: for a token id that is not in the vocabulary.
        """
        self._check_tokens(tokens)
        needs_matrix = self._shared() is not None or self._keeps() or self.bias is not None
        if self._drops() or not needs_matrix:
            return self._embed(tokens)
        return functional.embedding(tokens, self.matrix())

    def filters(self, tokens: Tensor) -> Tensor:
        """Filters m_w of tokens: (*) long -> (*, D_o) float32."""
        self._check_tokens(tokens)
        rows = self.filter_store.rows(tokens.flatten(), tokens.device)
        return rows.view(*tokens.shape, rows.shape[-1])  # (n, D_o) -> (*, D_o)

    def matrix(self) -> Tensor:
        """Embeddings of all words, (V, D_e), computed in float32 (or wider) and cast to the weights' type."""
        return self._current()["matrix"]

    def features(self, words: slice) -> Tensor:
        """What the last layer makes embeddings of, for some words, before any centring: (n, D_inter).

        With one layer that is m_w * o, (n, D_o).
        """
        with torch.autocast(self.base.device.type, enabled=False):
            if len(self.weights) == 1:
                table, codes = self.filter_store.tables(self.base.device)
                return combine(self.filter_store.kind, table, codes, words) * self.base.float()
            first, first_weight, *weights = self._layers(words)
            return hidden_layers(first, slice(None), first_weight, weights)[-1]

    @contextmanager
    def shared_matrix(self, store: MutableMapping | None = None) -> Iterator[None]:
        """Within this block the matrix is computed at most once, in training too.

        Args:
            store: where it is kept, for a block that is entered again, as a step of incremental decoding is
                with fairseq's ``incremental_state``; by default it goes with the outermost block.
        """
        if store is None:
            outer = self._shared()
            store = {} if outer is None else outer
        token = _SHARED.set({**_SHARED.get(), id(self): store})
        try:
            yield
        finally:
            _SHARED.reset(token)

    def set_num_updates(self, num_updates: int) -> None:
        """Tell how many updates were made; fairseq does before each step and after loading."""
        self.num_updates = num_updates

    def train(self, mode: bool = True):
        if mode:
            self._kept = None
        return super().train(mode)

    def _apply(self, fn, recurse=True):  # to(), half(), cuda(), ...
        self._kept = None
        return super()._apply(fn, recurse)

    def __getstate__(self):
        return {**self.__dict__, "_kept": None}  # a copy or a file needs no matrix

    def _load_from_state_dict(self, state_dict, prefix, local_metadata, strict, missing, unexpected, errors):
        probe = state_dict.get(f"{prefix}filter_probe")
        if isinstance(self.filter_store, GivenFilters) and f"{prefix}filter_store.{SAVED}" in state_dict:
            probe = None  # the filters themselves come with the weights
        if probe is not None and (
            probe.shape != self.filter_probe.shape
            or not np.allclose(probe.float().cpu().numpy(), self.filter_store.probe, rtol=0, atol=PROBE_SLACK)
        ):
            errors.append(f"{prefix}filter_probe: {OTHER_FILTERS}")
        super()._load_from_state_dict(state_dict, prefix, local_metadata, strict, missing, unexpected, errors)

    def extra_repr(self) -> str:
        return f"{self.num_embeddings}, {self.embedding_dim}, filter={self.filter_store.kind!r}"

    def _drops(self) -> bool:
        stopped = 0 < self.stop_relu_dropout <= self.num_updates
        return self.training and self.relu_dropout > 0 and not stopped

    def _keeps(self) -> bool:
        return not (torch.is_grad_enabled() or self.training)

    def _shared(self) -> MutableMapping | None:
        """The store of the block of ``shared_matrix`` that we are in."""
        return _SHARED.get().get(id(self))

    def _current(self) -> dict[str, Tensor]:
        """What ``_compute`` gives, from the block of ``shared_matrix`` if there is one."""
        if torch.compiler.is_compiling():  # what is kept is no part of a graph
            return torch.compiler.disable(self._shared_or_up_to_date)()
        return self._shared_or_up_to_date()

    def _shared_or_up_to_date(self) -> dict[str, Tensor]:
        shared = self._shared()
        if shared is None:
            return self._up_to_date()
        key = f"AloneEmbedding.{id(self)}.{torch.is_grad_enabled()}.{self.training}"
        if key not in shared:
            shared[key] = self._up_to_date()
        return shared[key]

    def _up_to_date(self) -> dict[str, Tensor]:
        if not self._keeps():
            return self._compute()
        weights = list(self.parameters())
        if self._kept is None or not self._kept.is_made_of(weights):
            # Not a tensor of inference mode, which could not be used outside of it.
            with torch.inference_mode(False), torch.no_grad():
                self._kept = KeptMatrix([w.detach().clone() for w in weights], self._compute()["matrix"])
        return {"matrix": self._kept.matrix}

    def _compute(self) -> dict[str, Tensor]:
        """The matrix, (V, D_e), and for a centred one also the shift that it got, (D_e)."""
        with torch.autocast(self.base.device.type, enabled=False):
            own = 0 if self.own is None else len(self.own)
            first, first_weight, *weights = self._layers(slice(own, None))
            rows, units = _TILE.get(self.base.device.type, _TILE_ELSEWHERE)
            matrix = chunked_ffn(first, self.chunk_size or rows, units, first_weight, *weights)  # (V - own, D_e)
            made = {}
            if self.bias is not None:
                made["shift"] = self.bias - matrix.mean(0)
                matrix = matrix.add_(made["shift"])
            if self.own is not None:
                matrix = torch.cat([self.own.to(matrix.dtype), matrix])
            return {"matrix": matrix.to(self.base.dtype), **made}

    def _embed(self, tokens: Tensor) -> Tensor:
        """Embeddings of few tokens, without the matrix: (*) -> (*, D_e)."""
        if self.own is None:
            return self._pass(tokens)
        last = len(self.own) - 1
        flat = tokens.flatten()  # (n); a mask can't index a single token without dimensions
        rest = flat > last
        own = functional.embedding(flat.clamp(max=last), self.own)  # (n, D_e), right where not rest
        return own.index_put((rest,), self._pass(flat[rest])).view(*tokens.shape, self.embedding_dim)

    def _pass(self, tokens: Tensor) -> Tensor:
        """Tokens through the network: each word's first layer is computed once, and where there is dropout each
        token has a mask of its own, as in the paper's code."""
        words, place = tokens.unique(return_inverse=True)
        with torch.autocast(self.base.device.type, enabled=False):
            first, first_weight, *weights = self._layers(words)
            hidden = first(first_weight)  # (words, D_inter)
            if weights:
                hidden = hidden.relu()
            if self._drops():
                hidden = functional.embedding(place, hidden)  # (*, D_inter)
            for layer, weight in enumerate(weights, 1):
                hidden = functional.dropout(hidden, self.relu_dropout, self._drops())
                hidden = functional.linear(hidden, weight)  # (..., D_inter), after the last (..., D_e)
                if layer < len(weights):
                    hidden = hidden.relu()
            if not self._drops():
                hidden = functional.embedding(place, hidden)  # (*, D_e)
            if self.bias is not None:
                hidden = hidden + self._current()["shift"]
            return hidden.to(self.base.dtype)

    def _layers(self, words: slice | Tensor) -> list:
        """The network for some words: first layer, its weight, W_2 ... W_L, in float32 (or wider)."""
        table, codes = self.filter_store.tables(self.base.device)
        if codes is None:
            table = table[words]
        else:
            codes = codes[words]
        wide = torch.promote_types(self.base.dtype, torch.float32)
        base, first_weight, *weights = (p.to(wide) for p in (self.base, *self.weights))
        # The clip of binary filters is not linear; for fewer words than columns the plain product is cheaper.
        if self.filter_store.kind == "real" and codes is not None and len(codes) > len(table):
            return [Factored(codes, len(table)), (table.to(wide) * base) @ first_weight.t(), *weights]
        return [Direct(self.filter_store.kind, table, codes), first_weight * base, *weights]
