"""teachers.sh and tagging.sh in miniature: nothing done twice, nothing mixed, a table at the end."""

import json
import random
import shutil
from pathlib import Path

import numpy as np
import pytest
from commands import RECIPES, call, files, refusal

from alone_fairseq.reconstruction.config import StudentConfig, build_student
from alone_fairseq.reconstruction.student_file import content
from alone_fairseq.vectors import Vectors, read_vectors, write_vectors

pytestmark = [pytest.mark.recipes, pytest.mark.xdist_group("teachers")]

WORDS = [f"{start}{end}" for start in ("hund", "wolke") for end in "abcdefgh"]


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    """A corpus of two topics, word pairs, analogy questions, and the corpus with tags."""
    folder, rng = tmp_path_factory.mktemp("data"), random.Random(1)
    lines = [rng.choices(WORDS[8 * (n % 2) :][:8], k=9) for n in range(200)]
    (folder / "corpus.txt").write_text("".join(f"{' '.join(line).title()}.\n" for line in lines))
    (folder / "pairs").mkdir()
    pairs = ((a, b, 9 if a[0] == b[0] else rng.randint(0, 5)) for a in WORDS for b in WORDS if a < b)
    (folder / "pairs" / "made-up.txt").write_text("".join(f"{a}\t{b}\t{score}\n" for a, b, score in pairs))
    (folder / "questions").mkdir()
    (folder / "questions" / "made-up.txt").write_text("hunda hundb wolkea wolkeb\nhunda hundc wolkea wolkec\n")
    (folder / "tagged").mkdir()
    for name, part in (("train", lines[:30]), ("dev", lines[30:35]), ("test", lines[35:40])):
        text = "\n".join("".join(f"{word}\t{word[0]}\n" for word in line) for line in part)
        (folder / "tagged" / f"{name}.tsv").write_text(text)
    write_vectors(folder / "teacher.vec", Vectors(WORDS, np.ones((16, 4), dtype=np.float32)))
    student = build_student(StudentConfig(student="char-bilstm"), WORDS, 4)
    (folder / "student.safetensors").write_bytes(content(student))
    return folder


def teachers(data, work, *more):
    given = ("--corpus", data / "corpus.txt", "--pairs", data / "pairs", "--questions", data / "questions")
    small = ("--dim", 4, "--epochs", 3, "--glove-epochs", 3, "--work", work)
    return call(RECIPES / "reconstruction" / "teachers.sh", *given, *small, *more)


def tagging(data, work, *more):
    given = ("--data", data / "tagged", "--teacher", data / "teacher.vec", "--epochs", 1, "--work", work)
    return call(RECIPES / "reconstruction" / "tagging.sh", *given, *more, "--", "--hidden-dim", 4)


@pytest.fixture(scope="module")
def trained(data, tmp_path_factory):
    work = tmp_path_factory.mktemp("teachers")
    result = teachers(data, work, "--models", "cbow-hs fasttext glove")
    assert result.returncode == 0, result.stderr
    return work, result.stdout


def test_teachers_are_trained_and_compared(trained):
    work, out = trained
    models = ("cbow-hs", "fasttext", "glove")
    for name in (f"{model}.vec" for model in models):
        assert sorted(read_vectors(work / name).words) == sorted([*WORDS, "."])
        (similarity, analogy) = (
            line.split() for line in out.splitlines() if line.split()[:2] == ["made-up", name]
        )
        assert similarity[2:5] == ["120", "of", "120"] and analogy[2:5] == ["2", "of", "2"]
    made = {f"{model}.{end}" for model in models for end in ("vec", "settings")}
    assert {path.name for path in work.iterdir()} == {".lock", *made}


def test_what_is_trained_is_not_trained_again_or_mixed(trained, data, tmp_path):
    work = Path(shutil.copytree(trained[0], tmp_path / "work"))
    before = files(work)
    result = teachers(data, work, "--models", "glove", "--stop-stage", 1)
    assert result.returncode == 0 and "stage 1: train glove: done already" in result.stdout
    assert "'dim 4' in place of 'dim 5'" in refusal(teachers(data, work, "--dim", 5))
    other = teachers(data, work, "--models", "cbow-hs fasttext", "--glove-epochs", 4, "--stop-stage", 1)
    assert other.returncode == 0 and other.stdout.count("done already") == 2, "GloVe's epochs are GloVe's only"
    assert "'glove_epochs 3' in place of 'glove_epochs 4'" in refusal(teachers(data, work, "--glove-epochs", 4))
    assert files(work) == before


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--models", "lsa"], "--models must be one of skip-gram-ns skip-gram-hs cbow-ns cbow-hs fasttext glove"),
        (["--corpus", "nowhere"], "--corpus 'nowhere': not there"),
        (["--pairs", "nowhere"], "--pairs 'nowhere': no such folder"),
        (["--stage", "2"], "skip-gram-ns.vec: not there; run stage 1 first"),
        (["--", "--threads", "2"], "alone: error: --threads is not for --model glove"),
        (["--", "--seed", "2", "--dim", "9"], "--dim is not for what stands behind --"),
    ],
)
def test_mistakes_in_teachers_get_one_line(data, tmp_path, more, message):
    assert message in refusal(teachers(data, tmp_path / "work", *more))


def test_pairs_are_read_before_teachers_are_trained(data, tmp_path):
    (tmp_path / "pairs").mkdir()
    line = ["--pairs", tmp_path / "pairs"]
    assert "no files in it" in refusal(teachers(data, tmp_path / "work", *line))
    (tmp_path / "pairs" / "bad.txt").write_text("hund\n")
    assert "bad.txt: line 1: must be two words" in refusal(teachers(data, tmp_path / "work", *line))
    assert not (tmp_path / "work").exists()


def test_tagging_compares_all_systems_with_the_paper(data, tmp_path):
    given = ("--lrs", "0.001 0.01", "--students", f"Dcos={data}/student.safetensors")
    result = tagging(data, tmp_path, *given, "--systems", "FULL+EMB CHAR CHAR(D)")
    assert result.returncode == 0, result.stderr
    rows = {line.split(" | ")[0].lstrip("| "): line for line in result.stdout.splitlines() if line.startswith("|")}
    for system, paper in (("FULL+EMB", "97.32 | 252,365"), ("CHAR", "96.93 | 80"), ("CHAR(Dcos)", "97.08 | 93")):
        assert "not run" not in rows[system] and rows[system].endswith(f"{paper} |")
    assert "not run" in rows["FULL"] and "not run" in rows["CHAR(D1)"]
    best = max(("0.001", "0.01"), key=lambda lr: json.loads((tmp_path / f"lr-{lr}.json").read_text())["dev"])
    assert (tmp_path / "CHAR-seed1.json").read_text() == (tmp_path / f"lr-{best}.json").read_text()
    before = files(tmp_path)
    again = tagging(data, tmp_path, *given, "--systems", "CHAR(D)")
    assert again.returncode == 0 and again.stdout.count("done already") == 3
    assert files(tmp_path) == before
    second = tagging(data, tmp_path, "--lrs", "0.001 0.01", "--systems", "CHAR", "--seeds", "2")
    assert second.returncode == 0 and "| CHAR | 2 |" in second.stdout
    (other := tmp_path / "other").write_bytes(b"another student")
    line = refusal(tagging(data, tmp_path, "--lrs", "0.001 0.01", "--students", f"Dcos={other}"))
    assert "made with other settings, 'student " in line


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--students", "nowhere"], "--students: 'nowhere' must be D=FILE"),
        (["--students", f"D1={__file__} D2={__file__} D1={__file__}"], "--students: D1 stands there twice"),
        (["--systems", "CHAR(D)", "--students", " "], "--systems 'CHAR(D)' needs --students"),
        (["--systems", " "], "--systems must be some of FULL FULL+EMB CHAR CHAR(D)"),
        (["--systems", "LSTM"], "--systems must be one of FULL FULL+EMB CHAR CHAR(D), not 'LSTM'"),
        (["--seeds", "x"], "--seeds must be whole numbers above 0, not 'x'"),
        (["--lrs", "0.001 x"], "--lrs must be a number above 0, such as 0.001, not 'x'"),
        (["--systems", "CHAR(D)"], "--systems 'CHAR(D)' needs --students"),
        (["--students", f"D1={__file__}"], "test_recipe_teachers.py: "),
        (["--grid", "maybe"], "--grid must be one of yes no"),
        (["--", "--seed", "9"], "--seed is not for what stands behind --"),
    ],
)
def test_mistakes_in_tagging_get_one_line(data, tmp_path, more, message):
    assert message in refusal(tagging(data, tmp_path / "work", *more))
