"""A small grammar that says one thing in English and in German.

A phrase knows its own words in both languages; what differs between the languages is stated once: endings
by case, gender and number (``NounPhrase``), the place of the verb (``Clause``), conjunctions (``TEMPLATES``).
"""

from dataclasses import dataclass

from lexicon import ADJECTIVES, Noun, Verb

CASES = ("nom", "acc", "dat", "gen")
_COLUMNS = ("m", "f", "n", "plural")


def _paradigm(*rows):
    """{(case, column): ending} from one row a case, nom acc dat gen, one cell a column, m f n plural."""
    return {
        (case, column): cell.strip("-")
        for case, row in zip(CASES, rows, strict=True)
        for column, cell in zip(_COLUMNS, row.split(), strict=True)
    }


_DEFINITE = _paradigm("er ie as ie", "en ie as ie", "em er em en", "es er es er")
_DEMONSTRATIVE = _paradigm("er e es e", "en e es e", "em er em en", "es er es er")
_POSSESSIVE = _paradigm("- e - e", "en e - e", "em er em en", "es er es er")
_NUMERAL = _paradigm("- - - -", "- - - -", "- - - -", "- - - er")
_WEAK = _paradigm("e e e en", "en e e en", "en en en en", "en en en en")
_MIXED = _paradigm("er e es en", "en e es en", "en en en en", "en en en en")
_STRONG = _paradigm("er e es e", "en e es e", "em er em en", "en er en er")

# English determiner: German stem, its endings, the endings of the adjective behind it
_DETERMINERS = {
    "the": ("d", _DEFINITE, _WEAK),
    "this": ("dies", _DEMONSTRATIVE, _WEAK),
    "these": ("dies", _DEMONSTRATIVE, _WEAK),
    "every": ("jed", _DEMONSTRATIVE, _WEAK),
    "a": ("ein", _POSSESSIVE, _MIXED),
    "my": ("mein", _POSSESSIVE, _MIXED),
    "two": ("zwei", _NUMERAL, _STRONG),
}
SINGULAR_DETERMINERS = ("the", "this", "every", "a", "my")
PLURAL_DETERMINERS = ("the", "these", "my", "two")


def _join(*words):
    return " ".join(word for word in words if word)


@dataclass(frozen=True)
class Name:
    """A proper name, the same in both languages and in every case."""

    name: str
    plural = False

    def english(self):
        return self.name

    def german(self, case):
        return self.name

    def lemmas(self):
        return (self.name,)


@dataclass(frozen=True)
class NounPhrase:
    """Determiner, adjective ("" for none), noun, and the owner in the genitive."""

    determiner: str
    adjective: str
    noun: Noun
    plural: bool
    owner: "NounPhrase | None" = None

    def english(self):
        words = _join(self.adjective, self.noun.english[self.plural])
        vowel = words[0] in "aeiou" and not words.startswith("uni")  # a university
        article = "an" if self.determiner == "a" and vowel else self.determiner
        return _join(article, words, self.owner and "of " + self.owner.english())

    def german(self, case):
        """The phrase in ``case``, one of ``CASES``."""
        cell = case, "plural" if self.plural else self.noun.gender
        stem, endings, adjective_endings = _DETERMINERS[self.determiner]
        adjective = self.adjective and ADJECTIVES[self.adjective] + adjective_endings[cell]
        return _join(
            stem + endings[cell], adjective, self._german_noun(case), self.owner and self.owner.german("gen")
        )

    def _german_noun(self, case):
        form = self.noun.german[self.plural]
        if self.plural and case == "dat" and not form.endswith(("n", "s")):
            return form + "n"
        return self.noun.genitive if case == "gen" and not self.plural else form

    def lemmas(self):
        owner = self.owner.lemmas() if self.owner else ()
        return (self.adjective, self.noun.english[0], *owner)


@dataclass(frozen=True)
class Clause:
    """A subject and what it does or is; ``predicate`` is an adjective, ``place`` a name, "" for none.

    In a format string ``{:english}`` writes it in English, ``{:main}`` in German with the verb second,
    ``{:inverted}`` with the verb before the subject, ``{:final}`` with the verb at the end.
    """

    subject: Name | NounPhrase
    verb: Verb
    past: bool
    objects: tuple[Name | NounPhrase, ...] = ()
    predicate: str = ""
    place: str = ""

    def __format__(self, order):
        form = 2 * self.past + self.subject.plural
        place = self.place and "in " + self.place
        if order == "english":
            objects = [phrase.english() for phrase in self.objects]
            return _join(
                self.subject.english(),
                self.verb.english[form],
                self.verb.particle,
                *objects,
                self.predicate,
                place,
            )
        subject, verb, prefix = self.subject.german("nom"), self.verb.german[form], self.verb.prefix
        objects = [phrase.german(case) for phrase, case in zip(self.objects, self.verb.cases, strict=True)]
        rest = _join(self.verb.preposition, *objects, ADJECTIVES.get(self.predicate), place)
        return {
            "main": _join(subject, verb, rest, prefix),
            "inverted": _join(verb, subject, rest, prefix),
            "final": _join(subject, rest, prefix + verb),
        }[order]

    def lemmas(self):
        verb = _join(self.verb.english[1], self.verb.particle)
        objects = [lemma for phrase in self.objects for lemma in phrase.lemmas()]
        return (*self.subject.lemmas(), verb, *objects, self.predicate, self.place)


@dataclass(frozen=True)
class Template:
    """A kind of sentence in both languages, the kinds of its clauses {0}, {1}, and the tenses it allows."""

    english: str
    german: str
    clauses: tuple[str, ...] = ("any",)
    tenses: tuple[str, ...] = ("present", "past")


TEMPLATES = {
    "statement": Template("{0:english}", "{0:main}"),
    "today": Template("today {0:english}", "heute {0:inverted}"),
    "yesterday": Template("yesterday {0:english}", "gestern {0:inverted}", tenses=("past",)),
    "that": Template("{0:english} that {1:english}", "{0:main}, dass {1:final}", ("saying", "any")),
    "because": Template("{0:english} because {1:english}", "{0:main}, weil {1:final}", ("intransitive", "any")),
    "if": Template(
        "if {0:english}, {1:english}", "wenn {0:final}, {1:inverted}", ("any", "intransitive"), tenses=("present",)
    ),
}


@dataclass(frozen=True)
class Sentence:
    """Clauses in a template."""

    template: str
    clauses: tuple[Clause, ...]

    def pair(self):
        """The sentence in English and in German."""
        template = TEMPLATES[self.template]
        texts = (pattern.format(*self.clauses) for pattern in (template.english, template.german))
        return tuple(text[0].upper() + text[1:] + "." for text in texts)

    def signature(self):
        """The template and the lemmas in it, whatever their number, tense and determiners."""
        return (self.template, *(clause.lemmas() for clause in self.clauses))
