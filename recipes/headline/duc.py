"""Texts and references of task 1 of DUC 2003 and 2004, from NIST's archives, as NAMAS takes them.

A text is the first sentence of a document, joined with the second where it has fewer than 130 characters, in
lower case, in Treebank tokens, without the dateline, with -lrb- and -rrb- for brackets. References stay as they
are, one a line. Of each year: `YEAR.text`, and `YEAR.ref0` to `YEAR.ref3`.

Otherwise than in NAMAS: the text ends at </TEXT>; all markup is left out, not only lines that are <P>; where two
sentences are joined, the first loses its full stop, not whatever its last character is; a dateline is what stands
before an agency in brackets, one word, and a dash or "_" right behind it (2003: or before a "_" that is the first
dash), not whatever stands before the first dash of a sentence with a ")" anywhere; a reference of several lines
becomes one line. Sentences are found by NLTK's English Punkt model if it is installed (`python -m nltk.downloader
punkt_tab`), as in NAMAS, and else by one that is trained on the documents themselves.
"""

import argparse
import re
import shutil
import sys
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path

import nltk
from nltk.tokenize.punkt import PunktSentenceTokenizer, PunktTrainer
from nltk.tokenize.treebank import TreebankWordDetokenizer, TreebankWordTokenizer

from alone_fairseq.checkpoint.files import replacing
from alone_fairseq.errors import UserError

SHORT = 130  # characters of a first sentence that gets a second one
REFERENCES = 4
DASH = re.compile(r" (--|-|_) ")
AGENCY = re.compile(r"\( \S+ \) (--|-|_) ")  # the end of a dateline, in tokens

# Where NIST's archives have the documents and the references: ends of paths.
YEARS = {
    "2003": ("docs.without.headlines/d*/*", "models/{set}.*.10.*{name}*"),
    "2004": ("*tasks1and2_docs/docs/d*/*", "models/1/{set}*{name}*"),
}
ARCHIVES = {
    "2003": "DUC2003_Summarization_Documents.tgz and detagged.duc2003.abstracts.tar.gz",
    "2004": "DUC2004_Summarization_Documents.tgz and duc2004_results.tgz",
}


def extract(tar: tarfile.TarFile, into: Path) -> None:
    """The files of an archive, and nothing else, which could lead out of ``into``.

    ``extractall(filter="data")`` does that from Python 3.11.4 on; Debian 12 has 3.11.2.
    """
    for member in filter(tarfile.TarInfo.isfile, tar):
        path = (into / member.name).resolve()
        if not path.is_relative_to(into.resolve()):
            raise tarfile.TarError(f"{member.name} would lie outside of {into}")
        path.parent.mkdir(parents=True, exist_ok=True)
        with tar.extractfile(member) as source, open(path, "wb") as target:
            shutil.copyfileobj(source, target)


def unpack(folder: Path, into: Path) -> None:
    """Unpack the archives in ``folder`` and those in them, each to a folder of its name."""
    for archive in sorted([*folder.rglob("*.tgz"), *folder.rglob("*.tar.gz")]):
        target = into / archive.name.removesuffix(".tgz").removesuffix(".tar.gz")
        try:
            with tarfile.open(archive) as tar:
                extract(tar, target)
        except (tarfile.TarError, EOFError, OSError) as error:
            reason = str(error).partition("\n")[0] or type(error).__name__
            sys.exit(f"{archive}: cannot be unpacked, copy it again: {reason}")
        unpack(target, target)


def text_of(document: str) -> str:
    """What stands between <TEXT> and </TEXT>, without markup and entities, in one line."""
    _, _, text = document.partition("<TEXT>")
    text, _, _ = text.partition("</TEXT>")
    return " ".join(word for word in re.sub(r"<[^>]*>", " ", text).split() if not word.startswith("&"))


def first_sentence(text: str, split: Callable[[str], list[str]], year: str) -> str:
    """The input for a text, in tokens; empty if the text is."""
    first, *others = split(text) or [""]
    if len(first) < SHORT and others:
        first = f"{first.strip().removesuffix('.')} , {others[0]}"
    first = tokens(first.lower())
    dateline, dash = AGENCY.search(first), DASH.search(first)
    if year == "2003" and dash and dash[1] == "_":
        dateline = dash
    if dateline:
        first = first[dateline.end() :]
    return brackets(first).replace("_", ",")


def tokens(text: str) -> str:
    return " ".join(TreebankWordTokenizer().tokenize(text))


def brackets(text: str) -> str:
    return text.replace("(", "-lrb-").replace(")", "-rrb-")


def treebank(text: str) -> str:
    """A text in the tokens of the Penn Treebank, as Gigaword's pairs are."""
    return brackets(tokens(text))


def plain(words: list[str]) -> str:
    """The way back: a text as people write it."""
    words = [word.replace("-lrb-", "(").replace("-rrb-", ")") for word in words]
    return TreebankWordDetokenizer().detokenize(words)


def documents(roots: list[Path], year: str) -> Iterator[tuple[Path, list[Path]]]:
    """Each document, in the order of sets and names, with its references."""
    pattern, reference = YEARS[year]
    # Archives may lie there and be unpacked beside it: each file counts once.
    paths = {
        (path.parent.name, path.name): path for root in roots for path in root.rglob(pattern) if path.is_file()
    }
    for _, path in sorted(paths.items()):
        name = reference.format(set=path.parent.name[:-1].upper(), name=path.name.upper())
        matches = {match.name: match for root in roots for match in root.rglob(name)}
        found = [match for _, match in sorted(matches.items())]
        if len(found) != REFERENCES:
            sys.exit(f"{path}: has {len(found)} references named {name}; there must be {REFERENCES}")
        yield path, found


def sentence_splitter(texts: list[str]) -> Callable[[str], list[str]]:
    """NLTK's English Punkt model, or one trained on ``texts``."""
    try:
        nltk.data.find("tokenizers/punkt_tab/english")
    except LookupError:
        print(f"sentences: Punkt trained on {len(texts)} documents; NLTK's punkt_tab is not installed")
        return PunktSentenceTokenizer(PunktTrainer("\n".join(texts)).get_params()).tokenize
    print("sentences: NLTK's Punkt for English")
    return nltk.tokenize.PunktTokenizer("english").tokenize


def read(path: Path) -> str:
    return path.read_text(encoding="utf-8", errors="replace")


def write(path: Path, lines: list[str]) -> None:
    with replacing(path) as file:
        file.write("".join(f"{line}\n" for line in lines).encode())


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, epilog="example: python duc.py --duc DUC --unpack scratch --output duc"
    )
    parser.add_argument("--duc", type=Path, required=True, metavar="DIR", help="NIST's archives, unpacked or not")
    parser.add_argument("--unpack", type=Path, required=True, metavar="DIR", help="where archives are unpacked")
    parser.add_argument("--output", type=Path, required=True, metavar="DIR", help="for text and references")
    arguments = parser.parse_args()
    if not arguments.duc.is_dir():
        sys.exit(
            f"{arguments.duc}: not a folder; it must hold NIST's archives of DUC 2003 and 2004, or what is in them"
        )
    unpack(arguments.duc, arguments.unpack)
    roots = [folder for folder in (arguments.duc, arguments.unpack) if folder.is_dir()]
    for year in YEARS:
        found = list(documents(roots, year))
        if not found:
            sys.exit(
                f"{arguments.duc}: no documents of DUC {year}; it must hold {ARCHIVES[year]}, unpacked or not"
            )
        texts = [text_of(read(path)) for path, _ in found]
        split = sentence_splitter(texts)
        write(arguments.output / f"{year}.text", [first_sentence(text, split, year) for text in texts])
        for number in range(REFERENCES):
            references = [" ".join(read(paths[number]).split()) for _, paths in found]
            write(arguments.output / f"{year}.ref{number}", references)
        print(f"DUC {year}: {len(found)} documents")


if __name__ == "__main__":
    try:
        main()
    except (UserError, OSError) as error:
        sys.exit(f"{Path(__file__).name}: {error}")
