"""A trained Transformer with ALONE in the place of its embedding matrices, each fitted to the one it replaces."""

import math
from argparse import Namespace
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
from fairseq.models import ARCH_CONFIG_REGISTRY
from torch import Tensor

from alone_fairseq.checkpoint.files import without_optimizer
from alone_fairseq.checkpoint.fit import Fit, FitError, Quality, quality, word_weights
from alone_fairseq.config import EmbeddingConfig, default_settings
from alone_fairseq.errors import UserError
from alone_fairseq.export.plain import Plain, matrix_key
from alone_fairseq.length_control import LengthConfig, length_settings
from alone_fairseq.sizes import Sizes
from alone_fairseq.transformer import TransformerAloneConfig, TransformerAloneModel
from alone_fairseq.word_embedding import WordEmbedding


@dataclass(frozen=True)
class Part:
    """One embedding of the new model and what it is fitted to.

    Attributes:
        name: in the model.
        embedding: an ``AloneEmbedding``.
        target: the matrix of the original, (V, D_e).
        weights: of the words, (V).
    """

    name: str
    embedding: WordEmbedding
    target: Tensor
    weights: Tensor


def alone_settings(plain: Plain, **alone: Any) -> Namespace:
    """Settings of a ``transformer_alone`` like the plain model; ``alone`` by the names of ``EmbeddingConfig``."""
    name = {"arch": "transformer_alone", "_name": "transformer_alone"}
    return Namespace(**vars(plain.settings) | default_settings() | alone | length_settings(plain.model) | name)


def tuning_flags(settings: Namespace) -> list[str]:
    """Options of fairseq-train that build the model again: those that differ from the architecture's defaults."""
    config = TransformerAloneConfig()
    shape = {name: getattr(config, name) for name in ("max_source_positions", "max_target_positions")}
    for group in (EmbeddingConfig, LengthConfig):
        shape |= {name: field.default for name, field in group.__dataclass_fields__.items()}
    chosen, flags = Namespace(), []
    for name in shape | vars(by_default(chosen)):
        value = getattr(settings, name, None)
        if name == "share_decoder_input_output_embed" and settings.share_all_embeddings:
            continue  # goes without saying
        if name == "dropout":
            continue  # for the tuning to say
        # The default of one may be the value of another that has been chosen.
        if value is None or value == getattr(by_default(chosen), name, shape.get(name)):
            continue
        setattr(chosen, name, value)
        flag = name.replace("_", "-")
        flags += [f"--{flag}" if value is True else f"--no-{flag}" if value is False else f"--{flag} {value}"]
    return flags


def by_default(chosen: Namespace) -> Namespace:
    """``chosen`` with the rest of the architecture's settings."""
    settings = Namespace(**vars(chosen))
    ARCH_CONFIG_REGISTRY["transformer_alone"](settings)
    return settings


def check_sizes(plain: Plain, settings: Namespace) -> None:
    """Refuse an ALONE larger than the matrix that it stands for, before a typing error takes all memory."""
    matrices = ["encoder.embed_tokens"]
    if not plain.settings.share_all_embeddings:
        matrices.append("decoder.embed_tokens")
    if not plain.settings.share_decoder_input_output_embed:
        matrices.append("decoder.output_embedding")
    for name in matrices:
        vocab, dim = plain.weights[matrix_key(name)].shape
        sizes = Sizes(
            vocab=vocab,
            dim=dim,
            base_dim=settings.alone_base_dim or dim,
            inter_dim=settings.alone_inter_dim,
            layers=settings.alone_layers,
            filter=settings.alone_filter,
            center=settings.alone_center,
            own_rows=settings.alone_own_rows,
        )
        if sizes.alone_parameters > vocab * dim:
            raise UserError(
                f"{name}: {sizes.alone_parameters:,} parameters for a matrix of {vocab * dim:,} values; choose"
                " smaller --inter-dim, --base-dim, --layers or --own-rows"
            )


def build(plain: Plain, settings: Namespace) -> torch.nn.Module:
    """The new model, with all weights of the original but the embeddings'."""
    model = TransformerAloneModel.build_model(settings, plain.task)
    embeddings = tuple(f"{part.name}." for part in parts(plain, model))
    weights = {
        key: tensor if key.startswith(embeddings) else plain.weights[key]
        for key, tensor in model.state_dict().items()
    }
    model.load_state_dict(weights)
    return model


def parts(plain: Plain, model: torch.nn.Module) -> Iterator[Part]:
    """The embeddings of ``model``, each once."""
    for name, module in model.named_modules():
        if isinstance(module, WordEmbedding):
            task = plain.task
            dictionary = task.source_dictionary if name.startswith("encoder") else task.target_dictionary
            yield Part(name, module, plain.weights[matrix_key(name)], word_weights(dictionary))


def fit(
    part: Part, updates: int, device: torch.device, progress: Callable[[int, float], Any], state=None, save=None
) -> Quality:
    """Fit one embedding, from ``state`` on if it is given; ``save`` gets a state after each step."""
    embedding, target, weights = part.embedding.to(device), part.target.to(device), part.weights.to(device)
    fitting = Fit(embedding, target, weights, updates)
    if state is not None:
        fitting.load_state_dict(state)
    fitting.run(progress, lambda: save(fitting.state_dict) if save else None)
    with torch.no_grad():
        found = quality(embedding.eval().matrix(), target, weights)
    if not math.isfinite(found.error):
        raise FitError(f"{part.name}: the fit came to nothing; try fewer --updates or another --seed")
    embedding.cpu()
    return found


def checkpoint(state: dict[str, Any], model: torch.nn.Module, settings: Namespace) -> dict[str, Any]:
    """The original's checkpoint with the new model in it, as after no update."""
    # fairseq leaves some small tensors in float32 in a model of half precision.
    dtype = max(state["model"].values(), key=lambda tensor: tensor.is_floating_point() * tensor.numel()).dtype
    made = {
        **state,
        "model": {key: tensor.to(dtype) for key, tensor in model.state_dict().items()},
        **without_optimizer(updates=0),
    }
    if isinstance(state.get("args"), Namespace):
        # There it is the settings of the task, too, of which this is no name.
        return made | {"args": Namespace(**{k: v for k, v in vars(settings).items() if k != "_name"})}
    return made | {"cfg": {**state["cfg"], "model": settings}}
