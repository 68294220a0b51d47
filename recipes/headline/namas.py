"""Pairs for training from what `gigaword.py` wrote: split, filtered, lower-cased, as in NAMAS (Rush et al., 2015).

Months of the six agencies that NAMAS has are train, valid or test as there (904, 47 and 47 files). Test is not
filtered. Digits become #, and words seen fewer than five times in train <unk>, counted apart in texts and
headlines.

Otherwise than in NAMAS: words that mark a message to editors are matched as words, not within them ("ap" in
"japan"); they are found with --keep-digits, too; bylines ("by"), "i", colons and dashes throw a headline out at
its ends as well, where NAMAS wants a space on both sides; "?" must be a token; valid and test are random samples;
`-lrb-` is left out of headlines, as `-rrb-` is.
"""

import argparse
import random
import re
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

from alone_fairseq.checkpoint.files import replacing
from alone_fairseq.errors import UserError

AGENCIES = ("afp", "apw", "cna", "ltw", "nyt", "xin")
SPLITS = {
    "valid": {
        "afp": "199406 199502 199702 200308 200506 200601 200703",
        "apw": "199606 199708 199807 200204 200205 200210 200309 200608 200907",
        "cna": "200003 200102 200504 200710 200803 200912 201005",
        "ltw": "199503 199509 199803 200310 200407 200512",
        "nyt": "199512 199704 199709 200003 200203 200205 200306 200307 201011",
        "xin": "199510 199901 199904 199908 200212 200306 200406 200407 200702",
    },
    "test": {
        "afp": "199511 199604 199703 200606 200701 200704 200811",
        "apw": "199605 199608 199707 199808 200305 200412 200506 200708 200908",
        "cna": "200103 200112 200308 200904 200910 201007 201012",
        "ltw": "200312 200605 200606 200608 200805 200906",
        "nyt": "199612 199809 199910 200305 200505 200601 200808 201004 201005",
        "xin": "199704 199802 200106 200310 200411 200511 200711 200804 200902",
    },
}
SEEN = 5  # times that a word must be seen in train
D = r"[#\d]"  # a digit, masked or not

# Headlines with one of these words are messages to editors; with one of these tokens bylines, questions, lists.
EDITORIAL = re.compile(
    rf"(?<![^\W_])(updates?{D}*|recasts|undated|grafs|corrects|retransmitting|dateline|writethru|recaps|inserts"
    rf"|incorporates|adv{D}{D}+|djlfx|edits|byline|repetition|background|thruout|quotes|attention|ny{D}{D}{D}+|overline"
    r"|embargoed|ap|gmt|adds|embargo|urgent)(?![^\W_])"
)
UNWANTED = {"?", "i", ":", "-", "by", "-lrb-", "-rrb-"}
LEFT_OUT = {'"', "'", "''", "!", "=", "-", "--", ",", "?", ".", "``", "`", "-lrb-", "-rrb-", "\\/"}  # of headlines

Pair = tuple[list[str], list[str]]  # words of text and headline


def split_of(name: str) -> str | None:
    """Where the pairs of a file go, ``afp_eng_199405.NNN.tsv``: train, valid, test, or nowhere."""
    agency, _, month = name.split(".")[0].split("_")
    if agency not in AGENCIES:
        return None
    return next((split for split, months in SPLITS.items() if month in months[agency].split()), "train")


def wanted(text: list[str], headline: list[str]) -> bool:
    """Whether a lower-cased pair is one to learn from."""
    if not (10 < len(text) < 100 and 3 < len(headline) < 50 and "." in text):
        return False
    if UNWANTED & set(headline) or EDITORIAL.search(" ".join(headline)):
        return False
    return any(len(word) > 3 for word in set(text) & set(headline))


def read(paths: Iterable[Path], keep_digits: bool) -> Iterator[Pair]:
    """Lower-cased pairs, in the order of the files."""
    for path in paths:
        with open(path, encoding="utf-8") as lines:
            for line in lines:
                line = line.rstrip("\n").lower()
                text, headline = (line if keep_digits else re.sub(r"\d", "#", line)).split("\t")
                yield text.split(" "), headline.split(" ")


def without_punctuation(pairs: Iterable[Pair]) -> Iterator[Pair]:
    """Headlines without punctuation, where something is left."""
    for text, headline in pairs:
        if headline := [word for word in headline if word not in LEFT_OUT]:
            yield text, headline


def write(path: Path, pairs: Iterable[Pair]) -> int:
    """Write the pairs; how many they are."""
    count = 0
    with replacing(path) as file:
        for text, headline in pairs:
            file.write(f"{' '.join(text)}\t{' '.join(headline)}\n".encode())
            count += 1
    return count


def sample(pairs: Iterable[Pair], size: int) -> list[Pair]:
    """``size`` of the pairs at random, the same ones each time, or all if they are fewer; in their order."""
    pairs = list(pairs)
    return [pairs[index] for index in sorted(random.Random(1).sample(range(len(pairs)), min(size, len(pairs))))]


class Vocabulary:
    """Words of texts and of headlines that were seen often enough; the others become <unk>."""

    def __init__(self, pairs: Iterable[Pair]):
        counts = Counter(), Counter()
        for pair in pairs:
            for counter, words in zip(counts, pair, strict=True):
                counter.update(words)
        self.known = [{word for word, count in counter.items() if count >= SEEN} for counter in counts]

    def __call__(self, pair: Pair) -> Pair:
        text, headline = (
            [word if word in known else "<unk>" for word in words]
            for known, words in zip(self.known, pair, strict=True)
        )
        return text, headline

    def save(self, path: Path) -> None:
        """Write the words of texts, for `mask.py`."""
        with replacing(path) as file:
            file.write("".join(f"{word}\n" for word in sorted(self.known[0])).encode())


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, epilog="example: python namas.py --pairs pairs --output data --valid-size 8000"
    )
    parser.add_argument("--pairs", type=Path, required=True, metavar="DIR", help="what gigaword.py wrote")
    parser.add_argument(
        "--output", type=Path, required=True, metavar="DIR", help="for train, valid and test.tsv, known.txt"
    )
    parser.add_argument("--valid-size", type=int, default=8000, metavar="N", help="pairs of valid (8000)")
    parser.add_argument("--test-size", type=int, default=2000, metavar="N", help="pairs of test (2000)")
    parser.add_argument("--keep-digits", action="store_true", help="do not write # for them")
    parser.add_argument("--no-unk", action="store_true", help="leave rare words as they are")
    arguments = parser.parse_args()
    files = {"train": [], "valid": [], "test": []}
    for name in (arguments.pairs / "files.txt").read_text().split():
        if split := split_of(name):
            files[split].append(arguments.pairs / name)
    for split, paths in files.items():
        if not paths:
            sys.exit(f"{arguments.pairs}: has none of the months of {split}; is the corpus complete?")

    def pairs(split):
        found = read(files[split], arguments.keep_digits)
        return without_punctuation(found if split == "test" else (pair for pair in found if wanted(*pair)))

    vocabulary = None if arguments.no_unk else Vocabulary(pairs("train"))
    if vocabulary:
        vocabulary.save(arguments.output / "known.txt")
    sizes = {"valid": arguments.valid_size, "test": arguments.test_size}
    for split in files:
        found = sample(pairs(split), sizes[split]) if split in sizes else pairs(split)
        count = write(arguments.output / f"{split}.tsv", map(vocabulary, found) if vocabulary else found)
        print(f"{split}: {count:,} pairs")


if __name__ == "__main__":
    try:
        main()
    except (UserError, OSError) as error:
        sys.exit(f"{Path(__file__).name}: {error}")
