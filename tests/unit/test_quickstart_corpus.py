"""The quickstart's corpus: its German, its vocabulary, its splits, and its command line."""

import subprocess
import sys
from collections import Counter
from itertools import chain, product
from pathlib import Path

import pytest
from sacremoses import MosesTokenizer

QUICKSTART = Path(__file__).parents[2] / "recipes" / "quickstart"
sys.path.insert(0, str(QUICKSTART))

import corpus  # noqa: E402
import grammar  # noqa: E402
import lexicon  # noqa: E402

NOUNS = lexicon.PERSONS + lexicon.SIMPLE_THINGS + lexicon.HEADS + lexicon.COMPOUNDS


def phrase(text, owner=None):
    """The noun phrase that an English text stands for: determiner, perhaps an adjective, noun."""
    determiner, *words = text.split()
    determiner = "a" if determiner == "an" else determiner
    adjective = words.pop(0) if words[0] in lexicon.ADJECTIVES else ""
    noun = next(noun for noun in NOUNS if " ".join(words) in noun.english)
    return grammar.NounPhrase(determiner, adjective, noun, " ".join(words) == noun.english[1], owner)


def verb(text):
    base, _, particle = text.partition(" ")
    return next(
        verb for verb in chain(*lexicon.VERBS.values()) if (verb.english[1], verb.particle) == (base, particle)
    )


def clause(subject, base, *objects, past=False, **rest):
    return grammar.Clause(subject, verb(base), past, tuple(objects), **rest)


ANNA = grammar.Name("Anna")
ANNA_BERG = grammar.Name("Anna Berg")


@pytest.mark.parametrize(
    "english, case, german",
    [
        # gender and case, singular, behind each kind of determiner
        ("the old table", "nom", "der alte Tisch"),
        ("the old table", "acc", "den alten Tisch"),
        ("the old table", "dat", "dem alten Tisch"),
        ("the old table", "gen", "des alten Tisches"),
        ("this new wall", "nom", "diese neue Wand"),
        ("this new wall", "acc", "diese neue Wand"),
        ("this new wall", "dat", "dieser neuen Wand"),
        ("this new wall", "gen", "dieser neuen Wand"),
        ("a small book", "nom", "ein kleines Buch"),
        ("a small book", "acc", "ein kleines Buch"),
        ("a small book", "dat", "einem kleinen Buch"),
        ("a small book", "gen", "eines kleinen Buches"),
        ("my big brother", "nom", "mein großer Bruder"),
        ("my big brother", "acc", "meinen großen Bruder"),
        ("my ugly queen", "nom", "meine hässliche Königin"),
        ("my ugly queen", "dat", "meiner hässlichen Königin"),
        ("every girl", "nom", "jedes Mädchen"),
        ("every girl", "gen", "jedes Mädchens"),
        ("every guest", "acc", "jeden Gast"),
        ("every aunt", "dat", "jeder Tante"),
        # number
        ("the old tables", "nom", "die alten Tische"),
        ("these children", "acc", "diese Kinder"),
        ("these children", "dat", "diesen Kindern"),
        ("my famous teachers", "dat", "meinen berühmten Lehrern"),
        ("my sisters", "dat", "meinen Schwestern"),
        ("the apples", "gen", "der Äpfel"),
        ("two dirty knives", "acc", "zwei schmutzige Messer"),
        ("two dirty knives", "dat", "zwei schmutzigen Messern"),
        ("two men", "gen", "zweier Männer"),
        ("two loud men", "gen", "zweier lauter Männer"),
        # compounds: gender and plural of the head, one word, with the linking element
        ("the garden lamp", "dat", "der Gartenlampe"),
        ("a silver car", "acc", "einen Silberwagen"),
        ("the birthday park", "gen", "des Geburtstagsparks"),
        ("a university bed", "nom", "ein Universitätsbett"),
        ("these kitchen doors", "dat", "diesen Küchentüren"),
        ("two clean city cars", "dat", "zwei sauberen Stadtwagen"),
        ("two wedding radios", "dat", "zwei Hochzeitsradios"),
        ("my sun shirts", "nom", "meine Sonnenhemden"),
    ],
)
def test_noun_phrase(english, case, german):
    assert phrase(english).english() == english
    assert phrase(english).german(case) == german


@pytest.mark.parametrize(
    "template, clauses, english, german",
    [
        # verb second, agreement of the verb, cases of the objects
        (
            "statement",
            [clause(phrase("the man"), "see", phrase("the old table"))],
            "The man sees the old table.",
            "Der Mann sieht den alten Tisch.",
        ),
        (
            "statement",
            [clause(phrase("the men"), "see", phrase("an apple"), past=True)],
            "The men saw an apple.",
            "Die Männer sahen einen Apfel.",
        ),
        (
            "statement",
            [clause(ANNA_BERG, "give", phrase("the child"), phrase("a book"), place="Elmau")],
            "Anna Berg gives the child a book in Elmau.",
            "Anna Berg gibt dem Kind ein Buch in Elmau.",
        ),
        (
            "statement",
            [clause(phrase("two women"), "thank", phrase("these doctors"), past=True)],
            "Two women thanked these doctors.",
            "Zwei Frauen dankten diesen Ärzten.",
        ),
        (
            "statement",
            [clause(ANNA, "play with", phrase("the key", owner=phrase("the old teacher")))],
            "Anna plays with the key of the old teacher.",
            "Anna spielt mit dem Schlüssel des alten Lehrers.",
        ),
        (
            "statement",
            [clause(ANNA, "wait for", phrase("the letter"), past=True)],
            "Anna waited for the letter.",
            "Anna wartete auf den Brief.",
        ),
        (
            "statement",
            [clause(phrase("these books"), "are", predicate="heavy", past=True)],
            "These books were heavy.",
            "Diese Bücher waren schwer.",
        ),
        # the verb before the subject
        (
            "today",
            [clause(phrase("my aunt"), "lend", phrase("a friend"), phrase("two garden bags"))],
            "Today my aunt lends a friend two garden bags.",
            "Heute leiht meine Tante einem Freund zwei Gartentaschen.",
        ),
        (
            "yesterday",
            [clause(phrase("the girls"), "sing", past=True, place="Elmau")],
            "Yesterday the girls sang in Elmau.",
            "Gestern sangen die Mädchen in Elmau.",
        ),
        # separable verbs: the prefix at the end
        (
            "statement",
            [clause(ANNA, "throw away", phrase("the picture"))],
            "Anna throws away the picture.",
            "Anna wirft das Bild weg.",
        ),
        (
            "today",
            [clause(phrase("the guests"), "look after", phrase("the bed"), past=True, place="Elmau")],
            "Today the guests looked after the bed in Elmau.",
            "Heute passten die Gäste auf das Bett in Elmau auf.",
        ),
        (
            "statement",
            [clause(phrase("the guests"), "agree with", phrase("the daughter"))],
            "The guests agree with the daughter.",
            "Die Gäste stimmen der Tochter zu.",
        ),
        # verb-final clauses, the prefix joined again
        (
            "that",
            [clause(ANNA, "believe"), clause(phrase("the friends"), "take along", phrase("a book"))],
            "Anna believes that the friends take along a book.",
            "Anna glaubt, dass die Freunde ein Buch mitnehmen.",
        ),
        (
            "because",
            [clause(phrase("the horse"), "get up", past=True), clause(ANNA, "arrive", past=True, place="Elmau")],
            "The horse got up because Anna arrived in Elmau.",
            "Das Pferd stand auf, weil Anna in Elmau ankam.",
        ),
        (
            "because",
            [clause(ANNA, "laugh"), clause(phrase("the door"), "are", predicate="old")],
            "Anna laughs because the door is old.",
            "Anna lacht, weil die Tür alt ist.",
        ),
        (
            "if",
            [clause(ANNA, "help", phrase("the children")), clause(phrase("the men"), "fall asleep")],
            "If Anna helps the children, the men fall asleep.",
            "Wenn Anna den Kindern hilft, schlafen die Männer ein.",
        ),
    ],
)
def test_sentence(template, clauses, english, german):
    assert grammar.Sentence(template, tuple(clauses)).pair() == (english, german)


def test_signature_leaves_out_number_tense_and_determiner():
    def signature(text, past):
        return grammar.Sentence("today", (clause(ANNA, "buy", phrase(text), past=past),)).signature()

    assert signature("the lamp", True) == signature("two lamps", False)
    assert signature("the lamp", True) != signature("the old lamp", True)


def test_lexicon_is_unambiguous():
    forms = [noun.english for noun in NOUNS]
    assert len(set(chain(*forms))) == 2 * len(NOUNS)
    verbs = [(form, verb.particle) for verb in chain(*lexicon.VERBS.values()) for form in set(verb.english)]
    assert max(Counter(verbs).values()) == 1
    names = lexicon.GIVEN_NAMES + lexicon.FAMILY_NAMES + lexicon.PLACES
    assert len(set(names)) == len(names)


@pytest.fixture(scope="module")
def default():
    return corpus.generate({"train": 30_000, "valid": 500, "test": 500}, seed=1)


def test_types(default):
    counts = Counter(word for sentence in default["train"] for word in corpus.words(sentence.pair()))
    assert len(counts) >= 4_000
    assert min(counts.values()) >= 5
    for split in ("valid", "test"):
        assert counts.keys() >= {word for sentence in default[split] for word in corpus.words(sentence.pair())}


def test_words_are_the_tokens_of_sacremoses(default):
    tokenizers = [MosesTokenizer(language) for language in ("en", "de")]
    for sentence in default["test"]:
        tokens = [tokenizer.tokenize(text) for tokenizer, text in zip(tokenizers, sentence.pair(), strict=True)]
        assert corpus.words(sentence.pair()) == tokens[0] + tokens[1]


def test_no_sentence_and_no_signature_twice(default):
    sentences = list(chain(*default.values()))
    assert len(sentences) == 31_000
    assert len({sentence.signature() for sentence in sentences}) == len(sentences)
    assert len({sentence.pair()[0] for sentence in sentences}) == len(sentences)


def test_every_phenomenon_is_in_the_test_set(default):
    found = {sentence.template for sentence in default["test"]}
    assert found == set(grammar.TEMPLATES)
    clauses = [clause for sentence in default["test"] for clause in sentence.clauses]
    assert any(clause.verb.prefix for clause in clauses)
    phrases = [
        phrase
        for clause in clauses
        for phrase in (clause.subject, *clause.objects)
        if isinstance(phrase, grammar.NounPhrase)
    ]
    assert {(p.noun.gender, p.plural) for p in phrases} == set(product("mfn", (False, True)))


def run(*arguments, hash_seed="0"):
    return subprocess.run(
        [sys.executable, QUICKSTART / "corpus.py", *map(str, arguments)],
        env={"PYTHONHASHSEED": hash_seed},
        capture_output=True,
        text=True,
    )


SMALL = ("--train", 300, "--valid", 20, "--test", 30)


def test_command_line(tmp_path):
    folders = [tmp_path / name for name in ("one", "again", "other")]
    for folder, seed, hash_seed in zip(folders, (1, 1, 2), "012", strict=True):
        result = run("--output", folder, *SMALL, "--seed", seed, hash_seed=hash_seed)
        assert result.returncode == 0, result.stderr
        assert "test: 30 sentences" in result.stdout
    one, again, other = ({file.name: file.read_bytes() for file in folder.iterdir()} for folder in folders)
    assert set(one) == {f"{split}.{side}" for split in ("train", "valid", "test") for side in ("en", "de")}
    assert one["train.de"].count(b"\n") == 300
    assert one == again
    assert all(one[name] != other[name] for name in one)
    assert sorted(tmp_path.iterdir()) == sorted(folders)  # no scratch folder is left


@pytest.mark.parametrize(
    "arguments, message",
    [
        (("--train", 0), "--train 0: must be at least 1"),
        (("--test", -3), "--test -3: must be at least 1"),
        (("--train", 1), "--train 1 has too few words for --valid 500"),
    ],
)
def test_impossible_sizes_are_refused(tmp_path, arguments, message):
    result = run("--output", tmp_path / "corpus", *arguments)
    assert result.returncode == 1
    assert message in result.stderr and result.stderr.count("\n") == 1
    assert not any(tmp_path.iterdir())


def test_a_folder_in_use_is_refused(tmp_path):
    (tmp_path / "notes").write_text("mine")
    for output in (tmp_path, tmp_path / "notes"):
        result = run("--output", output, *SMALL)
        assert result.returncode == 1
        assert "name a new one" in result.stderr and result.stderr.count("\n") == 1
    assert [file.read_text() for file in tmp_path.iterdir()] == ["mine"]


def test_an_empty_folder_is_taken(tmp_path):
    assert run("--output", tmp_path, *SMALL).returncode == 0
    assert len(list(tmp_path.iterdir())) == 6
