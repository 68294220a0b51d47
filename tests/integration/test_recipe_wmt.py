"""The WMT recipe's answers to what it is asked; test_table_2.py runs it."""

import os
import re
import runpy
import shlex
import shutil
import subprocess
from pathlib import Path
from types import SimpleNamespace

import pytest
from commands import RECIPES, USER_DIR, build, call, fake, refusal
from fairseq.data import Dictionary

from alone_fairseq import AloneEmbedding
from alone_fairseq.baselines import FactorizedEmbedding, LookupEmbedding

WMT = RECIPES / "wmt_en_de"
ROWS = sorted(path.stem for path in (WMT / "conf").iterdir())
PIECES = {
    "train": "train.tok.clean.bpe.32000",
    "newstest2013": "newstest2013.tok.bpe.32000",
    "newstest2014": "newstest2014.tok.bpe.32000",
}


def recipe(*arguments, **variables) -> subprocess.CompletedProcess:
    return call(WMT / "run.sh", *arguments, **variables)


@pytest.fixture
def data(tmp_path) -> Path:
    folder = tmp_path / "data"
    folder.mkdir()
    for name in PIECES:
        for lang, word in (("en", "dog"), ("de", "Hund")):
            (folder / f"{name}.{lang}").write_text(f"{word}\n" * 3)
    return folder


@pytest.fixture(scope="module")
def dictionary(tmp_path_factory) -> Path:
    """A folder with dictionaries of the 32,768 words of Table 2, 4 of them fairseq's own."""
    folder = tmp_path_factory.mktemp("dictionary")
    for lang in ("en", "de"):
        (folder / f"dict.{lang}.txt").write_text("".join(f"w{n} 1\n" for n in range(32764)))
    assert len(Dictionary.load(str(folder / "dict.en.txt"))) == 32768
    return folder


def arguments_of(row: str, *options: str) -> dict[str, str]:
    """What the recipe tells fairseq-train of a row."""
    result = recipe("--config", row, "--dry-run", *options)
    assert result.returncode == 0, result.stderr
    words = shlex.split(result.stdout)
    words = words[words.index("BIN") + 1 :]
    flags = [n for n, word in enumerate(words) if word.startswith("--")]
    return {words[n]: " ".join(words[n + 1 : end]) for n, end in zip(flags, [*flags[1:], None], strict=True)}


def test_there_are_the_11_rows_of_table_2():
    assert len(ROWS) == 11


@pytest.mark.parametrize("row", ROWS)
def test_a_row_has_the_embedding_parameters_of_table_2(row, dictionary):
    flags = arguments_of(row, "--gpus", "0")
    kept = {name: flags[name] for name in flags if re.match("--(embedding|alone|factorized)", name)}
    # All that the embedding does not touch is left out; the whole model is built below.
    small = "--encoder-layers 1 --decoder-layers 1 --encoder-ffn-embed-dim 8 --decoder-ffn-embed-dim 8"
    line = " ".join(f"{name} {value}" for name, value in kept.items())
    model, _ = build(
        dictionary,
        f"--task translation -s en -t de {line}",
        arch=flags["--arch"],
        model=f"--user-dir {USER_DIR} {small}",
    )
    (embedding,) = {
        module
        for module in model.modules()
        if isinstance(module, AloneEmbedding | FactorizedEmbedding | LookupEmbedding)
    }
    size = row.split("_")[1] if "_" in row else ""
    exact = {"": 32768 * 512, "128": 4_259_840, "256": 8_519_680, "4096": 4_194_816, "8192": 8_389_120}[size]
    assert sum(parameter.numel() for parameter in embedding.parameters()) == exact
    in_table = {"": "16.8M", "128": "4.3M", "256": "8.5M", "4096": "4.2M", "8192": "8.4M"}[size]
    assert f"{exact / 1e6:.1f}M" == in_table


@pytest.mark.recipes
@pytest.mark.parametrize(
    ("row", "parameters"), [("lookup", 60_915_712), ("real_8192", 52_527_616), ("binary_4096_frozen", None)]
)
def test_the_whole_model_has_the_parameters_of_the_paper(row, parameters, dictionary):
    """60.9M and 52.5M in Section 3.2."""
    flags = arguments_of(row, "--gpus", "0")
    line = " ".join(f"{name} {value}" for name, value in flags.items() if re.match("--(embed|alone|task)", name))
    model, _ = build(dictionary, f"-s en -t de {line}", arch=flags["--arch"], model=f"--user-dir {USER_DIR}")
    if parameters:
        assert sum(parameter.numel() for parameter in model.parameters()) == parameters
    else:
        assert not model.encoder.embed_tokens.base.requires_grad


def test_rows_differ_from_the_base_only_in_what_the_paper_changes():
    lookup = arguments_of("lookup", "--gpus", "0")
    allowed = {
        "--embedding",
        "--dropout",
        "--factorized-dim",
        "--alone-filter",
        "--alone-inter-dim",
        "--alone-relu-dropout",
        "--alone-stop-relu-dropout",
        "--alone-freeze-base",
    }
    for row in ("factorized_256", "binary_8192", "real_4096_frozen"):
        flags = arguments_of(row, "--gpus", "0")
        assert {name for name in flags if flags[name] != lookup.get(name)} <= allowed
    assert "--alone-freeze-base" in flags


def test_a_dropout_of_a_row_is_known_however_it_is_written(tmp_path):
    plain, given = (arguments_of("real_8192", "--gpus", "0", "--dropout", value) for value in ("0.2", "0.20"))
    assert plain == given and given["--dropout"] == "0.2"
    line = ["--stop-stage", "4", "--gpus", "0"]
    assert arguments_of("lookup", *line) == arguments_of("lookup", "--gpus", "0"), "whatever the last stage is"


def test_the_settings_of_the_paper():
    flags = arguments_of("real_8192", "--gpus", "0")
    expected = {
        "--arch": "transformer_alone_wmt_en_de", "--optimizer": "adam", "--adam-betas": "(0.9, 0.98)",
        "--lr-scheduler": "inverse_sqrt", "--warmup-updates": "4000", "--warmup-init-lr": "1e-07",
        "--lr": "0.0015", "--label-smoothing": "0.1", "--clip-norm": "1.0", "--max-tokens": "3584",
        "--max-update": "100000", "--dropout": "0.2", "--alone-relu-dropout": "0.2",
        "--alone-stop-relu-dropout": "4500", "--update-freq": "128",
    }  # fmt: skip
    assert {name: flags[name] for name in expected} == expected
    binary = arguments_of("binary_4096", "--gpus", "0", "--dropout", "0.2")
    assert (binary["--alone-relu-dropout"], binary["--dropout"]) == ("0.15", "0.2")


@pytest.mark.recipes
def test_the_text_is_prepared_and_translated_by_the_settings_of_the_paper(data, tmp_path):
    """What preparation, averaging and translation are told with --size base, by tools that write it down."""
    work, told = tmp_path / "work", tmp_path / "told"
    for name in ("alone", "fairseq-preprocess", "subword-nmt"):
        path = fake(tmp_path / "bin", name, f'echo {name} "$@" >> {told}; PATH=${{PATH#*:}} exec {name} "$@"')
    line = ["--data-dir", data, "--work", work, "--gpus", "0"]
    result = recipe(*line, "--stop-stage", "4", PATH=path)
    assert result.returncode == 0, result.stderr
    assert re.search("subword-nmt learn-bpe .*--symbols 32000 ", told.read_text())
    assert "--joined-dictionary " in told.read_text() and "--nwordssrc 32768 --nwordstgt 32768" in told.read_text()
    run = work / "lookup-seed1"
    (run / "checkpoints").mkdir(parents=True)
    for epoch in range(21, 31):
        (run / "checkpoints" / f"checkpoint{epoch}.pt").touch()
    (run / "trained").touch()
    script = f'echo alone "$@" >> {told}; if [[ $1 == translate ]]; then cat; else touch "${{@: -1}}"; fi'
    fake(tmp_path / "bin", "alone", script)
    result = recipe(*line, PATH=path)
    assert result.returncode == 0, result.stderr
    assert re.search("alone average .*--last 10 ", told.read_text())
    assert told.read_text().count("--beam 4 --lenpen 0.6") == 2


def test_the_dropout_with_the_lowest_loss_counts_among_those_that_are_offered():
    losses = {"": 5.0, "dropout0.2": 4.0, "dropout0.3": 1.0, "warm": 2.0}
    runs = [SimpleNamespace(system="real_4096", seed=1, variant=name, validation=losses[name]) for name in losses]
    runs.append(SimpleNamespace(system="real_4096", seed=2, variant="", validation=None))
    chosen = runpy.run_path(str(WMT / "table.py"))["chosen"]
    assert [(run.seed, run.variant) for run in chosen(runs)] == [(1, "dropout0.2"), (2, "")]
    assert [run.variant for run in chosen(runs[:1])] == [""]


def test_the_loss_in_a_table_is_of_a_model_that_was_averaged(tmp_path):
    line = "| INFO | valid | epoch 00{} | valid on 'valid' subset | nll_loss {} | num_updates {}\n"
    losses = line.format(1, 5.5, 10) + line.format(2, 5.0, 20) + line.format(3, 4.5, 25)
    (tmp_path / "train.log").write_text(losses)
    run = runpy.run_path(str(RECIPES / "lib" / "results.py"))["Run"]
    for updates, loss in ((25, 4.5), (20, 5.0), (10, 5.5), (5, None)):
        contents = SimpleNamespace(updates=updates)
        assert run(tmp_path, "lookup", "", 1, contents, {}, 1.0).validation == loss
    assert run(tmp_path / "nowhere", "lookup", "", 1, contents, {}, 1.0).validation is None


@pytest.mark.parametrize("stages", [["--stop-stage", "4"], ["--stage", "6"]])
def test_other_machines_do_nothing_but_train(tmp_path, stages):
    line = "--machines 2 --machine 1 --head localhost:29655 --gpus 0 --processes 2"
    result = recipe("--work", tmp_path / "work", *line.split(), *stages)
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")
    assert not (tmp_path / "work").exists()


@pytest.mark.parametrize(
    ("gpus", "max_tokens", "update_freq"),
    [("1", "3584", "128"), ("4", "3584", "32"), ("8", "3584", "16"), ("128", "3584", "1"), ("8", "14336", "4")],
)
def test_an_update_stays_as_large_whatever_trains_it(gpus, max_tokens, update_freq):
    flags = arguments_of("lookup", "--gpus", gpus, "--max-tokens", max_tokens)
    assert (flags["--update-freq"], flags["--max-tokens"]) == (update_freq, max_tokens)
    assert "--fp16" in flags


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--learning-rate", "1"], "unknown option '--learning-rate'"),
        (["--config", "glove"], "there is no row 'glove', only binary_4096 binary_4096_frozen"),
        (["--gpus", "3"], "3 GPUs do not divide the 128 batches of an update; choose one of 1 2 4 8 16 32 64 128"),
        (["--gpus", "0", "--processes", "5"], "5 processes do not divide the 128 batches"),
        (["--max-tokens", "5000"], "--max-tokens must be one of 3584 7168 14336 28672 57344 114688 229376 458752"),
        (["--max-tokens", "7168", "--gpus", "128"], "128 GPUs do not divide the 64 batches of an update"),
        (["--size", "small", "--max-tokens", "100"], "--max-tokens must be one of 512 1024, not '100'"),
        (["--stop-stage", "4", "--max-tokens", "100"], "--max-tokens must be one of 3584 7168"),
        (["--max-tokens", "7168", "--", "--max-tokens", "512"], "--max-tokens is not for what stands behind --"),
        (["--gpus", "128"], "--gpus 128: this machine has "),
        (["--gpus", "1", "--processes", "2"], "--processes is for training without GPUs: leave it out"),
        (["--gpus", "one"], "--gpus must be a whole number from 0 on, not 'one'"),
        (["--size", "large"], "--size must be one of base small, not 'large'"),
        (["--stage", "9"], "--stage must be one of 1 2 3 4 5 6 7 8"),
        (["--stage", "4", "--gpus", "0"], "corpus: not there; run stage 1 first"),
        (["--machines", "2", "--gpus", "0", "--processes", "2"], "--head must be HOST:PORT, not ''"),
        (["--machines", "2", "--gpus", "0"], "1 GPUs or processes are not as many on each of 2 machines"),
        (["--config", "../conf/lookup"], "there is no row '../conf/lookup', only binary_4096"),
        (["--dropout", "1/2"], "--dropout must be a number from 0 to below 1, such as 0.1, not '1/2'"),
        (["--variant", "a/b"], "--variant must be letters and digits"),
        (["--work", "a:b"], "--work a:b: fairseq takes ':' and ',' in a path for the end of it"),
        (["--work", "a,b"], "--work a,b: fairseq takes ':' and ',' in a path for the end of it"),
        (["--variant", "dropout0.2"], "would be the row with another dropout, for which --dropout is"),
        (["--", "--finetune-from-model", "x"], "--finetune-from-model is not for what stands behind --"),
        (["--", "--seed", "7"], "--seed is not for what stands behind --"),
        (["--", "--embedding=factorized"], "--embedding is not for what stands behind --"),
        (["--", "--dropout", "0.3"], "--dropout is not for what stands behind --"),
        (["--", "--save-interval-updates", "9"], "--save-interval-updates is not for what stands behind --"),
        (["--", "--warmup-updatez", "1"], "run.sh: error: unrecognized arguments: --warmup-updatez 1"),
        (["--dry-run", "--gpus", "0", "--", "--lr", "x"], "argument --lr: invalid"),
    ],
)
def test_options_that_make_no_sense_are_refused(tmp_path, arguments, message):
    assert message in refusal(recipe("--work", tmp_path / "work", *arguments))


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("newstest2013.de", None, "newstest2013.de: not there; put {train,newstest2013,newstest2014}.{en,de}"),
        ("train.en", b"", "train.en: is empty"),
        ("train.en", b"dog\n", "train.en and train.de: have 1 and 3 lines"),
        ("train.de", b"\x1f\x8b\x08\0\n", "train.de: is compressed with gzip; unpack it"),
        ("newstest2014.de", b"Hund\nHu\0nd\nHund\n", "newstest2014.de: line 2 has a NUL byte"),
        ("newstest2014.en", b"dog\ndog\n\xff\n", "newstest2014.en: line 3 is not valid UTF-8"),
        ("train.en", b"dog dog dog\n" * 3, "train.en: nothing is left of it"),
    ],
)
def test_text_at_fault_is_refused(data, tmp_path, name, content, message):
    work, path = tmp_path / "work", data / name
    path.unlink() if content is None else path.write_bytes(content)
    line = refusal(recipe("--data-dir", data, "--work", work, "--stop-stage", "2"))
    assert message in line
    assert not (work / "clean").exists()
    assert "corpus" not in line, "the file to mend is named, not our link to it"


def test_mended_text_is_accepted_until_something_is_made_of_it(data, tmp_path):
    work, path = tmp_path / "work", data / "train.de"
    good = path.read_bytes()
    path.write_bytes(b"")
    assert "train.de: is empty" in refusal(recipe("--data-dir", data, "--work", work, "--stop-stage", "2"))
    path.write_bytes(good)
    result = recipe("--data-dir", data, "--work", work, "--stop-stage", "2")
    assert result.returncode == 0, result.stderr
    path.write_bytes(good + good)
    assert "was made with other settings" in refusal(recipe("--data-dir", data, "--work", work))


def test_a_compressed_file_beside_the_one_that_is_wanted_is_named(data, tmp_path):
    (data / "train.en").rename(data / "train.en.gz")
    line = refusal(recipe("--data-dir", data, "--work", tmp_path / "work"))
    assert "train.en: not there, only compressed; unpack it: gunzip" in line


def test_without_a_network_it_says_what_to_put_where(tmp_path):
    tools = tmp_path / "bin"
    tools.mkdir()
    for name in ("curl", "sacrebleu"):
        (tools / name).write_text("#!/bin/sh\nexit 6\n")
        (tools / name).chmod(0o755)
    path = os.pathsep.join([str(tools), str(Path(shutil.which("alone")).parent), os.environ["PATH"]])
    line = refusal(recipe("--work", tmp_path / "work", PATH=path))
    assert "sacreBLEU's wmt13 cannot be fetched; without a network put {train,newstest2013,newstest2014}" in line
    assert "train.tok.clean" in line
    assert line.endswith("add --data-dir")


@pytest.mark.parametrize(("status", "code", "left"), [(22, 503, "half"), (22, 416, "whole"), (33, 200, "whole")])
def test_what_was_fetched_is_kept_unless_the_server_does_not_go_on(tmp_path, status, code, left):
    (tmp_path / "archive.part").write_text("half\n")
    going_on = f"if [[ $* == *--continue-at* ]]; then printf {code}; exit {status}; fi"
    path = fake(tmp_path / "bin", "curl", f'{going_on}\necho whole > "${{@: -2:1}}"')
    result = call("bash", "-c", f". {WMT}/corpus.sh; fetch address {tmp_path}/archive", PATH=path)
    name = "archive.part" if left == "half" else "archive"
    assert (tmp_path / name).read_text() == f"{left}\n" and (result.returncode == 0) == (left == "whole")


def test_scores_are_those_of_wmt14_where_the_text_is(tmp_path):
    official = tmp_path / "wmt14" / "full"
    official.mkdir(parents=True)
    text = "".join(f"Satz Nummer {n} ist kurz.\n" for n in range(3003))
    for field in ("src", "ref", "docid", "genre", "origlang"):
        (official / f"wmt14_full.en-de.{field}").write_text(text)
    (tmp_path / "newstest2014.de").write_text(text)
    script = f""". {WMT}/corpus.sh; . {WMT}/row.sh; run={tmp_path}; references newstest2014 {tmp_path}
        sacrebleu "${{reference[@]}}" --input {tmp_path}/newstest2014.de --metrics bleu --format text
        echo "$references: ${{reference[0]}}"
    """
    result = call("bash", "-ec", script, SACREBLEU=str(tmp_path))
    assert " = 100.0 " in result.stdout, result.stderr
    assert "sacreBLEU's wmt14/full, 3003 sentences: --test-set" in result.stdout
    (tmp_path / "newstest2014.de").write_text(text.replace("kurz", "lang"))
    result = call("bash", "-ec", script, SACREBLEU=str(tmp_path))
    assert " = 100.0 " in result.stdout, result.stderr
    assert f"newstest2014.de of the data, 3003 sentences: {tmp_path}" in result.stdout


@pytest.mark.parametrize("script", ["run.sh", "table.sh", "sweep.sh", "torchrun.sh"])
def test_help_shows_an_example(script):
    result = call(WMT / script, "--help")
    assert result.returncode == 0
    assert f"Example: recipes/wmt_en_de/{script} " in result.stdout


def test_help_shows_all_options():
    names = re.findall(r"--([a-z-]+)(?= [A-Z]|   )", call(WMT / "run.sh", "--help").stdout)
    known = re.search(r'parse_options "(.*?)"', (WMT / "run.sh").read_text(), re.S)[1]
    assert set(known.replace("_", "-").replace("!", "").split()) <= set(names)


@pytest.mark.parametrize("script", ["table.sh", "sweep.sh"])
def test_rows_that_there_are_not_are_refused(script, tmp_path):
    option = "--rows" if script == "table.sh" else "--row"
    line = refusal(call(WMT / script, option, "real_1", "--work", tmp_path / "work"))
    assert "there is no row 'real_1', only binary_4096" in line


@pytest.mark.parametrize(
    ("script", "option", "value", "message"),
    [
        ("table.sh", "--seeds", "1 x", "--seeds must be whole numbers above 0, not 'x'"),
        ("sweep.sh", "--codes", "64 abc", "--codes must be whole numbers above 0, not 'abc'"),
        (
            "sweep.sh",
            "--zero-probs",
            "0.5 2",
            "--zero-probs must be numbers between 0 and 1, such as 0.25, not '2'",
        ),
        (
            "sweep.sh",
            "--zero-probs",
            "0.50",
            "--zero-probs must be numbers between 0 and 1, such as 0.25, not '0.50'",
        ),
        ("sweep.sh", "--codes", "2", "--codes 2: 8 codebooks of so few columns make fewer filters"),
        (
            "sweep.sh",
            "--row real_4096 --zero-probs",
            "0.25",
            "--zero-probs is for binary filters, not for --row real_",
        ),
        ("sweep.sh", "--codebooks", "1", "--codebooks 1: fewer filters than there are words"),
    ],
)
def test_values_that_make_no_sense_are_refused_before_the_first_training(script, option, value, message, tmp_path):
    assert message in refusal(
        call(WMT / script, *option.split(), value, "--work", tmp_path / "work", "--gpus", "0")
    )
    assert not (tmp_path / "work").exists()


@pytest.mark.parametrize(
    ("script", "option"), [("table.sh", "--seed"), ("table.sh", "--dropout"), ("sweep.sh", "--variant")]
)
def test_what_the_tables_set_themselves_is_refused(script, option, tmp_path):
    line = refusal(call(WMT / script, option, "1", "--work", tmp_path / "work"))
    assert f"option '{option}' is not for {script}, which sets it itself" in line


def test_all_trainings_of_a_table_can_be_shown_without_running_them(tmp_path):
    options = ["--rows", "lookup real_4096", "--dry-run", "--gpus", "0", "--work", tmp_path / "work"]
    result = call(WMT / "table.sh", *options)
    assert result.returncode == 0, result.stderr
    assert [line for line in result.stdout.splitlines() if line.startswith("==")] == [
        "== --config lookup --seed 1 --dropout 0.1",
        "== --config real_4096 --seed 1 --dropout 0.1",
        "== --config real_4096 --seed 1 --dropout 0.2",
    ]
    assert not (tmp_path / "work").exists()
