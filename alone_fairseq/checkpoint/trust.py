"""Which checkpoints may be built into a model.

A checkpoint that holds data alone can still run code: fairseq evaluates the text of some settings as Python.
So only models and tasks are built of which it is known which settings these are, and with none of them.
"""

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
            translation, or has a setting that fairseq would evaluate.
    """
    from fairseq.models import ARCH_MODEL_REGISTRY, MODEL_REGISTRY
    from fairseq.models.transformer import TransformerModel

    model, task = settings_of(state, "model"), settings_of(state, "task")
    for name in {model.get("_name"), model.get("arch")} - {None}:
        kind = ARCH_MODEL_REGISTRY.get(name) or MODEL_REGISTRY.get(name)
        if kind is not TransformerModel and not getattr(kind, "__module__", "").startswith("alone_fairseq."):
            raise UserError(f"{path}: refused: {name} is neither this package's model nor fairseq's transformer")
    for name in {task.get("_name"), task.get("task")} - {None}:
        if name not in TASKS:
            raise UserError(f"{path}: refused: trained for the task {name}, not for {' or '.join(TASKS)}")
    for name, value in flatten(model):
        if name.endswith(EVALUATED) and isinstance(value, str):
            raise UserError(f"{path}: refused: fairseq would run the text of its setting {name} as code")
        if isinstance(value, str) and "${" in value:  # OmegaConf would look for the value elsewhere
            raise UserError(f"{path}: refused: its setting {name} stands for another one, {value}")


def flatten(settings: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """All settings, also those in groups, as newer configurations have them."""
    for name, value in settings.items():
        if isinstance(value, Mapping):
            yield from flatten(value)
        else:
            yield name, value
