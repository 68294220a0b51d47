"""What a stopped fit of ``alone compress`` has reached, in a file beside the output."""

import os
import sys
import time
from argparse import Namespace
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from alone_fairseq.checkpoint.files import replacing, save_checkpoint
from alone_fairseq.errors import UserError

SAVE_EVERY = 30  # seconds
FILES = ("checkpoint", "data")
SETTINGS = (
    "inter_dim",
    "own_rows",
    "base_dim",
    "layers",
    "filter",
    "codes_from",
    "seed",
    "updates",
    "source_lang",
    "target_lang",
)


class Unfinished:
    """The states of the fits that a command makes.

    Args:
        path: of the file; if it is there, its states are gone on with.
        arguments: of the command: a fit goes on with the same ``FILES`` and ``SETTINGS`` only.

    Raises:
        UserError: the file is damaged, or left by a fit with others.
    """

    def __init__(self, path: Path, arguments: Namespace):
        self.path = path
        self.arguments = {name: os.path.realpath(getattr(arguments, name)) for name in FILES}
        self.arguments |= {name: str(getattr(arguments, name)) for name in SETTINGS}
        self.states: dict[str, dict[str, Any]] = {}
        self.newest: tuple[str, Callable[[], dict[str, Any]]] | None = None
        self.saved = time.monotonic()
        if path.exists():
            self._read()

    def _read(self) -> None:
        try:
            content = torch.load(self.path, map_location="cpu", weights_only=True)
            theirs, self.states = content["arguments"], dict(content["states"])
            whole = theirs.keys() == self.arguments.keys()
            whole &= all(type(state["done"]) is int for state in self.states.values())
        except Exception:  # bytes of any kind can make an unpickler fail in any way
            whole = False
        if not whole:
            raise UserError(f"{self.path}: not what a stopped fit leaves; remove it")
        others = [
            value if name in FILES else f"--{name.replace('_', '-')} {value}"
            for name, value in theirs.items()
            if value != self.arguments[name]
        ]
        if others:
            raise UserError(
                f"{self.path}: left by a fit with {' '.join(others)}; go on with that, or remove the file"
            )

    def state(self, name: str) -> dict[str, Any] | None:
        """What was left of the embedding ``name``."""
        return self.states.get(name)

    def save(self, name: str, state_dict: Callable[[], dict[str, Any]], at_once: bool = False) -> None:
        """Called after each step; writes now and then."""
        self.newest = name, state_dict
        if not at_once and time.monotonic() - self.saved < SAVE_EVERY:
            return
        self.states[name] = state_dict()
        with replacing(self.path, force=True) as file:
            save_checkpoint({"arguments": self.arguments, "states": self.states}, file)
        self.saved = time.monotonic()

    def interrupted(self) -> None:
        """Write what there is."""
        if self.newest:
            self.save(*self.newest, at_once=True)
            print(f"{self.path}: keeps what is done; the same command goes on", file=sys.stderr)

    def remove(self) -> None:
        self.path.unlink(missing_ok=True)
