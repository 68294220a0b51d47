"""Data of any size for the benchmarks: words drawn by Zipf's law, binarised by fairseq."""

import argparse
import subprocess
import sys
from pathlib import Path

import numpy as np

SPECIAL = 4  # of fairseq's dictionary: <s>, <pad>, </s>, <unk>


def words(text: str) -> int:
    """A number of words, for argparse."""
    number = int(text)
    if number <= SPECIAL:
        raise argparse.ArgumentTypeError(f"must be above {SPECIAL}, the words of every dictionary, not {number}")
    return number


def binarise(folder: Path, vocab: int, sentences: int, longest: int = 40) -> Path:
    """Fill ``folder`` with a training and a test set from xx to yy, with one dictionary of ``vocab`` words.

    A sentence is as long as its translation, so that a batch is full on both sides.
    """
    folder.mkdir(parents=True, exist_ok=True)
    names = np.array([f"w{number}" for number in range(vocab - SPECIAL)])
    dictionary = folder / "dict.txt"
    dictionary.write_text("".join(f"{word} {vocab - rank}\n" for rank, word in enumerate(names)))
    generator = np.random.default_rng(1)
    frequencies = 1 / np.arange(3, len(names) + 3)
    for name in ("train", "test"):
        lengths = generator.integers(longest // 2, longest, sentences)
        for language in ("xx", "yy"):
            lines = [generator.choice(names, n, p=frequencies / frequencies.sum()) for n in lengths]
            (folder / f"{name}.{language}").write_text("".join(" ".join(line) + "\n" for line in lines))
    command = f"--source-lang xx --target-lang yy --trainpref {folder}/train --testpref {folder}/test"
    command += f" --joined-dictionary --srcdict {dictionary} --destdir {folder}/bin"
    run("preprocess", command.split())
    return folder / "bin"


def run(command: str, arguments: list[str]) -> str:
    """Run a command of fairseq in a process of its own; what it printed."""
    line = [sys.executable, "-m", f"fairseq_cli.{command}", *arguments]
    done = subprocess.run(line, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"fairseq-{command} {' '.join(arguments)}\n{done.stdout}{done.stderr}")
    return done.stdout + done.stderr
