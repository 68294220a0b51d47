"""What the students of a recipe learn: the first words of a file of vectors, OUTPUT/teacher.npz and OUTPUT/words.

usage: python choose_words.py VECTORS OUTPUT WORDS CASE; WORDS is a number or all, CASE lower (words in lower case
only) or any
"""

import sys
from pathlib import Path

import numpy as np

from alone_fairseq.errors import UserError
from alone_fairseq.vectors import Vectors, read_vectors


def choose(source: str, count: int | None, lower: bool) -> Vectors:
    """The first words, or all. No more of the file is read and checked than they take, up to its double."""
    limit = count
    while True:
        vectors = read_vectors(source, limit)
        rows = [row for row, word in enumerate(vectors.words) if not lower or word == word.lower()][:count]
        if limit is None or len(rows) == count or len(vectors.words) < limit:
            break
        limit *= 2
    if len(rows) < (count or 1):
        raise UserError(
            f"has {len(rows):,} words{' in lower case' if lower else ''}, --words wants {count or 1:,}"
        )
    return Vectors([vectors.words[row] for row in rows], vectors.matrix[rows])


def main(source: str, output: str, count: str, case: str) -> None:
    try:
        chosen = choose(source, None if count == "all" else int(count), case == "lower")
    except (UserError, OSError) as error:
        sys.exit(f"choose_words.py: error: {source}: {str(error).removeprefix(f'{source}: ')}")
    np.savez(Path(output) / "teacher.npz", words=np.array(chosen.words), vectors=chosen.matrix)
    (Path(output) / "words").write_text("".join(f"{word}\n" for word in chosen.words), encoding="utf-8")
    print(f"{len(chosen.words):,} words of {chosen.matrix.shape[1]} elements: {' '.join(chosen.words[:8])} ...")


if __name__ == "__main__":
    main(*sys.argv[1:])
