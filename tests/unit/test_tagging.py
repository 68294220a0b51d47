"""``alone tagging``: tagged text, the tagger's vectors, and that it learns."""

import json
import random

import numpy as np
import pytest
import torch

from alone_fairseq.cli import main
from alone_fairseq.errors import UserError
from alone_fairseq.evaluation import tagging
from alone_fairseq.evaluation.tagged_text import Sentence, read_tagged
from alone_fairseq.evaluation.tagging import Data, Lookup, Tagger, TaggerSettings
from alone_fairseq.reconstruction.config import StudentConfig, build_student
from alone_fairseq.reconstruction.student_file import content
from alone_fairseq.vectors import Vectors, write_vectors

CONLLU = """\
# sent_id = 1
# text = du Hund
1-2\tdu\t_\t_\t_\t_\t_\t_\t_\t_
1\tde\tde\tADP\tIN\t_\t2\tcase\t_\t_
2\tle\tle\tDET\tDT\t_\t2\tdet\t_\t_
2.1\tnot\tnot\tX\tXX\t_\t_\t_\t_\t_
3\t#\t#\tSYM\tNN\t_\t0\troot\t_\t_

1\tEnd\tend\tNOUN\tNN\t_\t0\troot\t_\t_
"""
SENTENCES = [Sentence(["de", "le", "#"], ["IN", "DT", "NN"]), Sentence(["End"], ["NN"])]


def test_conllu(tmp_path):
    (tmp_path / "f.conllu").write_text(CONLLU)
    assert read_tagged(tmp_path / "f.conllu") == SENTENCES
    assert read_tagged(tmp_path / "f.conllu", tag_column=4)[0].tags == ["ADP", "DET", "SYM"]


def test_columns_that_are_no_tags_or_others_are_refused():
    """Many files of CoNLL-U have no XPOS but _ for each word, which any tagger gets right."""
    nothing, tags = [Sentence(["a", "b"], ["_", "_"])], [Sentence(["a", "b"], ["A", "B"])]
    with pytest.raises(UserError, match="all words of the training data have the tag '_'"):
        Data({"train": nothing, "dev": nothing, "test": nothing}).check_tags()
    with pytest.raises(UserError, match="dev has no tag of the training data"):
        Data({"train": tags, "dev": nothing, "test": tags}).check_tags()


def test_tabs(tmp_path):
    (tmp_path / "f.tsv").write_text(
        "de\tADP\tIN\r\nle\tDET\tDT\r\n#\tSYM\tNN\r\n\r\n\r\nEnd\tNOUN\tNN", newline=""
    )
    assert read_tagged(tmp_path / "f.tsv") == SENTENCES
    assert read_tagged(tmp_path / "f.tsv", tag_column=2)[0].tags == ["ADP", "DET", "SYM"]


def test_comments_with_tabs_and_a_byte_order_mark_are_no_words(tmp_path):
    (tmp_path / "f.conllu").write_text(f"\ufeff# text = de\tle\n{CONLLU}", encoding="utf-8")
    assert read_tagged(tmp_path / "f.conllu") == SENTENCES
    (tmp_path / "f.tsv").write_text("\ufeffde\tIN\n#le\tDT\n", encoding="utf-8")
    assert read_tagged(tmp_path / "f.tsv") == [Sentence(["de", "#le"], ["IN", "DT"])]


@pytest.mark.parametrize(
    ("text", "column", "message"),
    [
        (b"", None, "no sentences in it"),
        (b"# only a comment\n\n", None, "no sentences in it"),
        (b"a\tA\nword\n", None, "line 2: no tag in column 2 of 'word'"),
        (b"a\tA\n", 3, "line 1: no tag in column 3"),
        (b"a\tA\n\tA\n", None, "line 2: no tag"),
        (b"a\tA\n\xff\tA\n", None, "line 2: not valid UTF-8"),
        (b"a\tB\tC\n\nb\tB\n", None, "line 3: 2 columns, and 3 in the lines before"),
    ],
)
def test_bad_text_gets_one_line(tmp_path, text, column, message):
    (tmp_path / "bad.tsv").write_bytes(text)
    with pytest.raises(UserError) as error:
        read_tagged(tmp_path / "bad.tsv", column)
    assert "bad.tsv: " in str(error.value) and message in str(error.value) and "\n" not in str(error.value)


def sentences(count, seed):
    """The tag of a word follows from its ending, but that of "so" from the word before."""
    rng = random.Random(seed)
    made = []
    for _ in range(count):
        words, tags = [], []
        for _ in range(rng.randint(2, 6)):
            tag = rng.choice(["en", "er"])
            words += ["".join(rng.choices("bdglmn", k=3)) + tag, "so"]
            tags += [tag, f"so-{tag}"]
        made.append(Sentence(words, tags))
    return made


@pytest.fixture(scope="module")
def data():
    return Data({"train": sentences(150, 1), "dev": sentences(30, 2), "test": sentences(30, 3)})


def new_student(data, dim=12):
    torch.manual_seed(1)
    return build_student(StudentConfig(student="char-bilstm"), sorted(data.counts), dim)


SETTINGS = TaggerSettings(lr=0.02, dropout=0.1, hidden_dim=12, epochs=8, batch_size=10)


def test_characters_and_context_tell_tags(data):
    epochs = []
    result = tagging.train(data, new_student(data), SETTINGS, progress=lambda _, dev: epochs.append(dev))
    assert result.test > 0.95 and result.new_words > 0.95
    accuracies = [dev for dev in epochs if dev is not None]
    assert result.dev == max(accuracies) and result.epoch == accuracies.index(result.dev) + 1
    assert len(accuracies) == SETTINGS.epochs
    again = tagging.train(data, new_student(data), SETTINGS)
    assert again == result, "the same seed"


def test_accuracy_is_the_share_of_right_words(data, monkeypatch):
    """A tagger that always says the first tag; tags that training has not seen are never right."""
    tagger = Tagger(data, new_student(data), None, SETTINGS)
    monkeypatch.setattr(Tagger, "forward", lambda self, words, lengths: torch.eye(4)[torch.zeros_like(words)])
    words = [word for sentence, _ in data.sets["test"] for word in sentence.tolist()]
    tags = [tag for _, sentence in data.sets["test"] for tag in sentence.tolist()]
    new = [tag for word, tag in zip(words, tags, strict=True) if data.words[word] not in data.counts]
    share = [sum(tag == 0 for tag in some) / len(some) for some in (tags, new)]
    assert tagging._accuracy(tagger, data, "test", "cpu") == (pytest.approx(share[0]), pytest.approx(share[1]))
    other = Data({"train": sentences(5, 1), "test": [Sentence(["so"], ["unseen"])]})
    tagger = Tagger(other, new_student(other), None, SETTINGS)
    assert tagging._accuracy(tagger, other, "test", "cpu")[0] == 0


def test_a_sentence_has_the_same_scores_alone_and_among_longer_ones(data):
    tagger = Tagger(data, new_student(data), Lookup(data, 5), SETTINGS).eval()
    batch = sorted(data.sets["test"][:8], key=lambda one: len(one[0]))
    words, lengths, _ = tagging._padded(batch, "cpu")
    together = tagger(words, lengths)
    for place, one in enumerate(batch):
        alone = tagger(one[0][None], lengths[place : place + 1])[0]
        assert torch.allclose(together[place, : len(alone)], alone, atol=1e-6)


def test_words_begin_as_the_teacher_s_and_unknown_ones_share_a_row():
    sets = {
        "train": [Sentence(["Dog", "sees", "dogs"], ["N", "V", "N"])] * 2,
        "dev": [Sentence(["SEES", "Fox", "new"], ["V", "N", "N"])],
    }
    data = Data(sets)
    teacher = Vectors(["dog", "sees", "Fox"], np.arange(9, dtype=np.float32).reshape(3, 3))
    lookup = Lookup(data, 3, teacher).eval()
    rows = dict(zip(data.words, lookup(torch.arange(len(data.words))).tolist(), strict=True))
    assert rows["Dog"] == [0, 1, 2] and rows["sees"] == rows["SEES"] == [3, 4, 5] and rows["Fox"] == [6, 7, 8]
    assert rows["new"] == lookup.table.weight[tagging.UNKNOWN].tolist() != rows["dogs"]
    assert lookup.table.num_embeddings == 1 + 3 + 2
    assert Lookup(data, 3).table.num_embeddings == 1 + 3


def test_words_that_are_there_once_are_half_of_the_time_unknown():
    data = Data({"train": [Sentence(["once", "twice", "twice"], ["A", "B", "B"])]})
    lookup = Lookup(data, 3)
    words = torch.arange(2).repeat(200, 1)
    unknown = (lookup(words) == lookup.table.weight[tagging.UNKNOWN]).all(-1)  # (200, 2)
    assert 60 < unknown[:, 0].sum() < 140 and not unknown[:, 1].any()
    assert not (lookup.eval()(words) == lookup.table.weight[tagging.UNKNOWN]).all(-1).any()


@pytest.fixture
def files(tmp_path, data):
    for name, count, seed in (("train", 60, 1), ("dev", 9, 2), ("test", 9, 3)):
        blocks = (zip(one.words, one.tags, strict=True) for one in sentences(count, seed))
        text = "\n".join("".join(f"{word}\tX\t{tag}\n" for word, tag in block) for block in blocks)
        (tmp_path / f"{name}.tsv").write_text(text)
    (tmp_path / "student.safetensors").write_bytes(content(new_student(data, dim=6)))
    write_vectors(tmp_path / "teacher.vec", Vectors(["so"], np.ones((1, 6), dtype=np.float32)))
    return tmp_path


def command(files, *more):
    sets = (part for name in ("train", "dev", "test") for part in (f"--{name}", f"{files}/{name}.tsv"))
    return ["tagging", *sets, "--epochs", "1", "--hidden-dim", "5", "--batch-size", "20", *more]


@pytest.mark.parametrize(
    ("more", "dim", "rows"),
    [
        (["--model", "char", "--dim", "6"], 6, 0),
        (["--model", "char", "--student", "STUDENT"], 6, 0),
        (["--model", "full", "--dim", "6"], 12, 1),
        (["--model", "full+emb", "--vectors", "TEACHER"], 12, 1),
    ],
)
def test_each_model_has_its_vectors(files, more, dim, rows, capsys):
    names = {"STUDENT": f"{files}/student.safetensors", "TEACHER": f"{files}/teacher.vec"}
    more = [names.get(word, word) for word in more]
    assert main([*command(files, *more), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    known = {word for one in sentences(60, 1) for word in one.words}
    characters = len({character for word in known for character in word}) + 2
    assert found["lookup"] == characters + rows * (1 + len(known)) and found["tags"] == 4
    lstm = 2 * 4 * 5 * (dim + 5 + 2)
    student = characters * 6 + 2 * 4 * 6 * (6 + 6 + 2) + 12 * 6 + 6
    assert found["parameters"] == rows * (1 + len(known)) * 6 + student + lstm + (10 * 5 + 5) + (5 * 4 + 4)
    assert 0 <= found["test"] <= 1 and found["settings"]["lr"] == 0.001
    assert main(command(files, *more)) == 0
    assert f"test        {found['test']:.2%}" in capsys.readouterr().out


def test_a_trained_student_is_where_training_begins(files, data):
    """With a learning rate of next to nothing the student is still what it was."""
    student = new_student(data)
    before = {name: tensor.clone() for name, tensor in student.state_dict().items()}
    tagging.train(data, student, TaggerSettings(lr=1e-12, epochs=1, dropout=0.25))
    assert all(torch.allclose(before[name], tensor, atol=1e-8) for name, tensor in student.state_dict().items())
    assert student.states.dropout.p == 0.25
    attentive = build_student(StudentConfig(student="ngram-attention"), sorted(data.counts), 12)
    assert Tagger(data, attentive, None, TaggerSettings(dropout=0.25)).student.attention.dropout == 0.25
    tagging.train(data, student, TaggerSettings(epochs=1))
    assert any(not torch.allclose(before[name], tensor) for name, tensor in student.state_dict().items())


def test_the_grid_is_the_paper_s_and_dev_chooses(files, monkeypatch, capsys):
    tried = []

    def train(data, student, settings, *more):
        tried.append((settings.lr, settings.dropout))
        return tagging.Result(
            0.9 - abs(settings.lr - 0.0003) - abs(settings.dropout - 0.2), 0.8, 0.7, 1, 2, 3, settings
        )

    monkeypatch.setattr(tagging, "train", train)
    assert main(command(files, "--model", "char", "--grid")) == 0
    out = capsys.readouterr().out
    assert tried == [(lr / 10000, dropout / 10) for lr in range(1, 6) for dropout in range(1, 6)]
    assert "setting     lr 0.0003, dropout 0.2" in out and out.count("dropout") == 26


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--model", "full+emb"], "belong together"),
        (["--model", "full", "--vectors", "f"], "belong together"),
        (["--model", "char", "--student", "f", "--dim", "5"], "--dim is that of the student"),
        (["--model", "char", "--grid", "--lr", "1"], "--grid chooses"),
        (["--model", "char", "--lr", "0"], "--lr must be above 0"),
        (["--model", "char", "--lr", "inf"], "--lr must be above 0, and finite"),
        (["--model", "char", "--seed", "-1"], "--seed must be 0 or more"),
        (["--model", "char", "--dropout", "1"], "--dropout must be 0 or more and below 1"),
        (["--model", "char", "--student", "missing.safetensors"], "missing.safetensors: not there"),
    ],
)
def test_mistakes_get_one_line(files, more, message, capsys):
    assert main(command(files, *more)) == 1
    err = capsys.readouterr().err
    assert message in err and len([line for line in err.splitlines() if "error" in line]) == 1


def test_a_student_of_words_can_not_tag(data):
    student = build_student(StudentConfig(student="words", alone_inter_dim=4), sorted(data.counts), 6)
    with pytest.raises(UserError, match="give it a student of characters"):
        tagging.train(data, student, SETTINGS)
