"""The beginning of each text, no longer than its headline: what a small model learns to read from.

usage: python leads.py TEXTS HEADLINES > BEGINNINGS

As many whole words as there is room for in the headline's number of characters, and one at least, in lower case.
"""

import sys
from pathlib import Path

from alone_fairseq.lines import read_lines


def beginning(text: str, length: int) -> str:
    """The first words of a text that are no longer than ``length`` characters, or its first word."""
    kept, *others = text.split()
    for word in others:
        if len(kept) + 1 + len(word) > length:
            break
        kept += f" {word}"
    return kept


def main(texts: str, headlines: str) -> None:
    for text, headline in zip(read_lines(texts), read_lines(headlines), strict=True):
        print(beginning(text.lower(), len(headline)))


if __name__ == "__main__":
    try:
        main(*sys.argv[1:])
    except OSError as error:
        sys.exit(f"{Path(__file__).name}: {error}")
