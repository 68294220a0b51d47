"""``alone rerank``: the candidate that shares the most words with its text."""

import json

import pytest
from sacremoses import MosesTokenizer

from alone_fairseq.cli import main
from alone_fairseq.evaluation.rerank import Reranker
from alone_fairseq.evaluation.stemmer import Stemmer

SOURCE = "a ferry sank off the northern coast on sunday with 75 passengers , police said"
CANDIDATES = [
    (-0.1, "boat sinks at night"),
    (-0.3, "ferry sank off the coast"),
    (-0.2, "police say ferry has sunk"),
]


def test_shared_words_count():
    assert Reranker().best(SOURCE, CANDIDATES) == "ferry sank off the coast"


def test_the_better_score_breaks_a_tie():
    tie = [(-0.5, "the ferry"), (-0.4, "police said"), (-0.4, "northern coast"), (-0.1, "boat")]
    assert Reranker().best(SOURCE, tie) == "police said"


def test_repeated_words_count_each_time():
    assert Reranker().best(SOURCE, [(-0.1, "ferry sank"), (-0.9, "ferry ferry ferry")]) == "ferry ferry ferry"


def test_tokens_without_a_letter_do_not_count():
    assert Reranker().best(SOURCE, [(-0.1, "ferry"), (-0.9, "75 , 75 ,")]) == "ferry"
    assert Reranker().words("1st # 2nd n't 75 x_1 _ É") == ["1st", "2nd", "n't", "x_1", "é"]


def test_unknown_words_are_not_shared():
    source = SOURCE.replace("passengers", "<unk>")
    assert Reranker().best(source, [(-0.1, "<unk> <unk> ferry"), (-0.9, "ferry sank")]) == "ferry sank"


def test_unknown_words_are_not_taken_apart():
    moses = MosesTokenizer("en")
    reranker = Reranker(tokenize=lambda text: moses.tokenize(text, return_str=True))
    assert (
        reranker.best("police in <unk> said", [(-0.1, "<unk> <unk> <unk>"), (-0.9, "police said")])
        == "police said"
    )


def test_a_full_stop_is_taken_off_by_the_next_sentence_s_capital():
    moses = MosesTokenizer("en")
    reranker = Reranker(tokenize=lambda text: moses.tokenize(text, return_str=True))
    assert reranker.words("It sank off the coast. Police were there.")[4:6] == ["coast", "police"]


def test_stop_words_do_not_count():
    reranker = Reranker(stop_words=["off", "the"])
    assert reranker.best(SOURCE, [(-0.5, "off the the coast"), (-0.6, "ferry sank")]) == "ferry sank"


def test_stems():
    pair = [(-0.1, "ferry"), (-0.9, "ferries with passenger")]
    assert Reranker().best(SOURCE, pair) == "ferry"
    assert Reranker(stem=Stemmer()).best(SOURCE, pair) == "ferries with passenger"


def test_capitals_make_no_difference():
    assert Reranker().best("Ferry SANK", [(-0.1, "boat"), (-0.9, "ferry sank")]) == "ferry sank"


LOG = """\
S-1\tthe small tree
H-1\t-0.5\ttree small
H-1\t-0.9\tsmall the tree
H-0\t-0.4\tnothing
H-0\t-0.3\tnothing else
"""


@pytest.fixture
def alone_rerank(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)

    def run(candidates, source, *flags):
        (tmp_path / "LOG").write_text(candidates)
        (tmp_path / "SOURCE").write_text(source)
        status = main(["rerank", "--candidates", "LOG", "--source", "SOURCE", *flags])
        return status, *capsys.readouterr()

    return run


def test_a_log_of_fairseq_generate(alone_rerank):
    assert alone_rerank(LOG, "a big tree\nthe small tree\n") == (0, "nothing else\nsmall the tree\n", "")


def test_a_log_of_characters(alone_rerank):
    log = "H-0\t-0.5\tt r e e\nH-0\t-0.9\tt r e e @@@@ s m a l l\n"
    assert alone_rerank(log, "the small tree\n") == (0, "tree small\n", "")


def test_plain_lines(alone_rerank):
    plain = "x\ny\nthe small\nsmall tree\n"
    assert alone_rerank(plain, "a\nthe tree\n", "--nbest", "2") == (0, "x\nthe small\n", "")
    assert alone_rerank(plain, "the small tree\n", "--nbest", "4")[1] == "the small\n"


def test_options(alone_rerank, tmp_path):
    (tmp_path / "STOP").write_text("The an\nsmall\n")
    flags = ["--nbest", "2", "--stop-words", "STOP"]
    assert alone_rerank("the small\ntrees\n", "The small trees\n", *flags)[1] == "trees\n"
    assert alone_rerank("small\nbig trees\n", "Small bigs tree\n", "--nbest", "2", "--stem")[1] == "big trees\n"


def test_texts_are_taken_apart_as_the_data_s_were(alone_rerank, tmp_path):
    settings = {"version": 1, "source_lang": "text", "target_lang": "headline", "tokenizer": "moses"}
    (tmp_path / "tokenizer.json").write_text(json.dumps({**settings, "bpe": "subword_nmt", "codes": "absent"}))
    flags = ["--nbest", "2", "--data", str(tmp_path)]
    source = 'The "ferry", said police.\n'
    assert alone_rerank("said\nferry police\n", source, "--nbest", "2")[1] == "said\n"
    assert alone_rerank("said\nferry police\n", source, *flags)[1] == "ferry police\n"


@pytest.mark.parametrize(
    ("candidates", "source", "flags", "message"),
    [
        (LOG, "one\n", [], "LOG has candidates for 2 texts, but SOURCE has 1 lines"),
        ("a\nb\nc\n", "one\n", ["--nbest", "2"], "LOG: 3 lines are no multiple of --nbest 2"),
        ("a\nb\n", "one\n", [], "LOG: no line begins with D- or H-"),
        (LOG, "one\ntwo\n", ["--stop-words", "nowhere"], "No such file or directory: nowhere"),
        (LOG, "one\ntwo\n", ["--data", "nowhere"], "nowhere/tokenizer.json: not there"),
    ],
)
def test_mistakes(alone_rerank, candidates, source, flags, message):
    status, out, err = alone_rerank(candidates, source, *flags)
    assert (status, out, err.count("\n")) == (1, "", 1)
    assert message in err
