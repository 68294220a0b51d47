"""Generate the quickstart's English-German corpus: raw text, every sentence with one right translation.

Lemmas are dealt from shuffled decks, so that each is seen about equally often. A signature (the template
and the lemmas in it) is used once: no combination in test or valid occurs in train.
"""

import argparse
import os
import random
import re
import sys
import tempfile
from itertools import product
from pathlib import Path

import lexicon
from grammar import PLURAL_DETERMINERS, SINGULAR_DETERMINERS, TEMPLATES, Clause, Name, NounPhrase, Sentence

ANY = [kind for kind in lexicon.VERBS if kind != "saying"]
PATIENCE = 20_000  # draws without a usable sentence before giving up


def words(pair):
    """The words and punctuation marks of both sentences: the tokens that sacremoses makes of them."""
    return [token for text in pair for token in re.findall(r"\w+|[^\w\s]", text)]


class Deck:
    """Deals its cards in random order, each once before any comes again."""

    def __init__(self, rng, cards):
        self._rng, self._cards, self._rest = rng, list(cards), []

    def deal(self):
        if not self._rest:
            self._rest = self._rng.sample(self._cards, len(self._cards))
        return self._rest.pop()


class Sampler:
    """Draws random sentences; the same seed draws the same ones."""

    def __init__(self, seed):
        self._rng = rng = random.Random(seed)
        self._verbs = {kind: Deck(rng, verbs) for kind, verbs in lexicon.VERBS.items()}
        self._persons = Deck(rng, product(lexicon.PERSONS, (False, True)))  # each in both numbers
        self._compounds = Deck(rng, product(lexicon.COMPOUNDS, (False, True)))
        self._simple_things = Deck(rng, product(lexicon.SIMPLE_THINGS, (False, True)))
        self._adjectives = Deck(rng, lexicon.ADJECTIVES)
        self._given_names = Deck(rng, lexicon.GIVEN_NAMES)
        self._family_names = Deck(rng, lexicon.FAMILY_NAMES)
        self._places = Deck(rng, lexicon.PLACES)

    def _chance(self, probability):
        return self._rng.random() < probability

    def _noun_phrase(self, nouns, owner=None):
        noun, plural = nouns.deal()
        determiner = self._rng.choice(PLURAL_DETERMINERS if plural else SINGULAR_DETERMINERS)
        adjective = self._adjectives.deal() if self._chance(0.25) else ""
        return NounPhrase(determiner, adjective, noun, plural, owner)

    def _person(self):
        return self._noun_phrase(self._persons)

    def _thing(self):
        nouns = self._compounds if self._chance(0.7) else self._simple_things
        return self._noun_phrase(nouns, owner=self._person() if self._chance(0.1) else None)

    def _subject(self):
        if self._chance(0.5):
            return self._person()
        given = self._given_names.deal()
        return Name(f"{given} {self._family_names.deal()}" if self._chance(0.5) else given)

    def _clause(self, kind, past):
        kind = self._rng.choice(ANY) if kind == "any" else kind
        verb = self._verbs[kind].deal()
        if kind == "copula":
            return Clause(self._thing(), verb, past, predicate=self._adjectives.deal())
        # A dative without a preposition is the one to whom it is done: a person.
        objects = tuple(
            self._thing() if case == "acc" or verb.preposition else self._person() for case in verb.cases
        )
        place = self._places.deal() if kind != "saying" and self._chance(0.3) else ""
        return Clause(self._subject(), verb, past, objects, place=place)

    def sentence(self):
        name = self._rng.choice(list(TEMPLATES))
        template = TEMPLATES[name]
        past = self._rng.choice(template.tenses) == "past"
        return Sentence(name, tuple(self._clause(kind, past) for kind in template.clauses))


def generate(sizes, seed):
    """A corpus, ``{split: [Sentence, ...]}``, from the sizes of its splits, train first.

    Splits share no signature, and those after train have no word that train has not. Raises ValueError if
    train is too small for that.
    """
    sampler, corpus, signatures, vocabulary = Sampler(seed), {}, set(), set()

    def usable(sentence):
        known = not vocabulary or vocabulary.issuperset(words(sentence.pair()))
        return known and sentence.signature() not in signatures

    for split, size in sizes.items():
        corpus[split] = []
        while len(corpus[split]) < size:
            draws = (sampler.sentence() for _ in range(PATIENCE))
            sentence = next(filter(usable, draws), None)
            if sentence is None:
                raise ValueError(f"--train {sizes['train']} has too few words for --{split} {size}: give more")
            corpus[split].append(sentence)
            signatures.add(sentence.signature())
        if split == "train":
            vocabulary.update(*(words(sentence.pair()) for sentence in corpus[split]))
    return corpus


def write(corpus, output):
    """Write ``SPLIT.en`` and ``SPLIT.de`` into the folder ``output``, all of them or none."""
    output = output.resolve()
    output.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{output.name}.", dir=output.parent) as scratch:
        folder = Path(scratch, output.name)
        folder.mkdir()
        for split, sentences in corpus.items():
            for side, language in enumerate(("en", "de")):
                text = "".join(sentence.pair()[side] + "\n" for sentence in sentences)
                Path(folder, f"{split}.{language}").write_text(text, encoding="utf-8")
        os.replace(folder, output)


def main():
    parser = argparse.ArgumentParser(
        description=__doc__.split("\n")[0],
        epilog="example: python recipes/quickstart/corpus.py --output corpus --train 30000 --seed 1",
    )
    parser.add_argument("--output", type=Path, required=True, metavar="DIR", help="a new or empty folder")
    for split, size in (("train", 30_000), ("valid", 500), ("test", 500)):
        parser.add_argument(
            f"--{split}", type=int, default=size, metavar="N", help=f"sentences in {split} (default: %(default)s)"
        )
    parser.add_argument("--seed", type=int, default=1, help="another seed, another corpus (default: 1)")
    args = parser.parse_args()
    sizes = {"train": args.train, "valid": args.valid, "test": args.test}

    try:
        for split, size in sizes.items():
            if size < 1:
                raise ValueError(f"--{split} {size}: must be at least 1")
        if args.output.exists() and (not args.output.is_dir() or any(args.output.iterdir())):
            raise ValueError(f"--output {args.output} exists and is not an empty folder: name a new one")
        corpus = generate(sizes, args.seed)
        write(corpus, args.output)
    except (ValueError, OSError) as error:
        sys.exit(f"corpus.py: error: {error}")

    for split, sentences in corpus.items():
        tokens = [words(sentence.pair()) for sentence in sentences]
        types = {token for pair in tokens for token in pair}
        length = sum(map(len, tokens)) / (2 * len(tokens))
        print(f"{split}: {len(tokens):,} sentences, {len(types):,} types, mean length {length:.1f} tokens")


if __name__ == "__main__":
    main()
