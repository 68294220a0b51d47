"""Which checkpoints may be built into a model.

A checkpoint that holds data alone can still run code: fairseq evaluates the text of some settings as Python.
So only models and tasks are built of which it is known which settings these are, and with none of them.
"""

from argparse import Namespace
from collections.abc import Iterator, Mapping
from typing import Any

from alone_fairseq.checkpoint.files import settings_of
from alone_fairseq.errors import UserError

TASKS = ("translation", "headline_generation", "language_modeling")
EVALUATED = ("xformers_att_config", "adaptive_softmax_cutoff")  # ends of names, if the value is text


def check_trusted(path: str, state: Mapping[str, Any]) -> None:
    """Refuse a checkpoint whose settings might be run.

    Raises:
        UserError: it is of another model or task than this package's and fairseq's Transformer for
            translation, or has a setting that fairseq would evaluate, or it is not the file that fairseq loads.
    """
    from fairseq.checkpoint_utils import get_maybe_sharded_checkpoint_filename
    from fairseq.models import ARCH_MODEL_REGISTRY, MODEL_REGISTRY
    from fairseq.models.transformer import TransformerModel

    loaded = get_maybe_sharded_checkpoint_filename(str(path), suffix="", shard_idx=0, num_shards=1)
    if loaded != str(path):
        raise UserError(f"{path}: refused: fairseq would load {loaded} in its place; move that away")
    model, task = settings_of(state, "model"), settings_of(state, "task")
    for name in names(path, model, "model", "arch"):
        kind = ARCH_MODEL_REGISTRY.get(name) or MODEL_REGISTRY.get(name)
        if kind is not TransformerModel and not getattr(kind, "__module__", "").startswith("alone_fairseq."):
            raise UserError(f"{path}: refused: {name} is neither this package's model nor fairseq's transformer")
    for name in names(path, task, "task", "task"):
        if name not in TASKS:
            raise UserError(f"{path}: refused: trained for the task {name}, not for {' or '.join(TASKS)}")
    for name, value in flatten(model):
        if not (isinstance(name, str) and name.isidentifier()):  # fairseq takes names apart
            raise UserError(f"{path}: refused: a setting cannot be called {name!r}")
        if name.endswith(EVALUATED) and isinstance(value, str):
            raise UserError(f"{path}: refused: fairseq would run the text of its setting {name} as code")
        if isinstance(value, str) and "${" in value:  # OmegaConf would look for the value elsewhere
            raise UserError(f"{path}: refused: its setting {name} stands for another one, {value}")


def names(path: str, settings: Mapping[str, Any], part: str, key: str) -> set[str]:
    """What a model or task is called, by newer and older fairseq, which without a name looks elsewhere."""
    found = [name for name in (settings.get("_name"), settings.get(key)) if name is not None]
    if not found or not all(isinstance(name, str) for name in found):
        raise UserError(f"{path}: refused: its {part} has no name")
    return set(found)


def flatten(settings: Mapping[str, Any]) -> Iterator[tuple[Any, Any]]:
    """All settings: groups, as newer configurations have them, and what is in them."""
    for name, value in settings.items():
        yield name, value
        if isinstance(value, Mapping | Namespace):
            yield from flatten(value if isinstance(value, Mapping) else vars(value))
