"""Sentences with a tag for each word: CoNLL-U, or a word a line with tabs between the columns."""

import re
from dataclasses import dataclass
from pathlib import Path

from alone_fairseq.compressed import numbered_lines
from alone_fairseq.errors import UserError

CONLLU_COLUMNS = 10
WORD_ID = re.compile(r"\d+")
NO_WORD_ID = re.compile(r"\d+[-.]\d+")  # several words written as one; words that are not written


@dataclass(frozen=True)
class Sentence:
    words: list[str]
    tags: list[str]


def read_tagged(path: str | Path, tag_column: int | None = None) -> list[Sentence]:
    """Read sentences with a blank line between.

    A line of ten columns that begins with a number is CoNLL-U: its word is in the second column. Else the word is
    in the first one.

    Args:
        tag_column: counted from 1; by default the fifth of CoNLL-U, which is XPOS, else the last.

    Raises:
        UserError: a line without that column or with fewer or more than the first, or no sentence at all.
    """
    sentences, words, tags, columns = [], [], [], 0
    for number, line in numbered_lines(path, "utf-8-sig"):
        line = line.rstrip("\r\n")
        fields = line.split("\t")
        conllu = len(fields) == CONLLU_COLUMNS
        comment = line.startswith("#") and (len(fields) == 1 or line.startswith("# "))
        if not line.strip() or comment:
            if words:
                sentences.append(Sentence(words, tags))
                words, tags = [], []
            continue
        if conllu and NO_WORD_ID.fullmatch(fields[0]):
            continue
        conllu = conllu and WORD_ID.fullmatch(fields[0]) is not None
        place = tag_column - 1 if tag_column else 4 if conllu else len(fields) - 1
        word = fields[1] if conllu else fields[0]
        if len(fields) < 2 or place >= len(fields) or not word or not fields[place].strip():
            raise UserError(
                f"{path}: line {number}: no tag in column {place + 1 if place else 2} of {line[:50]!r}"
            )
        columns = columns or len(fields)
        if len(fields) != columns:
            raise UserError(f"{path}: line {number}: {len(fields)} columns, and {columns} in the lines before")
        words.append(word)
        tags.append(fields[place].strip())
    if words:
        sentences.append(Sentence(words, tags))
    if not sentences:
        raise UserError(f"{path}: no sentences in it")
    return sentences
