"""``alone similarity``: Spearman's rho, the pairs found, and how sets of pairs are read."""

import json
import re

import numpy as np
import pytest
from scipy.stats import spearmanr

from alone_fairseq.cli import main
from alone_fairseq.errors import UserError
from alone_fairseq.evaluation.similarity import Pairs, read_pairs, similarity
from alone_fairseq.evaluation.spaces import lower_cased
from alone_fairseq.reconstruction.config import StudentConfig, build_student
from alone_fairseq.reconstruction.student_file import content
from alone_fairseq.vectors import Vectors, write_vectors

WORDS = [f"w{i}" for i in range(40)]
MATRIX = np.random.default_rng(1).normal(size=(40, 5)).astype(np.float32)
PAIRS = [(WORDS[i], WORDS[(7 * i + 3) % 40]) for i in range(40) if i != (7 * i + 3) % 40]


def cosine(a, b):
    return sum(x * y for x, y in zip(a, b, strict=True)) / (sum(x * x for x in a) * sum(y * y for y in b)) ** 0.5


def test_rho_is_scipy_s_of_scalar_cosines():
    scores = np.random.default_rng(2).integers(10, size=len(PAIRS)).astype(float)  # with ties, as people's have
    vectors = Vectors(WORDS, MATRIX)
    cosines = [cosine(*(MATRIX[vectors.index[word]].tolist() for word in pair)) for pair in PAIRS]
    result = similarity(vectors, Pairs("set", PAIRS, scores))
    assert result.rho == pytest.approx(spearmanr(cosines, scores).statistic, abs=1e-6)
    assert result.pairs == result.total == len(PAIRS)
    assert -1 <= result.low < result.rho < result.high <= 1


def test_each_resample_s_rho_is_scipy_s(monkeypatch):
    monkeypatch.setattr("alone_fairseq.evaluation.similarity.RESAMPLES", 1)
    scores = np.random.default_rng(2).integers(10, size=len(PAIRS)).astype(float)
    result = similarity(Vectors(WORDS, MATRIX), Pairs("set", PAIRS, scores), seed=3)
    draw = np.random.default_rng(3).integers(len(PAIRS), size=len(PAIRS))
    cosines = [cosine(*(MATRIX[WORDS.index(word)].tolist() for word in PAIRS[n])) for n in draw]
    expected = spearmanr(cosines, scores[draw]).statistic
    assert result.low == result.high == pytest.approx(expected, abs=1e-6)


def test_the_interval_shrinks_with_the_pairs_and_follows_from_the_seed():
    vectors = Vectors(WORDS, MATRIX)
    noise = np.random.default_rng(4).normal(size=len(PAIRS))
    scores = np.array([cosine(*(MATRIX[WORDS.index(word)].tolist() for word in pair)) for pair in PAIRS]) + noise
    one = similarity(vectors, Pairs("set", PAIRS, scores))
    many = similarity(vectors, Pairs("set", PAIRS * 20, np.tile(scores, 20)))
    assert many.high - many.low < (one.high - one.low) / 3
    assert similarity(vectors, Pairs("set", PAIRS, scores)) == one
    assert similarity(vectors, Pairs("set", PAIRS, scores), seed=2).low != one.low


def test_pairs_without_vectors_are_left_out_and_counted():
    vectors = Vectors(WORDS[:3], MATRIX[:3])
    pairs = [("w0", "w1"), ("w0", "unknown"), ("w1", "w2"), ("W0", "w1"), ("w0", "w2")]
    result = similarity(vectors, Pairs("set", pairs, np.arange(5.0)))
    assert (result.pairs, result.total) == (3, 5)
    kept = [pairs[n] for n in (0, 2, 4)]
    assert result.rho == similarity(vectors, Pairs("set", kept, np.array([0.0, 2, 4]))).rho


@pytest.mark.parametrize("pairs", [[("x", "y")] * 3, [("w0", "w1"), ("x", "y")], [("w0", "w1")] * 3])
def test_no_rho_where_there_is_none(pairs):
    assert np.isnan(similarity(Vectors(WORDS, MATRIX), Pairs("set", pairs, np.arange(float(len(pairs))))).rho)


FORMATS = {
    "tabs": "old\tnew\t1.58\nsmart\tintelligent\t9.2\n",
    "spaces": "old new 1.58\nsmart intelligent 9.2\n",
    "CRLF, a comment, a blank line": "# scores\r\nold\tnew\t1.58\r\n\r\nsmart\tintelligent\t9.2\r\n",
    "SimLex-999 as handed out": "word1\tword2\tPOS\tscore\nold\tnew\tA\t1.58\t2\nsmart\tintelligent\tA\t9.2\t1\n",
    "WordSim-353 as handed out": "Word 1,Word 2,Human (mean)\nold,new,1.58\nsmart,intelligent,9.2\n",
    "RG-65 as handed out": "old;new;1.58\nsmart;intelligent;9.2",
}


@pytest.mark.parametrize("name", FORMATS)
def test_formats(tmp_path, name):
    (tmp_path / "set.txt").write_text(FORMATS[name], newline="")
    pairs = read_pairs(tmp_path / "set.txt")
    assert (pairs.name, pairs.pairs) == ("set", [("old", "new"), ("smart", "intelligent")])
    assert pairs.scores.tolist() == [1.58, 9.2]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "no word pairs in it"),
        (b"a\tb\t1\na\tb\n", "line 2: must be two words and a score, not 'a\\tb'"),
        (b"a\tb\t1\na\tb\thigh\n", "line 2: must be two words and a score"),
        (b"a\tb\tnan\na\tb\tnan\n", "line 2: must be two words and a score"),
        (b"a\tb\t1\n\tb\t2\n", "line 2: must be two words and a score"),
        (b"a\tb\t1\n\xff\tb\t2\n", "line 2: not valid UTF-8"),
    ],
)
def test_bad_pairs_get_one_line(tmp_path, content, message):
    (tmp_path / "bad.txt").write_bytes(content)
    with pytest.raises(UserError) as error:
        read_pairs(tmp_path / "bad.txt")
    assert "bad.txt: " in str(error.value) and message in str(error.value) and "\n" not in str(error.value)


def test_lower_case_prefers_the_word_so_spelt():
    vectors = Vectors(["US", "Us", "us", "Forest", "FOREST"], np.arange(5, dtype=np.float32)[:, None])
    lower = lower_cased(vectors)
    assert dict(zip(lower.words, lower.matrix[:, 0].tolist(), strict=True)) == {"us": 2, "forest": 3}


@pytest.fixture
def files(tmp_path):
    teacher, student = tmp_path / "teacher.vec", tmp_path / "student.vec"
    write_vectors(teacher, Vectors(WORDS, MATRIX))
    write_vectors(student, Vectors(WORDS[:20], MATRIX[:20, :3]))
    lines = (f"{a.upper()}\t{b}\t{n % 10}\n" for n, (a, b) in enumerate(PAIRS))
    (tmp_path / "set.txt").write_text("".join(lines))
    return tmp_path


def test_teacher_and_student_side_by_side(files, capsys):
    command = ["similarity", "--vectors", f"{files}/teacher.vec", f"{files}/student.vec", "--pairs"]
    assert main([*command, f"{files}/set.txt", "--lower-case", "--json"]) == 0
    results = json.loads(capsys.readouterr().out)
    assert (results["teacher.vec"]["parameters"], results["teacher.vec"]["bytes"]) == (200, 800)
    expected = similarity(Vectors(WORDS, MATRIX), Pairs("set", PAIRS, np.arange(len(PAIRS)) % 10.0))
    assert results["teacher.vec"]["sets"]["set"] == vars(expected)
    assert 0 < results["student.vec"]["sets"]["set"]["pairs"] < len(PAIRS)
    assert main([*command, f"{files}/set.txt", "--lower-case"]) == 0
    out = capsys.readouterr().out
    assert f"{expected.rho:.3f}" in out and "30.0%" in out and f"{len(PAIRS)} of {len(PAIRS)}" in out
    assert main([*command, f"{files}/set.txt", "--json"]) == 0
    as_written = json.loads(capsys.readouterr().out)["teacher.vec"]["sets"]["set"]
    assert as_written == {"rho": None, "low": None, "high": None, "pairs": 0, "total": len(PAIRS)}


def test_a_student_whose_training_has_diverged_is_refused(files, capsys):
    student = build_student(StudentConfig(student="words", alone_inter_dim=4), WORDS[:10], 5)
    next(student.parameters()).data[0] = float("nan")
    (files / "student.safetensors").write_bytes(content(student))
    given = ["--vectors", f"{files}/student.safetensors", "--pairs", f"{files}/set.txt"]
    assert main(["similarity", *given]) == 1
    (told,) = capsys.readouterr().err.splitlines()
    assert "student.safetensors: has weights that are not finite" in told


def test_vectors_without_any_pair_have_no_share_of_the_first(files, capsys):
    write_vectors(files / "few.vec", Vectors(WORDS[:1], MATRIX[:1]))
    order = np.argsort([-cosine(MATRIX[0].tolist(), MATRIX[n].tolist()) for n in (1, 2, 3)])
    lines = (f"w0\tw{1 + n}\t{3 - place}\n" for place, n in enumerate(order))
    (files / "found.txt").write_text("".join(lines))
    given = ["--vectors", f"{files}/teacher.vec", f"{files}/few.vec", "--pairs", f"{files}/found.txt"]
    assert main(["similarity", *given]) == 0
    out = capsys.readouterr().out
    assert "1.000" in out and "none" in out and "nan" not in out


def test_a_mean_is_of_sets_that_can_tell_something(files, capsys):
    rng = np.random.default_rng(1)
    for name, count in (("large", 100), ("larger", 120), ("small", 99)):
        lines = (f"w{a}\tw{b}\t{score}\n" for a, b, score in rng.integers(0, 40, size=(count, 3)))
        (files / f"{name}.txt").write_text("".join(lines))
    sets = [f"{files}/{name}.txt" for name in ("large", "larger", "small")]
    assert main(["similarity", "--vectors", f"{files}/teacher.vec", "--pairs", *sets]) == 0
    rows = {line.split("  ")[0]: line for line in capsys.readouterr().out.splitlines()}
    rho = {name: float(re.search(r" (-?0\.\d{3})\b", rows[name])[1]) for name in ("large", "larger")}
    mean = float(re.search(r" (-?0\.\d{3})\b", rows["mean of 2 with 100 pairs"])[1])
    assert mean == pytest.approx((rho["large"] + rho["larger"]) / 2, abs=1e-3)
    assert main(["similarity", "--vectors", f"{files}/teacher.vec", "--pairs", *sets[1:]]) == 0
    assert "mean" not in capsys.readouterr().out


def test_what_is_given_twice_is_refused(files, capsys):
    command = ["similarity", "--vectors", f"{files}/teacher.vec", "--pairs", f"{files}/set.txt"]
    assert main([*command, f"{files}/set.txt"]) == 1
    assert "set: two sets of pairs have this name" in capsys.readouterr().err
    assert main([*command, "--vectors", *[f"{files}/teacher.vec"] * 2]) == 1
    assert "given twice" in capsys.readouterr().err


@pytest.mark.parametrize(("kind", "new"), [("words", 0), ("char-bilstm", 30)])
def test_a_student_counts_its_own_parameters_and_makes_vectors_for_other_words(files, kind, new, capsys):
    student = build_student(StudentConfig(student=kind, alone_inter_dim=4), WORDS[:10], 5)
    (files / "student.safetensors").write_bytes(content(student))
    (files / "set.txt").write_text("".join(f"{a}\t{b}\t{n % 10}\n" for n, (a, b) in enumerate(PAIRS)))
    given = ["--vectors", f"{files}/teacher.vec", f"{files}/student.safetensors"]
    learnt = sum(a in WORDS[:10] and b in WORDS[:10] for a, b in PAIRS)
    for more, count, pairs in (([], new, len(PAIRS) if new else learnt), (["--learnt-only"], 0, learnt)):
        assert main(["similarity", *given, "--pairs", f"{files}/set.txt", "--json", *more]) == 0
        result = json.loads(capsys.readouterr().out)["student.safetensors"]
        assert result["parameters"] == student.parameter_count and result["bytes"] == 4 * student.parameter_count
        assert result["out_of_vocabulary"] == count and result["words"] == 10 + count
        assert result["sets"]["set"]["pairs"] == pairs
    # With a limit one would be cut and the other not.
    for more, share in (([], f"{student.parameter_count / 200:.1%}"), (["--limit", "10"], "–")):
        assert main(["similarity", *given, "--pairs", f"{files}/set.txt", *more]) == 0
        lines = capsys.readouterr().out.splitlines()
        assert next(line for line in lines if line.startswith("student")).endswith(f" {share}")
    # Words that it has learnt in capitals are not made anew in lower case.
    learnt = build_student(student.settings, [word.upper() for word in WORDS[:10]], 5)
    (files / "student.safetensors").write_bytes(content(learnt))
    assert main(["similarity", *given, "--pairs", f"{files}/set.txt", "--json", "--lower-case"]) == 0
    assert json.loads(capsys.readouterr().out)["student.safetensors"]["out_of_vocabulary"] == new
    (files / "student.safetensors").write_bytes(content(student))
    assert main(["neighbours", "w35", *given, "--json", "--count", "40"]) == 0
    near = json.loads(capsys.readouterr().out)["w35"]
    assert len(near["teacher.vec"]) == 39
    assert {word for word, _ in near.get("student.safetensors", [])} == (set(WORDS[:10]) if new else set())
    assert main(["neighbours", "w35", *given, "--json", "--learnt-only"]) == 0
    assert list(json.loads(capsys.readouterr().out)["w35"]) == ["teacher.vec"]
