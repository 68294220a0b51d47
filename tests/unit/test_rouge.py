"""ROUGE recall: ROUGE-1.5.5's numbers, those of rouge-score where the two agree, and one line about mistakes."""

import json

import numpy as np
import pytest
from rouge_score.rouge_scorer import RougeScorer

from alone_fairseq import UserError
from alone_fairseq.cli import main
from alone_fairseq.evaluation.bootstrap import interval, p_value, resampled_means
from alone_fairseq.evaluation.rouge import METRICS, Rouge
from alone_fairseq.evaluation.stemmer import Stemmer, read_exceptions

EXCEPTIONS = {"children": "child", "mice": "mouse", "seen": "see", "sunk": "sink", "sank": "sink"}
HYPOTHESES = [
    "children saw governmental mice in zürich",
    "",
    "<unk> state-of-the-art engines # agreed on",
    "the the the ferry sank",
    "a ferry with many passengers sank in the cold northern strait of the islands on sunday night",
    "…",
]
REFERENCES = [
    [
        "Governments see child with a mouse in Zürich",
        "Ferry sinks",
        "State of the art engine; agreement on it",
        "The ferry sank the boat",
        "Passengers die as ferry sinks in icy northern strait near the islands, Sunday night rescue fails",
        "nothing",
    ],
    [
        "A mouse is seen",
        "Ferry has sunk in the strait",
        "U.S. agrees on engines",
        "the",
        "On Sunday night many passengers of a ferry sank with it in the cold northern strait off the isles; no",
        "not a thing",
    ],
]
# What ROUGE-1.5.5.pl -m -b 75 -a -d writes of each item, with -f A and -f B, with WordNet's exceptions.
SCRIPT = {
    "pooled": [
        [0.38462, 0.18182, 0.30769],
        [0.0, 0.0, 0.0],
        [0.69231, 0.45455, 0.61538],
        [0.83333, 0.5, 0.66667],
        [0.64286, 0.26923, 0.46429],
        [0.0, 0.0, 0.0],
    ],
    "best": [
        [0.55556, 0.25, 0.44444],
        [0.0, 0.0, 0.0],
        [0.75, 0.57143, 0.75],
        [1.0, 0.5, 1.0],
        [0.66667, 0.28571, 0.53846],
        [0.0, 0.0, 0.0],
    ],
}
# Of ROUGE-1.5.5's own stemmer.
STEMS = {
    "dies": "di",
    "enjoy": "enjoi",
    "news": "new",
    "skies": "ski",
    "agreed": "agre",
    "governmental": "govern",
    "element": "elem",
    "adoption": "adopt",
    "oppositional": "opposit",
    "yearly": "yearli",
    "byzantine": "byzantin",
    "controlling": "control",
    "the": "the",
    "its": "its",
}


@pytest.mark.parametrize("aggregate", SCRIPT)
def test_the_numbers_of_the_original_script(aggregate):
    items = Rouge(aggregate=aggregate, exceptions=EXCEPTIONS).items(HYPOTHESES, REFERENCES)
    assert abs(items - SCRIPT[aggregate]).max() < 0.51e-5


def test_the_stems_of_the_original_script():
    stemmer = Stemmer(EXCEPTIONS)
    assert {word: stemmer(word) for word in STEMS} == STEMS
    assert [stemmer("children"), stemmer("sank")] == ["child", "sink"]


def test_the_numbers_of_rouge_score_where_the_definitions_agree():
    names = {"rouge1": 0, "rouge2": 1, "rougeL": 2}
    package, rouge = RougeScorer(list(names)), Rouge(bytes=0, stem=False)
    for hypothesis, reference in zip(HYPOTHESES * 2, REFERENCES[0] + REFERENCES[1], strict=True):
        expected = package.score(reference, hypothesis)
        recalls = rouge.item(hypothesis, [reference])
        assert recalls == pytest.approx([expected[name].recall for name in names])


def test_both_sides_are_cut_at_the_byte_even_within_a_word():
    rouge = Rouge(bytes=8, stem=False)
    assert rouge.tokens("Ferry sank") == ["ferry", "sa"]
    assert rouge.tokens("Zürich, 1") == ["z", "rich"], "ü has two bytes, and neither is of a word"
    assert rouge.item("ferry sinks", ["ferry sand and more"]) == [0.5, 0.0, 0.5]
    assert rouge.item("ferry sa", ["ferry sand and more"]) == [1.0, 1.0, 1.0]
    assert Rouge(bytes=0, stem=False).tokens("İstanbul \u212aelvin") == ["stanbul", "elvin"], (
        "only ASCII has a case"
    )


def test_several_references():
    references = ["a b c d", "a b"]
    assert Rouge().item("a b x", references) == [4 / 6, 2 / 4, 4 / 6]
    assert Rouge(aggregate="best").item("a b x", references) == [1, 1, 1]
    assert Rouge(aggregate="mean").item("a b x", references) == [0.75, pytest.approx(2 / 3), 0.75]
    for aggregate in ("pooled", "best", "mean"):
        rouge = Rouge(aggregate=aggregate)
        assert rouge.item("a b x", [*references, "", " "]) == rouge.item("a b x", references)


def test_matches_are_clipped_and_order_counts_for_the_subsequence():
    assert Rouge().item("a a a a", ["a b a"]) == [2 / 3, 0, 2 / 3]
    assert Rouge().item("c b a", ["a b c"]) == [1, 0, 1 / 3]


def test_the_interval_is_the_same_each_time_and_narrower_for_more_items():
    scores = np.linspace(0, 1, 50)
    low, high = interval(scores)
    assert low < scores.mean() < high
    assert interval(scores).tolist() == [low, high]
    wide = interval(scores[::10])
    assert wide[1] - wide[0] > high - low
    assert resampled_means(np.ones((5, 3))).shape == (1000, 3)
    # For the mean of many values: 1.96 standard errors to either side.
    many = np.random.RandomState(3).normal(size=2000)
    assert interval(many) - many.mean() == pytest.approx([-0.0438, 0.0438], rel=0.15)


def test_the_paired_test_tells_a_difference_from_chance():
    noise = np.random.RandomState(1).normal(size=200)
    other = np.random.RandomState(2).normal(size=200)
    assert p_value(noise + 0.2, noise) < 0.01, "each item is better, which pairing shows"
    assert p_value(noise, other) > 0.05
    assert p_value(noise, noise) == 1


@pytest.fixture
def alone_rouge(tmp_path, capsys):
    """Run the command on lines of hypotheses and of references; its status and what it prints."""

    def run(hypotheses, references, *flags):
        paths = []
        for name, lines in zip("h01234", [hypotheses, *references], strict=False):
            paths.append(str(tmp_path / name))
            (tmp_path / name).write_bytes("".join(f"{line}\n" for line in lines).encode())
        status = main(["rouge", "--hypotheses", paths[0], "--references", *paths[1:], *flags])
        return status, *capsys.readouterr()

    return run


def test_the_command(alone_rouge):
    status, out, err = alone_rouge(HYPOTHESES, REFERENCES)
    *lines, signature = out.splitlines()
    assert (status, err) == (0, "")
    assert [line.split()[0] for line in lines] == list(METRICS)
    assert signature.startswith(
        "nrefs:2|bytes:75|stem:porter|exceptions:none|aggregate:pooled|items:6|bootstrap:1000|version:alone_fairseq-"
    )


def test_the_command_s_json(alone_rouge, tmp_path):
    (tmp_path / "noun.exc").write_text("children child\nmice mouse\n")
    (tmp_path / "verb.exc").write_text("seen see\nsunk sink\nsank sink\naxes ax axis\n")
    names = [str(tmp_path / "noun.exc"), str(tmp_path / "verb.exc")]
    status, out, _ = alone_rouge(HYPOTHESES, REFERENCES, "--json", "--exceptions", *names)
    report = json.loads(out)
    assert status == 0 and list(report) == [*METRICS, "items", "signature"]
    for metric, mean in zip(METRICS, np.mean(SCRIPT["pooled"], axis=0), strict=True):
        assert report[metric]["recall"] == pytest.approx(mean, abs=1e-5)
        assert 0 <= report[metric]["low"] < mean < report[metric]["high"] <= 1
    assert report["items"] == 6 and "|exceptions:6|" in report["signature"]


def test_the_command_s_options(alone_rouge):
    flags = ["--json", "--bytes", "0", "--no-stem", "--aggregate", "best"]
    long = "a ferry " + "and more " * 20
    report = json.loads(alone_rouge(["ferry sinks"], [["ferries sink"], [long]], *flags)[1])
    assert report["ROUGE-1"]["recall"] == pytest.approx(1 / 42)
    assert "|bytes:all|stem:no|exceptions:none|aggregate:best|" in report["signature"]


@pytest.mark.parametrize(
    ("hypotheses", "references", "flags", "message"),
    [
        (["a", "b"], [["a", "b"], ["a"]], [], "/h has 2 lines and "),
        ([], [[]], [], "there is nothing to score"),
        (["a", "b"], [["a", ""], ["a", " "]], [], "line 2: has no reference"),
        (["a"], [["a"]], ["--no-stem", "--exceptions", "EXC"], "exceptions are for stems"),
        (["a"], [["a"]], ["--exceptions", "BAD"], "BAD: line 2: not WordNet's format, a form and its base forms"),
        (["a"], [["a"]], ["--exceptions", "EMPTY"], "EMPTY: is empty; it must be a list of WordNet's"),
        (["a"], [["a"]], ["--exceptions", "nowhere"], "No such file or directory: nowhere"),
    ],
)
def test_mistakes(alone_rouge, tmp_path, monkeypatch, hypotheses, references, flags, message):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "EXC").write_text("mice mouse\n")
    (tmp_path / "BAD").write_text("mice mouse\nmice\n")
    (tmp_path / "EMPTY").touch()
    status, out, err = alone_rouge(hypotheses, references, *flags)
    assert (status, out, err.count("\n")) == (1, "", 1)
    assert message in err


def test_the_order_of_the_lists_makes_no_difference(tmp_path):
    (tmp_path / "noun.exc").write_text("wound wound\nmice mouse\n")
    (tmp_path / "verb.exc").write_text("wound wind\n")
    paths = [tmp_path / "verb.exc", tmp_path / "noun.exc"]
    assert read_exceptions(paths) == read_exceptions(paths[::-1]) == {"wound": "wind", "mice": "mouse"}


def test_mistakes_in_python():
    with pytest.raises(UserError, match="unknown aggregate 'max'; choose from pooled, best, mean"):
        Rouge(aggregate="max")
    with pytest.raises(UserError, match="2 hypotheses, but 1 lines in references 2"):
        Rouge().items(["a", "b"], [["a", "b"], ["a"]])
    assert read_exceptions([]) == {}
