"""Trained students in files: fairseq's checkpoints, and small files in safetensors format, without pickle.

A small file holds the parameters; its metadata hold the settings and the words, from which all else follows.
"""

import json
import os
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save

from alone_fairseq.checkpoint.files import load_checkpoint, load_safetensors, settings_of
from alone_fairseq.errors import UserError
from alone_fairseq.reconstruction.config import build_student, student_settings
from alone_fairseq.reconstruction.student import Student

FORMAT = "alone_fairseq student 1"
TASK = "embedding_reconstruction"


def load_student(path: str | os.PathLike) -> Student:
    """The student in a checkpoint of ``--task embedding_reconstruction`` or in a small file, for inference.

    In float32 and on the CPU. ``student.vectors(["word"])`` gives vectors; its parameters can be trained on.

    Raises:
        UserError: it is damaged, holds no student, or one with weights that are not finite.
        OSError: it is not there.
    """
    path = Path(path)
    read = _small_file if path.suffix == ".safetensors" else _checkpoint
    try:
        settings, state, weights = read(path)
        words, embedding_dim = state["words"], state["embedding_dim"]
        if not all(isinstance(word, str) for word in words) or type(embedding_dim) is not int:
            raise TypeError(words)
        student = build_student(student_settings(settings), words, embedding_dim)
        student.load_state_dict({name: tensor.float() for name, tensor in weights.items()})
        if not all(parameter.isfinite().all() for parameter in student.parameters()):
            raise UserError("has weights that are not finite: its training has diverged; lower the learning rate")
    except UserError as error:
        raise UserError(f"{path}: {str(error).removeprefix(f'{path}: ')}") from error
    except (KeyError, TypeError, ValueError, RuntimeError, AttributeError) as error:
        raise UserError(
            f"{path}: what is in it does not make a student: {' '.join(str(error).split())}"
        ) from error
    return student.eval()


def holds_student(path: str | os.PathLike) -> bool:
    """Whether a file is a student's, as far as its beginning tells."""
    if Path(path).suffix == ".safetensors":
        return True
    return _of_student(load_checkpoint(path))


def _of_student(state: Mapping[str, Any]) -> bool:
    task = settings_of(state, "task")
    return TASK in (task.get("_name"), task.get("task"))


def content(student: Student, dtype: torch.dtype = torch.float32) -> bytes:
    """The bytes of the small file.

    Raises:
        UserError: a weight is too large for ``dtype``.
    """
    held = student.state_dict()
    state = {name: tensor.detach().to("cpu", dtype).contiguous() for name, tensor in held.items()}
    for name, tensor in state.items():
        if tensor.isfinite().sum() < held[name].isfinite().sum():
            raise UserError(f"{name}: not finite in {str(dtype).removeprefix('torch.')}; leave out --half")
    described = {
        "format": FORMAT,
        "settings": json.dumps(
            {name: value for name, value in asdict(student.settings).items() if name != "_name"}
        ),
        "words": json.dumps({"words": student.words, "embedding_dim": student.embedding_dim}, ensure_ascii=False),
    }
    return save(state, described)


def _checkpoint(path: Path) -> tuple[Mapping[str, Any], Mapping[str, Any], Mapping[str, torch.Tensor]]:
    state = load_checkpoint(path)
    if not _of_student(state):
        raise UserError(f"no student in it: a checkpoint of --task {TASK} is wanted")
    weights = {name.removeprefix("student."): tensor for name, tensor in state["model"].items()}
    return settings_of(state, "model"), state["task_state"], weights


def _small_file(path: Path) -> tuple[Mapping[str, Any], Mapping[str, Any], Mapping[str, torch.Tensor]]:
    described, weights = load_safetensors(path)
    if described.get("format") != FORMAT:
        raise UserError("not a student that alone_fairseq wrote")
    return json.loads(described["settings"]), json.loads(described["words"]), weights
