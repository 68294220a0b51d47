"""``--task embedding_reconstruction`` as a person runs it: training, resuming, exporting, and what is refused."""

import json
import re

import numpy as np
import pytest
import torch
from commands import USER_DIR, run, start, weights
from fairseq.data.data_utils import numpy_seed
from fairseq_cli import train as fairseq_train

from alone_fairseq.cli import main
from alone_fairseq.errors import FatalUserError
from alone_fairseq.reconstruction.student_file import load_student
from alone_fairseq.reconstruction.task import TeacherDataset
from alone_fairseq.vectors import Vectors, read_vectors, write_vectors

WORDS = [first + second + end for first in "abcd" for second in "xyz" for end in ("", "s", "ing", "est")] + [
    "word"
]
SMALL = {
    "student_alone": "--alone-inter-dim 20",
    "student_char_bilstm": "",
    "student_char_bilstm_highway": "",
    "student_char_rnn": "--char-dim 4 --hidden-dim 5",
    "student_char_cnn": "--char-dim 4 --char-filters 5",
    "student_ngram_bag": "--ngrams 40",
    "student_ngram_attention": "--ngrams 40",
}


@pytest.fixture(scope="module")
def teacher(tmp_path_factory):
    matrix = np.random.RandomState(1).randn(len(WORDS), 6).astype(np.float32)
    path = tmp_path_factory.mktemp("teacher") / "teacher.vec"
    write_vectors(path, Vectors(WORDS, matrix))
    return path


def train(teacher, folder, line="", arch="student_alone") -> str:
    """What fairseq-train logs; batches of 16 words, so that each epoch of the 49 words has four."""
    return run(
        fairseq_train,
        f"--teacher {teacher} --save-dir {folder} --user-dir {USER_DIR} --task embedding_reconstruction"
        f" --criterion embedding_reconstruction --arch {arch} {SMALL[arch]} --optimizer adam --lr 0.01"
        f" --batch-size 16 --max-epoch 2 --cpu --no-progress-bar {line}",
    )


@pytest.fixture(scope="module")
def trained(teacher, tmp_path_factory):
    """Folders with a student of each architecture, of two epochs, with the global loss."""
    folders = {arch: tmp_path_factory.mktemp(arch) for arch in SMALL}
    for arch, folder in folders.items():
        train(teacher, folder, "--distance mean-squared --global-loss", arch)
    return folders


def valid(log: str, name: str = "loss") -> list[float]:
    return [float(value) for value in re.findall(rf"valid on 'valid' subset .*?\| {name} (\S+)", log)]


@pytest.mark.parametrize("arch", SMALL)
def test_each_architecture_is_trained_resumed_and_exported(trained, teacher, tmp_path, arch):
    """Two epochs at once, or one and, after a restart, another: the same student to the last bit."""
    folder, line = tmp_path / "parts", "--distance mean-squared --global-loss"
    train(teacher, folder, f"{line} --max-epoch 1", arch)
    log = train(teacher, folder, line, arch)
    assert "checkpoint_last.pt (epoch 2 @ 4 updates)" in log
    assert re.search(r"epoch 002 .* \| local .* \| global .* \| cosine .* \| num_updates 8", log)
    whole, parts = (weights(path / "checkpoint_last.pt") for path in (trained[arch], folder))
    assert whole.keys() == parts.keys() and all(torch.equal(whole[name], parts[name]) for name in whole)
    assert (
        main(["export", str(folder / "checkpoint_last.pt"), "--to", "vectors", "--output", str(tmp_path / "o")])
        == 0
    )
    student = load_student(folder / "checkpoint_last.pt")
    written = read_vectors(tmp_path / "o")
    assert written.words == WORDS
    with torch.no_grad():
        np.testing.assert_array_equal(written.matrix, student.vectors(WORDS).numpy())


def test_training_brings_the_student_nearer_and_tells_its_share(teacher, tmp_path):
    log = train(teacher, tmp_path, "--max-epoch 30 --alone-inter-dim 100 --no-save")
    losses = valid(log)
    assert losses[-1] < 0.6 * losses[0]
    matrix = read_vectors(teacher).matrix
    count = 6 + 100 * 12
    assert f"student: {count:,} parameters, {count / matrix.size:.1%} of the teacher's {matrix.size} values" in log
    assert "num_updates 120" in log, "an epoch has all words: 16 + 16 + 16 + 1"


def test_the_loss_that_is_logged_is_that_of_the_vectors(teacher, tmp_path):
    made = {}
    for distance, norm in (("squared", 2), ("manhattan", 1), ("linf", np.inf)):
        log = train(teacher, tmp_path / distance, f"--distance {distance} --max-epoch 1")
        with torch.no_grad():
            difference = load_student(tmp_path / distance / "checkpoint_last.pt").vectors(WORDS).numpy()
        difference -= read_vectors(teacher).matrix
        expected = np.linalg.norm(difference, norm, axis=1) ** (2 if norm == 2 else 1)
        assert valid(log)[0] == pytest.approx(expected.mean(), abs=1e-5)
        made[distance] = difference
    assert not np.allclose(made["squared"], made["linf"])


def test_seeds_make_different_students_and_the_same_seed_the_same(teacher, tmp_path, trained):
    for name, line in (("one", ""), ("again", ""), ("two", "--seed 2"), ("filters", "--alone-seed 2")):
        train(teacher, tmp_path / name, line)
    state = {path.name: weights(path / "checkpoint_last.pt") for path in tmp_path.iterdir()}
    assert all(torch.equal(tensor, state["again"][key]) for key, tensor in state["one"].items())
    for other in ("two", "filters"):
        assert not torch.equal(state["one"]["student.embedding.base"], state[other]["student.embedding.base"])


def test_a_learning_rate_of_zero_leaves_the_student_as_it_was_initialised(teacher, tmp_path):
    train(teacher, tmp_path / "one", "--lr 0 --max-update 1", "student_char_bilstm")
    train(teacher, tmp_path / "other", "--lr 0", "student_char_bilstm")
    one, other = (weights(tmp_path / name / "checkpoint_last.pt") for name in ("one", "other"))
    assert all(torch.equal(tensor, other[name]) for name, tensor in one.items())


def test_frozen_bases_stay(teacher, tmp_path):
    train(teacher, tmp_path / "untouched", "--lr 0 --max-update 1")
    train(teacher, tmp_path / "frozen", "--alone-freeze-base --alone-filter binary --alone-base-dim 20")
    train(
        teacher,
        tmp_path / "drawn",
        "--alone-freeze-base --alone-filter binary --alone-base-dim 20 --lr 0 --max-update 1",
    )
    base = {
        path.name: weights(path / "checkpoint_last.pt")["student.embedding.base"] for path in tmp_path.iterdir()
    }
    assert torch.equal(base["frozen"], base["drawn"])
    assert base["frozen"].shape == (20,) and base["untouched"].shape == (6,)


def test_only_the_first_words_are_learnt(teacher, tmp_path):
    train(teacher, tmp_path, "--words 10")
    assert load_student(tmp_path / "checkpoint_last.pt").words == WORDS[:10]


def test_other_words_get_vectors_from_subword_students(trained, tmp_path, capsys):
    (tmp_path / "words").write_text("axs\ndown\r\naxs\n\n", encoding="utf-8-sig")  # as Windows writes it
    for arch, folder in trained.items():
        line = ["export", str(folder / "checkpoint_last.pt"), "--to", "vectors", "--output", str(tmp_path / arch)]
        assert main([*line, "--words", str(tmp_path / "words")]) == (1 if arch == "student_alone" else 0)
        told = capsys.readouterr()
        if arch == "student_alone":
            assert "'down' is not one of the 49 words" in told.err
        else:
            assert "2 words, 1 of them not learnt; " in told.out
            assert read_vectors(tmp_path / arch).words == ["axs", "down"]


def test_a_small_file_is_exported_again(trained, tmp_path, capsys):
    for arch, folder in trained.items():
        small, half = tmp_path / f"{arch}.safetensors", tmp_path / f"{arch}-half.safetensors"
        for output, more in ((small, []), (half, ["--half"])):
            line = ["export", str(folder / "checkpoint_last.pt"), "--to", "safetensors", "--output", str(output)]
            assert main([*line, *more]) == 0
        assert half.stat().st_size < small.stat().st_size < (folder / "checkpoint_last.pt").stat().st_size / 2
        assert main(["export", str(small), "--to", "vectors", "--output", str(tmp_path / arch)]) == 0
        with torch.no_grad():
            expected = load_student(folder / "checkpoint_last.pt").vectors(WORDS).numpy()
        np.testing.assert_array_equal(read_vectors(tmp_path / arch).matrix, expected)
    assert f"{small.stat().st_size:,} bytes" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("--words 50", "--words 50: .* has 49 words"),
        ("--words -1", "--words must be 0 or more"),
        ("--global-loss --global-neighbours 0 --global-random 0", "--global-neighbours and --global-random"),
        ("--global-loss --words 1", "one word is not enough"),
        ("--alone-inter-dim 0", "--alone-inter-dim"),
        ("--student ngram-bag --ngram-min 0", "--ngram-min"),
        ("--teacher none.vec", "none.vec: No such file"),
    ],
)
def test_bad_settings_get_one_line(teacher, tmp_path, line, message):
    with pytest.raises(FatalUserError, match=message) as error:
        train(teacher, tmp_path, f"--no-save {line}")
    assert "\n" not in str(error.value)


def test_without_a_teacher_there_is_one_line(tmp_path):
    line = f"--save-dir {tmp_path} --user-dir {USER_DIR} --task embedding_reconstruction --cpu --no-save"
    line += " --criterion embedding_reconstruction --arch student_alone --optimizer adam --lr 0.1 --batch-size 4"
    with pytest.raises(FatalUserError, match="--teacher is missing: the file of vectors"):
        run(fairseq_train, line)


def test_each_epoch_has_batches_of_its_own():
    """Mini-batches are drawn at random (ALONE, Section 3.1)."""
    dataset = TeacherDataset(np.ones((40, 3), dtype=np.float32))
    epochs = []
    for seed in (1, 2):
        with numpy_seed(seed):
            batches = dataset.batch_by_size(dataset.ordered_indices(), max_sentences=8)
        assert sorted(np.concatenate(batches)) == list(range(40))
        epochs.append({frozenset(batch) for batch in batches})
    assert not epochs[0] & epochs[1]
    assert frozenset(range(8)) not in epochs[0] | epochs[1]


def test_flags_that_a_student_does_not_have_are_named(teacher, tmp_path):
    log = train(teacher, tmp_path, "--hidden-dim 4 --ngrams 9 --global-random 3", "student_char_bilstm")
    for flag in ("--hidden-dim", "--ngrams"):
        assert f"{flag} has no effect: --student char-bilstm does not have it" in log
    assert log.count("have no effect") == 1 and log.count("has no effect") == 2
    for arch in SMALL:
        log = train(teacher, tmp_path / arch, "--no-save --log-interval 1", arch)
        assert "no effect" not in log and (" gnorm_w2=" in log) == (arch == "student_alone")
    log = train(teacher, tmp_path / "other", "--no-save --student ngram-bag", "student_char_bilstm")
    assert "no effect" not in log, "the dropout is the architecture's; nobody gave it"


def test_other_words_and_other_filters_are_refused(trained, teacher, tmp_path):
    vectors = read_vectors(teacher)
    write_vectors(tmp_path / "other.vec", Vectors([*WORDS[:-1], "other"], vectors.matrix))
    for given, line, message in (
        (tmp_path / "other.vec", "", "trained on other words"),
        (teacher, "--alone-seed 2", "trained with other filters"),
    ):
        with pytest.raises(Exception, match="Cannot load model parameters") as error:
            train(given, trained["student_alone"], f"--max-epoch 3 --no-save {line}")
        assert message in str(error.value.__context__)  # shown above fairseq's own message
        assert "\n" not in str(error.value.__context__)


def test_what_cannot_be_exported_is_refused(trained, tiny_checkpoint, tmp_path, capsys):
    student = trained["student_alone"] / "checkpoint_last.pt"
    for checkpoint, line, message in (
        (student, "--to fsmt", "is no Transformer"),
        (student, "--to safetensors --words words", "--words is for --to vectors"),
        (student, "--to safetensors", "out: must end in .safetensors"),
        (student, "--to vectors --data BIN", "--data is for Transformers"),
        (tiny_checkpoint, "--to vectors", "--data BIN is missing"),
        (tiny_checkpoint, "--to vectors --data BIN --words words", "--words is for students"),
    ):
        assert main(["export", str(checkpoint), *line.split(), "--output", str(tmp_path / "out")]) == 1
        (told,) = capsys.readouterr().err.splitlines()
        assert message in told and not (tmp_path / "out").exists()


def test_settings_arrive_by_hydra(teacher, tmp_path):
    config = {
        "common": {"user_dir": str(USER_DIR), "cpu": True},
        "task": {"_name": "embedding_reconstruction", "teacher": str(teacher), "words": 20},
        "model": {"_name": "student_char_bilstm_highway", "char_dim": 3},
        "criterion": {"_name": "embedding_reconstruction", "distance": "manhattan", "global_loss": True},
        "dataset": {"batch_size": 16, "disable_validation": True},
        "optimizer": {"_name": "adam"},
        "lr_scheduler": {"_name": "fixed"},
        "optimization": {"lr": [0.005], "max_update": 3},
        "checkpoint": {"save_dir": str(tmp_path / "checkpoints")},
        "hydra": {"run": {"dir": str(tmp_path / "hydra")}},
    }
    (tmp_path / "small.yaml").write_text(json.dumps(config))  # JSON is YAML
    process = start("hydra_train", f"--config-dir {tmp_path} --config-name small")
    _, errors = process.communicate(timeout=200)
    assert process.returncode == 0, errors
    student = load_student(tmp_path / "checkpoints" / "checkpoint_last.pt")
    assert student.words == WORDS[:20] and student.gate is not None
    assert student.states.lstm.hidden_size == 3
