"""The mean of a training's last checkpoints: often half a BLEU point better than any one of them."""

import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from alone_fairseq.checkpoint.files import load_checkpoint, update_number
from alone_fairseq.errors import UserError
from alone_fairseq.filters import PROBE_SLACK

FINGERPRINTS = ("filter_probe", "word_probe")  # which tell what the weights are for
# checkpoint_EPOCH_UPDATE.pt, or checkpointEPOCH.pt at the end of an epoch; so neither best nor last.
CHECKPOINT_NAME = re.compile(r"checkpoint(?:_\d+_(\d+)|\d+)\.pt")


def newest_checkpoints(folder: str | os.PathLike, count: int) -> list[Path]:
    """The ``count`` checkpoints of ``folder`` with the largest numbers of updates, the newest first.

    Raises:
        UserError: there are fewer.
    """
    by_update = {}
    for path in sorted(Path(folder).iterdir()):
        if name := CHECKPOINT_NAME.fullmatch(path.name):
            update = int(name[1]) if name[1] else update_number(load_checkpoint(path))
            by_update[update] = path
    if len(by_update) < count:
        raise UserError(
            f"{folder}: has {len(by_update)} checkpoints (best and last not counted), not {count};"
            f" choose {'a smaller --last' if by_update else 'the folder of a training (--save-dir)'}"
        )
    return [by_update[update] for update in sorted(by_update, reverse=True)[:count]]


def average(paths: Sequence[Path]) -> dict[str, Any]:
    """A checkpoint with the mean of the weights in ``paths``, everything else as in the first.

    The state of the optimizer and of moving averages is left out: it belongs to other weights.

    Raises:
        UserError: they are not checkpoints of one model.
    """
    state = load_checkpoint(paths[0])
    newest = state["model"]
    total = {
        key: tensor.to(torch.float64, copy=True) if tensor.is_floating_point() else tensor
        for key, tensor in newest.items()
    }
    for path in paths[1:]:
        model = load_checkpoint(path)["model"]
        _check_like(newest, model, path, paths[0])
        for key, tensor in model.items():
            if tensor.is_floating_point():
                total[key] += tensor
    mean = {
        key: (total[key] / len(paths)).to(tensor.dtype) if tensor.is_floating_point() else total[key]
        for key, tensor in newest.items()
    }
    extra_state = {key: value for key, value in state["extra_state"].items() if not key.startswith("ema")}
    model = _tied_like(newest, mean)
    return {**state, "model": model, "extra_state": extra_state, "last_optimizer_state": None}


def _check_like(newest, model, path, first):
    """Refuse weights of another model than ``newest``, those of ``first``."""
    if newest.keys() != model.keys():
        key = min(newest.keys() ^ model.keys())
        raise UserError(f"{path}: not of the same model as {first}: {key} is in only one of them")
    for key, tensor in model.items():
        other = newest[key]
        if tensor.shape != other.shape:
            shapes = f"{tuple(tensor.shape)} and {tuple(other.shape)}"
            raise UserError(f"{path}: not of the same model as {first}: the shapes of {key} are {shapes}")
        if not tensor.is_floating_point() and not torch.equal(tensor, other):
            raise UserError(f"{path}: {key} holds whole numbers other than in {first}, which have no mean")
        if key.endswith(FINGERPRINTS) and not _same_fingerprint(tensor, other):
            raise UserError(f"{path}: not of the same model as {first}: {key} is of other filters or words")


def _same_fingerprint(one, other):
    return torch.allclose(one.float(), other.float(), rtol=0, atol=PROBE_SLACK)


def _tied_like(model, mean):
    """Make keys of ``mean`` one tensor where they are one in ``model``, so that it is saved once."""
    tied, owner = {}, {}
    for key, tensor in model.items():
        place = tensor.data_ptr(), tensor.shape, tensor.stride()
        same = mean[owner.setdefault(place, key)]
        tied[key] = same if torch.equal(same, mean[key]) else mean[key]
    return tied
