"""Texts as the pairs of `namas.py` have them: in lower case, digits as #, words that are not known as <unk>.

A model that was trained on such pairs wants such texts; `restore.py` puts the numbers back.
"""

import argparse
import re
import sys
from pathlib import Path

from duc import plain, treebank

from alone_fairseq.cli.arguments import positive
from alone_fairseq.errors import UserError
from alone_fairseq.lines import read_lines, write_lines


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, epilog="example: python mask.py texts --raw --digits --known pairs/known.txt > masked"
    )
    parser.add_argument("texts", type=Path, metavar="FILE", help="one a line, in tokens of the Penn Treebank")
    tokens = parser.add_mutually_exclusive_group()
    tokens.add_argument("--raw", action="store_true", help="they are not in tokens yet")
    tokens.add_argument(
        "--plain", action="store_true", help="put them together again, for a model that takes them apart itself"
    )
    parser.add_argument("--words", type=positive, metavar="N", help="cut each text to so many (all)")
    parser.add_argument("--digits", action="store_true", help="write # for them")
    parser.add_argument("--known", type=Path, metavar="FILE", help="words, one a line; others become <unk>")
    arguments = parser.parse_args()
    known = set(read_lines(arguments.known)) if arguments.known else None
    masked = []
    for line in read_lines(arguments.texts):
        line = treebank(line.lower()) if arguments.raw else line.lower()
        words = (re.sub(r"\d", "#", line) if arguments.digits else line).split()[: arguments.words]
        words = [word if known is None or word in known else "<unk>" for word in words]
        masked.append(plain(words) if arguments.plain else " ".join(words))
    write_lines(masked)


if __name__ == "__main__":
    try:
        main()
    except (UserError, OSError) as error:
        sys.exit(f"{Path(__file__).name}: {error}")
