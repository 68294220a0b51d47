"""Copy the two sides of a parallel text, without Windows line ends, or say which line is at fault.

usage: python clean_parallel.py DIR/train.en DIR/train.de OUTPUT_FOLDER
"""

import sys
from pathlib import Path


def read_lines(path: Path) -> list[bytes]:
    data = path.read_bytes().removesuffix(b"\n")
    if not data.strip():
        sys.exit(f"{path}: is empty")
    lines = [line.removesuffix(b"\r") for line in data.split(b"\n")]
    for number, line in enumerate(lines, 1):
        try:
            line.decode()
        except UnicodeDecodeError:
            sys.exit(f"{path}: line {number} is not valid UTF-8")
    return lines


def main(first: Path, second: Path, folder: Path) -> None:
    sides = {path: read_lines(path) for path in (first, second)}
    if len(sides[first]) != len(sides[second]):
        counts = f"{len(sides[first])} and {len(sides[second])} lines"
        sys.exit(f"{first} and {second.name}: have {counts}; line by line they must be translations")
    for path, lines in sides.items():
        (folder / path.name).write_bytes(b"".join(line + b"\n" for line in lines))


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
