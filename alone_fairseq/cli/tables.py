"""Tables that several commands print."""

from collections.abc import Sequence

from alone_fairseq.lines import warn


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


def warn_of_unlike(spaces) -> None:
    """Say it where answers are looked for among different numbers of words: fewer are easier to find."""
    counts = [len(space.vectors.words) for space in spaces]
    if len(set(counts)) > 1:
        named = ", ".join(f"{space.name} {count:,}" for space, count in zip(spaces, counts, strict=True))
        warn(f"the answers come from different numbers of words: {named}; see --learnt-only and --limit")


def print_sizes(spaces, limit: int | None = None) -> None:
    """The sizes of vector spaces, side by side, and as a share of the first one's.

    Not with a ``limit`` of words: then files are cut, but students have the parameters of all words.
    """
    rows = [("vectors", "words", "not learnt", "elements", "parameters", "bytes in float32", "of the first")]
    for space in spaces:
        share = "–" if limit else f"{space.parameters / spaces[0].parameters:.1%}"
        rows.append((space.name, *(f"{number:,}" for number in sizes(space).values()), share))
    print(aligned(rows))
