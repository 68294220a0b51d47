"""First paragraphs and headlines of annotated English Gigaword (LDC2012T21), as NAMAS takes them.

A file of the corpus is one agency's month. Of a document with a headline the words are the leaves of the first
line's parse under <HEADLINE>, those of the text the leaves under the first <P>, up to the first full stop. They
are written as they are, `text<TAB>headline`, a file for each file of a size, so that one that is copied again is
read again; `files.txt` says which make up the corpus. What `namas.py` makes of them is decided there.

Otherwise than in NAMAS: a headline without a paragraph is not paired with the next document's paragraph; an
empty headline is no headline; text ends at a full stop, a headline does not.
"""

import argparse
import gzip
import re
import sys
import zlib
from collections.abc import Iterable, Iterator
from multiprocessing import Pool
from pathlib import Path

from tqdm import tqdm

from alone_fairseq.checkpoint.files import replacing
from alone_fairseq.errors import UserError

NAME = re.compile(r"([a-z]{3}_eng_\d{6})\.xml\.gz")
LEAF = re.compile(r" ([^ ()]+)\)")  # "(NN ferry)": a bracket in the text is -LRB- or -RRB-


def leaves(parse: str) -> list[str]:
    """The words of a parse, also of one whose brackets do not match; "1 1/2" with a space of its own is two."""
    return [word for leaf in LEAF.findall(parse) for word in leaf.split()]


def pairs(lines: Iterable[str]) -> Iterator[tuple[list[str], list[str]]]:
    """(text, headline) of each document that has both, as lists of words."""
    headline, text, inside, done = [], [], "", False
    for line in map(str.strip, lines):
        if line.startswith(("<DOC", "</DOC")):
            headline, text, inside, done = [], [], "", False
        elif done:
            continue
        elif line in ("<HEADLINE>", "<P>"):
            inside = line
        elif line == "</HEADLINE>":
            inside = ""
        elif line == "</P>":
            inside, done = "", True  # the first paragraph only
            if headline and text:
                yield until_full_stop(text), headline
        elif inside == "<HEADLINE>":
            headline = headline or leaves(line)
        elif inside == "<P>":
            text += leaves(line)


def until_full_stop(words: list[str]) -> list[str]:
    return words[: words.index(".") + 1] if "." in words else words


def convert(task: tuple[Path, Path]) -> str | None:
    """Write the pairs of one file; what is wrong with it, if anything is."""
    source, target = task
    try:
        with replacing(target) as file:
            for text, headline in pairs(unpacked(source)):
                file.write(f"{' '.join(text)}\t{' '.join(headline)}\n".encode())
    except EOFError as error:
        return f"{source}: damaged, copy it again: {error}"
    return None


def unpacked(source: Path) -> Iterator[str]:
    """Lines of a compressed file.

    Raises:
        EOFError: it is damaged. gzip itself may raise an ``OSError`` then, which a full disk does, too.
    """
    try:
        with gzip.open(source, "rt", encoding="utf-8", errors="replace") as lines:
            yield from lines
    except (gzip.BadGzipFile, zlib.error) as error:
        raise EOFError(error) from error


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, epilog="example: python gigaword.py --gigaword LDC2012T21 --output pairs --workers 16"
    )
    parser.add_argument(
        "--gigaword", type=Path, required=True, metavar="DIR", help="has the *.xml.gz, at any depth"
    )
    parser.add_argument(
        "--output", type=Path, required=True, metavar="DIR", help="what has been read into it is not read again"
    )
    parser.add_argument("--workers", type=int, default=1, metavar="N", help="processes (1)")
    arguments = parser.parse_args()
    files = {name[1]: path for path in arguments.gigaword.rglob("*.xml.gz") if (name := NAME.fullmatch(path.name))}
    if not files:
        sys.exit(
            f"{arguments.gigaword}: no file in it is named like afp_eng_199405.xml.gz; name the corpus's folder"
        )
    arguments.output.mkdir(parents=True, exist_ok=True)
    targets = {
        path: arguments.output / f"{name}.{path.stat().st_size}.tsv" for name, path in sorted(files.items())
    }
    tasks = [(path, target) for path, target in targets.items() if not target.exists()]
    with Pool(arguments.workers) as pool:
        for problem in tqdm(pool.imap_unordered(convert, tasks), total=len(tasks), unit=" files", disable=None):
            if problem:
                sys.exit(problem)
    with replacing(arguments.output / "files.txt", force=True) as file:
        file.write("".join(f"{target.name}\n" for target in targets.values()).encode())


if __name__ == "__main__":
    try:
        main()
    except (UserError, OSError) as error:
        sys.exit(f"{Path(__file__).name}: {error}")
