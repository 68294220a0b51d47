"""The recipes of the reconstruction in miniature, as a person runs them."""

import json
import re
import shutil
import subprocess
import time
from pathlib import Path

import numpy as np
import pytest
from commands import RECIPES, call, environment, files, kill_when, refusal

from alone_fairseq.vectors import Vectors, read_vectors, write_vectors

pytestmark = [pytest.mark.recipes, pytest.mark.xdist_group("recipe_reconstruction")]

HERE = RECIPES / "reconstruction"
WORDS = [first + second + end for first in "abcd" for second in "xyz" for end in ("", "s", "ing")]
SMALL = ["--words", "30", "--"]


def recipe(name, data, work, *arguments) -> str:
    given = ["--vectors", data / "vectors.vec", "--pairs", data / "pairs", "--work", work, *arguments]
    result = call(HERE / f"{name}.sh", *given)
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    """Vectors with a capital letter among the words, and pairs with a word that has no vector."""
    folder = tmp_path_factory.mktemp("data")
    random = np.random.RandomState(1)
    words = ["Axe", *WORDS]
    write_vectors(folder / "vectors.vec", Vectors(words, random.randn(len(words), 6).astype(np.float32)))
    (folder / "pairs").mkdir()
    pairs = [(WORDS[n], WORDS[n + step], n * step % 7) for n in range(20) for step in range(1, 6)]
    pairs += [("ax", "unheard", 3)]
    (folder / "questions").mkdir()
    (folder / "questions" / "some.txt").write_text("ax axs ay ays\nax axs az unheard\n")
    (folder / "pairs" / "some.txt").write_text("".join(f"{a}\t{b}\t{score}\n" for a, b, score in pairs))
    return folder


def test_figure3(data, tmp_path):
    grid = ["--filters", "real", "--bases", "trained", "--inter-dims", "9", "--seeds", "1", "--epochs", "2"]
    text = recipe("figure3", data, tmp_path, *grid, "--shares", "none", *SMALL)
    assert read_vectors(tmp_path / "teacher" / "teacher.npz").words == WORDS[:30], "lower case, and the first ones"
    assert re.search(r"\| teacher \| 180 \| 100\.0% \|  \| -?0\.\d{3} \|", text)
    assert re.search(r"\| Real number, D_inter = 9 \| 114 \| 63\.3% \| 1 \| -?0\.\d{3} \|", text)
    assert "| Binary (Fix o), D_inter = 9 | 114 | 63.3% | not run | not run |" in text
    assert "some 100 of 101" in text
    assert (tmp_path / "figure3.png").read_bytes().startswith(b"\x89PNG")
    student = tmp_path / "real-trained-9-seed1"
    before = files(student)
    assert {"epoch-2.json", "real-trained-9-seed1-epoch-2.safetensors"} <= {path.name for path in before}
    recipe("figure3", data, tmp_path, *grid, "--shares", "none", "--stop-stage", "2", *SMALL)
    assert before == files(student), "nothing is done twice"
    shutil.copytree(data / "pairs", tmp_path / "pairs")
    shutil.copy(data / "pairs" / "some.txt", tmp_path / "pairs" / "more.txt")
    text = recipe("figure3", data, tmp_path, *grid, "--shares", "none", "--pairs", tmp_path / "pairs", *SMALL)
    assert "some 100 of 101" in text and "more 100 of 101" in text, "scored again"
    changed = {path.name for path, one in files(student).items() if before.get(path) != one}
    assert changed == {"epoch-2.json", "epoch-2.pairs"}, "but not trained again"
    text = recipe(
        "figure3", data, tmp_path, *grid[:-4], "--seeds", "2", "--epochs", "2", "--shares", "none", *SMALL
    )
    row = next(line for line in text.splitlines() if "| Real number, D_inter = 9 |" in line)
    assert " | 1 | " in row and "more" not in text, "seed 1 was last scored on other pairs"
    line = ["--vectors", data / "vectors.vec", "--pairs", data / "pairs", "--work", tmp_path, "--epochs", "3"]
    refused = call(HERE / "figure3.sh", *line, *SMALL)
    assert "other settings" in refusal(refused)


def test_figure3_takes_all_words_of_any_case(data, tmp_path):
    recipe("figure3", data, tmp_path, "--words", "all", "--case", "any", "--stop-stage", "1")
    assert read_vectors(tmp_path / "teacher" / "teacher.npz").words == ["Axe", *WORDS]


def test_a_student_that_is_killed_is_taken_up_where_it_last_saved(data, tmp_path):
    grid = ["--inter-dims", "9", "--seeds", "1", "--filters", "real", "--bases", "trained", "--shares", "none"]
    more = [*grid, "--epochs", "50", "--stop-stage", "2", *SMALL]
    given = ["--vectors", data / "vectors.vec", "--pairs", data / "pairs", "--work", tmp_path]
    student = tmp_path / "real-trained-9-seed1"
    kill_when([HERE / "figure3.sh", *given, *more], (student / "checkpoints" / "checkpoint_last.pt").exists)
    assert not (student / "epoch-50.json").exists()
    before = (student / "train.log").read_text()
    recipe("figure3", data, tmp_path, *more)
    after = (student / "train.log").read_text().removeprefix(before)
    first = int(re.search(r"Loaded checkpoint .* \(epoch (\d+) ", after)[1])
    assert 6 <= first <= 50 and f"begin training epoch {first}" in after
    assert "begin training epoch 50" in after and "begin training epoch 5\n" not in after
    assert (student / "epoch-50.json").exists()


def test_subword(data, tmp_path):
    grid = ["--distances", "cosine", "--analogy-epochs", "2", "--neighbours-of", "ax unheard"]
    grid += ["--questions", data / "questions"]
    text = recipe("subword", data, tmp_path, *grid, "--epochs", "0 2", "--jobs", "2", *SMALL)
    assert len(re.findall(r"^\| cosine \| -?0\.\d{3} \| -?0\.\d{3} \|$", text, re.M)) == 2
    assert "|   the paper | 0.03 | – |" in text
    assert "unheard: not among the words that are learnt" in text
    assert re.search(r"^ax\thighway-random-seed1-epoch-0\.safetensors\t", text, re.M)
    assert re.search(r"^ax\thighway-cosine-seed1-epoch-2\.safetensors\t", text, re.M)
    assert "of the same sets, all pairs; 1 of their words were not learnt" in text
    assert "No smaller than the teacher: plain-cosine, plain-random." in text
    analogy = json.loads((tmp_path / "analogy.json").read_text())
    found = {name: (one["groups"]["some"]["questions"], one["words"]) for name, one in analogy.items()}
    highways = ("highway-random-seed1-epoch-0.safetensors", "highway-cosine-seed1-epoch-2.safetensors")
    assert found == dict.fromkeys(("teacher.npz", *highways), (1, 30)), "answers are words that were learnt"
    assert re.search(r"^\| cosine \| \d+\.00% \| 23\.77% \| 2\.22% \|$", text, re.M), "Table 2"
    (everything,) = json.loads((tmp_path / "plain-cosine-seed1" / "epoch-2-all.json").read_text()).values()
    assert everything["out_of_vocabulary"] == 1 and everything["sets"]["some"]["pairs"] == 101
    line = ["--vectors", data / "vectors.vec", "--pairs", data / "pairs", "--work", tmp_path, *grid]
    refused = call(HERE / "subword.sh", *line, "--epochs", "1", "--stop-stage", "2", *SMALL)
    assert refused.returncode != 0 and "no way back to 1" in refused.stderr
    assert not (tmp_path / "plain-cosine-seed1" / "epoch-1.json").exists()


def test_global_loss(data, tmp_path):
    grid = ["--students", "ngram_bag", "--losses", "global", "--epochs", "1 2", "--neighbours-of", "ax"]
    text = recipe("global_loss", data, tmp_path, *grid, *SMALL, "--ngrams", "9")
    assert re.search(
        r"^\| teacher \| -?0\.\d{3} \| 100\.0% \|  \| 0\.0 \| 100\.0% \| 0\.719 \| 100\.0% \| 2230 \| 100\.0% \|$",
        text,
        re.M,
    )
    assert re.search(
        r"^\| Bag of N-gram \(small\) \+ Global Loss \| .* \| 36\.7% \| 0\.210 \| 29\.2% \| 10 \| 0\.4% \|$",
        text,
        re.M,
    )
    assert "| Character-RNN | not run | not run |" in text
    assert re.search(r"^ax\tngram_bag-global-seed1-epoch-2\.safetensors\t", text, re.M)
    assert (tmp_path / "global_loss.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize("name", ["figure3", "subword", "global_loss"])
def test_help_lists_all_options_and_an_example(name):
    result = call(HERE / f"{name}.sh", "--help")
    listed = set(re.findall(r"--([a-z-]+)(?: N| NAME| DIR| FILE| \")", result.stdout))
    parsed = re.search(r'parse_options "(.*?)"', (HERE / f"{name}.sh").read_text(), re.S)[1].split()
    assert {option.replace("_", "-") for option in parsed} <= listed
    assert f"Example: recipes/reconstruction/{name}.sh --vectors" in result.stdout


@pytest.mark.parametrize(
    ("name", "arguments", "message"),
    [
        ("figure3", ["--filters", "real glove"], "--filters must be one of real binary, not 'glove'"),
        ("figure3", ["--filters", " "], "--filters must be some of real binary"),
        ("figure3", ["--inter-dims", "none", "--shares", "none"], "leave nothing to be trained"),
        ("figure3", ["--seeds", " "], "--seeds must be whole numbers, not blank"),
        ("figure3", ["--seeds", "1 x"], "--seeds must be whole numbers above 0, not 'x'"),
        ("subword", ["--distances", "l2"], "--distances must be one of"),
        ("global_loss", ["--students", "glove"], "--students must be one of char_rnn"),
        ("subword", ["--epochs", "10 5"], "--epochs must grow, but 5 comes after 10"),
        ("subword", ["--dropout", "1.0"], "--dropout must be a number from 0 to below 1, such as 0.1, not '1.0'"),
        ("global_loss", ["--lr", "x"], "--lr must be a number above 0, such as 0.001, not 'x'"),
        ("global_loss", ["--lr", " "], "--lr must be a number above 0, such as 0.001, not blank"),
        ("global_loss", ["--lr", "0.0"], "--lr must be a number above 0"),
        ("global_loss", ["--grid", "1"], "unknown option '--grid'"),
        ("global_loss", ["--", "--no-save"], "--no-save is not for what stands behind --"),
        ("figure3", ["--", "--alone-inter-dim", "9"], "--alone-inter-dim is not for what stands behind --"),
        ("subword", ["--", "--distance", "linf"], "--distance is not for what stands behind --"),
        ("global_loss", ["--", "--max-update=9"], "--max-update is not for what stands behind --"),
        ("figure3", ["--", "--alone-center", "--alone-centre"], "unrecognized arguments: --alone-centre"),
    ],
)
def test_options_that_make_no_sense_are_refused(data, tmp_path, name, arguments, message):
    given = ["--vectors", data / "vectors.vec", "--pairs", data / "pairs", "--work", tmp_path / "work"]
    result = call(HERE / f"{name}.sh", *given, *arguments)
    assert message in refusal(result)
    assert not (tmp_path / "work").exists()


def test_pairs_are_read_before_anything_is_trained_and_may_be_mended(data, tmp_path):
    (tmp_path / "pairs").mkdir()
    (tmp_path / "pairs" / "bad.txt").write_text("ax\taxs\t1\nax\tay\n")
    line = [HERE / "figure3.sh", "--vectors", data / "vectors.vec", "--work", tmp_path / "work", "--words", "30"]
    line += ["--pairs", tmp_path / "pairs", "--stop-stage", "1"]
    result = call(*line)
    assert result.returncode != 0 and "bad.txt: line 2: must be two words and a score" in result.stderr
    (tmp_path / "pairs" / "bad.txt").write_text("ax\taxs\t1\nax\tay\t2\n")
    assert call(*line).returncode == 0
    (tmp_path / "pairs" / "more.txt").write_text("ax\n")
    assert "more.txt: line 1: must be two words and a score" in refusal(call(*line)), "those that came later, too"
    (tmp_path / "pairs" / "more.txt").unlink()
    told = refusal(call(*line, "--case", "any"))
    assert f"{tmp_path}/work was made with other settings" in told, "not the folder of the teacher alone"


def test_a_recipe_that_is_ended_leaves_no_training_behind(data, tmp_path):
    line = [HERE / "figure3.sh", "--vectors", data / "vectors.vec", "--pairs", data / "pairs", "--work", tmp_path]
    line += ["--filters", "real", "--inter-dims", "9", "--epochs", "100000", "--stop-stage", "2", *SMALL]
    process = subprocess.Popen(list(map(str, line)), env=environment(), start_new_session=True)
    deadline = time.monotonic() + 120
    log = tmp_path / "real-trained-9-seed1" / "train.log"
    while not (log.exists() and "begin training epoch" in log.read_text()):
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.1)
    process.terminate()
    assert process.wait(10) == 143
    while left := subprocess.run(["pgrep", "-s", str(process.pid)], capture_output=True, text=True).stdout:
        assert time.monotonic() < deadline, left
        time.sleep(0.1)


def test_the_epochs_of_a_student_are_all_of_one_process(tmp_path):
    """Another that looks for work all the time gets none of them."""
    script = f"""
        case=any work={tmp_path} pairs={tmp_path} teacher=''
        . {HERE}/students.sh
        pairs_sum=pairs
        keep_settings() {{ echo "$2" > "$1"; }}
        train_student() {{ echo "$BASHPID $2" >> "$work/log"; sleep 0.02; }}
        python() {{ touch "$4.json"; }}  # score.py CHECKPOINT SMALL_FILE RESULT
        flock() {{ sleep 0.01; command flock "$@"; }}  # time for the other one, if the lock was let go
        epochs='1 2 3 4 5 6 7 8 9'
        student one-seed1 "$epochs" &
        while [[ ! -e $work/one-seed1/epoch-9.json ]]; do student one-seed1 "$epochs"; done
        wait"""
    result = call("bash", "-euc", script)
    assert result.returncode == 0, result.stderr
    assert "one-seed1: another process is at it" in result.stdout
    processes, epochs = zip(*map(str.split, (tmp_path / "log").read_text().splitlines()), strict=True)
    assert "".join(epochs) == "123456789" and len(set(processes)) == 1
