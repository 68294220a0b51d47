"""The plain Transformer that a model with any of our embeddings is at inference."""

import re
from argparse import Namespace
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import torch
from fairseq.models import ARCH_CONFIG_REGISTRY
from torch import Tensor

from alone_fairseq.checkpoint.files import load_checkpoint, recorded_updates, settings_of
from alone_fairseq.checkpoint.trust import check_trusted
from alone_fairseq.config import EmbeddingConfig
from alone_fairseq.errors import UserError
from alone_fairseq.length_control import LengthConfig
from alone_fairseq.translate import direction, load_models
from alone_fairseq.word_embedding import WordEmbedding


@dataclass
class Plain:
    """A trained model, and the same as fairseq's own ``transformer``.

    Attributes:
        model, task: as trained; the model in float32 and for inference.
        weights: of the plain model, by fairseq's names.
        settings: of the plain model, by the names of fairseq-train's options.
        updates: how many it was trained for.
        desired_length: the one that the plain model is told, if the model needs one (``fixed_length.py``).
    """

    model: torch.nn.Module
    task: Any
    weights: dict[str, Tensor]
    settings: Namespace
    updates: int
    desired_length: int | None = None


def load_plain(
    checkpoint: str, data: Path, source_lang: str | None = None, target_lang: str | None = None
) -> Plain:
    """Read a checkpoint and write its embeddings out.

    Args:
        source_lang, target_lang: the direction, if not that of the checkpoint or ``tokenizer.json``.

    Raises:
        UserError: it is damaged, of a model that is not ours nor fairseq's Transformer, or not for ``data``.
    """
    state = load_checkpoint(checkpoint)
    check_trusted(checkpoint, state)
    if settings_of(state, "model").get("merge_src_tgt_embed"):
        raise UserError(
            f"{checkpoint}: trained with --merge-src-tgt-embed, whose dictionary is in no file; train on data"
            " binarised with --joined-dictionary"
        )
    source_lang, target_lang = direction(checkpoint, state, data, source_lang, target_lang)
    (model,), task = load_models([checkpoint], data, source_lang, target_lang)
    model = model.float().eval()
    for name, tensor in model.state_dict().items():
        if not tensor.isfinite().all():
            raise UserError(f"{checkpoint}: {name} holds values that are not finite")
    settings = plain_settings(settings_of(state, "model"), model)
    settings.task, settings.source_lang, settings.target_lang = "translation", source_lang, target_lang
    return Plain(model, task, plain_weights(model), settings, recorded_updates(state) or 0)


def plain_weights(model) -> dict[str, Tensor]:
    """The model's weights with a matrix in the place of each embedding, float32."""
    embeddings = {
        name: module
        for name, module in model.named_modules(remove_duplicate=False)
        if isinstance(module, WordEmbedding)
    }
    weights = {
        key: tensor
        for key, tensor in model.state_dict().items()
        if not key.startswith(tuple(f"{name}." for name in embeddings))
    }
    matrices: dict[WordEmbedding, Tensor] = {}
    with torch.no_grad():
        for name, module in embeddings.items():
            if module not in matrices:
                matrices[module] = module.matrix().detach().contiguous()
            weights[matrix_key(name)] = matrices[module]
    return weights


def matrix_key(embedding: str) -> str:
    """Where the plain model has the matrix of a named embedding; an output's is the projection's weight."""
    return re.sub(r"\boutput_embedding$", "output_projection", embedding) + ".weight"


def plain_settings(trained: Mapping[str, Any], model) -> Namespace:
    """All settings of fairseq's ``transformer``, the architecture's defaults filled in."""
    settings = Namespace(**{name: value for name, value in trained.items() if not isinstance(value, Mapping)})
    for name, value in vars(settings).items():
        if isinstance(value, str) and "${" in value:  # fairseq would put variables of this machine there
            raise UserError(f"the setting {name} of the checkpoint refers to something outside it: {value}")
    architecture = trained.get("arch") or trained["_name"]
    ARCH_CONFIG_REGISTRY[architecture](settings)
    for field in (*fields(EmbeddingConfig), *fields(LengthConfig)):
        vars(settings).pop(field.name, None)
    # Where the output is tied it is so in the plain model, too.
    settings.share_all_embeddings = model.encoder.embed_tokens is model.decoder.embed_tokens
    settings.share_decoder_input_output_embed = model.decoder.share_input_output_embed
    settings.max_source_positions = model.encoder.max_source_positions
    settings.max_target_positions = model.decoder.max_target_positions
    settings.encoder_embed_path = settings.decoder_embed_path = None  # their vectors are among the weights
    settings.user_dir = None
    settings.arch = settings._name = "transformer"
    return settings
