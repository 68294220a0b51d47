"""The small file: an ``AloneEmbedding`` in safetensors format, some megabytes for any vocabulary, without pickle.

Tensors are those of the state dict. The metadata tell how the filters are drawn; the words themselves are not in
the file, so an embedding whose filters follow from the words needs them again.
"""

import json
import os
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save

from alone_fairseq.checkpoint.files import replacing
from alone_fairseq.embedding import AloneEmbedding
from alone_fairseq.errors import UserError

FORMAT = "alone_fairseq embedding 1"


def write(embedding: AloneEmbedding, path: str | os.PathLike, force: bool = False, dtype=torch.float32) -> None:
    """Write the small file.

    Raises:
        UserError: the filters were given and not drawn, so that no settings make them again; ``path`` is there
            already and ``force`` is off, or cannot be written.
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
    with replacing(path, force) as file:
        file.write(save(tensors, {"format": FORMAT, "settings": json.dumps(settings)}))


def read(path: str | os.PathLike, symbols: Sequence[str] | None = None, **options) -> AloneEmbedding:
    """The embedding in a small file; see ``AloneEmbedding.from_file``."""
    if not Path(path).is_file():
        raise UserError(f"{path}: not there")
    try:
        with safe_open(path, "pt") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except SafetensorError as error:
        raise UserError(f"{path}: not a safetensors file, or cut short: {error}") from error
    try:
        if metadata["format"] != FORMAT:
            raise ValueError
        settings = json.loads(metadata["settings"])
        codes_from = settings.pop("codes_from")
        weights = sorted(name for name in tensors if name.startswith("weights."))
        settings |= {
            "filter": settings.pop("kind"),
            "base_dim": settings.pop("dim"),
            "inter_dim": len(tensors["weights.0"]) if len(weights) > 1 else 1,
            "num_layers": len(weights),
            "center": "bias" in tensors,
            "own_rows": len(tensors.get("own", ())),
        }
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise UserError(f"{path}: not an embedding that alone_fairseq wrote") from error
    if codes_from == "symbol" and symbols is None:
        raise UserError(f"{path}: its filters follow from the words; give them: from_file(path, symbols=[...])")
    if codes_from == "index" and symbols is not None:
        raise UserError(f"{path}: its filters follow from the words' indices; leave symbols out")
    try:
        embedding = AloneEmbedding(**settings, symbols=symbols, **options)
        embedding.to(tensors["base"].dtype).load_state_dict(tensors)
    except (RuntimeError, TypeError) as error:
        raise UserError(f"{path}: does not fit together: {' '.join(str(error).split())}") from error
    return embedding
