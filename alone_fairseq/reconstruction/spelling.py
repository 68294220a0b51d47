"""The parts of words, as numbers: characters (Stratos 2017, Section 4.1) and n-grams (Ohashi et al. 2020, Step 1).

Which parts there are follows from the words that a student learns, so that nothing but these needs to be kept.
Number 0 is no part, 1 one that none of these words has.
"""

from array import array
from collections import Counter
from collections.abc import Iterable, Sequence

import torch
from torch import Tensor

from alone_fairseq.errors import UserError

UNKNOWN = 1
BEGINNING, END = "beginning", "end"  # of a word; no single character, so that they are none's


class Parts:
    """Numbers of known parts.

    Args:
        known: the parts, which get the numbers from 2 on.
    """

    def __init__(self, known: Iterable[str]):
        self.numbers = {part: number for number, part in enumerate(known, UNKNOWN + 1)}

    def __len__(self) -> int:
        """How many numbers there are, 0 and 1 included."""
        return len(self.numbers) + UNKNOWN + 1

    def __call__(self, words: Sequence[str]) -> Tensor:
        """(n, longest) long, 0 behind the last part of each word."""
        rows = [torch.tensor(self.of(word), dtype=torch.long) for word in words]
        return torch.nn.utils.rnn.pad_sequence(rows, batch_first=True) if rows else torch.zeros(0, 1).long()

    def in_a_row(self, words: Sequence[str]) -> tuple[Tensor, Tensor]:
        """The parts of all words, int32, and where each word's begin and the last one's end, (n + 1) long.

        One long word among millions would make a table of rows as long as its.
        """
        numbers, starts = array("i"), array("q", [0])
        for word in words:
            numbers.extend(self.of(word))
            starts.append(len(numbers))
        return torch.frombuffer(numbers, dtype=torch.int32), torch.frombuffer(starts, dtype=torch.long)

    def of(self, word: str) -> list[int]:
        """Numbers of the parts of a word; at least one."""
        raise NotImplementedError


class Characters(Parts):
    """All characters of some words, in the order of their code points.

    Args:
        words: whose characters are known.
        ends: put a mark before the first character of each word and another one behind the last.
    """

    def __init__(self, words: Sequence[str], ends: bool = False):
        marks = (BEGINNING, END) if ends else ()
        super().__init__([*sorted(set().union(*words)), *marks])
        self.ends = ends

    def of(self, word: str) -> list[int]:
        numbers = [self.numbers.get(character, UNKNOWN) for character in word]
        if self.ends:
            return [self.numbers[BEGINNING], *numbers, self.numbers[END]]
        return numbers or [UNKNOWN]


class NGrams(Parts):
    """The most frequent n-grams of some words, each word counted once; < and > mark its ends, as in fastText.

    Args:
        words: whose n-grams count.
        shortest, longest: characters of an n-gram.
        kept: how many n-grams; of equally frequent ones the alphabetically first.
    """

    def __init__(self, words: Sequence[str], shortest: int, longest: int, kept: int):
        if not 1 <= shortest <= longest:
            raise UserError(f"n-grams of {shortest} to {longest} characters: --ngram-min must be 1 to --ngram-max")
        self.shortest, self.longest = shortest, longest
        counts = Counter(part for word in words for part in self.cut(word))
        frequent = sorted(counts, key=lambda part: (-counts[part], part))
        super().__init__(frequent[:kept])

    def cut(self, word: str) -> list[str]:
        marked = f"<{word}>"
        return [
            marked[start : start + size]
            for size in range(self.shortest, self.longest + 1)
            for start in range(len(marked) - size + 1)
        ]

    def of(self, word: str) -> list[int]:
        numbers = self.numbers
        return [numbers[part] for part in self.cut(word) if part in numbers] or [UNKNOWN]
