"""What students have left in their folders, for the recipes' tables: scores, sizes, and means over seeds."""

import json
import re
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean, stdev

sys.path.insert(0, str(Path(__file__).parents[1] / "lib"))

from results import NOT_RUN, markdown

from alone_fairseq.evaluation.similarity import FEWEST

__all__ = [
    "FEWEST",
    "NOT_RUN",
    "Score",
    "found_pairs",
    "markdown",
    "mean",
    "notes",
    "over_seeds",
    "percent",
    "read_scores",
    "share",
    "shown",
]

TEACHER = "teacher.npz"


@dataclass(frozen=True)
class Score:
    """One student's.

    Attributes:
        name: of its folder, without the seed.
        parameters, share: how many, and as a share of the teacher's values.
        rho, teacher: Spearman's by set of pairs, on those that the teacher has; sets without any are absent.
        pairs: found and all, by set.
        everywhere: as rho, on all pairs, the words that were not learnt included; None for ALONE.
    new: how many words of the pairs were not learnt, for which the student has made vectors.

    ``mean_rho``, ``mean_teacher`` and ``mean_everywhere`` are means over the same sets; None if there are no such
    sets, or one has no rho, since a student's cosines are all equal: without it the mean would be too good.
    """

    name: str
    seed: int
    epochs: int
    parameters: int
    share: float
    rho: dict[str, float]
    teacher: dict[str, float]
    pairs: dict[str, tuple[int, int]]
    everywhere: dict[str, float] | None
    new: int

    @property
    def mean_rho(self) -> float | None:
        return self._mean(self.rho)

    @property
    def mean_teacher(self) -> float | None:
        return self._mean(self.teacher)

    @property
    def mean_everywhere(self) -> float | None:
        return self._mean(self.everywhere) if self.everywhere is not None else None

    def _mean(self, rhos: dict[str, float]) -> float | None:
        return _fmean([rhos.get(name) for name, (found, _) in self.pairs.items() if found >= FEWEST])


def read_scores(work: Path, pairs: str | None) -> list[Score]:
    """All that are done, by folder and epochs.

    Args:
        pairs: what the recipe knows its pairs by, students.sh's ``pairs_sum``; None: the newest student's.
            Students that were scored on others are left out, and named on stderr: they say nothing beside these.
    """
    done = []
    for path in sorted(work.glob("*-seed*/epoch-*.json")):
        folder = re.fullmatch(r"(.*)-seed(\d+)", path.parent.name)
        epochs = re.fullmatch(r"epoch-(\d+)", path.stem)
        if folder and epochs:
            scored = path.with_suffix(".pairs")
            on = scored.read_text().strip() if scored.exists() else ""
            done.append((path, on, folder[1], int(folder[2]), int(epochs[1])))
    if pairs is None and done:
        pairs = max(done, key=lambda student: student[0].stat().st_mtime)[1]
    if left_out := sorted({path.parent.name for path, on, *_ in done if on != pairs}):
        print(
            f"left out, for they were scored on other pairs: {', '.join(left_out)}; asked for once more, with"
            " their epochs, they are scored again",
            file=sys.stderr,
        )
    return [_read(path, *student) for path, on, *student in done if on == pairs]


def _read(path: Path, name: str, seed: int, epochs: int) -> Score:
    found = json.loads(path.read_text())
    (student,) = (value for key, value in found.items() if key != TEACHER)
    teacher = found[TEACHER]
    everywhere = path.with_name(f"{path.stem}-all.json")
    (on_all,) = json.loads(everywhere.read_text()).values() if everywhere.exists() else (None,)
    return Score(
        name,
        seed,
        epochs,
        student["parameters"],
        student["parameters"] / teacher["parameters"],
        _rhos(student),
        _rhos(teacher),
        {key: (value["pairs"], value["total"]) for key, value in student["sets"].items()},
        _rhos(on_all) if on_all else None,
        on_all["out_of_vocabulary"] if on_all else 0,
    )


def _rhos(space: dict) -> dict[str, float]:
    return {name: value["rho"] for name, value in space["sets"].items() if value["rho"] is not None}


def _fmean(values: Sequence[float | None]) -> float | None:
    """None if there are none, or one is None."""
    return None if not values or None in values else fmean(values)


def mean(scores: Sequence[Score], value: Callable[[Score], float | None]) -> float | None:
    """Over seeds; None if one of them has no value."""
    return _fmean([value(score) for score in scores])


def over_seeds(scores: Sequence[Score], value: Callable[[Score], float | None]) -> str:
    """``mean``, and with several seeds the standard deviation."""
    if not scores:
        return NOT_RUN
    middle = mean(scores, value)
    if middle is None or len(scores) == 1:
        return shown(middle)
    return f"{middle:.3f} ± {stdev(map(value, scores)):.3f}"


def shown(rho: float | None) -> str:
    return "–" if rho is None else f"{rho:.3f}"


def share(rho: float | None, of: float | None) -> str:
    """Per cent, where that makes sense."""
    return f"{rho / of:.1%}" if rho is not None and of is not None and of > 0 else "–"


def percent(shares: Sequence[float]) -> str:
    """Mean, and with several the standard deviation."""
    mean = f"{100 * fmean(shares):.2f}"
    return f"{mean} ± {100 * stdev(shares):.2f}%" if len(shares) > 1 else f"{mean}%"


def notes(scores: Sequence[Score]) -> list[str]:
    """To be said beside a table: that there is no mean, or that students are no smaller than the teacher."""
    found = []
    if not any(pairs >= FEWEST for pairs, _ in scores[0].pairs.values()):
        found.append(
            f"No mean: no set has {FEWEST} pairs or more whose words were learnt; rho of each set is in the"
            " students' epoch-N.json."
        )
    if names := sorted({score.name for score in scores if score.share >= 1}):
        found.append(
            f"No smaller than the teacher: {', '.join(names)}. Students of characters and n-grams hardly grow with"
            " the number of words: they save something where the teacher has many (--words)."
        )
    return found


def found_pairs(score: Score) -> str:
    """How many pairs of each set have vectors."""
    return ", ".join(f"{name} {found:,} of {total:,}" for name, (found, total) in score.pairs.items())
