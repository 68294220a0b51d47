"""``alone doctor`` recognises what people stumble over, and names the fix."""

import os
import shutil
import subprocess
import sys
from argparse import Namespace
from importlib import metadata
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from commands import as_old
from fairseq.data import Dictionary
from torch.torch_version import TorchVersion

import alone_fairseq
from alone_fairseq.cli import main
from alone_fairseq.diagnosis import checkpoint, data, environment

PACKAGE = Path(alone_fairseq.__file__).parent


@pytest.fixture
def folder(tiny_data, tmp_path):
    """A copy of the binarised data, to be damaged."""
    return Path(shutil.copytree(tiny_data, tmp_path / "data"))


@pytest.fixture
def fake_fairseq(tmp_path, monkeypatch):
    """Let new processes import a ``fairseq`` that consists of some statements."""

    def fake(statements):
        (tmp_path / "fairseq").mkdir()
        (tmp_path / "fairseq" / "__init__.py").write_text(statements)
        monkeypatch.setenv("PYTHONPATH", str(tmp_path), prepend=os.pathsep)

    return fake


def problems(findings):
    return [finding.text for finding in findings if finding.level == "problem"]


def test_nothing_is_wrong(tiny_data, tiny_checkpoint, capsys, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    Path("fairseq.py").write_text("raise ImportError")  # fairseq's commands do not look where they are started
    assert main(["doctor", "--data", str(tiny_data), "--checkpoint", str(tiny_checkpoint)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 12
    assert all(line.startswith("ok ") for line in lines)
    assert f'--user-dir "{PACKAGE}"' in lines[4]
    assert "test.en-de, train.en-de, valid.en-de" in lines[6]


def test_one_problem_is_enough_to_fail(capsys, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    assert main(["doctor", "--data", "nowhere"]) == 1
    *others, last = capsys.readouterr().out.splitlines()
    assert last.startswith("problem  nowhere: no such folder: give the folder that fairseq-preprocess wrote")
    assert all(line.startswith("ok ") for line in others)


def test_a_broken_fairseq_does_not_break_the_doctor(fake_fairseq, tiny_data, tiny_checkpoint, tmp_path):
    fake_fairseq("raise ValueError('numpy.dtype size changed, may indicate binary incompatibility.')")
    command = "import sys; from alone_fairseq.cli import main; sys.exit(main(sys.argv[1:]))"
    process = subprocess.run(
        [sys.executable, "-c", command, "doctor", "--data", tiny_data, "--checkpoint", tiny_checkpoint],
        capture_output=True,
        text=True,
        cwd=tmp_path / "fairseq",
        env={**os.environ, "PYTHONPATH": os.pathsep.join([os.environ["PYTHONPATH"], str(PACKAGE.parent)])},
    )
    assert process.returncode == 1, process.stderr
    assert "problem  fairseq was compiled for another NumPy: pip uninstall" in process.stdout
    assert "train.en-de" in process.stdout
    assert "safe to load" in process.stdout


# Environment


@pytest.mark.parametrize(("minor", "fault"), [(10, "too old"), (13, "too new for fairseq")])
def test_another_python(monkeypatch, minor, fault):
    monkeypatch.setattr(environment, "sys", SimpleNamespace(version_info=(3, minor, 14, "final", 0)))
    assert f"Python 3.{minor}.14 is {fault}: make a virtual environment" in problems([environment.python()])[0]


@pytest.mark.parametrize(
    ("version", "fault"),
    [("2.5.1+cpu", "loads checkpoints that run code"), ("2.8.0", "has no Muon"), ("2.9.0", "")],
)
def test_old_pytorch(monkeypatch, version, fault):
    monkeypatch.setattr(torch, "__version__", TorchVersion(version))
    found, text = environment.pytorch()
    assert found == ("problem" if fault else "ok")
    assert text == f"PyTorch {version}" + f" {fault}: pip install --upgrade 'torch>=2.9'" * bool(fault)


@pytest.mark.parametrize(("value", "level"), [("1", "problem"), ("true", "problem"), ("0", "ok"), (None, "ok")])
def test_unsafe_loading(monkeypatch, value, level):
    name = "TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD"
    monkeypatch.delenv(name, raising=False) if value is None else monkeypatch.setenv(name, value)
    found, text = environment.safe_loading()
    assert found == level
    assert level == "ok" or text.endswith(f"unset {name}")


def test_two_fairseqs(monkeypatch):
    versions = {"fairseq": "0.12.2", "fairseq-fixed": "0.12.3.1"}

    def version(name):
        if name not in versions:
            raise metadata.PackageNotFoundError(name)
        return versions[name]

    monkeypatch.setattr(metadata, "version", version)
    (text,) = problems(environment.distributions())
    assert text.startswith(
        "fairseq 0.12.2 and fairseq-fixed 0.12.3.1 are installed over each other: pip uninstall"
    )
    del versions["fairseq"]
    assert list(environment.distributions()) == [("ok", "fairseq-fixed 0.12.3.1 is installed")]
    versions.clear()
    assert not list(environment.distributions())  # that it is missing, its import tells


@pytest.mark.parametrize(
    ("error", "message"),
    [
        ("ModuleNotFoundError(\"No module named 'fairseq'\")", "is not installed: pip install fairseq-fixed"),
        ("ImportError('numpy.core.multiarray failed to import')", "was compiled for another NumPy: pip"),
        ("ValueError('numpy.dtype size changed')", "was compiled for another NumPy: pip"),
        ("AttributeError(\"module 'numpy' has no attribute 'float'\")", "does not go with the NumPy"),
        ("ValueError('mutable default <class CommonConfig> for field')", "is too old for Python 3.11: pip"),
        (
            "OSError('libcudart.so.12: no such file')",
            "does not import (OSError: libcudart.so.12: no such file): pip",
        ),
    ],
)
def test_fairseq_that_does_not_import(fake_fairseq, error, message):
    fake_fairseq(f"raise {error}")
    assert f"fairseq {message}" in problems([environment.fairseq()])[0]


def test_fairseq_without_its_compiled_parts(fake_fairseq, tmp_path):
    fake_fairseq("__version__ = '0.12'")
    (tmp_path / "fairseq" / "data").mkdir()
    assert "lacks its compiled parts: pip" in problems([environment.fairseq()])[0]


def test_another_package_of_this_name(monkeypatch, tmp_path):
    current, library = tmp_path / "current", tmp_path / "library"
    for parent in (current, library):
        (parent / "alone_fairseq").mkdir(parents=True)
    monkeypatch.chdir(current)
    monkeypatch.setattr(sys, "path", [*sys.path, str(library)])
    findings = list(environment.user_dir())
    assert [finding.level for finding in findings] == ["warning", "warning"]
    for finding, parent in zip(findings, (current, library), strict=True):
        assert finding.text.startswith(f"{parent / 'alone_fairseq'} is not the alone_fairseq in use")
        assert f'--user-dir "{PACKAGE}"' in finding.text


# Data


def test_a_prefix_or_a_neighbour_in_place_of_the_folder(folder):
    for wrong in (folder / "train", folder.parent):
        (text,) = problems(data.folder(wrong))
        assert text == f"{wrong}: no dict.*.txt in it, but in {folder}: give that as the data"


def test_text_that_was_not_binarised(tmp_path):
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "train.en").write_text("a sentence\n")
    (text,) = problems(data.folder(tmp_path / "data"))
    assert "no dict.*.txt in it: give the folder that fairseq-preprocess wrote" in text


@pytest.mark.parametrize("file", ["train.en-de.en.bin", "train.en-de.de.idx"])
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # by fairseq's __del__
def test_a_file_of_a_split_is_cut_short(folder, file):
    assert not list(data.contents(folder))
    (folder / file).write_bytes((folder / file).read_bytes()[:-4])
    (text,) = problems(data.contents(folder))
    assert text.startswith(f"{folder / file[:-4]}.bin or .idx is cut short: copy both")
    assert not list(data.folder(folder))[1:]  # nothing that shows in the names


@pytest.mark.parametrize("file", ["train.en-de.en.bin", "train.en-de.de.idx", "valid.en-de.de.bin"])
@pytest.mark.parametrize("empty", [True, False])
def test_a_file_of_a_split_is_missing(folder, file, empty):
    (folder / file).write_bytes(b"") if empty else (folder / file).unlink()
    (text,) = problems(data.folder(folder))
    assert f"{file} is missing or empty" in text
    assert "_bin_buffer_mmap" in text
    assert text.endswith("run fairseq-preprocess again")


def test_raw_data(folder):
    for file in folder.glob("train.*"):
        file.unlink()
    for lang in ("en", "de"):
        (folder / f"train.en-de.{lang}").write_text("a sentence\n")
    findings = list(data.folder(folder))
    assert ("warning", f"{folder}: train.en-de is raw text: add --dataset-impl raw, or binarise it") in findings
    assert findings[-1] == ("ok", f"{folder}: test.en-de, valid.en-de")


def test_data_of_other_languages_than_the_dictionaries(folder):
    (folder / "dict.en.txt").rename(folder / "dict.fr.txt")
    found = problems(data.folder(folder))
    assert found[0] == f"{folder}: no dict.en.txt for test.en-de: run fairseq-preprocess again"


def test_only_dictionaries(folder):
    for file in folder.glob("*.??.*"):
        if not file.name.startswith("dict"):
            file.unlink()
    (finding,) = data.folder(folder)
    assert finding.level == "warning"
    assert "enough to translate, but not to train" in finding.text


def test_data_of_a_language_model(tmp_path):
    for file in ("dict.txt", "train.bin", "train.idx", "valid.bin"):
        (tmp_path / file).write_text("x 1\n")
    (text,) = problems(data.folder(tmp_path))
    assert "valid.idx is missing" in text
    assert list(data.folder(tmp_path))[-1] == ("ok", f"{tmp_path}: train")
    assert data.dictionaries(tmp_path) == ("ok", f"{tmp_path}: dict.txt of 5 words")
    assert not list(data.tokenizer(tmp_path))


def test_dictionaries_that_differ(folder):
    add_word(folder / "dict.de.txt")
    level, text = data.dictionaries(folder)
    assert level == "warning"
    assert "--joined-dictionary" in text
    assert "--no-share-all-embeddings" in text


def test_a_dictionary_that_is_none(folder):
    (folder / "dict.de.txt").write_text("not a dictionary\n")
    level, text = data.dictionaries(folder)
    assert level == "problem"
    assert text.startswith(f"{folder / 'dict.de.txt'}: Incorrect dictionary format")


def test_tokenizer(folder):
    (folder / "tokenizer.json").write_text("{")
    assert "tokenizer.json: not JSON" in problems(data.tokenizer(folder))[0]
    (folder / "tokenizer.json").unlink()
    ((level, text),) = data.tokenizer(folder)
    assert level == "warning"
    assert "alone translate cannot make tokens of text" in text


# Checkpoint


class Harmless:
    def __reduce__(self):
        return print, ("this was run",)


def test_a_checkpoint_that_cannot_be_loaded(tiny_checkpoint, tmp_path, capsys):
    cut, code, missing = (tmp_path / name for name in ("cut.pt", "code.pt", "missing.pt"))
    cut.write_bytes(tiny_checkpoint.read_bytes()[:10_000])
    torch.save({**torch.load(tiny_checkpoint), "hook": Harmless()}, code)
    for path, message in (
        (cut, "not a checkpoint, or cut short"),
        (code, "refused"),
        (missing, "No such file"),
        (tmp_path, "is a folder: give a file in it"),
    ):
        finding, state = checkpoint.load(str(path))
        assert state is None
        assert finding.level == "problem"
        assert finding.text.startswith(f"{path}: {message}")
    assert "this was run" not in capsys.readouterr().out


@pytest.mark.parametrize(
    ("name", "level", "message"),
    [
        (
            "transformer_alone_tiny",
            "ok",
            'without --user-dir fairseq says "Weights only load failed" or "Could not',
        ),
        ("transformer_tiny", "ok", 'without --user-dir fairseq says "Weights only load failed"'),
        ("transformer_of_others", "problem", "give it the --user-dir of the plugin that it was trained with"),
    ],
)
def test_which_plugin_a_model_needs(name, level, message):
    state = {"args": None, "cfg": {"model": Namespace(arch=name, _name=name)}}
    finding = checkpoint.model("F", state)
    assert finding.level == level
    assert message in finding.text


def fits(path, folder):
    return checkpoint.dictionaries(str(path), checkpoint.load(str(path))[1], folder)


def test_an_old_checkpoint_fits(tiny_checkpoint, tiny_data, tmp_path, capsys):
    old = as_old(tiny_checkpoint, tmp_path / "old.pt")
    assert main(["doctor", "--data", str(tiny_data), "--checkpoint", str(old)]) == 0
    assert f"{old} fits the number of words" in capsys.readouterr().out


def test_a_checkpoint_of_other_dictionaries(tiny_checkpoint, folder):
    assert fits(tiny_checkpoint, folder).level == "ok"
    add_word(folder / "dict.de.txt")
    level, text = fits(tiny_checkpoint, folder)
    assert level == "problem"
    assert "sharing all embeddings requires one dictionary" in text
    add_word(folder / "dict.en.txt")
    level, text = fits(tiny_checkpoint, folder)
    assert level == "problem"
    assert text.startswith(f"{tiny_checkpoint} does not fit {folder}: give the data that it was trained with")
    assert "trained with other filters" in text


def test_a_checkpoint_of_another_language(tiny_checkpoint, folder):
    (folder / "dict.de.txt").unlink()
    level, text = fits(tiny_checkpoint, folder)
    assert level == "problem"
    assert "dict.de.txt" in text


def test_languages_come_from_the_tokenizer_if_from_nowhere_else(tiny_checkpoint, folder):
    for file in folder.glob("*.en-de.*"):
        file.unlink()
    assert fits(tiny_checkpoint, folder).level == "ok"


def add_word(path):
    dictionary = Dictionary.load(str(path))
    dictionary.add_symbol("another")
    dictionary.save(str(path))
