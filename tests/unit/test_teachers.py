"""Word vectors trained from a corpus: its words, GloVe against scalar arithmetic, word2vec by gensim."""

import gzip
import lzma
import math

import numpy as np
import pytest
import torch

from alone_fairseq.cli import main
from alone_fairseq.errors import UserError
from alone_fairseq.reconstruction.teachers import cooccurrence, glove
from alone_fairseq.reconstruction.teachers.corpus import Corpus, read_corpus, tokenized, write_tokens
from alone_fairseq.vectors import read_vectors


@pytest.mark.parametrize(("name", "pack"), [("plain", bytes), ("gzip", gzip.compress), ("xz", lzma.compress)])
def test_a_corpus_is_read_however_it_is_packed(tmp_path, name, pack):
    (tmp_path / name).write_bytes(pack("It's well-known, (Ängste).\n\nA 'b'\n".encode()))
    words = [["It's", "well-known", ",", "(", "Ängste", ")", "."], ["A", "'", "b", "'"]]
    assert list(tokenized([tmp_path / name])) == words
    assert list(tokenized([tmp_path / name], lower_case=True))[0][4] == "ängste"
    assert list(tokenized([tmp_path / name], split=False))[0] == ["It's", "well-known,", "(Ängste)."]


def test_a_corpus_on_one_line_is_cut_into_pieces(tmp_path):
    (tmp_path / "text").write_text("word " * 20_001)
    assert [len(words) for words in tokenized([tmp_path / "text"])] == [10_000, 10_000, 1]


def test_a_corpus_that_is_not_utf8_gets_one_line(tmp_path):
    (tmp_path / "bad.txt").write_bytes(b"good\nb\xffd\n")
    with pytest.raises(UserError, match="bad.txt: line 2: not valid UTF-8"):
        list(tokenized([tmp_path / "bad.txt"]))


def test_rare_words_are_left_out_of_a_corpus(tmp_path):
    lines = [["a", "rare", "b", "a"], ["rarer"], ["b", "a"]]
    assert write_tokens(iter(lines), tmp_path / "tokens", lambda count: None) == 7
    corpus = read_corpus(tmp_path / "tokens", min_count=2)
    assert corpus.words == ["a", "b"]
    assert corpus.ids.tolist() == [0, 1, 0, 1, 0] and corpus.lines.tolist() == [0, 0, 0, 2, 2]
    with pytest.raises(UserError, match="no word of the corpus is there 9 times; lower --min-count"):
        read_corpus(tmp_path / "tokens", min_count=9)


@pytest.fixture
def corpus():
    rng = np.random.default_rng(1)
    return Corpus(list("abcdef"), rng.integers(6, size=60).astype(np.int32), np.sort(rng.integers(7, size=60)))


@pytest.mark.parametrize("window", [1, 4, 100])
@pytest.mark.parametrize("chunk", [7, 1 << 20])
def test_cooccurrences_are_those_counted_one_by_one(corpus, window, chunk, monkeypatch):
    monkeypatch.setattr(cooccurrence, "CHUNK", chunk)
    expected = np.zeros((6, 6))
    for i in range(60):
        for j in range(60):
            if i != j and abs(i - j) <= window and corpus.lines[i] == corpus.lines[j]:
                expected[corpus.ids[i], corpus.ids[j]] += 1 / abs(i - j)
    counted = []
    counts = cooccurrence.cooccurrences(corpus, window, counted.append)
    assert np.allclose(counts.toarray(), expected, atol=1e-5) and sum(counted) == 60


def test_a_step_of_glove_is_that_of_scalar_arithmetic(corpus):
    """One epoch in one batch: J's mean, and each element after a step of AdaGrad."""
    counts = cooccurrence.cooccurrences(corpus, 2, lambda count: None)
    settings = glove.GloVeSettings(dim=2, epochs=1, x_max=3.0, cells=100)
    generator = torch.Generator().manual_seed(settings.seed)
    sides = [((torch.rand(6, 4, generator=generator) - 0.5) / 2).tolist() for _ in range(2)]
    (words, contexts), gradients, squares = sides, np.zeros((2, 6, 2)), np.ones((2, 6, 2))
    total = 0.0
    cells = [(i, j, x) for (i, j), x in np.ndenumerate(counts.toarray()) if x]
    for i, j, x in cells:
        # A word's bias is its third number, a context's its fourth.
        (w, c), bias = (words[i][:2], contexts[j][:2]), words[i][2] + contexts[j][3]
        error = w[0] * c[0] + w[1] * c[1] + bias - math.log(x)
        weight = min(1.0, (x / 3.0) ** 0.75)
        total += weight * error**2
        for place, other in (((0, i), c), ((1, j), w)):
            gradients[place] += weight * error * np.array(other)
            squares[place] += (settings.lr * weight * error * np.array(other)) ** 2
    moved = np.array(sides)[:, :, :2] - settings.lr * gradients / np.sqrt(squares)
    losses = []
    vectors = glove.train(corpus, counts, settings, lambda count, loss: losses.append((count, loss)))
    assert np.allclose(vectors.matrix, moved[0] + moved[1], atol=1e-6)
    assert losses == [(len(cells), pytest.approx(total / len(cells), rel=1e-5))]


def test_glove_reaches_counts_that_it_can_express():
    """log X of rank 2 plus biases, as in the paper's derivation: J goes to zero."""
    rng = np.random.default_rng(1)
    w, b = rng.normal(size=(20, 2)), rng.normal(size=20)
    counts = np.exp(0.5 * (w @ w.T) + b[:, None] + b)
    matrix = cooccurrence.csr_array(counts.astype(np.float32))
    settings = glove.GloVeSettings(dim=4, epochs=1500, cells=5, lr=0.2)
    losses = []
    glove.train(Corpus([f"w{i}" for i in range(20)], None, None), matrix, settings, lambda _, x: losses.append(x))
    assert np.mean(losses[-4:]) < 1e-3 * np.mean(losses[:4])


@pytest.fixture(scope="module")
def text(tmp_path_factory):
    """Two topics: words of the same one are near each other, and those that begin alike are of the same one."""
    rng = np.random.default_rng(1)
    path = tmp_path_factory.mktemp("corpus") / "text"
    topics = [[f"{start}{end}" for end in "abcdefgh"] for start in ("hund", "wolke")]
    lines = (" ".join(rng.choice(topics[n % 2], size=12)) for n in range(400))
    path.write_text("".join(f"{line.title()} .\n" for line in lines))
    return path


MODELS = [
    ["skip-gram", "--loss", "ns"],
    ["skip-gram", "--loss", "hs"],
    ["cbow", "--loss", "ns", "--lr", "0.1"],
    ["cbow", "--loss", "hs"],
    ["fasttext", "--buckets", "500"],
    ["glove", "--x-max", "10"],
]


@pytest.mark.parametrize("model", MODELS, ids=[" ".join(model) for model in MODELS])
def test_each_model_tells_topics_apart(text, tmp_path, model, capsys):
    command = ["teacher", str(text), "--lower-case", "--dim", "8", "--epochs", "20", "--model", *model]
    command += [] if model[0] == "glove" else ["--sample", "0"]
    assert main([*command, "--output", str(tmp_path / "one.vec")]) == 0
    assert "17 words of 8 elements, from a corpus of 5,200 words" in capsys.readouterr().out
    vectors = read_vectors(tmp_path / "one.vec")
    rows = {kind: [vectors.index[word] for word in vectors.words if word.startswith(kind)] for kind in "hw"}
    centered = vectors.matrix[rows["h"] + rows["w"]]
    centered = centered - centered.mean(0)
    cosines = np.corrcoef(centered)
    assert cosines[:8, :8].mean() > 0.3 and cosines[:8, 8:].mean() < 0
    assert main([*command, "--output", str(tmp_path / "two.vec")]) == 0
    assert (tmp_path / "one.vec").read_bytes() == (tmp_path / "two.vec").read_bytes(), "the same seed"
    assert main([*command, "--seed", "2", "--output", str(tmp_path / "two.vec"), "--force"]) == 0
    assert (tmp_path / "one.vec").read_bytes() != (tmp_path / "two.vec").read_bytes()


def test_vectors_never_replace_their_corpus(text, capsys):
    before = text.read_bytes()
    assert main(["teacher", str(text), "--model", "cbow", "--output", str(text), "--force"]) == 1
    assert "is a file to read; name another one to write" in capsys.readouterr().err
    assert text.read_bytes() == before


def test_glove_needs_words_that_stand_together(tmp_path, capsys):
    (tmp_path / "corpus").write_text("one\ntwo\n" * 5)
    command = ["teacher", str(tmp_path / "corpus"), "--model", "glove", "--output", str(tmp_path / "f.vec")]
    assert main(command) == 1
    assert "no two words of the corpus stand near each other" in capsys.readouterr().err
    assert not (tmp_path / "f.vec").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["glove", "--loss", "hs"], "--loss is not for --model glove"),
        (["cbow", "--min-n", "2"], "--min-n is not for --model cbow"),
        (["fasttext", "--x-max", "2"], "--x-max is not for --model fasttext"),
        (["cbow", "--loss", "hs", "--negative", "3"], "--negative is for --loss ns"),
        (["fasttext", "--min-n", "7"], "--min-n must not be above --max-n"),
        (["cbow", "--lr", "-1"], "--lr must be above 0"),
        (["cbow", "--lr", "inf"], "--lr must be above 0, and finite"),
        (["cbow", "--seed", "-1"], "--seed must be 0 or more"),
        (["cbow", "--sample", "1"], "--sample must be at least 0, and below 1"),
        (["cbow", "--min-count", "9999"], "no word of the corpus is there 9999 times"),
        (["glove", "--min-count", "9999"], "no word of the corpus is there 9999 times"),
    ],
)
def test_mistakes_get_one_line(text, tmp_path, arguments, message, capsys):
    assert main(["teacher", str(text), "--output", str(tmp_path / "f.vec"), "--model", *arguments]) == 1
    err = capsys.readouterr().err
    assert message in err and len([line for line in err.splitlines() if "error" in line]) == 1
    assert not list(tmp_path.iterdir())
