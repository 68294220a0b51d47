"""A checkpoint of the code that the paper's authors trained with, as one of ``transformer_alone``.

There an embedding is ``weight``, (1, D), which is o, and ``weight_matrices``, W_1 ... W_L, each (out, in). Its
filters are in files of their own beside the checkpoint, ``mask_to_one_embed_encoder.pt`` and, where encoder and
decoder have an embedding each, ``mask_to_one_embed_decoder.pt``: a (V, D) tensor each. Here they come into the
checkpoint, ``--alone-filter given``.
"""

import itertools
import re
from argparse import Namespace
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from alone_fairseq.checkpoint.files import load_checkpoint, load_tensor, update_number, without_optimizer
from alone_fairseq.checkpoint.trust import check_trusted
from alone_fairseq.config import default_settings
from alone_fairseq.embedding import AloneEmbedding
from alone_fairseq.errors import UserError
from alone_fairseq.given_filters import GIVEN

# What that code's training is told of embeddings, and of length control.
SETTINGS = re.compile(r"one_emb(_.*)?|codenum|codebooknum|stop_relu_dropout_update")
LENGTH = ("represent_length_by_lrpe", "represent_length_by_ldpe")


def take_over(path: str, filters: Sequence[Path]) -> tuple[dict[str, Any], dict[str, AloneEmbedding]]:
    """The checkpoint for this package, and its embeddings by their names in the model.

    Args:
        filters: file of the encoder's filters, then of the decoder's if it has an embedding of its own.

    Raises:
        UserError: it is damaged, not of that code, or of a kind of model that this package has not; or the filters
            are not the checkpoint's.
    """
    state = load_checkpoint(path)
    check_trusted(path, state)
    trained = state.get("args")
    if not isinstance(trained, Namespace) or getattr(trained, "one_emb", None) not in ("binary", "real"):
        raise UserError(f"{path}: not a checkpoint of the paper's code: it was trained without --one-emb")
    if any(getattr(trained, name, False) for name in LENGTH):
        raise UserError(f"{path}: trained with length control, which can't be taken over")
    one_for_all = getattr(trained, "share_all_embeddings", False)
    if not (one_for_all or getattr(trained, "share_decoder_input_output_embed", False)):
        raise UserError(f"{path}: its output projection is a matrix of its own; only a tied one can be taken over")
    sides = ("encoder",) if one_for_all else ("encoder", "decoder")
    if len(filters) != len(sides):
        wanted = " and ".join(f"the {side}'s" for side in sides)
        raise UserError(f"{path}: needs {len(sides)} files of filters, {wanted}, not {len(filters)}")
    model, embeddings = dict(state["model"]), {}
    for side, file in zip(sides, filters, strict=True):
        name = f"{side}.embed_tokens"
        embeddings[name] = build(path, model, name, read_filters(file, trained.one_emb))
    for key in state["model"]:
        if re.match(r"(encoder|decoder)\.embed_tokens\.", key):
            del model[key]
    for name, embedding in embeddings.items():
        model |= {f"{name}.{key}": tensor for key, tensor in embedding.state_dict().items()}
    settings = taken_settings(trained, next(iter(embeddings.values())))
    return {"args": settings, "model": model, **without_optimizer(update_number(state))}, embeddings


def read_filters(path: Path, kind: str) -> Tensor:
    """(V, D) filters.

    Raises:
        UserError: the file is damaged, would run code, or holds something else.
    """
    filters = load_tensor(path)
    if filters.dim() != 2 or not filters.is_floating_point() or not filters.isfinite().all():
        raise UserError(f"{path}: not filters: they are a finite number for each word and element")
    if (kind == "binary") != bool(((filters == 0) | (filters == 1)).all()):
        raise UserError(f"{path}: not the filters of this checkpoint, which was trained with --one-emb {kind}")
    return filters


def build(path: str, model: Mapping[str, Tensor], name: str, filters: Tensor) -> AloneEmbedding:
    """The embedding that is called ``name`` there."""
    names = (f"{name}.weight_matrices.{layer}" for layer in itertools.count())
    weights = [model[key] for key in itertools.takewhile(model.__contains__, names)]
    base = model.get(f"{name}.weight")
    if base is None or not weights:
        raise UserError(f"{path}: {name} is not an embedding of the paper's code")
    sizes = [filters.shape[1], *(weight.shape[0] for weight in weights)]
    expected = [(1, sizes[0]), *itertools.starmap(lambda n, m: (m, n), itertools.pairwise(sizes))]
    for tensor, shape in zip([base, *weights], expected, strict=True):
        if tuple(tensor.shape) != shape:
            raise UserError(
                f"{path}: {name} does not go with these filters, of {sizes[0]} elements: it has a matrix of"
                f" {tuple(tensor.shape)}, not {shape}"
            )
    inter_dim = sizes[1] if len(weights) > 1 else 1
    embedding = AloneEmbedding.from_filters(filters, sizes[-1], inter_dim=inter_dim, num_layers=len(weights))
    embedding.to(base.dtype)
    with torch.no_grad():
        embedding.base.copy_(base[0])
        for ours, theirs in zip(embedding.weights, weights, strict=True):
            ours.copy_(theirs)
    return embedding


def taken_settings(trained: Namespace, embedding: AloneEmbedding) -> Namespace:
    """Those of the training, with ours in the place of that code's own."""
    kept = {name: value for name, value in vars(trained).items() if not SETTINGS.fullmatch(name)}
    ours = default_settings() | {
        "alone_filter": GIVEN,
        "alone_base_dim": len(embedding.base),
        "alone_inter_dim": len(embedding.weights[0]),
        "alone_layers": len(embedding.weights),
        "alone_relu_dropout": getattr(trained, "one_emb_relu_dropout", 0.0),
        "alone_stop_relu_dropout": getattr(trained, "stop_relu_dropout_update", 0),
    }
    elsewhere = {"encoder_embed_path": None, "decoder_embed_path": None, "user_dir": None}
    return Namespace(**kept | ours | elsewhere | {"arch": "transformer_alone"})
