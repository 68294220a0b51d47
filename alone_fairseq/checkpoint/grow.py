"""A model with codes by symbol for another dictionary: old words keep their rows, new words get theirs.

With ``--alone-codes-from symbol`` a word's filter follows from the word, so a row needs nothing but the weights.
Only what depends on the vocabulary as a whole has to be put right: the fingerprint of the filters, and with
``--alone-center`` the bias, since another vocabulary has another mean.
"""

import copy
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch

from alone_fairseq.checkpoint.files import settings_of
from alone_fairseq.embedding import AloneEmbedding
from alone_fairseq.errors import UserError
from alone_fairseq.storage import Filters

BOUND = 1e-5  # of a kept word's row, before and after


@dataclass(frozen=True)
class Growth:
    """What becomes of one embedding.

    Attributes:
        name: of the embedding in the model.
        tensors: those of its state dict that change.
        old, new: numbers of words before and after.
        kept: words in both.
        difference: the largest between the rows of a kept word before and after.
    """

    name: str
    tensors: dict[str, torch.Tensor]
    old: int
    new: int
    kept: int
    difference: float


@torch.no_grad()
def grow(name: str, embedding: AloneEmbedding, symbols: Sequence[str], dtype: torch.dtype) -> Growth:
    """What changes in ``embedding``, in evaluation mode, if its words become ``symbols``.

    Args:
        dtype: of the checkpoint's weights.

    Raises:
        UserError: filters do not follow from words, words with rows of their own have other places, or a kept
            word's row would change.
    """
    spec = embedding.filter_store.spec
    if spec is None:
        raise UserError(f"{name}: its filters were given and not drawn: there are none for new words")
    old = spec.symbols
    if old is None:
        raise UserError(f"{name}: trained with --alone-codes-from index: rows follow from indices, not from words")
    own = 0 if embedding.own is None else len(embedding.own)
    if tuple(symbols[:own]) != tuple(old[:own]):
        raise UserError(f"{name}: the first {own} words have rows of their own and must stay the first {own}")
    grown = copy.deepcopy(embedding)
    grown.num_embeddings = len(symbols)
    grown.filter_store = Filters(
        replace(embedding.filter_store.spec, num_embeddings=len(symbols), symbols=tuple(symbols))
    )
    grown.filter_probe.copy_(torch.from_numpy(grown.filter_store.probe))
    places = {symbol: place for place, symbol in enumerate(symbols)}
    kept = [(place, places[symbol]) for place, symbol in enumerate(old) if symbol in places]
    before = embedding.matrix()[[place for place, _ in kept]]  # (kept, D_e)
    after = [place for _, place in kept]
    shared = torch.tensor([place >= own for place in after])
    if grown.bias is not None and shared.any():
        bias = grown.bias + (before - grown.matrix()[after])[shared].mean(0)
        grown.bias.copy_(bias.to(dtype))
    difference = (before - grown.matrix()[after]).abs().max().item()
    if not difference <= BOUND + torch.finfo(dtype).eps:
        raise UserError(f"{name}: a row of a kept word would change by {difference:.1e}")
    changed = {key: tensor for key, tensor in grown.state_dict().items() if key in ("filter_probe", "bias")}
    return Growth(name, changed, len(old), len(symbols), len(kept), difference)


def with_growth(state: dict[str, Any], growths: Sequence[Growth], data: str) -> dict[str, Any]:
    """The checkpoint, moving averages included, with the tensors that change, for the dictionaries in ``data``."""
    trained = state["model"]
    model, averages = dict(trained), {k: dict(v) for k, v in state["extra_state"].items() if k.startswith("ema")}
    for growth in growths:
        for key, tensor in growth.tensors.items():
            name = f"{growth.name}.{key}"
            model[name] = tensor.to(trained[name].dtype)
            for average in averages.values():
                if name in average:  # its bias is another one, and moves as far
                    moved = tensor if key == "filter_probe" else average[name] + (tensor - trained[name].float())
                    average[name] = moved.to(average[name].dtype)
    settings = {key: copy.deepcopy(state[key]) for key in ("args", "cfg") if key in state}
    state = {**state, **settings, "model": model, "extra_state": {**state["extra_state"], **averages}}
    for part in ("task", "model"):
        if "data" in (found := settings_of(state, part)):
            found["data"] = data
    return state
