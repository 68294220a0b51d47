"""Files that commands read and write: nothing half-written, nothing lost, nothing run on loading."""

import os
import pickle
import re
import shutil
import warnings
import zipfile
from argparse import Namespace
from collections.abc import Iterator, Mapping, Set
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO

import torch
from safetensors import SafetensorError, safe_open
from torch.serialization import safe_globals

from alone_fairseq.errors import UserError

# Objects that fairseq up to 0.9 left in its checkpoints: times and counts, of no use here.
METERS = [f"fairseq.meters.{name}" for name in ("AverageMeter", "TimeMeter", "StopwatchMeter")]
WRITTEN = {".pt", ".safetensors", ".vec"}  # what commands may have left among data, and is no part of them
FAIRSEQ_KEYS = {"model", "optimizer_history", "extra_state"}  # without them fairseq cannot load a file


class Meter:
    """Stands for a meter of an old checkpoint: takes what it held, and does nothing."""


def meters_are_data() -> safe_globals:
    """Within this block ``torch.load`` takes them, too, without any code of theirs."""
    return safe_globals([(Meter, name) for name in METERS])


def check_other_file(output: str | os.PathLike, *sources: str | os.PathLike | None) -> None:
    """Refuse to write over what is read, --force or not: a file, or one of a folder of data; None is nothing."""
    if not os.path.exists(output):
        return
    for source in (Path(source) for source in sources if source):
        for path in [source, *_data_files(source)]:
            if path.exists() and os.path.samefile(output, path):
                raise UserError(f"{output}: is a file to read; name another one to write")


def _data_files(folder: Path) -> Iterator[Path]:
    """Those in a folder of data, and the codes of BPE, which need not be in it; of anything else, none."""
    if not folder.is_dir():
        return
    yield from (path for path in folder.iterdir() if path.suffix not in WRITTEN)
    from alone_fairseq.text import TextSettings  # needs fairseq, which some that load a file do without

    with suppress(UserError):  # whoever reads tokenizer.json says what is wrong with it
        if codes := TextSettings.load(folder / "tokenizer.json").codes:
            yield codes


@contextmanager
def replacing(path: str | os.PathLike, force: bool = False) -> Iterator[BinaryIO]:
    """A binary file to write to, which becomes ``path`` when the block ends without an error.

    Raises:
        UserError: ``path`` is there already and ``force`` is off, or cannot be written. Where an error in the
            block names the file, which was read again, it names ``path``.
    """
    path = Path(path)
    if path.exists() and not path.is_file():
        raise UserError(f"{path}: is a folder or a device; name a file to write")
    if os.path.lexists(path) and not force:  # a link that leads nowhere is something, too
        raise UserError(f"{path}: exists already; add --force to replace it")
    # Beside the target, for a move is only atomic within one file system.
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with open(temporary, "wb") as file:
            yield file
        os.replace(temporary, path)
    except UserError as error:
        if str(temporary) not in str(error):
            raise
        raise UserError(f"{str(error).replace(str(temporary), str(path))}; nothing is written") from error
    except OSError as error:
        if error.filename is not None and Path(error.filename) != temporary:
            raise  # about a file that is read meanwhile
        raise UserError(f"{path}: cannot be written: {error.strerror or error}") from error
    finally:
        if os.path.exists(temporary):
            os.remove(temporary)


@contextmanager
def replacing_folder(path: str | os.PathLike, force: bool, names: Set[str]) -> Iterator[Path]:
    """An empty folder to write to, which becomes ``path`` when the block ends without an error.

    Args:
        names: those of the files that may be written; a folder with any others in it is not replaced.

    Raises:
        UserError: ``path`` is there already, not empty, and ``force`` is off or something else is in it; or it
            cannot be written.
    """
    path = Path(path).resolve()
    if path.exists() and not path.is_dir():
        raise UserError(f"{path}: is a file; name a folder to write")
    if path == Path.cwd():
        raise UserError(f"{path}: is the folder you are in; name another one")
    if path.exists() and any(path.iterdir()) and not force:
        raise UserError(f"{path}: is not empty; add --force to replace it")
    if path.exists() and (others := sorted({file.name for file in path.iterdir()} - names)):
        raise UserError(f"{path}: holds {others[0]}, which is no file of this format; name another folder")
    temporary, old = (path.with_name(f".{path.name}.{os.getpid()}{end}") for end in ("", ".old"))
    try:
        temporary.mkdir()
        yield temporary
        try:
            if path.exists():
                path.rename(old)
            temporary.rename(path)
        except BaseException:
            if old.exists() and not path.exists():
                old.rename(path)
            raise
        shutil.rmtree(old, ignore_errors=True)
    except OSError as error:
        if error.filename is not None and not Path(error.filename).is_relative_to(temporary):
            raise  # about something that is read meanwhile
        raise UserError(f"{path}: cannot be written: {error.strerror or error}") from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def save_checkpoint(state: dict[str, Any], file: BinaryIO) -> None:
    """``torch.save``, with an ``OSError`` when the disk is full."""
    try:
        torch.save(state, file)
    except RuntimeError as error:
        # torch complains about its own archive; the reason is in the error before it.
        raise error.__context__ if isinstance(error.__context__, OSError) else error from None


def load_checkpoint(path: str | os.PathLike) -> dict[str, Any]:
    """A checkpoint of fairseq, on the CPU; its tensors are read from disk when they are used.

    Raises:
        UserError: it is cut short, no checkpoint of fairseq, or would run code if it were unpickled.
        OSError: it is not there or may not be read.
    """
    state = _load(path, "a checkpoint")
    if not _is_fairseq(state):
        raise UserError(f"{path}: not a checkpoint of fairseq: no model with its configuration in it")
    return {**state, "extra_state": _without_meters(state["extra_state"])}


def load_tensor(path: str | os.PathLike) -> torch.Tensor:
    """A file with one tensor, on the CPU.

    Raises:
        UserError: it is cut short, holds something else, or would run code if it were unpickled.
        OSError: it is not there or may not be read.
    """
    tensor = _load(path, "a tensor")
    if not isinstance(tensor, torch.Tensor):
        raise UserError(f"{path}: not a file with one tensor")
    return tensor


def load_safetensors(path: str | os.PathLike) -> tuple[dict[str, str], dict[str, torch.Tensor]]:
    """The metadata of a file in safetensors format, and its tensors, on the CPU.

    Raises:
        UserError: it is not there, cut short, or of another format.
    """
    if not Path(path).is_file():
        raise UserError(f"{path}: not there")
    try:
        with safe_open(path, "pt") as file:
            return file.metadata() or {}, {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except SafetensorError as error:
        raise UserError(f"{path}: not a safetensors file, or cut short: {error}") from error


def _load(path, kind: str) -> Any:
    with open(path, "rb") as file:
        mmap = zipfile.is_zipfile(file)  # as torch.save writes it since PyTorch 1.6
    damaged = UserError(f"{path}: not {kind}, or cut short; if it was copied, copy it again")
    try:
        with warnings.catch_warnings(action="ignore"), meters_are_data():
            return torch.load(path, map_location="cpu", weights_only=True, mmap=mmap)
    except pickle.UnpicklingError as error:
        name = re.search(r"GLOBAL (\S+)", str(error))
        if name is None:
            raise damaged from error
        raise UserError(f"{path}: refused: loading it would call {name[1]}; only data is loaded") from error
    except Exception as error:  # bytes of any kind can make an unpickler fail in any way
        raise damaged from error


def _without_meters(value: Any) -> Any:
    if not isinstance(value, Mapping):
        return value
    return {key: _without_meters(held) for key, held in value.items() if not isinstance(held, Meter)}


def _is_fairseq(state: Any) -> bool:
    if not isinstance(state, dict) or not state.keys() >= FAIRSEQ_KEYS:
        return False
    model, old, groups = state["model"], state.get("args"), state.get("cfg")
    if old is not None:  # then it counts for fairseq, whatever it is
        configured = isinstance(old, Namespace)
    else:
        configured = isinstance(groups, Mapping) and all(
            isinstance(groups.get(part), Mapping | Namespace) for part in ("model", "task")
        )
    return (
        configured
        and isinstance(state["extra_state"], Mapping)
        and isinstance(state["optimizer_history"], list)
        and all(isinstance(held, Mapping) for held in state["optimizer_history"])
        and isinstance(model, dict)
        and len(model) > 0
        and all(isinstance(key, str) and isinstance(value, torch.Tensor) for key, value in model.items())
    )


def without_optimizer(updates: int) -> dict[str, Any]:
    """What fairseq looks for in a checkpoint beside model and configuration, without an optimizer's state."""
    return {
        "optimizer_history": [{"optimizer_name": "FairseqAdam", "lr_scheduler_state": {}, "num_updates": updates}],
        "extra_state": {"train_iterator": {"epoch": 1}},
        "last_optimizer_state": None,
    }


def settings_of(state: Mapping[str, Any], part: str) -> Mapping[str, Any]:
    """The settings of a checkpoint's ``part``, ``model`` or ``task``, whichever fairseq wrote it."""
    found = state["args"] if isinstance(state.get("args"), Namespace) else state["cfg"][part]
    return vars(found) if isinstance(found, Namespace) else found


def recorded_updates(state: Mapping[str, Any]) -> int | None:
    """Number of updates that a checkpoint had been trained for, if it says so; fairseq can do without."""
    history = state["optimizer_history"]
    return history[-1].get("num_updates") if history else None


def update_number(state: Mapping[str, Any]) -> int:
    """The same of a checkpoint that must say so.

    Raises:
        UserError: it does not.
    """
    updates = recorded_updates(state)
    if updates is None:
        raise UserError("a checkpoint does not say how many updates it was trained for")
    return updates
