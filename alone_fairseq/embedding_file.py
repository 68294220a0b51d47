"""The small file: an ``AloneEmbedding`` in safetensors format, some megabytes for any vocabulary, without pickle.

Tensors are those of the state dict. The metadata tell how the filters are drawn; the words themselves are not in
the file, so an embedding whose filters follow from the words needs them again.
"""

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import torch
from safetensors.torch import save

from alone_fairseq.checkpoint.files import load_safetensors
from alone_fairseq.embedding import AloneEmbedding
from alone_fairseq.errors import UserError
from alone_fairseq.filters import CODES_FROM

FORMAT = "alone_fairseq embedding 1"
DTYPES = (torch.float16, torch.bfloat16, torch.float32, torch.float64)
LARGEST = 2**32  # words, and seeds


def content(embedding: AloneEmbedding, dtype: torch.dtype = torch.float32) -> bytes:
    """The bytes of the small file.

    Raises:
        UserError: the filters were given and not drawn, so that no settings make them again.
    """
    spec = embedding.filter_store.spec
    if spec is None:
        raise UserError("this embedding's filters were given and not drawn; the small file can't make them again")
    settings = asdict(spec)
    symbols = settings.pop("symbols")
    settings |= {
        "embedding_dim": embedding.embedding_dim,
        "padding_idx": embedding.padding_idx,
        "codes_from": "index" if symbols is None else "symbol",
    }
    tensors = {
        name: tensor.detach().to("cpu", dtype).contiguous() for name, tensor in embedding.state_dict().items()
    }
    return save(tensors, {"format": FORMAT, "settings": json.dumps(settings)})


def read(path: str | os.PathLike, symbols: Sequence[str] | None = None, **options) -> AloneEmbedding:
    """The embedding in a small file; see ``AloneEmbedding.from_file``."""
    metadata, tensors = load_safetensors(path)
    try:
        settings, codes_from = read_settings(metadata, tensors)
    except (KeyError, TypeError, ValueError, AttributeError, RecursionError) as error:
        raise UserError(f"{path}: not an embedding that alone_fairseq wrote") from error
    if codes_from == "symbol" and symbols is None:
        raise UserError(f"{path}: its filters follow from the words; give them: from_file(path, symbols=[...])")
    if codes_from == "index" and symbols is not None:
        raise UserError(f"{path}: its filters follow from the words' indices; leave symbols out")
    try:
        embedding = AloneEmbedding(**settings, symbols=symbols, **options)
        embedding.to(tensors["base"].dtype).load_state_dict(tensors)
    except (RuntimeError, UserError, MemoryError, OverflowError) as error:
        raise UserError(f"{path}: does not fit together: {' '.join(str(error).split())}") from error
    return embedding


def read_settings(metadata: Mapping[str, str], tensors: Mapping[str, torch.Tensor]) -> tuple[dict[str, Any], str]:
    """Arguments of ``AloneEmbedding`` and what its filters follow from, each of the kind that it should be.

    Raises:
        KeyError, TypeError, ValueError ...: something is missing or of another kind.
    """
    settings = json.loads(metadata["settings"])
    sizes = {name: settings[name] for name in ("num_embeddings", "codebooks", "codes", "seed")}
    if not all(type(size) is int and 0 <= size < LARGEST for size in sizes.values()):
        raise ValueError(sizes)
    weights = [
        tensors[f"weights.{layer}"] for layer in range(sum(name.startswith("weights.") for name in tensors))
    ]
    base = tensors["base"]
    if metadata["format"] != FORMAT or base.dtype not in DTYPES or settings["codes_from"] not in CODES_FROM:
        raise ValueError(metadata["format"])
    if (settings["dim"], settings["embedding_dim"]) != (len(base), len(weights[-1])):
        raise ValueError("sizes")
    padding, zero_prob = settings["padding_idx"], settings["zero_prob"]
    if not (padding is None or type(padding) is int) or type(zero_prob) is not float:
        raise TypeError(padding)
    return {
        **sizes,
        "embedding_dim": len(weights[-1]),
        "padding_idx": padding,
        "filter": settings["kind"],
        "base_dim": len(base),
        "zero_prob": zero_prob,
        "inter_dim": len(weights[0]) if len(weights) > 1 else 1,
        "num_layers": len(weights),
        "center": "bias" in tensors,
        "own_rows": len(tensors.get("own", ())),
    }, settings["codes_from"]
