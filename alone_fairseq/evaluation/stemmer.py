"""The stems of ROUGE-1.5.5: Porter's algorithm (1980) after WordNet's list of irregular forms.

``rouge-score`` stems with NLTK's extension of the algorithm ("dies" to "die", "enjoy" to "enjoy"). ROUGE-1.5.5 has
Martin Porter's own later form, which NLTK offers as a mode, with step 4 changed: once a suffix is removed the word
may lose "-ment", then "-ent" or "-ion", too ("governmental" to "govern"). Irregular forms ("children") come from
WordNet's exception lists, which are not in this package.
"""

import os
from collections.abc import Iterable, Mapping
from functools import lru_cache
from pathlib import Path

from nltk.stem import porter

from alone_fairseq.errors import UserError

SHORT = 3  # words of no more letters stay as they are

# Step 4 of ROUGE-1.5.5, one group after the other; in a group the first suffix that the word ends in counts.
STEP_4 = (
    (
        "al",
        "ance",
        "ence",
        "er",
        "ic",
        "able",
        "ible",
        "ant",
        "ement",
        "ou",
        "ism",
        "ate",
        "iti",
        "ous",
        "ive",
        "ize",
    ),
    ("ment",),
    ("ent", "sion", "tion"),
)


class Stemmer:
    """Stems of lower-case words.

    Args:
        exceptions: base forms of irregular words, as ``read_exceptions`` returns them.
    """

    def __init__(self, exceptions: Mapping[str, str] | None = None):
        self.exceptions = exceptions or {}
        self._porter = lru_cache(maxsize=1 << 16)(_Porter(mode=porter.PorterStemmer.MARTIN_EXTENSIONS).stem)

    def __call__(self, word: str) -> str:
        if len(word) <= SHORT:
            return word
        return self.exceptions.get(word) or self._porter(word)


class _Porter(porter.PorterStemmer):
    def _step4(self, word):
        for suffixes in STEP_4:
            suffix = next((suffix for suffix in suffixes if word.endswith(suffix)), "")
            removed = "ion" if suffix.endswith("ion") else suffix
            if suffix and self._measure(stem := word.removesuffix(removed)) > 1:
                word = stem
        return word


def read_exceptions(paths: Iterable[str | os.PathLike]) -> dict[str, str]:
    """Base forms of irregular words, from WordNet's ``noun.exc``, ``verb.exc``, ...

    Of a form that several files have, the last one counts by the alphabet of their names, in whatever order they
    are given. A line holds a form and its base forms, of which ROUGE-1.5.5 takes the first.

    Raises:
        UserError: a file is empty, or a line has fewer than two words.
    """
    exceptions = {}
    for path in sorted(map(Path, paths), key=lambda path: (path.name, path)):
        with open(path, encoding="utf-8", errors="replace") as file:
            lines = list(file)
        if not lines:
            raise UserError(f"{path}: is empty; it must be a list of WordNet's, as noun.exc is")
        for number, line in enumerate(lines, 1):
            words = line.split()
            if len(words) < 2:
                raise UserError(f"{path}: line {number}: not WordNet's format, a form and its base forms")
            exceptions[words[0]] = words[1]
    return exceptions
