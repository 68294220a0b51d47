"""``alone analogy`` and ``alone neighbours``, against gensim on the same vectors."""

import json

import numpy as np
import pytest

from alone_fairseq.cli import main
from alone_fairseq.errors import UserError
from alone_fairseq.evaluation import analogy
from alone_fairseq.evaluation.analogy import Section, add_up, answer, read_questions
from alone_fairseq.evaluation.neighbours import neighbours
from alone_fairseq.vectors import Vectors, write_vectors

KINDS = ("a", "b", "c", "d")
WORDS = [f"{kind}{i}" for i in range(12) for kind in KINDS] + [f"other{i}" for i in range(30)]


def vectors():
    """Pairs a_i to b_i and c_i to d_i with nearly the same difference: some questions are answered, some not."""
    rng = np.random.default_rng(1)
    offsets = {kind: rng.normal(size=8) for kind in KINDS}
    rows = [
        offsets[word[0]] + row for word, row in zip(WORDS, np.repeat(rng.normal(size=(12, 8)), 4, 0), strict=False)
    ]
    noise = rng.normal(scale=0.75, size=(48, 8))
    return Vectors(WORDS, np.concatenate([np.array(rows) + noise, rng.normal(size=(30, 8))]).astype(np.float32))


def questions(first, second):
    pairs = [(f"{first}{i}", f"{second}{i}") for i in range(12)]
    return [(*one, *other) for one in pairs for other in pairs if one != other]


TEXT = ": capital-of\nq0 q1 q2 q3\n" + ": gram1-comparative\n{}\n: family\n{}\n".format(
    *("\n".join(" ".join(question) for question in questions(*kinds)) for kinds in ("ab", "cd"))
)


@pytest.fixture
def files(tmp_path):
    write_vectors(tmp_path / "f.vec", vectors())
    (tmp_path / "questions.txt").write_text(TEXT)
    (tmp_path / "plain.txt").write_text("\n".join("\t".join(question) for question in questions("a", "d")))
    return tmp_path


@pytest.fixture
def keyed(files):
    return pytest.importorskip("gensim.models").KeyedVectors.load_word2vec_format(files / "f.vec")


def test_accuracy_by_3cosadd_is_gensim_s(files, keyed):
    _, theirs = keyed.evaluate_word_analogies(str(files / "questions.txt"), case_insensitive=False)
    sections = {one["section"]: one for one in theirs}
    for section in read_questions(files / "questions.txt"):
        ours = answer(vectors(), section)
        right, wrong = (len(sections[section.name][key]) for key in ("correct", "incorrect"))
        assert (ours.correct["3CosAdd"], ours.found) == (right, right + wrong)
        assert ours.found == 0 or 0 < right < ours.found


def test_accuracy_by_3cosmul_is_gensim_s(keyed, monkeypatch):
    monkeypatch.setattr(analogy, "EPSILON", 1e-6)  # gensim's
    section = Section("s", "g", questions("a", "b"))
    right = sum(
        keyed.most_similar_cosmul(positive=[b, a_star], negative=[a], topn=1)[0][0] == b_star
        for a, a_star, b, b_star in section.questions
    )
    result = answer(vectors(), section)
    assert result.correct["3CosMul"] == right and 0 < right < result.found
    assert result.correct["3CosMul"] != result.correct["3CosAdd"], "questions that tell the methods apart"


def test_batches_change_nothing(monkeypatch):
    section = Section("s", "g", questions("a", "b"))
    whole = answer(vectors(), section)
    monkeypatch.setattr(analogy, "CELLS", 5 * len(WORDS))
    counted = []
    assert answer(vectors(), section, counted.append) == whole
    assert sum(counted) == whole.total and len(counted) > 20


def test_the_words_of_a_question_are_no_answers():
    same = Vectors(["a", "a*", "b", "x"], np.array([[1, 0], [1, 0.01], [0.9, 1], [-1, -1]], dtype=np.float32))
    result = answer(same, Section("s", "g", [("a", "a*", "b", "x")]))
    assert result.correct == {"3CosMul": 1, "3CosAdd": 1}


def test_semantic_and_syntactic_are_apart(files):
    results = [
        (section, answer(vectors(), section))
        for name in ("questions.txt", "plain.txt")
        for section in read_questions(files / name)
    ]
    sums = add_up(results)
    assert list(sums) == ["questions: semantic", "questions: syntactic", "plain"]
    assert (sums["questions: semantic"].found, sums["questions: semantic"].total) == (132, 133)
    assert sums["questions: syntactic"] == results[1][1]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "no questions in it"),
        (b": section\n", "no questions in it"),
        (b"a b c d\na b c\n", "line 2: must be four words, not 3"),
        (b"a b c d\n\xff b c d\n", "line 2: not valid UTF-8"),
    ],
)
def test_bad_questions_get_one_line(tmp_path, content, message):
    (tmp_path / "bad.txt").write_bytes(content)
    with pytest.raises(UserError) as error:
        read_questions(tmp_path / "bad.txt")
    assert "bad.txt: " in str(error.value) and message in str(error.value)


def test_command(files, capsys):
    command = [
        "analogy",
        "--vectors",
        f"{files}/f.vec",
        "--questions",
        f"{files}/questions.txt",
        f"{files}/plain.txt",
    ]
    assert main([*command, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)["f.vec"]
    expected = answer(vectors(), Section("s", "g", questions("a", "d")))
    assert found["groups"]["plain"] == {
        **{method: expected.accuracy(method) for method in analogy.METHODS},
        "correct": expected.correct,
        "questions": 132,
        "total": 132,
    }
    assert found["sections"]["questions: semantic: capital-of"]["3CosAdd"] is None
    assert main([*command, "--sections"]) == 0
    out = capsys.readouterr().out
    assert f"{expected.accuracy('3CosMul'):.2%}" in out and "questions: syntactic: gram1-comparative" in out
    assert main([*command, "--limit", "2"]) == 0
    assert "0 of 133" in capsys.readouterr().out
    write_vectors(files / "less.vec", Vectors(WORDS[:60], vectors().matrix[:60]))
    for limit, warned in (("60", False), ("61", True)):
        both = [*command, "--json", "--limit", limit, "--vectors", f"{files}/f.vec", f"{files}/less.vec"]
        assert main(both) == 0
        assert ("different numbers of words" in capsys.readouterr().err) == warned
    assert main([*command, f"{files}/plain.txt"]) == 1
    assert "plain: two files of questions have this name" in capsys.readouterr().err


def test_neighbours_are_gensim_s(files, keyed, capsys):
    ours, theirs = neighbours(vectors(), "a3", 5), keyed.most_similar("a3", topn=5)
    assert [word for word, _ in ours] == [word for word, _ in theirs]
    assert [cosine for _, cosine in ours] == pytest.approx([cosine for _, cosine in theirs], abs=1e-5)
    write_vectors(files / "less.vec", Vectors(WORDS[:2], vectors().matrix[:2]))
    command = ["neighbours", "a3", "a0", "--count", "5", "--vectors", f"{files}/f.vec", f"{files}/less.vec"]
    assert main(command) == 0
    out, err = capsys.readouterr()
    lines = out.splitlines()
    assert "different numbers of words: f.vec 78, less.vec 2; see --learnt-only" in err and err.count("\n") == 1
    assert lines[0] == "a3\tf.vec\t" + " ".join(word for word, _ in ours)
    assert lines[1] == "a3\tless.vec\t(no vector)" and lines[3] == "a0\tless.vec\tb0"
    assert main([*command, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["a3"]["f.vec"] == [list(one) for one in ours]
    assert main(["neighbours", "a0", "--limit", "1", "--vectors", f"{files}/f.vec"]) == 0
    assert capsys.readouterr().out == "a0\tf.vec\t\n", "a word alone"
    assert main(["neighbours", "Nothing", "--vectors", f"{files}/f.vec"]) == 1
    assert "no vectors have the word 'Nothing'; --lower-case" in capsys.readouterr().err
