"""What finished runs of a recipe have left in their folders, side by side: what the recipes' tables share.

A run's folder holds averaged.pt and train.log. That of a translation is named NAME[-VARIANT]-seedN and holds for
each test set SET.de, its translation, and SET.bleu, what sacrebleu said of it.
"""

import csv
import io
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from sacrebleu.metrics import BLEU
from sacrebleu.significance import PairedTest

from alone_fairseq.charts import chart
from alone_fairseq.checkpoint.contents import Contents, read_contents
from alone_fairseq.checkpoint.files import replacing, settings_of
from alone_fairseq.cli.plot import read_curve
from alone_fairseq.cli.tables import aligned
from alone_fairseq.errors import UserError

SCORE = re.compile(r"BLEU\|(\S+) = ([\d.]+)")
SIZES = {"inter_dim": "D_inter", "factorized_dim": "r", "dim": "D_e"}
NOT_RUN = "not run"
VARIANT = r"(?:-([\w.-]+?))?"  # of a folder's name


@dataclass
class Run:
    """A finished run.

    Attributes:
        system: what was trained: a system, or a row of a table.
        variant: in which way it is not what the recipe says, or "".
        settings: of the model, by the names of fairseq-train's options.
        minutes: of training, up to the newest of the averaged checkpoints.
        validation: the lowest loss (negative log-likelihood) on the validation set, in bits, up to the newest of
            the averaged checkpoints (a training may end within an epoch); None if unknown.
    """

    folder: Path
    system: str
    variant: str
    seed: int
    contents: Contents
    settings: Mapping[str, Any]
    minutes: float

    @property
    def size(self) -> str:
        """The number that its embedding's parameters hang on."""
        sizes = next(iter(self.contents.embeddings.values()))
        name = next(name for name in SIZES if name in sizes)
        return f"{SIZES[name]} = {sizes[name]:,}"

    def score(self, name: str) -> tuple[str, float]:
        """sacreBLEU's signature and score of a set, as the recipe has recorded them."""
        signature, score = SCORE.match((self.folder / f"{name}.bleu").read_text()).groups()
        return signature, float(score)

    def translations(self, name: str) -> list[str]:
        return read_lines(self.folder / f"{name}.de")

    @cached_property
    def validation(self) -> float | None:
        try:
            curve = read_curve(self.folder / "train.log", "nll_loss")
            return min((loss for updates, loss in curve.items() if updates <= self.contents.updates), default=None)
        except (UserError, OSError):
            return None


def trained_runs(
    work: Path, pattern: str, scored: Callable[[re.Match], str]
) -> Iterator[tuple[Path, re.Match, Contents, Mapping[str, Any], float]]:
    """Of each run with a file ``scored``: folder, name, what is in averaged.pt, and minutes of its training.

    While a training is taken up again there is no averaged.pt.
    """
    for folder in work.iterdir() if work.is_dir() else ():
        name = re.fullmatch(pattern, folder.name)
        if name and all((folder / needed).exists() for needed in ("averaged.pt", scored(name))):
            contents, state = read_contents(folder / "averaged.pt")
            yield folder, name, contents, state, state["extra_state"].get("previous_training_time", 0) / 60


def finished_runs(work: Path, systems: Iterable[str], last_set: str) -> list[Run]:
    """Runs with a score of ``last_set``: in the order of ``systems``, the larger ones first."""
    order = list(systems)
    # A name may be the beginning of another one.
    names = "|".join(sorted(map(re.escape, order), key=len, reverse=True))
    found = trained_runs(work, rf"({names}){VARIANT}-seed(\d+)", lambda name: f"{last_set}.bleu")
    runs = [
        Run(folder, name[1], name[2] or "", int(name[3]), contents, settings_of(state, "model"), minutes)
        for folder, name, contents, state, minutes in found
    ]
    return sorted(runs, key=lambda r: (order.index(r.system), -r.contents.embedding_parameters, r.variant, r.seed))


def signatures(runs: Iterable[Run], name: str) -> str:
    """Of the scores of a set: one, unless runs were scored by different versions or references."""
    return ", ".join(dict.fromkeys(run.score(name)[0] for run in runs))


def read_lines(path: Path) -> list[str]:
    # Not read_text(): it would take a carriage return within a line for the line's end.
    return path.read_bytes().decode().removesuffix("\n").split("\n")


def against_lookup(run: Run, runs: Sequence[Run], test: str, references: list[str]) -> str:
    """The difference in BLEU on ``test``, and the probability of one as large if there were none.

    By the paired bootstrap with 1,000 samples, against the lookup of the same seed.
    """
    if run.system == "lookup" and not run.variant:
        return "–"
    lookup = next((r for r in runs if r.system == "lookup" and not r.variant and r.seed == run.seed), None)
    if lookup is None:
        return NOT_RUN
    systems = [("lookup", lookup.translations(test)), (run.folder.name, run.translations(test))]
    _, scores = PairedTest(systems, {"BLEU": BLEU(references=[references])}, None, "bs")()
    base, result = scores["BLEU"]
    return f"{result.score - base.score:+.2f} (p = {result.p_value:.3f})"


def markdown(heads: Sequence[str], rows: Iterable[Sequence], left: int = 2) -> str:
    """A table whose first ``left`` columns are words."""
    lines = [heads, ["---"] * left + ["---:"] * (len(heads) - left), *rows]
    return "\n".join(f"| {' | '.join(map(str, line))} |" for line in lines)


def plain(heads: Sequence[str], rows: Iterable[Sequence], left: int = 2) -> str:
    return aligned([[str(cell) for cell in line] for line in (heads, *rows)], left)


def write_tables(
    stem: Path,
    heads: Sequence[str],
    rows: Sequence[Sequence],
    note: str,
    left: int = 2,
    below: tuple[Sequence[str], Sequence[Sequence]] | None = None,
) -> list[Path]:
    """Write STEM.txt and .md: a table, a note and ``below``, another's heads and rows; and STEM.csv, the first.

    Returns:
        the three paths.
    """
    comma = io.StringIO()
    csv.writer(comma, lineterminator="\n").writerows([heads, *rows])
    forms = {".txt": plain, ".md": markdown}
    texts = {
        end: "\n\n".join([form(heads, rows, left), note, *([form(*below)] if below else [])]) + "\n"
        for end, form in forms.items()
    }
    paths = []
    for end, text in (texts | {".csv": comma.getvalue()}).items():
        paths.append(stem.with_name(stem.name + end))
        with replacing(paths[-1], force=True) as file:
            file.write(text.encode())
    return paths


def plot_by_size(curves: dict[str, list[tuple[int, float]]], ylabel: str, file) -> None:
    """Write a PNG: for each label its (parameters, score), and a line through the means of each size."""
    with chart(file, "embedding parameters (millions)", ylabel) as axes:
        for label, points in curves.items():
            by_size: dict[float, list[float]] = {}
            for parameters, score in sorted(points):
                by_size.setdefault(parameters / 1e6, []).append(score)
            if by_size:
                means = [sum(scores) / len(scores) for scores in by_size.values()]
                (line,) = axes.plot(by_size.keys(), means, label=label)
                crowd = [(size, score) for size, scores in by_size.items() for score in scores]
                axes.scatter(*zip(*crowd, strict=True), color=line.get_color())
