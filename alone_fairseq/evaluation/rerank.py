"""Re-ranking of headlines by the words they share with the text (Takase and Okazaki, 2019).

Of the candidates for a text the one counts that has the most tokens which are in the text, too. Repeated tokens
count each time. Stems may be ROUGE-1.5.5's, which leave words of up to three letters alone; the paper's code has
NLTK's, for which "its" is "it". The paper speaks of content words, its code leaves no words out; ``stop_words``
does. <unk>, which pairs of NAMAS have for rare words, is no word that a text and a headline can share.
"""

import re
from collections.abc import Callable, Collection, Sequence

LETTER = re.compile(r"[^\W\d_]")
UNKNOWN = "<unk>"


class Reranker:
    """Counts shared words.

    Args:
        tokenize: text to tokens with a space between.
        stem: what a word is compared by.
        stop_words: words that don't count, in lower case.
    """

    def __init__(
        self,
        *,
        tokenize: Callable[[str], str] = str,
        stem: Callable[[str], str] = str,
        stop_words: Collection[str] = (),
    ):
        self.tokenize, self.stem, self.ignored = tokenize, stem, frozenset(stop_words)

    def words(self, text: str) -> list[str]:
        """Words of ``text`` that hold a letter and are no stop words, or their stems."""
        text = text.replace(UNKNOWN, " ")  # which Moses would take apart
        words = self.tokenize(text).lower().split()  # Moses tells by capitals where a sentence ends
        return [self.stem(word) for word in words if LETTER.search(word) and word not in self.ignored]

    def best(self, source: str, candidates: Sequence[tuple[float, str]]) -> str:
        """The candidate, (score, text), with the most words of ``source``; the better score breaks a tie."""
        known = set(self.words(source))
        shared = [sum(word in known for word in self.words(text)) for _, text in candidates]
        # Of equals, max takes the first.
        index = max(range(len(candidates)), key=lambda i: (shared[i], candidates[i][0]))
        return candidates[index][1]
