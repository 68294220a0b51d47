"""The headline recipe as a person runs it: from Gigaword and DUC to the table, and one line about bad input."""

import json
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from commands import RECIPES, call, fake, kill_when, refusal
from test_headline_data import DUC, write_duc, write_gigaword

from alone_fairseq.text import TextPipeline, TextSettings

RECIPE = RECIPES / "headline"
TINY = shlex.split(
    """-- --encoder-embed-dim 16 --decoder-embed-dim 16 --encoder-layers 1 --decoder-layers 1
    --encoder-ffn-embed-dim 16 --decoder-ffn-embed-dim 16 --max-epoch 2 --warmup-updates 2"""
)


def recipe(*arguments) -> subprocess.CompletedProcess:
    return call(RECIPE / "run.sh", *arguments)


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

    nowhere = call(sys.executable, RECIPE / "table.py", "--work", work, "--exceptions", tmp_path)
    assert nowhere.returncode and "no *.exc in it" in nowhere.stderr
    (tmp_path / "noun.exc").write_text("geese goose\n")
    scored = recipe(*settings, "--exceptions", tmp_path, *TINY)
    assert scored.returncode == 0 and scored.stdout.count("stage 8: score") == scored.stdout.count("characters\n")
    assert "exceptions:none" not in json.loads((run / "test-5.reranked.rouge").read_text())["signature"]

    kept = recipe(*settings, "--stop-stage", 7, *TINY)
    assert kept.returncode == 0 and (run / "test-5.scored").exists()
    again = recipe(*settings, "--exceptions", tmp_path, *TINY)
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
    assert "| +ALONE (Binary) | binary_1024 | LRPE+PE | not run |" in text
    assert "| PREFIX, the text's first bytes |" in text and "| references against each other |" in text
    assert "nrefs:4|bytes:75" in text and "| 5 characters |" in text
    assert (work / "figure4.png").read_bytes().startswith(b"\x89PNG")

    headlines = run / "duc2004-5.best"
    made = headlines.stat().st_mtime_ns
    shutil.rmtree(work / "duc")  # as it was told to, after a change of DUC
    remade = recipe(*settings, "--exceptions", tmp_path, *TINY)
    assert remade.returncode == 0 and headlines.stat().st_mtime_ns > made


def few_pairs(folder: Path) -> Path:
    """The first of those that the demo generates."""
    call(sys.executable, RECIPE / "generate.py", "--output", folder)
    for path in folder.iterdir():
        path.write_text("".join(path.read_text().splitlines(True)[:60]))
    return folder


@pytest.mark.recipes
def test_killed_while_it_writes_headlines_it_goes_on_to_the_same(tmp_path):
    pairs, whole, work = few_pairs(tmp_path / "pairs"), tmp_path / "whole", tmp_path / "work"
    options = ["--size", "small", "--bpe-size", 90, "--lengths", "20", "--gpus", 0]
    line = ["--pairs", pairs, *options, *TINY]
    assert recipe("--work", whole, *line).returncode == 0
    run, stopped = work / "real_512-lrpe_pe-seed1", tmp_path / "stopped"
    stopped.touch()
    script = f"""
        if [[ -e {stopped} && "$*" == translate*--nbest* ]]; then echo half; touch {stopped}.here; sleep 600; fi
        export PATH=${{PATH#*:}}
        exec alone "$@"
    """
    path = fake(tmp_path / "bin", "alone", script)
    kill_when([RECIPE / "run.sh", "--work", work, *line], Path(f"{stopped}.here").exists, PATH=path)
    assert (run / "test-20.best").exists() and not (run / "test-20.reranked").exists()
    assert recipe("--work", work, *line).returncode == 0
    for name in ("best", "reranked", "reranked.rouge", "best.lengths-20"):
        assert (run / f"test-20.{name}").read_text() == (whole / run.name / f"test-20.{name}").read_text()
    (run / "averaged.pt").unlink()
    assert recipe("--work", work, "--stop-stage", 6, *line).returncode == 0
    assert not list(run.glob("test-20*"))  # they were of another model
    (work / run.name).rename(tmp_path / "of another model")
    shutil.copytree(whole / run.name, work / run.name)
    shown = call(sys.executable, RECIPE / "show.py", "--work", work, "--run", run.name, "--count", 2)
    assert shown.stdout.count("reference ") == 2 and shown.stdout.count("\n20 ") == 2


@pytest.mark.recipes
def test_the_demo_writes_a_headline_at_three_lengths(tmp_path):
    few_pairs(tmp_path / "generated")
    for options, text in ([], "rescuers said"), (["--text", "A ferry sank."], "A ferry sank.\n"):
        result = call(RECIPE / "demo.sh", "--work", tmp_path, *options, "--", "--max-epoch", 3)
        assert result.returncode == 0, result.stderr + (tmp_path / "demo.log").read_text()[-2000:]
        assert re.findall(r"^ +(\d+)  .* \(\d+\)$", result.stdout, re.M) == ["30", "50", "75"]
        assert f"text  {text}" in result.stdout


@pytest.mark.recipes
def test_own_text_is_read_as_the_training_text_was(tmp_path):
    """Moses tells full stops by capital letters, which are gone after it."""
    pairs, work = tmp_path / "pairs", tmp_path / "work"
    pairs.mkdir()
    text = "The ferry sank off the coast. Police met Mr. Smith on Jan. 5 in St. Louis. It rained."
    for name in ("train", "valid", "test"):
        (pairs / f"{name}.tsv").write_text(f"{text}\tferry sinks\n" * 3)
    line = ["--pairs", pairs, "--work", work, "--size", "small", "--bpe-size", 20, "--stop-stage", 3]
    assert recipe(*line).returncode == 0
    trained = (work / "text" / "test.en").read_text().splitlines()[0]
    assert TextPipeline(TextSettings.load(work / "bin" / "tokenizer.json"), "en").encode(text) == trained
    assert "coast ." in trained.replace("@@ ", "") and trained == trained.lower()


def test_beginnings_are_whole_words_no_longer_than_the_headline(tmp_path):
    texts, headlines = tmp_path / "texts", tmp_path / "headlines"
    texts.write_text("A ferry sank\nUnbelievable news of it\nShort\nÄpfel und Birnen\n", encoding="utf-8")
    headlines.write_text("a\u2028ferry\nnews\nlonger than it\n123456789\n", encoding="utf-8")
    result = call(sys.executable, RECIPE / "leads.py", texts, headlines)
    assert result.stdout == "a ferry\nunbelievable\nshort\näpfel und\n", result.stderr


@pytest.mark.recipes
def test_a_small_model_reads_the_beginnings_of_its_texts_first(tmp_path):
    pairs, work = few_pairs(tmp_path / "pairs"), tmp_path / "work"
    run = work / "real_512-lrpe_pe-seed1"
    line = ["--pairs", pairs, "--work", work, "--size", "small", "--bpe-size", 90, "--gpus", 0, "--stop-stage", 6]
    stopped = refusal(recipe(*line, *TINY, "--max-update", 1))
    assert "the training ended before its first epoch of headlines; give it more time" in stopped
    assert not (run / "trained").exists()
    shutil.rmtree(run)

    def model(name: str) -> dict[str, torch.Tensor]:
        return torch.load(run / name, weights_only=False)["model"]

    def trained_on() -> list[str]:
        loaded = re.findall(r"loaded .* examples from: (.*)/train.*headline\n", (run / "train.log").read_text())
        return [Path(folder).name for folder in loaded]

    line += ["--lead-epochs", 2, *TINY, "--max-epoch", 3, "--patience", 1]
    result = recipe(*line)
    assert result.returncode == 0, result.stdout + result.stderr
    assert trained_on() == ["lead", "bin"]
    whole = model("averaged.pt")  # of the later half of three epochs that which is of headlines
    torch.testing.assert_close(whole, model("checkpoints/checkpoint3.pt"), rtol=0, atol=0)
    for made in ("trained", "averaged.pt", "checkpoints/checkpoint3.pt"):
        (run / made).unlink()
    assert recipe(*line).returncode == 0
    assert trained_on() == ["lead", "bin", "bin"]
    torch.testing.assert_close(model("averaged.pt"), whole, rtol=0, atol=0)


def test_texts_are_masked_like_the_pairs(tmp_path):
    (tmp_path / "known").write_text("a\nferry\nwith\n###\npeople\n.\n,\n-lrb-\n-rrb-\nsank\n")
    (tmp_path / "text").write_text("A ferry (red) with 200 people, sank.\n")
    line = ["--raw", "--digits", "--known", tmp_path / "known"]
    result = call(sys.executable, RECIPE / "mask.py", tmp_path / "text", *line)
    assert result.stdout == "a ferry -lrb- <unk> -rrb- with ### people , sank .\n"
    result = call(sys.executable, RECIPE / "mask.py", tmp_path / "text", *line, "--words", 2)
    assert result.stdout == "a ferry\n"
    (tmp_path / "tokens").write_text("`` it did n't sink -lrb- yet -rrb- , '' police said .\n")
    result = call(sys.executable, RECIPE / "mask.py", tmp_path / "tokens", "--plain")
    assert result.stdout == '"it didn\'t sink (yet)," police said.\n'


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
        (["--", "--warmup-updatez", "1"], "run.sh: error: unrecognized arguments: --warmup-updatez 1"),
        (["--gpus", "0", "--lead-epochs", "100"], "leaves no epoch of headlines: there are 100 in all"),
        (["--lead-epochs", "some"], "--lead-epochs must be a whole number from 0 on, not 'some'"),
        (["--seed", "0"], "--seed must be a whole number above 0, not '0'"),
        (["--lengths", "30 0"], "--lengths must be whole numbers above 0, not '0'"),
        (["--", "--length-control", "none"], "--length-control is not for what stands behind --"),
        (["--gpus", "0", "--", "--arch", "nope"], "argument --arch/-a: invalid choice: 'nope'"),
        (["--stage", "6", "--stop-stage", "5"], "--stage 6 comes after --stop-stage 5: nothing is left to do"),
        (["--variant", "a/b"], "--variant must be letters and digits, not 'a/b'"),
        (["--lengths", "gold"], "--lengths must be whole numbers above 0, not 'gold'"),
        (["--control", "pe"], "--control must be one of lrpe_pe lrpe ldpe_pe ldpe none, not 'pe'"),
        (["--gigaword", "nowhere"], "--gigaword or --pairs, not both"),
        (["--keep-digits"], "--keep-digits and --no-unk are for --gigaword"),
        (["--gpus", "0", "--exceptions", "."], "--exceptions .: no *.exc in it"),
        (["--gpus", "64"], "--gpus 64: this machine has "),
        (["--max-tokens", "5000"], "--max-tokens must be one of 3584 7168 14336 28672 57344 114688 229376, not"),
        (["--max-tokens", "7168", "--", "--max-tokens", "512"], "--max-tokens is not for what stands behind --"),
        (["--gpus", "3"], "3 GPUs do not divide the 64 batches"),
        (["--stop-stage", "3", "--stage", "3"], "text: not there; run stage 2 first"),
    ],
)
def test_options_that_make_no_sense_are_refused(pairs, tmp_path, arguments, message):
    line = refusal(recipe("--pairs", pairs, "--work", tmp_path / "work", *arguments))
    assert message in line and len(line) < 250


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
        (
            [],
            [
                "--embedding alone --alone-filter real --alone-inter-dim 512 --alone-relu-dropout 0.1",
                "--length-control lrpe --length-control-pe --arch transformer_alone_gigaword",
                "--max-tokens 3584 --lr 0.001 --warmup-updates 4000 --dropout 0.3 --max-epoch 100",
                "--update-epoch-batch-itr True",
                "--seed 1 --fp16 --ddp-backend legacy_ddp",
                "--update-freq 16",
            ],
        ),
        (["--max-tokens", "14336"], ["--max-tokens 14336 --update-freq 4 "]),
        (["--config", "binary_1024"], ["--alone-filter binary --alone-inter-dim 1024"]),
        (
            ["--size", "small", "--gpus", "2"],
            [
                "--encoder-normalize-before",
                "--max-epoch 1 --patience -1 --stop-time-hours 1 --fp16",
                "# BIN: work/headline/bin LEAD_EPOCHS=1 ",
                "--seed 1 --stop-time-hours 1 --restore-file checkpoints/checkpoint1.pt --fp16",
            ],
        ),
        (
            ["--config", "lookup", "--control", "ldpe"],
            ["--embedding lookup --length-control ldpe --no-length-control-pe"],
        ),
        (["--config", "lookup", "--control", "none"], ["--embedding lookup --length-control none --arch"]),
    ],
)
def test_rows_of_table_3_have_the_paper_s_settings(arguments, flags):
    result = recipe("--dry-run", "--gpus", "4", *arguments)
    assert result.returncode == 0, result.stderr
    shown = " ".join(shlex.split(result.stdout))
    assert [flag for flag in flags if flag not in shown] == []


def test_what_a_dry_run_prints_can_be_pasted(tiny_data, tmp_path):
    line = recipe("--dry-run", "--gpus", "0", *TINY, "--max-update", 1).stdout.strip()
    line = f"cd {tmp_path} && {line.replace(' BIN ', f' {tiny_data} ')} --source-lang en --target-lang de"
    line += " --no-save --task translation --max-tokens 200 --length-control none --no-length-control-pe"
    result = call("bash", "-c", line)
    assert result.returncode == 0 and "done training" in result.stdout, result.stderr


@pytest.mark.parametrize("option", ["--update-freq", "--save-dir=here", "--no-epoch-checkpoints", "--bf16"])
def test_what_the_recipe_sets_itself_is_refused(option):
    line = refusal(recipe("--dry-run", "--gpus", "0", "--", option, "2"))
    assert f"{option.partition('=')[0]} is not for what stands behind --: the recipe sets it itself" in line


def test_months_on_a_cpu_are_not_begun_by_chance(tmp_path):
    """But the text is prepared where there is no GPU."""
    line = ["--pairs", few_pairs(tmp_path / "pairs"), "--work", tmp_path / "work", "--bpe-size", 90]
    assert "no GPU is found" in refusal(call(RECIPE / "run.sh", *line, CUDA_VISIBLE_DEVICES=""))
    assert (tmp_path / "work" / "bin").exists() and not list(tmp_path.rglob("train.log"))


def test_an_unknown_row_is_refused():
    line = refusal(recipe("--dry-run", "--gpus", "0", "--config", "real"))
    assert "there is no row 'real', only binary_1024 binary_512 lookup real_1024 real_512" in line


@pytest.mark.parametrize(
    ("option", "value", "message"),
    [
        ("--seeds", "1 x", "--seeds must be whole numbers above 0, not 'x'"),
        ("--rows", "lookup real_1", "there is no row 'real_1', only binary_1024"),
        ("--rows", " ", "--rows must be some of binary_1024"),
        ("--config", "lookup", "option '--config' is not for table.sh, which sets it itself"),
        ("--variant", "fast", "option '--variant' is not for table.sh, which sets it itself"),
    ],
)
def test_what_a_table_cannot_do_is_refused_before_the_first_training(option, value, message, tmp_path):
    result = call(RECIPE / "table.sh", option, value, "--pairs", tmp_path, "--work", tmp_path / "work")
    assert message in refusal(result) and not (tmp_path / "work").exists()


def test_all_trainings_of_a_table_can_be_shown_without_running_them(tmp_path):
    options = shlex.split("--rows 'lookup real_512' --seeds 2 --dry-run --gpus 0")
    result = call(RECIPE / "table.sh", *options, "--work", tmp_path / "work")
    assert result.returncode == 0, result.stderr
    shown = [line for line in result.stdout.splitlines() if line.startswith("==")]
    assert shown == ["== --config lookup --seed 2", "== --config real_512 --seed 2"]
    assert not (tmp_path / "work").exists()


def test_help_shows_all_options_and_an_example():
    shown = recipe("--help").stdout
    names = re.findall(r"^  --([a-z-]+)(?= [A-Z\"]|   )", shown, re.M)
    known = re.search(r'parse_options "(.*?)"', (RECIPE / "run.sh").read_text(), re.S)[1]
    assert set(known.replace("_", "-").replace("!", "").split()) == set(names)
    assert "Example: recipes/headline/run.sh --gigaword" in shown
