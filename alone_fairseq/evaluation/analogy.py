"""Word analogy: a is to a* as b is to which word?

    3CosAdd   argmax over x of cos(x, b) - cos(x, a) + cos(x, a*)                  (Mikolov et al. 2013)
    3CosMul   argmax over x of s(x, b) s(x, a*) / (s(x, a) + 0.001), s = (1 + cos) / 2   (Levy and Goldberg 2014)

x runs over all words but a, a* and b. A question with a word that has no vector is left out.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from alone_fairseq.compressed import numbered_lines
from alone_fairseq.errors import UserError
from alone_fairseq.vectors import Vectors

CELLS = 1 << 23  # similarities that exist at the same time
EPSILON = 0.001
METHODS = ("3CosMul", "3CosAdd")


@dataclass(frozen=True)
class Section:
    """Questions of one kind.

    Attributes:
        group: what the results are added up to: the file, and of one with sections its semantic or syntactic part.
        questions: (a, a*, b, b*) each.
    """

    name: str
    group: str
    questions: list[tuple[str, str, str, str]]


@dataclass
class Analogy:
    """How some questions were answered.

    Attributes:
        correct: right answers by each method.
        found, total: questions whose words all have vectors, and all.
    """

    correct: dict[str, int]
    found: int
    total: int

    def accuracy(self, method: str) -> float:
        """Share of the questions found; NaN if there are none."""
        return self.correct[method] / self.found if self.found else float("nan")

    def __add__(self, other: "Analogy") -> "Analogy":
        correct = {method: self.correct[method] + other.correct[method] for method in METHODS}
        return Analogy(correct, self.found + other.found, self.total + other.total)


def read_questions(path: str | Path) -> list[Section]:
    """Read four words a line, with lines ``: name`` that begin a section, or without.

    As in word2vec's own evaluation, sections named gram... are syntactic and the others semantic.

    Raises:
        UserError: a line of another form, or no question at all.
    """
    stem = Path(path).stem
    sections = [Section(stem, stem, [])]
    for number, line in numbered_lines(path, "utf-8-sig"):
        fields = line.split()
        if fields and fields[0].startswith(":"):
            name = " ".join(fields).lstrip(": ")
            kind = "syntactic" if name.startswith("gram") else "semantic"
            sections.append(Section(name, f"{stem}: {kind}", []))
        elif len(fields) == 4:
            sections[-1].questions.append(tuple(fields))
        elif fields:
            raise UserError(f"{path}: line {number}: must be four words, not {len(fields)}")
    sections = [section for section in sections if section.questions]
    if not sections:
        raise UserError(f"{path}: no questions in it")
    return sections


def read_files(paths: Sequence[str | Path]) -> list[Section]:
    """The sections of several files.

    Raises:
        UserError: two have the same name; or as ``read_questions``.
    """
    names = [Path(path).stem for path in paths]
    for name in names:
        if names.count(name) > 1:
            raise UserError(f"{name}: two files of questions have this name; rename one")
    return [section for path in paths for section in read_questions(path)]


def lower_cased_questions(sections: Sequence[Section]) -> list[Section]:
    return [
        Section(one.name, one.group, [tuple(word.lower() for word in question) for question in one.questions])
        for one in sections
    ]


def answer(vectors: Vectors, section: Section, progress: Callable[[int], object] = lambda count: None) -> Analogy:
    """Answer the questions of a section by both methods."""
    index, questions = vectors.index, section.questions
    rows = np.array([[index[word] for word in one] for one in questions if all(word in index for word in one)])
    correct = dict.fromkeys(METHODS, 0)
    size = max(1, CELLS // len(vectors.words))
    for start in range(0, len(rows), size):
        part = rows[start : start + size]  # (batch, 4)
        for method, scores in _scores(vectors.unit, part[:, :3]):
            np.put_along_axis(scores, part[:, :3], -np.inf, axis=1)
            correct[method] += int((scores.argmax(1) == part[:, 3]).sum())
        progress(len(part))
    progress(len(questions) - len(rows))
    return Analogy(correct, len(rows), len(questions))


def _scores(unit: np.ndarray, given: np.ndarray):
    """(method, scores of all words, (batch, V)) for a, a*, b: (batch, 3)."""
    words, places = np.unique(given, return_inverse=True)  # questions in a row share words
    cosines = unit[words] @ unit.T  # (different words, V)
    a, a_star, b = (cosines[place] for place in places.reshape(given.shape).T)  # (batch, V) each
    yield "3CosAdd", b - a + a_star
    yield "3CosMul", (1 + b) * (1 + a_star) / (1 + a + 2 * EPSILON)


def add_up(results: Sequence[tuple[Section, Analogy]]) -> dict[str, Analogy]:
    """The sums over the sections of each group."""
    sums: dict[str, Analogy] = {}
    for section, result in results:
        sums[section.group] = sums[section.group] + result if section.group in sums else result
    return sums
