"""Table 3 with the paper's figures beside ours, the lengths of outputs, and two marks to compare with.

Each row is compared with the lookup of the same seed, length control and number of epochs on beginnings of texts,
by the paired bootstrap. A run with --variant is called ROW-VARIANT, and has no figures of the paper beside it.
"""

import json
import logging
import sys
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1] / "lib"))

from results import NOT_RUN, VARIANT, trained_runs, write_tables
from score import KINDS

from alone_fairseq.checkpoint.contents import Contents
from alone_fairseq.checkpoint.files import replacing
from alone_fairseq.cli import Parser
from alone_fairseq.cli.plot import draw, read_curve
from alone_fairseq.errors import UserError
from alone_fairseq.evaluation.bootstrap import p_value
from alone_fairseq.evaluation.rouge import Rouge
from alone_fairseq.evaluation.stemmer import read_exceptions
from alone_fairseq.lines import read_lines

# Of Table 3: the method, and the paper's embedding parameters, ROUGE-1, -2 and -L. All are LRPE+PE.
ROWS = {
    "lookup": ("Transformer", "8.3M", "32.29 11.49 28.03"),
    "binary_512": ("+ALONE (Binary)", "0.5M", "31.60 11.12 27.25"),
    "real_512": ("+ALONE (Real number)", "0.5M", "31.96 11.50 27.74"),
    "binary_1024": ("+ALONE (Binary)", "1.0M", "32.51 11.48 28.08"),
    "real_1024": ("+ALONE (Real number)", "1.0M", "32.57 11.63 28.24"),
}
CONTROLS = {"lrpe_pe": "LRPE+PE", "lrpe": "LRPE", "ldpe_pe": "LDPE+PE", "ldpe": "LDPE", "none": "PE"}
HEADS = ("method", "row", "lengths", "seed", "headlines", "embed", "R-1", "R-2", "R-L", "R-1 against lookup")
PAPER = ("paper embed", "paper R-1 R-2 R-L")
TRAINING = ("lead epochs", "updates", "minutes")
PRINTED = ("duc2004", "reranked", "lrpe_pe")  # what the paper's figures are of
RUN = rf"({'|'.join(ROWS)})-({'|'.join(CONTROLS)}){VARIANT}-seed(\d+)"


@dataclass
class Run:
    """A finished run: its row, what tells it the length, and what it has left in its folder.

    ``variant`` tells in which way it is not what the recipe says, or is "".
    """

    folder: Path
    row: str
    control: str
    variant: str
    seed: int
    contents: Contents
    lead_epochs: int
    minutes: float

    @property
    def name(self) -> str:
        return f"{self.row}-{self.variant}" if self.variant else self.row

    @property
    def is_printed(self) -> bool:
        """Whether it stands for its row in Table 3."""
        return self.control == PRINTED[-1] and not self.variant

    def headlines(self, name: str, length: str, kind: str) -> Path:
        stem = self.folder / f"{name}-{'free' if self.control == 'none' else length}.{kind}"
        restored = stem.with_name(f"{stem.name}.restored")
        return restored if restored.exists() else stem

    def lengths(self, name: str, length: str, kind: str) -> dict | None:
        stem = f"{name}-{'free' if self.control == 'none' else length}.{kind}"
        path = self.folder / f"{stem}.lengths-{length}"
        return json.loads(path.read_text()) if path.exists() else None


@dataclass
class Test:
    """A test set, and how it is scored."""

    name: str
    texts: list[str]
    references: list[list[str]]
    rouge: Rouge
    scored: dict[Path, np.ndarray] = field(default_factory=dict)  # a lookup is compared with again and again

    def scores(self, path: Path) -> np.ndarray:
        """Recalls of each item: (items, 3)."""
        if path not in self.scored:
            self.scored[path] = self.rouge.items(read_lines(path), self.references)
        return self.scored[path]

    @cached_property
    def marks(self) -> dict[str, np.ndarray]:
        """What is not a system: the beginning of each text, and each reference against the others."""
        marks = {"PREFIX, the text's first bytes": self.rouge.items(self.texts, self.references)}
        if len(self.references) > 1:
            each = [
                self.rouge.items(one, self.references[:number] + self.references[number + 1 :])
                for number, one in enumerate(self.references)
            ]
            marks["references against each other"] = np.mean(each, axis=0)
        return marks


def finished_runs(work: Path, test: str, length: str) -> list[Run]:
    """Those with scores of ``test`` at the wanted length, in the order of the table."""
    found = trained_runs(work, RUN, lambda name: f"{test}-{'free' if name[2] == 'none' else length}.scored")
    runs = [
        Run(folder, name[1], name[2], name[3] or "", int(name[4]), contents, lead_epochs(folder), minutes)
        for folder, name, contents, _, minutes in found
    ]
    order, controls = list(ROWS), list(CONTROLS)
    return sorted(runs, key=lambda run: (controls.index(run.control), order.index(run.row), run.variant, run.seed))


def lead_epochs(folder: Path) -> int:
    """Of its training: 0 where the settings do not name them."""
    settings = dict(line.partition(" ")[::2] for line in read_lines(folder / "settings"))
    return int(settings.get("lead_epochs", 0))


def read_test(work: Path, name: str, exceptions: list[Path]) -> Test:
    rouge = Rouge(exceptions=read_exceptions(exceptions) or None)
    if name == "test":
        raw = work / "text" / "raw"
        return Test(name, read_lines(raw / "test.en"), [read_lines(raw / "test.headline")], rouge)
    stem = work / "duc" / name.removeprefix("duc")
    references = [read_lines(f"{stem}.ref{number}") for number in range(4)]
    # An empty text has no first bytes, and a system that writes nothing has written "fail".
    return Test(name, [text or "fail" for text in read_lines(f"{stem}.text")], references, rouge)


def percent(scores: np.ndarray) -> tuple[str, ...]:
    return tuple(f"{100 * mean:.2f}" for mean in scores.mean(axis=0))


def against_lookup(run: Run, runs: list[Run], test: Test, length: str, kind: str) -> str:
    """The difference in ROUGE-1, and the probability of one as large if there were none."""
    if run.name == "lookup":
        return "–"
    wanted = ("lookup", run.control, run.seed, run.lead_epochs)
    same = (other for other in runs if (other.name, other.control, other.seed, other.lead_epochs) == wanted)
    lookup = next(same, None)
    if lookup is None:
        return NOT_RUN
    ours, theirs = (test.scores(one.headlines(test.name, length, kind))[:, 0] for one in (run, lookup))
    return f"{100 * (ours - theirs).mean():+.2f} (p = {p_value(ours, theirs):.3f})"


def score_rows(runs: list[Run], test: Test, length: str) -> list[tuple]:
    rows = []
    for name, (method, size, paper) in ROWS.items():
        found = [run for run in runs if run.row == name]
        for run in found:
            for kind, label in KINDS.items():
                printed = (size, paper) if run.is_printed and (test.name, kind) == PRINTED[:2] else ("–", "–")
                scores = percent(test.scores(run.headlines(test.name, length, kind)))
                rows.append(
                    (method, run.name, CONTROLS[run.control], run.seed, label)
                    + (f"{run.contents.embedding_parameters:,}", *scores)
                    + (against_lookup(run, runs, test, length, kind), *printed)
                    + (run.lead_epochs, f"{run.contents.updates:,}", f"{run.minutes:.0f}")
                )
        if not any(run.is_printed for run in found):
            rows.append((method, name, CONTROLS[PRINTED[-1]], *[NOT_RUN] * 7, size, paper, *[NOT_RUN] * 3))
    for label, scores in test.marks.items():
        rows.append((label, "–", "–", "–", "–", "–", *percent(scores), *["–"] * 6))
    return rows


def wanted_lengths(folders: Iterable[Path], name: str) -> list[str]:
    """Those that headlines of a test set were written and measured for."""
    paths = (path for folder in folders for path in folder.glob(f"{name}-*.best.lengths-*"))
    return sorted({path.name.rpartition("-")[2] for path in paths}, key=int)


def length_rows(runs: list[Run], test: Test, lengths: list[str]) -> list[tuple]:
    """Mean absolute and squared deviation of one-best headlines, in characters, by wanted length."""
    rows = []
    for run in runs:
        reports = [run.lengths(test.name, length, "best") for length in lengths]
        cells = [f"{r['absolute']:.2f} / {r['squared']:.1f}" if r else NOT_RUN for r in reports]
        rows.append((run.name, CONTROLS[run.control], run.seed, *cells))
    return rows


def figure_4(runs: list[Run], file) -> None:
    """Write a PNG: the validation loss of each run."""
    curves = {}
    for run in runs:
        label = f"{run.name}, {CONTROLS[run.control]}, seed {run.seed}"
        try:
            curves[label] = read_curve(run.folder / "train.log", "nll_loss")
        except (UserError, OSError):
            print(f"{run.folder}/train.log: no validation results in it", file=sys.stderr)
    draw(curves.keys(), curves.values(), "nll_loss", file)


def main() -> None:
    parser = Parser(
        description=__doc__, epilog="example: python recipes/headline/table.py --work work/headline --set duc2004"
    )
    parser.add_argument("--work", type=Path, default="work/headline", help="of run.sh (work/headline)")
    parser.add_argument("--set", choices=["duc2004", "duc2003", "test"], help="(duc2004 where it is, else test)")
    parser.add_argument("--length", help="wanted length of the headlines that are scored (75, else the largest)")
    parser.add_argument("--exceptions", type=Path, metavar="DIR", help="of run.sh")
    arguments = parser.parse_args()
    logging.disable(logging.INFO)  # of Matplotlib
    work = arguments.work
    name = arguments.set or ("duc2004" if (work / "duc").is_dir() else "test")
    lengths = wanted_lengths(work.iterdir() if work.is_dir() else (), name)
    length = arguments.length or ("75" if "75" in lengths or not lengths else lengths[-1])
    runs = finished_runs(work, name, length)
    if not runs:
        parser.error(
            f"{work}: no finished run has scores of {name} at --length {length}; see recipes/headline/run.sh"
        )
    exceptions = sorted(arguments.exceptions.glob("*.exc")) if arguments.exceptions else []
    if arguments.exceptions and not exceptions:
        parser.error(f"--exceptions {arguments.exceptions}: no *.exc in it")
    test = read_test(work, name, exceptions)
    lengths = wanted_lengths((run.folder for run in runs), name)
    heads, rows = (*HEADS, *PAPER, *TRAINING), score_rows(runs, test, length)
    deviations = length_rows(runs, test, lengths)
    length_heads = ("row", "lengths", "seed", *(f"{one} characters" for one in lengths))
    note = (
        f"ROUGE recall of {name} in percent, {length} characters wanted:"
        f" {test.rouge.signature(len(test.references), len(test.texts))}\n"
        "Below: mean |len - N| / mean (len - N)² of the one-best headlines, in characters."
    )
    files = write_tables(work / "table", heads, rows, note, below=(length_heads, deviations))
    print(files[0].read_text(encoding="utf-8"))
    with replacing(work / "figure4.png", force=True) as file:
        figure_4(runs, file)
    print(*files, work / "figure4.png", sep="\n")


if __name__ == "__main__":
    try:
        main()
    except (UserError, OSError) as error:
        sys.exit(f"{Path(__file__).name}: {error}")
