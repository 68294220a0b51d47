"""What a stopped fit of ``alone compress`` has reached, in a file beside the output.

The file is a SHA-256 digest, 32 bytes, and what ``torch.save`` writes: a damaged state could go on in silence.
"""

import hashlib
import os
import sys
import time
from argparse import Namespace
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import torch

from alone_fairseq.checkpoint.files import replacing
from alone_fairseq.errors import UserError

SAVE_EVERY = 30  # seconds
FILES = ("checkpoint", "data")
EMBEDDING = ("inter_dim", "own_rows", "base_dim", "layers", "filter", "codes_from", "seed")  # of the new one
SETTINGS = (*EMBEDDING, "updates", "source_lang", "target_lang")


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
        self.states: dict[str, dict[str, Any]] = {}  # as read
        self.newest: dict[str, Callable[[], dict[str, Any]]] = {}  # of those that were gone on with
        self.saved = time.monotonic()
        if path.exists():
            self._read()

    def _read(self) -> None:
        content = self.path.read_bytes()
        digest, saved = content[: hashlib.sha256().digest_size], content[hashlib.sha256().digest_size :]
        if digest != hashlib.sha256(saved).digest():
            raise UserError(f"{self.path}: not what a stopped fit leaves, or damaged; remove it")
        content = torch.load(BytesIO(saved), map_location="cpu", weights_only=True)
        theirs, self.states = content["arguments"], content["states"]
        others = [
            value if name in FILES else f"--{name.replace('_', '-')} {value}"
            for name, value in theirs.items()
            if value != self.arguments.get(name)
        ]
        if others:
            raise UserError(
                f"{self.path}: left by a fit with {' '.join(others)}; go on with that, or remove the file"
            )

    def state(self, name: str) -> dict[str, Any] | None:
        """What was left of the embedding ``name``."""
        return self.states.get(name)

    def save(self, name: str, state_dict: Callable[[], dict[str, Any]]) -> None:
        """Called after each step; writes now and then."""
        self.newest[name] = state_dict
        if time.monotonic() - self.saved >= SAVE_EVERY:
            self._write()

    def _write(self) -> None:
        self.states |= {name: state_dict() for name, state_dict in self.newest.items()}
        content = BytesIO()
        torch.save({"arguments": self.arguments, "states": self.states}, content)
        with replacing(self.path, force=True) as file:
            file.write(hashlib.sha256(content.getbuffer()).digest())
            file.write(content.getbuffer())
        self.saved = time.monotonic()

    def interrupted(self) -> None:
        """Write what there is."""
        if self.newest:
            self._write()
            print(f"{self.path}: keeps what is done; the same command goes on", file=sys.stderr)

    def remove(self) -> None:
        self.path.unlink(missing_ok=True)
