"""A checkpoint: may it be loaded, what does it need, and do the dictionaries of some data fit it?"""

from collections.abc import Mapping
from pathlib import Path
from textwrap import shorten
from typing import Any

from alone_fairseq.checkpoint.files import load_checkpoint, meters_are_data, settings_of
from alone_fairseq.checkpoint.trust import check_trusted
from alone_fairseq.diagnosis import Finding, ok, problem
from alone_fairseq.errors import UserError


def load(path: str) -> tuple[Finding, dict[str, Any] | None]:
    """The checkpoint, or None and why not; does without fairseq."""
    try:
        return ok(f"{path}: a checkpoint, and safe to load"), load_checkpoint(path)
    except UserError as error:
        return problem(str(error)), None
    except IsADirectoryError:
        return problem(f"{path}: is a folder: give a file in it, such as checkpoint_best.pt"), None
    except OSError as error:
        return problem(f"{path}: {error.strerror or error}"), None


def model(path: str, state: Mapping[str, Any]) -> Finding:
    """Where the checkpoint's model comes from, and so what fairseq's commands need to be told."""
    from fairseq.models import ARCH_MODEL_REGISTRY, MODEL_REGISTRY

    settings = settings_of(state, "model")
    name = settings.get("_name") or settings.get("arch")
    found = ARCH_MODEL_REGISTRY.get(name) or MODEL_REGISTRY.get(name)
    if found is None:
        return problem(
            f"{path}: its model {name} is neither fairseq's nor this package's, so that fairseq says"
            ' "Could not infer model type": give it the --user-dir of the plugin that it was trained with'
        )
    if found.__module__.startswith("alone_fairseq."):
        said = '"Weights only load failed" or "Could not infer model type"'
    else:  # the checkpoint holds a Namespace, which is safe once this package has said so
        said = '"Weights only load failed"'
    needs = ""
    if settings.get("length_control") not in (None, "none"):
        needs = "; a search must be told a length: --task headline_generation --desired-length N"
    return ok(f"{path}: {name}; without --user-dir fairseq says {said}{needs}")


def dictionaries(path: str, state: Mapping[str, Any], data: Path) -> Finding:
    """Build the model with the dictionaries in ``data``, and load its weights."""
    from fairseq import checkpoint_utils

    try:
        check_trusted(path, state)
        overrides = {"data": str(data), "eval_bleu": False, **languages(state, data)}
        with meters_are_data():
            checkpoint_utils.load_model_ensemble_and_task([path], overrides)
    except (Exception, SystemExit) as error:  # each model and task has its own ways to fail
        reason = shorten(str(error) or type(error).__name__, 300)
        return problem(f"{path} does not fit {data}: give the data that it was trained with ({reason})")
    return ok(f"{path} fits the number of words in {data}; which words they are, no checkpoint tells")


def languages(state: Mapping[str, Any], data: Path) -> dict[str, str]:
    """What neither the checkpoint nor the names of the data may tell, from ``tokenizer.json``."""
    from alone_fairseq.text import TextSettings

    task = settings_of(state, "task")
    if "source_lang" not in task or task["source_lang"] or not (data / "tokenizer.json").is_file():
        return {}
    settings = TextSettings.load(data / "tokenizer.json")
    return {"source_lang": settings.source_lang, "target_lang": settings.target_lang}
