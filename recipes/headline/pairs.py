"""Files of `text<TAB>headline` to the two sides of a parallel text, or the line that is at fault.

usage: python pairs.py DIR OUTPUT [WORDS]

Of DIR/train.tsv, valid.tsv and test.tsv, OUTPUT gets NAME.en and NAME.headline; texts are cut to their first
WORDS words, if a number is given. Headlines get lower-case letters; texts keep theirs until they are tokens, for
Moses tells by them what the full stop of a sentence is.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "lib"))

from clean_parallel import fault, read_lines, refuse

SETS = ("train", "valid", "test")


def read_pairs(path: Path) -> list[tuple[str, str]]:
    """Texts and headlines."""
    lines = list(read_lines(path))
    if not any(line.strip() for line in lines):
        sys.exit(f"{path}: is empty; each line must be a text, a tab and its headline")
    pairs = []
    for number, line in enumerate(lines, 1):
        if reason := fault(line):
            refuse(path, number, reason)
        fields = line.decode().split("\t")
        if len(fields) != 2:
            sys.exit(
                f"{path}: line {number} has {len(fields) - 1} tabs; it must be a text, one tab and its headline"
            )
        text, headline = (" ".join(field.split()) for field in fields)
        if not (text and headline):
            sys.exit(
                f"{path}: line {number} has an empty {'headline' if text else 'text'}; mend it or leave it out"
            )
        pairs.append((text, headline))
    return pairs


def main(folder: str, output: str, words: str = "") -> None:
    limit = int(words) if words else None
    for name in SETS:
        pairs = read_pairs(Path(folder) / f"{name}.tsv")
        sides = {
            "en": [" ".join(text.split()[:limit]) for text, _ in pairs],
            "headline": [headline.lower() for _, headline in pairs],
        }
        for side, lines in sides.items():
            (Path(output) / f"{name}.{side}").write_bytes("".join(f"{line}\n" for line in lines).encode())


if __name__ == "__main__":
    try:
        main(*sys.argv[1:])
    except OSError as error:
        sys.exit(f"{Path(__file__).name}: {error}")
