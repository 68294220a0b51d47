"""Python, PyTorch, fairseq and where this package is: all that can be wrong before there are data.

Nothing here imports fairseq into this process, since it may be broken.
"""

import os
import subprocess
import sys
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

import torch

import alone_fairseq
from alone_fairseq.diagnosis import Finding, ok, problem, warning

FAIRSEQ = "fairseq-fixed==0.12.3.1"
REINSTALL = f"pip uninstall -y fairseq fairseq-fixed; pip install --no-cache-dir {FAIRSEQ}"

# fairseq itself imports its compiled parts only when it makes batches.
IMPORT = "import fairseq, fairseq.data.data_utils_fast, fairseq.data.token_block_utils_fast"

# What an import of fairseq says, and what that means.
IMPORT_ERRORS = {
    "No module named 'fairseq'": f"is not installed: pip install {FAIRSEQ}",
    "No module named 'fairseq.data.": f"lacks its compiled parts: {REINSTALL}",
    "mutable default": f"is too old for Python 3.11: {REINSTALL}",
    "has no attribute": f"does not go with the NumPy or PyTorch that is installed: {REINSTALL}",
    "numpy.dtype size changed": f"was compiled for another NumPy: {REINSTALL}",
    "compiled using NumPy": f"was compiled for another NumPy: {REINSTALL}",
    "multiarray failed to import": f"was compiled for another NumPy: {REINSTALL}",
}


def python() -> Finding:
    version = tuple(sys.version_info[:3])
    name = f"Python {'.'.join(map(str, version))}"
    if version < (3, 11):
        return problem(f"{name} is too old: make a virtual environment with Python 3.11 or 3.12")
    if version >= (3, 13):
        return problem(f"{name} is too new for fairseq: make a virtual environment with Python 3.11 or 3.12")
    return ok(name)


def pytorch() -> Finding:
    if torch.__version__ < (2, 9):
        reason = "loads checkpoints that run code" if torch.__version__ < (2, 6) else "has no Muon"
        return problem(f"PyTorch {torch.__version__} {reason}: pip install --upgrade 'torch>=2.9'")
    return ok(f"PyTorch {torch.__version__}")


def safe_loading() -> Finding:
    name = "TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD"
    if os.environ.get(name, "0") != "0":
        return problem(f"{name} is set, so that a checkpoint may run code; it is not needed: unset {name}")
    return ok(f"{name} is not set")


def distributions() -> Iterator[Finding]:
    found = [f"{name} {version}" for name in ("fairseq", "fairseq-fixed") if (version := installed(name))]
    if len(found) == 2:
        yield problem(f"{' and '.join(found)} are installed over each other: {REINSTALL}")
    elif found:
        yield ok(f"{found[0]} is installed")


def installed(name: str) -> str | None:
    """Version of a distribution, or None."""
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def fairseq() -> Finding:
    """Import fairseq as its commands do: in a process of its own, without the current folder on the path."""
    process = subprocess.run(
        [sys.executable, "-c", f"{IMPORT}; print(fairseq.__version__, fairseq.__path__[0])"],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONSAFEPATH": "1"},
    )
    if process.returncode == 0:
        version, folder = process.stdout.splitlines()[-1].split(" ", 1)
        return ok(f"fairseq {version} in {folder}")
    last_line = (process.stderr.strip().splitlines() or [f"exit status {process.returncode}"])[-1]
    for message, meaning in IMPORT_ERRORS.items():
        if message in process.stderr:
            return problem(f"fairseq {meaning} ({last_line})")
    return problem(f"fairseq does not import ({last_line}): {REINSTALL}")


def user_dir() -> Iterator[Finding]:
    here = Path(alone_fairseq.__file__).resolve().parent
    option = f'--user-dir "{here}"'
    others = [
        other
        for folder in dict.fromkeys(map(os.path.abspath, ["", *sys.path]))
        if (other := Path(folder, "alone_fairseq")).is_dir() and other.resolve() != here
    ]
    for other in others:
        yield warning(f"{other} is not the alone_fairseq in use: remove it, or give fairseq's commands {option}")
    if not others:
        yield ok(f"fairseq's commands need {option}, from whatever folder they start")
