"""Word similarity: do vectors find those words alike that people find alike?

The score is Spearman's rho between people's scores of word pairs and the cosines of the words' vectors, as in
Section 3.1 of the ALONE paper (SimLex-999, WordSim-353, RG-65) and Section 5.1 of Stratos (2017). Pairs with a
word that has no vector are left out, so the number of pairs found is a part of each result.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.stats import rankdata, spearmanr

from alone_fairseq.compressed import numbered_lines
from alone_fairseq.errors import UserError
from alone_fairseq.vectors import Vectors

RESAMPLES = 1000

# Pairs of a set that counts in a mean: with 100 of them chance moves rho by 0.2 (95 %), with the 30 of MC-30 by
# 0.4, which is more than vectors differ.
FEWEST = 100


@dataclass(frozen=True)
class Pairs:
    """Word pairs with the scores that people gave them."""

    name: str
    pairs: list[tuple[str, str]]
    scores: np.ndarray  # (n)


@dataclass(frozen=True)
class Similarity:
    """What vectors reach on a set of pairs.

    Attributes:
        rho: Spearman's; NaN for fewer than two pairs, or if all cosines are the same.
        low, high: its 95 % confidence interval, from resampled pairs.
        pairs, total: pairs whose words both have vectors, and all.
    """

    rho: float
    low: float
    high: float
    pairs: int
    total: int


def read_pairs(path: str | Path) -> Pairs:
    """Read two words and a score a line, with tabs, commas, semicolons or spaces between.

    The score is the first number behind the words, so that SimLex-999, which has a part of speech there, is read
    as it is handed out. A first line without a number is a heading; a line that begins with # is a comment.

    Raises:
        UserError: a line of another form, or none at all.
    """
    pairs, scores = [], []
    for number, line in numbered_lines(path, "utf-8-sig"):
        line = line.strip()
        if not line or line.startswith("#"):
            continue
        separator = next((mark for mark in "\t;," if mark in line), None)
        words, rest = (fields := [field.strip() for field in line.split(separator)])[:2], fields[2:]
        score = next((value for value in map(_number, rest) if value is not None), None)
        if score is None and number == 1 and rest:
            continue
        if score is None or not all(words):
            raise UserError(f"{path}: line {number}: must be two words and a score, not {line[:50]!r}")
        pairs.append(tuple(words))
        scores.append(score)
    if not pairs:
        raise UserError(f"{path}: no word pairs in it")
    return Pairs(Path(path).stem, pairs, np.array(scores))


def _number(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if np.isfinite(value) else None


def read_sets(paths: Sequence[str | Path]) -> list[Pairs]:
    """Several sets of pairs.

    Raises:
        UserError: two have the same name; or as ``read_pairs``.
    """
    sets = [read_pairs(path) for path in paths]
    names = [pairs.name for pairs in sets]
    for name in names:
        if names.count(name) > 1:
            raise UserError(f"{name}: two sets of pairs have this name; rename a file")
    return sets


def similarity(vectors: Vectors, pairs: Pairs, seed: int = 1) -> Similarity:
    """Spearman's rho of ``vectors`` on ``pairs``, with a confidence interval by the percentile bootstrap.

    The pairs are resampled with replacement, 1,000 times; the same seed gives the same interval.
    """
    found = [n for n, pair in enumerate(pairs.pairs) if all(word in vectors.index for word in pair)]
    left, right = (
        vectors.matrix[[vectors.index[pairs.pairs[n][side]] for n in found]].astype(np.float64) for side in (0, 1)
    )  # (pairs found, d)
    norms = np.linalg.norm(left, axis=1) * np.linalg.norm(right, axis=1)
    cosines = np.einsum("nd,nd->n", left, right) / np.where(norms > 0, norms, 1)
    scores = pairs.scores[found]
    if len(found) < 2 or np.ptp(cosines) == 0 or np.ptp(scores) == 0:
        return Similarity(np.nan, np.nan, np.nan, len(found), len(pairs.pairs))
    rho = float(spearmanr(cosines, scores).statistic)
    low, high = _interval(cosines, scores, seed)
    return Similarity(rho, low, high, len(found), len(pairs.pairs))


def _interval(cosines: np.ndarray, scores: np.ndarray, seed: int) -> tuple[float, float]:
    draws = np.random.default_rng(seed).integers(len(scores), size=(RESAMPLES, len(scores)))
    # Spearman's rho is Pearson's of the ranks, for all resamples at once.
    a, b = (rankdata(values[draws], axis=1) for values in (cosines, scores))  # (resamples, n)
    a, b = (ranks - ranks.mean(axis=1, keepdims=True) for ranks in (a, b))
    norms = np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)
    rhos = np.einsum("rn,rn->r", a, b)[norms > 0] / norms[norms > 0]  # a resample of one pair alone has none
    low, high = np.quantile(rhos, (0.025, 0.975))
    return float(low), float(high)


def lower_cased_pairs(pairs: Pairs) -> Pairs:
    return Pairs(pairs.name, [(a.lower(), b.lower()) for a, b in pairs.pairs], pairs.scores)
