"""Copy the two sides of a parallel text, or say which line is at fault.

Windows line ends become those of Unix, and a carriage return within a line, where fairseq would end it, a space.

With --drop a pair of lines at fault is left out and counted, and so is a pair with an empty side.
"""

import argparse
import codecs
import sys
from collections import Counter
from collections.abc import Iterator
from itertools import zip_longest
from pathlib import Path

GZIP = b"\x1f\x8b"


def read_lines(path: Path) -> Iterator[bytes]:
    with open(path, "rb") as file:
        start = file.peek(2)
        if start.startswith(GZIP):
            sys.exit(f"{path}: is compressed with gzip; unpack it (mv {path.name} {path.name}.gz, gunzip)")
        for number, line in enumerate(file):
            line = line.removesuffix(b"\n").removesuffix(b"\r").replace(b"\r", b" ")
            yield line if number else line.removeprefix(codecs.BOM_UTF8)


def refuse(path: Path, number: int, fault: str):
    sys.exit(f"{path}: line {number} {'is' if fault.startswith('not ') else 'has'} {fault}")


def fault(line: bytes) -> str | None:
    """Why a line is no text, if so."""
    try:
        line.decode()
    except UnicodeDecodeError:
        return "not valid UTF-8"
    return "a NUL byte" if b"\0" in line else None


def clean(paths: tuple[Path, Path], outputs: tuple[Path, Path], drop: bool) -> Counter:
    """Number of pairs read, and dropped for each reason.

    Raises:
        SystemExit: the sides differ in length, have no text at all, or, unless ``drop``, a line is at fault.
    """
    counts, ends, filled = Counter(read=0), [0, 0], [False, False]
    with open(outputs[0], "wb") as first, open(outputs[1], "wb") as second:
        for number, pair in enumerate(zip_longest(*map(read_lines, paths)), 1):
            for side, line in enumerate(pair):
                ends[side] += line is not None
                filled[side] |= bool(line and line.strip())
            if None in pair:
                continue  # to know by how much they differ
            counts["read"] += 1
            faults = [fault(line) for line in pair]
            if any(faults) and not drop:
                side = 0 if faults[0] else 1
                refuse(paths[side], number, faults[side])
            reason = faults[0] or faults[1]
            if drop and not reason and not all(line.strip() for line in pair):
                reason = "an empty side"
            if reason:
                counts[reason] += 1
                continue
            first.write(pair[0] + b"\n")
            second.write(pair[1] + b"\n")
    for path, text in zip(paths, filled, strict=True):
        if not text:
            sys.exit(f"{path}: is empty")
    if ends[0] != ends[1]:
        difference = f"{ends[0]} and {ends[1]} lines"
        sys.exit(f"{paths[0]} and {paths[1].name}: have {difference}; line by line they must be translations")
    if counts["read"] == sum(counts.values()) - counts["read"]:
        reasons = ", ".join(f"{count:,} for {reason}" for reason, count in counts.items() if reason != "read")
        sys.exit(f"{paths[0]} and {paths[1].name}: no pair is left; dropped: {reasons}")
    return counts


def report(counts: Counter) -> None:
    """A line for each reason."""
    for reason, count in counts.items():
        print(f"{count:>10,}  {'pairs read' if reason == 'read' else f'dropped for {reason}'}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("paths", nargs=2, type=Path, metavar="SIDE", help="the two files")
    parser.add_argument("outputs", nargs=2, type=Path, metavar="COPY", help="their copies")
    parser.add_argument("--drop", action="store_true", help="leave out pairs at fault, and print their numbers")
    arguments = parser.parse_args()
    try:
        counts = clean(tuple(arguments.paths), tuple(arguments.outputs), arguments.drop)
    except OSError as error:
        sys.exit(f"{error.filename or arguments.outputs[0].parent}: {error.strerror}")
    if arguments.drop:
        report(counts)


if __name__ == "__main__":
    main()
