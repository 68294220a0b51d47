"""The headline recipe as a person runs it: from Gigaword and DUC to the table, and one line about bad input."""

import json
import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from test_headline_data import DUC, write_duc, write_gigaword

RECIPE = Path(__file__).parents[2] / "recipes" / "headline"
TINY = shlex.split(
    """-- --encoder-embed-dim 16 --decoder-embed-dim 16 --encoder-layers 1 --decoder-layers 1
    --encoder-ffn-embed-dim 16 --decoder-ffn-embed-dim 16 --max-epoch 1 --warmup-updates 2"""
)


def call(*command) -> subprocess.CompletedProcess:
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    environment = {**os.environ, "PATH": path, "OMP_NUM_THREADS": "1"}
    return subprocess.run(list(map(str, command)), env=environment, capture_output=True, text=True, timeout=1800)


def recipe(*arguments) -> subprocess.CompletedProcess:
    return call(RECIPE / "run.sh", *arguments)


def refusal(result: subprocess.CompletedProcess) -> str:
    assert result.returncode != 0
    (line,) = result.stderr.splitlines()
    return line


@pytest.mark.recipes
def test_gigaword_and_duc_to_the_table(tmp_path):
    work = tmp_path / "work"
    corpora = [
        "--gigaword",
        write_gigaword(tmp_path / "agiga", "ldc"),
        "--duc",
        write_duc(tmp_path / "DUC", "archives"),
    ]
    settings = [*corpora, "--work", work, "--size", "small", "--bpe-size", 30, "--lengths", "5", "--gpus", 0]
    for row in ("lookup", "real_512"):
        result = recipe(*settings, "--config", row, *TINY)
        assert result.returncode == 0, result.stdout + result.stderr
    run = work / "real_512-lrpe_pe-seed1"
    for year, documents in DUC.items():
        assert len((run / f"duc{year}-5.reranked").read_text().splitlines()) == len(documents)
        report = json.loads((run / f"duc{year}-5.reranked.rouge").read_text())
        assert report["items"] == len(documents) and report["signature"].startswith(
            "nrefs:4|bytes:75|stem:porter|"
        )
    masked = (work / "duc" / "2004.input").read_text()
    assert "<unk>" in masked and not any(digit in masked for digit in "0123456789")
    assert json.loads((run / "test-5.best.lengths-5").read_text())["items"] == 1
    assert not list(work.glob("*.tmp"))

    again = recipe(*settings, *TINY)
    assert again.returncode == 0 and again.stdout.count("done already") == len(again.stdout.splitlines())
    assert "'bpe_size 30'" in refusal(recipe(*settings, "--bpe-size", 40, *TINY))
    assert "'keep_digits yes'" in refusal(recipe(*settings, "--keep-digits", *TINY))

    missing = call(sys.executable, RECIPE / "table.py", "--work", work, "--length", "75")
    assert missing.returncode and "no finished run has scores of duc2004 at --length 75" in missing.stderr
    table = call(sys.executable, RECIPE / "table.py", "--work", work)
    assert table.returncode == 0, table.stderr
    text = (work / "table.md").read_text()
    assert "| +ALONE (Real number) | real_512 | LRPE+PE | 1 | re-ranked | " in text
    assert "| 0.5M | 31.96 11.50 27.74 |" in text and "(p = " in text
    assert "| +ALONE (Binary) | binary_1024 | not run |" in text
    assert "| PREFIX, the text's first bytes |" in text and "| references against each other |" in text
    assert "nrefs:4|bytes:75" in text and "| 5 characters |" in text
    assert (work / "figure4.png").read_bytes().startswith(b"\x89PNG")


@pytest.fixture
def pairs(tmp_path) -> Path:
    folder = tmp_path / "pairs"
    folder.mkdir()
    for name in ("train", "valid", "test"):
        (folder / f"{name}.tsv").write_text("a text of it\tits headline\n" * 3)
    return folder


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--learning-rate", "1"], "unknown option '--learning-rate'"),
        (["--seed", "0"], "--seed must be a whole number above 0, not '0'"),
        (["--lengths", "30 0"], "--lengths must be whole numbers above 0, and '0' is none"),
        (["--lengths", "gold"], "--lengths must be whole numbers above 0, and 'gold' is none"),
        (["--control", "pe"], "--control must be one of lrpe_pe lrpe ldpe_pe ldpe none, not 'pe'"),
        (["--gigaword", "nowhere"], "--gigaword or --pairs, not both"),
        (["--keep-digits"], "--keep-digits and --no-unk are for --gigaword"),
        (["--gpus", "0", "--exceptions", "."], "--exceptions .: no *.exc in it"),
        (["--gpus", "64"], "--gpus 64: this machine has "),
        (["--gpus", "3"], "3 GPUs do not divide the 64 batches"),
        (["--stop-stage", "3", "--stage", "3"], "text: not there; run stage 2 first"),
    ],
)
def test_options_that_make_no_sense_are_refused(pairs, tmp_path, arguments, message):
    assert message in refusal(recipe("--pairs", pairs, "--work", tmp_path / "work", *arguments))


def test_pairs_that_are_not_there_or_damaged_are_refused(pairs, tmp_path):
    work = ["--work", tmp_path / "work", "--stop-stage", "3"]
    assert "--gigaword DIR or --pairs DIR is missing" in refusal(recipe(*work))
    (pairs / "valid.tsv").write_text("a\tb\tc\n")
    assert "valid.tsv: line 1 has 2 tabs" in refusal(recipe("--pairs", pairs, *work))
    (pairs / "valid.tsv").unlink()
    assert "valid.tsv: not there; --pairs must hold train.tsv" in refusal(recipe("--pairs", pairs, *work))


@pytest.mark.parametrize(
    ("arguments", "flags"),
    [
        ([], "--embedding alone --alone-filter real --alone-inter-dim 512 --alone-relu-dropout 0.1"),
        ([], "--length-control lrpe --length-control-pe --arch transformer_alone_gigaword"),
        ([], "--max-tokens 3584 --lr 0.001 --warmup-updates 4000 --dropout 0.3 --max-epoch 100"),
        ([], "--update-freq 16"),
        (["--config", "binary_1024"], "--alone-filter binary --alone-inter-dim 1024"),
        (
            ["--config", "lookup", "--control", "ldpe"],
            "--embedding lookup --length-control ldpe --no-length-control-pe",
        ),
        (["--config", "lookup", "--control", "none"], "--embedding lookup --length-control none --arch"),
    ],
)
def test_rows_of_table_3_have_the_paper_s_settings(arguments, flags):
    result = recipe("--dry-run", "--gpus", "4", *arguments)
    assert result.returncode == 0, result.stderr
    assert flags in " ".join(shlex.split(result.stdout))


def test_an_unknown_row_is_refused():
    line = refusal(recipe("--dry-run", "--gpus", "0", "--config", "real"))
    assert "there is no row 'real', only binary_1024 binary_512 lookup real_1024 real_512" in line


def test_help_shows_all_options_and_an_example():
    result = recipe("--help")
    assert "--control NAME" in result.stdout and "Example: recipes/headline/run.sh --gigaword" in result.stdout
