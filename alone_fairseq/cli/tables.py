"""Tables that several commands print."""

from collections.abc import Sequence


def aligned(rows: Sequence[Sequence[str]], left: int = 1) -> str:
    """Rows of text, the first being the heading; ``left`` columns to the left, those behind them to the right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]

    def cells(row):
        for number, (cell, width) in enumerate(zip(row, widths, strict=True)):
            yield cell.ljust(width) if number < left else cell.rjust(width)

    return "\n".join("  ".join(cells(row)).rstrip() for row in rows)


def sizes(space) -> dict[str, int]:
    """The size of a vector space, for JSON."""
    words, dim = space.vectors.matrix.shape
    return {
        "words": words,
        "out_of_vocabulary": space.new,
        "dim": dim,
        "parameters": space.parameters,
        "bytes": space.bytes,
    }


def print_sizes(spaces, limit: int | None = None) -> None:
    """The sizes of vector spaces, side by side, and as a share of the first one's.

    Not with a ``limit`` of words: then files are cut, but students have the parameters of all words.
    """
    rows = [("vectors", "words", "not learnt", "elements", "parameters", "bytes in float32", "of the first")]
    for space in spaces:
        share = "–" if limit else f"{space.parameters / spaces[0].parameters:.1%}"
        rows.append((space.name, *(f"{number:,}" for number in sizes(space).values()), share))
    print(aligned(rows))
