"""What a checkpoint consists of, counted from its tensors without building the model."""

import itertools
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from alone_fairseq.checkpoint.files import load_checkpoint, recorded_updates, settings_of
from alone_fairseq.filters import FilterSpec
from alone_fairseq.given_filters import SAVED

# An untied output projection is the decoder's third embedding.
EMBEDDING = re.compile(r"(.*\b(?:embed_tokens|output_embedding|output_projection))\.(.+)")
STUDENT = re.compile(r"(student)\.(?:embedding\.)?(.+)")  # of word vectors: an embedding as a whole
BUFFERS = {"version", "_float_tensor", "filter_probe", "word_probe", SAVED}  # last parts of names, no parameters


@dataclass(frozen=True)
class Contents:
    """The sizes of a checkpoint.

    Attributes:
        parameters: all of the model's; tied ones count once.
        trained: those of them that are trained.
        embedding_parameters: those of them that make word embeddings and an output projection.
        file_bytes, model_bytes, embedding_bytes: of the file, of its weights, of its embeddings' weights.
        updates: how many it was trained for; None if that is not recorded.
        embeddings: for each embedding module its sizes, by the names of ``sizes.Sizes`` as far as they are
            known: a checkpoint with ALONE does not tell the number of words. Empty for a student of sub-words.
        teacher_values: of a student of word vectors, how many values its teacher has; else None.
    """

    parameters: int
    trained: int
    embedding_parameters: int
    file_bytes: int
    model_bytes: int
    embedding_bytes: int
    updates: int | None
    embeddings: dict[str, dict[str, Any]]
    teacher_values: int | None = None


def read_contents(path: str | os.PathLike) -> tuple[Contents, dict[str, Any]]:
    """Measure a checkpoint; returns what was found, and the checkpoint itself."""
    state = load_checkpoint(path)
    settings = settings_of(state, "model")
    student = "student.word_probe" in state["model"]
    pattern = STUDENT if student else EMBEDDING
    modules = distinct(embedding_modules(state["model"], pattern))
    embedding_parameters = sum(map(count, modules.values()))
    others = {key: tensor for key, tensor in state["model"].items() if not pattern.fullmatch(key)}
    parameters = embedding_parameters + count(others)
    frozen = sum(len(tensors["base"]) for tensors in modules.values() if "base" in tensors)
    embeddings, teacher_values = {name: measure(tensors, settings) for name, tensors in modules.items()}, None
    if student:
        words, dim = len(state["task_state"]["words"]), state["task_state"]["embedding_dim"]
        teacher_values = words * dim
        of_words = settings.get("student", "words") == "words"
        embeddings = {"student": {**embeddings["student"], "vocab": words}} if of_words else {}
    contents = Contents(
        parameters=parameters,
        trained=parameters - (frozen if settings.get("alone_freeze_base") else 0),
        embedding_parameters=embedding_parameters,
        file_bytes=os.path.getsize(path),
        model_bytes=stored_bytes(state["model"].values()),
        embedding_bytes=stored_bytes(t for key, t in state["model"].items() if pattern.fullmatch(key)),
        updates=recorded_updates(state),
        embeddings=embeddings,
        teacher_values=teacher_values,
    )
    return contents, state


def embedding_modules(model: Mapping[str, Tensor], pattern: re.Pattern) -> dict[str, dict[str, Tensor]]:
    """{name of an embedding module: {name in it: tensor}}."""
    modules: dict[str, dict[str, Tensor]] = {}
    for key, tensor in model.items():
        if match := pattern.fullmatch(key):
            modules.setdefault(match[1], {})[match[2]] = tensor
    return modules


def distinct(modules: Mapping[str, Mapping[str, Tensor]]) -> dict[str, Mapping[str, Tensor]]:
    """Leave out modules that are tied to an earlier one: a model saved from a GPU holds them as copies."""
    kept: dict[str, Mapping[str, Tensor]] = {}
    for name, tensors in modules.items():
        if not any(same(tensors, other) for other in kept.values()):
            kept[name] = tensors
    return kept


def same(one: Mapping[str, Tensor], other: Mapping[str, Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[key], other[key]) for key in one)


def count(tensors: Mapping[str, Tensor]) -> int:
    """Number of parameters among named tensors."""
    return sum(t.numel() for key, t in tensors.items() if key.rpartition(".")[2] not in BUFFERS)


def stored_bytes(tensors) -> int:
    """Bytes of tensors on disk, where those that share memory are stored once."""
    storages = (tensor.untyped_storage() for tensor in tensors)
    return sum({storage.data_ptr(): storage.nbytes() for storage in storages}.values())


def measure(tensors: Mapping[str, Tensor], settings: Mapping[str, Any]) -> dict[str, Any]:
    """Sizes of an embedding from its tensors and, for its filters, from the model's settings."""
    if "base" in tensors:
        names = (f"weights.{layer}" for layer in itertools.count())
        weights = [tensors[name] for name in itertools.takewhile(tensors.__contains__, names)]
        given = tensors.get(f"filter_store.{SAVED}")
        filters = {
            "filter": settings.get("alone_filter", "real"),
            "codebooks": settings.get("alone_codebooks", FilterSpec.codebooks),
            "codes": settings.get("alone_codes", FilterSpec.codes),
        }
        if given is not None:  # which are like independent ones
            binary = bool(((given == 0) | (given == 1)).all())
            filters |= {
                "vocab": len(given),
                "filter": "binary" if binary else "real",
                "codebooks": 0,
                "given": True,
            }
        return {
            "dim": len(weights[-1]),
            "base_dim": len(tensors["base"]),
            "layers": len(weights),
            **({"inter_dim": len(weights[0])} if len(weights) > 1 else {}),
            **filters,
            "center": "bias" in tensors,
            "own_rows": len(tensors.get("own", ())),
            "freeze_base": settings.get("alone_freeze_base", False),
        }
    if "projection" in tensors:
        vocab, factorized_dim = tensors["table"].shape
        return {"vocab": vocab, "dim": len(tensors["projection"]), "factorized_dim": factorized_dim}
    table = tensors.get("table", tensors.get("weight"))
    return {} if table is None else {"vocab": table.shape[0], "dim": table.shape[1]}
