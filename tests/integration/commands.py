"""fairseq's commands as a user types them, and models as they build them; what the tests here share."""

import logging
import os
import re
import shlex
import signal
import subprocess
import sys
import time
from argparse import Namespace
from collections import Counter
from contextlib import contextmanager, redirect_stdout
from io import StringIO
from pathlib import Path
from types import ModuleType
from unittest import mock

import torch
from fairseq import checkpoint_utils, options, tasks
from fairseq_cli import train as fairseq_train

import alone_fairseq
from alone_fairseq import AloneEmbedding

RECIPES = Path(__file__).parents[2] / "recipes"
USER_DIR = Path(alone_fairseq.__file__).parent
SMALL = f"--user-dir {USER_DIR} --encoder-layers 1 --decoder-layers 1 --alone-inter-dim 32"
SMALL_LM = (
    f"--user-dir {USER_DIR} --task language_modeling --arch transformer_lm_alone --decoder-layers 1"
    " --decoder-embed-dim 16 --decoder-ffn-embed-dim 16 --decoder-attention-heads 2 --alone-inter-dim 32"
    " --tokens-per-sample 40"
)
SEARCH = f"--user-dir {USER_DIR} --cpu --beam 3 --no-progress-bar --required-batch-size-multiple 1"
TRAINING = (
    "--optimizer adam --lr 0.005 --max-tokens 400 --required-batch-size-multiple 1 --cpu --num-workers 0"
    " --no-progress-bar --disable-validation"
)


def run(command, line: str) -> str:
    """Run a module of ``fairseq_cli`` with a line of arguments in this process; what it prints and logs."""
    arguments, log = [command.__name__, *shlex.split(line)], logging.getLogger()
    handlers, level = log.handlers, log.level
    with mock.patch.object(sys, "argv", arguments), redirect_stdout(StringIO()) as output:
        log.handlers = [logging.StreamHandler(output)]
        log.setLevel(logging.INFO)
        try:
            command.cli_main()
        finally:
            log.handlers = handlers
            log.setLevel(level)
    return output.getvalue()


def start(command: str, line: str) -> subprocess.Popen:
    """Start a module of ``fairseq_cli`` with a line of arguments in a process of its own."""
    arguments = [sys.executable, "-m", f"fairseq_cli.{command}", *shlex.split(line)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    return subprocess.Popen(arguments, env=environment, text=True, **pipes)


def train(data, folder, line: str = "", model: str = f"{SMALL} --arch transformer_alone_tiny") -> Path:
    """Train a small model on ``data``; its last checkpoint."""
    run(fairseq_train, f"{data} --save-dir {folder} {TRAINING} {model} {line}")
    return folder / "checkpoint_last.pt"


def language_model_data(data, folder) -> Path:
    """``folder`` with the English side of ``data``, for a language model."""
    folder.mkdir()
    for source in data.glob("*.en-de.en.*"):
        (folder / source.name.replace(".en-de.en", "")).symlink_to(source)
    (folder / "dict.txt").symlink_to(data / "dict.en.txt")
    return folder


def build(data, line: str = "", arch: str = "transformer_alone_tiny", model: str = SMALL):
    """A model as fairseq-train would build it, and its task."""
    arguments = shlex.split(f"{data} {model} --arch {arch} {line}")
    settings = options.parse_args_and_arch(options.get_training_parser(), input_args=arguments)
    task = tasks.setup_task(settings)
    torch.manual_seed(1)
    return task.build_model(settings), task


def load(checkpoint, **overrides):
    """The model in a checkpoint and its task, loaded as fairseq-generate does."""
    (model,), _, task = checkpoint_utils.load_model_ensemble_and_task([str(checkpoint)], overrides or None)
    return model, task


def weights(checkpoint) -> dict[str, torch.Tensor]:
    """The weights in a checkpoint."""
    return torch.load(checkpoint, weights_only=True)["model"]


def as_old(checkpoint, path) -> Path:
    """The checkpoint at ``path`` as fairseq up to 0.9 wrote it: a Namespace of all settings, and meters."""
    state = torch.load(checkpoint, weights_only=True)
    settings = {}
    for part in ("task", "model"):
        held = state["cfg"][part]
        settings |= held if isinstance(held, dict) else vars(held)
    settings.pop("_name")
    state |= {"cfg": None, "args": Namespace(**settings | {"task": "translation", "criterion": "cross_entropy"})}
    with meters(state):
        torch.save(state, path)
    return path


@contextmanager
def meters(state):
    """Put an object of fairseq.meters, which today's fairseq has not, into a checkpoint to be saved."""
    module = ModuleType("fairseq.meters")
    module.AverageMeter = type("AverageMeter", (), {"__module__": "fairseq.meters"})
    state["extra_state"]["train_meters"] = {"loss": module.AverageMeter()}
    state["extra_state"]["train_meters"]["loss"].val = 3.0
    with mock.patch.dict(sys.modules, {"fairseq.meters": module}):
        yield


def count_calls(monkeypatch, *names: str) -> Counter:
    """Count calls of methods of ``AloneEmbedding`` from now on."""
    calls = Counter(dict.fromkeys(names, 0))
    for name in names:
        original = getattr(AloneEmbedding, name)

        def counted(self, *inputs, name=name, original=original):
            calls[name] += 1
            return original(self, *inputs)

        monkeypatch.setattr(AloneEmbedding, name, counted)
    return calls


def sentences(task, count: int = 4) -> dict:
    """A batch of the task's training data."""
    task.load_dataset("train")
    data = task.dataset("train")
    return data.collater([data[i] for i in range(count)])


def lines(kind: str, log: str) -> list[str]:
    """The lines of one kind (S, H, ...) in the output of fairseq-generate, in the order of the input."""
    found = re.findall(rf"^{kind}-(\d+)\t(.*)$", log, re.M)
    return [text for _, text in sorted(found, key=lambda match: int(match[0]))]


def environment(**variables: str) -> dict[str, str]:
    """In which the commands of the environment that runs the tests come first."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    return {**os.environ, "PATH": path, "OMP_NUM_THREADS": "1", **variables}


def call(*command, **variables: str) -> subprocess.CompletedProcess:
    """Run a command, in an environment with these variables, too."""
    words = list(map(str, command))
    return subprocess.run(words, env=environment(**variables), capture_output=True, text=True, timeout=900)


def refusal(result: subprocess.CompletedProcess) -> str:
    """The one line with which a recipe refuses to go on."""
    assert result.returncode != 0
    (line,) = result.stderr.splitlines()
    return line


def files(folder: Path) -> dict[Path, tuple[int, int]]:
    """When each file was changed, and its size."""
    return {path: (path.stat().st_mtime_ns, path.stat().st_size) for path in folder.rglob("*") if path.is_file()}


def kill_when(command: list, ready, **variables: str) -> None:
    """Start a recipe, and kill all of it as soon as ``ready()``."""
    process = subprocess.Popen(
        list(map(str, command)), env=environment(**variables), start_new_session=True,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    deadline = time.monotonic() + 300
    while not ready():
        assert process.poll() is None, "it ended before it could be killed"
        assert time.monotonic() < deadline
        time.sleep(0.005)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def fake(folder: Path, name: str, script: str) -> str:
    """A PATH on which a command is this script."""
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(f"#!/usr/bin/env bash\n{script}\n")
    (folder / name).chmod(0o755)
    return os.pathsep.join([str(folder), environment()["PATH"]])
