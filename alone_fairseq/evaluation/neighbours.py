"""Nearest neighbours, as in Table 4 of Stratos (2017) and Table 2 of Ohashi et al. (2020)."""

import numpy as np

from alone_fairseq.vectors import Vectors


def neighbours(vectors: Vectors, word: str, count: int) -> list[tuple[str, float]]:
    """The ``count`` other words with the highest cosines, the nearest first."""
    row = vectors.index[word]
    cosines = vectors.unit @ vectors.unit[row]  # (V)
    cosines[row] = -np.inf
    nearest = np.argsort(-cosines, kind="stable")[: min(count, len(cosines) - 1)]
    return [(vectors.words[place], float(cosines[place])) for place in nearest]
