"""The WMT recipe from end to end on generated text: trained by several processes, killed, and started again."""

import csv
import os
import re
import shlex
import shutil
import subprocess
import tarfile
import time
from pathlib import Path

import pytest
import torch
from commands import RECIPES, call, fake, files, kill_when, refusal
from test_recipe_wmt import PIECES

from alone_fairseq.checkpoint.files import load_checkpoint, settings_of
from alone_fairseq.text import TextPipeline, TextSettings

pytestmark = [pytest.mark.recipes, pytest.mark.xdist_group("table 2")]

WMT = RECIPES / "wmt_en_de"
OF_PIECES = ["--size", "small", "--gpus", "0", "--processes", "2", "--workers", "2"]
SETTINGS = [*OF_PIECES, "--bpe-size", "60"]
EPOCHS = 6
TINY = shlex.split(
    f"""-- --encoder-embed-dim 16 --decoder-embed-dim 16 --encoder-layers 1 --decoder-layers 1
    --encoder-ffn-embed-dim 16 --decoder-ffn-embed-dim 16 --max-epoch {EPOCHS} --warmup-updates 2"""
)
SETS = {"train": "train", "newstest2013": "valid", "newstest2014": "test"}
STAGES = ("clean", "text", "bin")


def recipe(work, *arguments, script="run.sh", tiny=TINY, **variables) -> subprocess.CompletedProcess:
    result = call(WMT / script, "--work", work, *SETTINGS, *arguments, *tiny, **variables)
    assert result.returncode == 0, result.stdout[-3000:] + result.stderr
    return result


@pytest.fixture(scope="module")
def data(tmp_path_factory, tiny_text) -> Path:
    """Raw text with pairs that are to be dropped."""
    folder = tmp_path_factory.mktemp("raw text")
    for name, split in SETS.items():
        pairs = list(tiny_text[split])
        if name == "train":
            pairs += [("", "Ja."), ("a b c d", "a"), ("a " * 251, "a " * 251)]
        for lang, sentences in zip(("en", "de"), zip(*pairs, strict=True), strict=True):
            (folder / f"{name}.{lang}").write_text("".join(f"{line}\n" for line in sentences))
    return folder


@pytest.fixture(scope="module")
def finished(tmp_path_factory, data) -> Path:
    """The work folder of a table with two rows."""
    work = tmp_path_factory.mktemp("work")
    options = ["--rows", "lookup real_4096", "--dropouts", "first", "--data-dir", data]
    recipe(work, *options, script="table.sh", tiny=[*TINY, "--alone-inter-dim", "32"])
    return work


@pytest.fixture
def prepared(finished, tmp_path) -> Path:
    """A work folder with its data, and without a training."""
    work = tmp_path / "work"
    runs = shutil.ignore_patterns("*-seed1", "table.*", "*.png")
    return Path(shutil.copytree(finished, work, ignore=runs, symlinks=True))


def contents(folder: Path) -> dict[str, bytes]:
    """Of all files but logs, which tell the paths of the work folder."""
    paths = (path for path in folder.rglob("*") if path.is_file() and path.suffix != ".log")
    return {str(path.relative_to(folder)): path.read_bytes() for path in paths}


def validation_losses(run: Path) -> list[str]:
    """One an epoch, as logged: the last that counts, after a restart."""
    found = re.findall(r"\| epoch (\d+) \| valid on 'valid' subset \| loss (\S+)", (run / "train.log").read_text())
    return list(dict(found).values())


def last_weights(run: Path) -> dict[str, torch.Tensor]:
    return load_checkpoint(run / "checkpoints" / f"checkpoint{EPOCHS}.pt")["model"]


def test_raw_text_becomes_the_table(finished):
    counts = (finished / "clean" / "counts.txt").read_text()
    for number, what in [
        (203, "pairs read"), (1, "dropped for an empty side"), (1, "dropped for a side of more than 250 tokens"),
        (1, "dropped for lengths of a ratio above 1.5"), (200, "pairs kept"),
    ]:  # fmt: skip
        assert f"{number}  {what}" in counts
    with open(finished / "table.csv") as file:
        rows = {row["row"]: row for row in csv.DictReader(file)}
    assert len(rows) == 11
    vocabulary = len((finished / "bin" / "dict.en.txt").read_text().splitlines()) + 4
    assert rows["lookup"]["embed"] == f"{vocabulary * 16:,}"
    assert rows["real_4096"]["embed"] == f"{16 + 32 * 32:,}"
    assert rows["real_4096"]["paper BLEU"] == "26.93"
    assert re.fullmatch(r"[+-]\d+\.\d\d \(p = \d\.\d\d\d\)", rows["real_4096"]["against lookup"])
    assert rows["binary_8192"]["BLEU 2014"] == "not run"
    assert (finished / "table.md").read_text().startswith("| method | row |")
    assert "nrefs:1|case:mixed|eff:no|tok:13a|smooth:exp" in (finished / "table.txt").read_text()
    for name in ("figure4", "bleu"):
        assert (finished / f"{name}.png").read_bytes().startswith(b"\x89PNG")
    score = (finished / "lookup-seed1" / "newstest2014.bleu").read_text()
    assert score.endswith("references: newstest2014.de of the data, 20 sentences\n")
    assert not list(finished.rglob("*.tmp"))


def test_what_is_watched_is_in_the_log_and_for_tensorboard(finished):
    run = finished / "real_4096-seed1"
    assert re.search(r"gnorm_o \S+ \| gnorm_w1 \S+ \| gnorm_w2", (run / "train.log").read_text())
    (events,) = (run / "tensorboard" / "train").iterdir()
    assert b"gnorm_w2" in events.read_bytes()


def test_a_second_run_changes_nothing_but_the_table(finished, data):
    before = files(finished)
    options = ["--rows", "lookup real_4096", "--dropouts", "first", "--data-dir", data]
    result = recipe(finished, *options, script="table.sh", tiny=[*TINY, "--alone-inter-dim", "32"])
    assert "done already" in result.stdout
    after = files(finished)
    changed = {path.name for path in after if after[path] != before.get(path)}
    assert changed <= {"table.txt", "table.md", "table.csv", "bleu.png", "figure4.png"}


def trainings_in(work: Path) -> list[str]:
    """Command lines that name a folder, of processes that torchrun has started: each leads a session.

    Their data loaders do not count. They write nothing, end within five seconds, and are left behind by PyTorch if
    the kill falls between their start and their first look at who their parent is.
    """
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = path.read_bytes().replace(b"\0", b" ").decode(errors="replace")
            if str(work) in line and os.getsid(pid := int(path.parent.name)) == pid:
                found.append(line)
        except OSError:  # it has ended
            continue
    return found


def test_killed_in_each_stage_of_the_data_it_makes_the_same_bytes(finished, data, tmp_path):
    work = tmp_path / "work"
    command = [WMT / "run.sh", "--work", work, "--data-dir", data, *SETTINGS, "--stop-stage", "4"]
    signs = {"clean": "clean.tmp/words/newstest2013.de", "text": "text.tmp/codes", "bin": "bin.tmp/dict.en.txt"}
    for stage, sign in signs.items():
        kill_when(command, (work / sign).exists)
        assert not (work / stage).exists()
        assert (work / f"{stage}.tmp").exists()
    recipe(work, "--data-dir", data, "--stop-stage", "4", tiny=())
    for stage in STAGES:
        assert contents(work / stage) == contents(finished / stage)
    assert not list(work.glob("*.tmp"))


def test_killed_in_its_training_it_ends_with_the_same_loss(finished, prepared):
    run, log = prepared / "lookup-seed1", prepared / "lookup-seed1" / "train.log"
    command = [WMT / "run.sh", "--work", prepared, "--config", "lookup", *SETTINGS, "--stop-stage", "5", *TINY]
    kill_when(command, lambda: log.exists() and "begin training epoch 3" in log.read_text())
    assert not (run / "trained").exists()
    deadline = time.monotonic() + 20
    while left := trainings_in(prepared):
        assert time.monotonic() < deadline, f"outlive torchrun: {left}"
        time.sleep(0.1)
    assert not (run / "checkpoints" / f"checkpoint{EPOCHS}.pt").exists()
    recipe(prepared, "--config", "lookup", "--stop-stage", "5")
    assert re.search(r"Loaded checkpoint .*/checkpoint[2-6].pt \(epoch", log.read_text())
    assert validation_losses(run) == validation_losses(finished / "lookup-seed1")
    killed, whole = (last_weights(folder) for folder in (run, finished / "lookup-seed1"))
    assert killed.keys() == whole.keys()
    for name, weight in whole.items():
        torch.testing.assert_close(killed[name], weight, rtol=1e-5, atol=1e-6)


def test_a_training_goes_on_with_larger_batches(finished, prepared):
    """They are no part of a run's settings, as the number of processes is not."""
    run = Path(shutil.copytree(finished / "lookup-seed1", prepared / "lookup-seed1"))
    (run / "trained").unlink()
    (run / "checkpoints" / f"checkpoint{EPOCHS}.pt").unlink()
    options = ["--config", "lookup", "--processes", "1", "--max-tokens", "1024", "--stop-stage", "5"]
    recipe(prepared, *options, tiny=[*TINY, "--alone-inter-dim", "32"])
    resumed = (run / "train.log").read_text().removeprefix((finished / "lookup-seed1" / "train.log").read_text())
    assert "'max_tokens': 1024" in resumed and "'update_freq': [1]" in resumed
    assert re.findall(r"begin training epoch (\d+)", resumed) == [str(EPOCHS)]
    assert (run / "checkpoints" / f"checkpoint{EPOCHS}.pt").exists()


def test_a_training_that_has_ended_goes_on_with_other_limits(finished, prepared):
    """Once it is said that it has not ended: else the averaged model would be replaced unasked."""
    run = Path(shutil.copytree(finished / "lookup-seed1", prepared / "lookup-seed1"))
    before = files(run)
    limits = [*(EPOCHS + 1 if word == str(EPOCHS) else word for word in TINY), "--alone-inter-dim", "32"]
    line = [WMT / "run.sh", "--work", prepared, "--config", "lookup", *SETTINGS, "--stop-stage", "5"]
    told = refusal(call(*line, *limits))
    assert f"'--max-epoch {EPOCHS}' in place of '--max-epoch {EPOCHS + 1}'; remove {run}/trained to" in told
    assert files(run) == before
    (run / "trained").unlink()
    assert "in place of '--lr 0.5'; choose another" in refusal(call(*line, *limits, "--lr", "0.5"))
    assert call(*line, *limits).returncode == 0
    assert validation_losses(run)[:EPOCHS] == validation_losses(finished / "lookup-seed1")
    assert (run / "checkpoints" / f"checkpoint{EPOCHS + 1}.pt").exists()
    assert not (run / "averaged.pt").exists(), "it was of the shorter training"


def test_a_training_that_is_resumed_has_as_much_patience_as_one_that_is_not(prepared):
    """Stopped after the first of two validations without a gain, and after the second."""
    restless = [*TINY, "--max-epoch", "30", "--warmup-updates", "1", "--lr", "1", "--patience", "2"]
    run = prepared / "lookup-restless-seed1"
    line = ["--config", "lookup", "--variant", "restless", "--stop-stage", "5"]
    recipe(prepared, *line, tiny=restless)
    losses, epochs = validation_losses(run), files(run / "checkpoints")
    assert min(losses, key=float) == losses[-3] and len(losses) < 30
    for lost in (1, 0):
        (run / "trained").unlink()
        for number in range(lost):
            (run / "checkpoints" / f"checkpoint{len(losses) - number}.pt").unlink()
        recipe(prepared, *line, tiny=restless)
        assert validation_losses(run) == losses and files(run / "checkpoints").keys() == epochs.keys()


STUB = r"""
command=$(basename "$0")
if [[ -e $STOPPED && " $* " == *" $STOP "* ]]; then echo half; touch "$STOPPED.here"; sleep 600; fi
export PATH=${PATH#*:}
exec "$command" "$@"
"""


@pytest.mark.parametrize(
    ("command", "word"), [("alone", "average"), ("alone", "translate"), ("sacrebleu", "--metrics")]
)
def test_killed_behind_its_training_it_makes_the_same_files(finished, prepared, tmp_path, command, word):
    run, before = prepared / "lookup-seed1", finished / "lookup-seed1"
    shutil.copytree(before, run)
    made = ["averaged.pt", *(f"newstest201{year}.{end}" for year in "34" for end in ("de", "bleu"))]
    for name in made:
        (run / name).unlink()
    stopped = tmp_path / "stopped"
    stopped.touch()
    path = fake(tmp_path / "bin", command, STUB)
    variables = {"PATH": path, "STOPPED": str(stopped), "STOP": word}
    tiny = [*TINY, "--alone-inter-dim", "32"]
    line = [WMT / "run.sh", "--work", prepared, "--config", "lookup", *SETTINGS, *tiny]
    kill_when(line, (tmp_path / "stopped.here").exists, **variables)
    stopped.unlink()
    recipe(prepared, "--config", "lookup", tiny=tiny)
    assert [(run / name).read_bytes() for name in made[1:]] == [(before / name).read_bytes() for name in made[1:]]
    for name, weight in load_checkpoint(before / made[0])["model"].items():
        assert torch.equal(load_checkpoint(run / made[0])["model"][name], weight)


def test_a_table_needs_a_run_of_one_of_its_rows(finished, prepared):
    shutil.copytree(finished / "lookup-seed1", prepared / "lookup-odd-seed1")
    line = [WMT / "table.py", "--work", prepared]
    result = call("python", *line)
    assert "no finished run of a row of Table 2, only lookup-odd-seed1; --variants shows all" in result.stderr
    assert result.returncode == 2 and not (prepared / "table.txt").exists()
    assert call("python", *line, "--variants").returncode == 0


def test_sentencepiece_in_the_place_of_moses_and_subword_nmt(data, tmp_path):
    line = ["--work", tmp_path, "--data-dir", data, *SETTINGS, "--bpe", "sentencepiece", "--stop-stage", "4"]
    told = refusal(call(WMT / "run.sh", *line, "--bpe-size", "100000"))
    assert "error: --bpe-size 100000: Vocabulary size too high (100000). Please set it to a value <= " in told
    shutil.rmtree(tmp_path / "clean")
    assert call(WMT / "run.sh", *line, "--bpe-size", "80").returncode == 0
    pipeline = TextPipeline(TextSettings.load(tmp_path / "bin" / "tokenizer.json"), "en")
    sentence = (data / "newstest2013.en").read_text().splitlines()[0]
    assert pipeline.encode(sentence) == (tmp_path / "text" / "newstest2013.en").read_text().splitlines()[0]
    assert pipeline.decode(pipeline.encode(sentence)) == sentence


def test_two_processes_train_as_one_with_twice_the_batches(prepared):
    """Without dropout, for processes share a seed."""
    exact = [*TINY, "--alone-relu-dropout", "0", "--alone-inter-dim", "32"]
    losses, weights = [], []
    for processes, update_freq in (("1", 2), ("2", 1)):
        options = ["--config", "real_4096", "--dropout", "0", "--processes", processes, "--stop-stage", "5"]
        recipe(prepared, *options, "--variant", f"n{processes}", tiny=exact)
        run = prepared / f"real_4096-n{processes}-dropout0-seed1"
        assert f"'update_freq': [{update_freq}]" in (run / "train.log").read_text()
        losses.append(validation_losses(run))
        weights.append(last_weights(run))
    assert len(losses[0]) == EPOCHS
    assert losses[0] == losses[1]
    for name, weight in weights[0].items():
        torch.testing.assert_close(weights[1][name], weight, rtol=1e-3, atol=1e-5)


def test_a_job_of_slurm_trains_on_two_machines(finished, prepared, tmp_path):
    """With stand-ins for SLURM's commands: both machines are this one."""
    tools = tmp_path / "bin"
    fake(tools, "scontrol", "echo localhost; echo localhost")
    path = fake(
        tools,
        "srun",
        """nodes=2
        (( SRUN_CPUS_PER_TASK == 32 )) || exit 1
        while [[ $1 == --* ]]; do [[ $1 != --nodes=1 ]] || nodes=1; shift; done
        (( nodes == 1 )) && exec "$@"
        SLURM_NODEID=1 "$@" & SLURM_NODEID=0 "$@" && wait $!""",
    )
    result = call(
        WMT / "slurm.sh", "--work", prepared, "--config", "lookup", *SETTINGS, "--stop-stage", "6", *TINY,
        PATH=path, SLURM_SUBMIT_DIR=str(RECIPES.parent), SLURM_JOB_NODELIST="local[1-2]", SLURM_JOB_ID="12345",
        SLURM_NNODES="2", SLURM_CPUS_PER_TASK="32",
    )  # fmt: skip
    run = prepared / "lookup-seed1"
    assert result.returncode == 0, result.stdout[-3000:] + result.stderr
    assert (run / "averaged.pt").exists()
    assert (run / "train-1.log").exists()
    assert validation_losses(run) == validation_losses(finished / "lookup-seed1")


def test_a_sweep_has_a_run_for_each_value(finished, prepared, tmp_path):
    shutil.copytree(finished / "real_4096-seed1", prepared / "real_4096-seed1")
    options = ["--row", "real_4096", "--codes", "64 16", "--codebooks", "8"]
    recipe(prepared, *options, script="sweep.sh", tiny=[*TINY, "--alone-inter-dim", "32"])
    table = (prepared / "sweep.txt").read_text()
    assert [line.split()[0] for line in table.splitlines()[1:3]] == ["–", "c16"]
    state = load_checkpoint(prepared / "real_4096-c16-seed1" / "averaged.pt")
    assert settings_of(state, "model")["alone_codes"] == 16


def preprocessed(folder: Path, text: Path) -> Path:
    """Pieces under the names of the WMT16 set that fairseq's scaling recipe uses, without the raw text."""
    folder.mkdir()
    for name, prefix in PIECES.items():
        for lang in ("en", "de"):
            shutil.copy(text / f"{name}.{lang}", folder / f"{prefix}.{lang}")
    shutil.copy(text / "codes", folder / "bpe.32000")
    return folder


def test_the_preprocessed_set_is_taken_as_it_is(finished, data, tmp_path):
    work = tmp_path / "work"
    given = preprocessed(tmp_path / "given", finished / "text")
    line = [WMT / "run.sh", "--work", work, "--data-dir", given, "--stop-stage", "4"]
    assert "--bpe-size 60 is not for text that is split into pieces already" in refusal(call(*line, *SETTINGS))
    result = call(*line, *OF_PIECES)
    assert result.returncode == 0, result.stderr
    for name in ("dict.en.txt", "train.en-de.de.bin", "valid.en-de.en.bin"):
        assert (work / "bin" / name).read_bytes() == (finished / "bin" / name).read_bytes()
    assert (work / "clean/raw/newstest2014.en").read_text() == (data / "newstest2014.en").read_text()
    pipeline = TextPipeline(TextSettings.load(work / "bin" / "tokenizer.json"), "en")
    sentence = "The dog's table, doesn't he?"
    assert "&apos;" in pipeline.encode(sentence).replace("@@ ", "")
    assert pipeline.decode(pipeline.encode(sentence)) == sentence


def test_pieces_of_another_vocabulary_are_refused(finished, tmp_path):
    """A few pieces of the test set that the training text has not, one in twenty."""
    given = preprocessed(tmp_path / "given", finished / "text")
    path = given / "newstest2014.tok.bpe.32000.de"
    words = path.read_text().replace("\n", " \n ").split(" ")
    kept = [word if n % 20 or word == "\n" else "Слово" for n, word in enumerate(words)]
    path.write_text(" ".join(kept).replace(" \n ", "\n"))
    line = refusal(call(WMT / "run.sh", "--work", tmp_path / "work", "--data-dir", given, *OF_PIECES))
    assert re.search(r"newstest2014.de: 20 sents.* [2-9]\.\d+% replaced", line)
    assert "too many pieces that are not in the dictionary" in line
    assert not (tmp_path / "work" / "bin").exists()


def test_codes_of_another_vocabulary_are_refused(finished, tmp_path):
    given = preprocessed(tmp_path / "given", finished / "text")
    work, codes = tmp_path / "work", given / "bpe.32000"
    line = ["--work", work, "--data-dir", given, *OF_PIECES, "--stop-stage", "4"]
    merges = codes.read_text().splitlines()
    for content, message in (
        ("\n".join(merges[:31]), "bpe.32000 does not make the pieces of newstest2013.en: "),
        ("", "not what subword_nmt has learnt"),
        ("\x00\x01", "not what subword_nmt has learnt"),
    ):
        codes.write_text(content)
        assert message in refusal(call(WMT / "run.sh", *line))
        assert not (work / "clean").exists()
    codes.write_text("\n".join(merges) + "\n")
    assert call(WMT / "run.sh", *line).returncode == 0


def test_a_full_disk_is_named_and_loses_nothing(data, tmp_path):
    """With room made, the same command goes on."""
    script = """mount -t tmpfs -o size=20k none "$1" && { "$2" --work "$1" "${@:3}" ||
        { mount -o remount,size=20m "$1" && "$2" --work "$1" "${@:3}" && echo went on; }; }"""
    work = tmp_path / "work"
    work.mkdir()
    space = ["unshare", "--map-root-user", "--mount", "bash", "-c"]
    if shutil.which("unshare") is None or call(*space, 'mount -t tmpfs none "$0"', work).returncode:
        pytest.skip("no file system of one's own here")
    result = call(*space, script, "bash", work, WMT / "run.sh", "--data-dir", data, *SETTINGS, "--stop-stage", "3")
    assert result.returncode == 0 and result.stdout.endswith("went on\n"), result.stderr
    (line,) = result.stderr.splitlines()
    assert re.search(r"work/.*: No space left on device$|no space left in .*/work; make room", line)


CURL = r"""
while [[ $1 == --* && $1 != --output ]]; do [[ ! $1 =~ ^--(continue-at|retry|write-out)$ ]] || shift; shift; done
output=$2 archive=$ARCHIVES/${3##*/} have=$(stat -c %s "$2" 2> /dev/null || echo 0)
size=$(stat -c %s "$archive")
if [[ -e $SLOW ]]; then head -c $((size / 2)) "$archive" > "$output"; sleep 600; fi
tail -c +$((have + 1)) "$archive" >> "$output"
"""


def test_a_download_goes_on_where_it_was_killed(data, tmp_path):
    archives, work, slow = tmp_path / "archives", tmp_path / "work", tmp_path / "slow"
    archives.mkdir()
    parts = {
        "de-en.tgz": "europarl-v7.de-en",
        "training-parallel-commoncrawl.tgz": "commoncrawl.de-en",
        "training-parallel-nc-v11.tgz": "training-parallel-nc-v11/news-commentary-v11.de-en",
    }
    for archive, name in parts.items():
        with tarfile.open(archives / archive, "w:gz") as tar:
            for lang in ("en", "de"):
                tar.add(data / f"train.{lang}", f"{name}.{lang}")
    for name, test_set in (("wmt13", "newstest2013"), ("wmt14/full", "newstest2014")):
        folder = tmp_path / "sacrebleu" / name
        folder.mkdir(parents=True)
        for field in ("src", "ref", "docid", "genre", "origlang"):
            lang = "de" if field == "ref" else "en"
            shutil.copy(data / f"{test_set}.{lang}", folder / f"{name.replace('/', '_')}.en-de.{field}")
    variables = {
        "PATH": fake(tmp_path / "bin", "curl", CURL),
        "ARCHIVES": str(archives), "SLOW": str(slow), "SACREBLEU": str(tmp_path / "sacrebleu"),
    }  # fmt: skip
    command = ["env", *(f"{name}={value}" for name, value in variables.items())]
    slow.touch()
    kill_when([*command, WMT / "run.sh", "--work", work, "--stop-stage", "1"],
              (part := work / "download" / "de-en.tgz.part").exists)  # fmt: skip
    half = part.read_bytes()
    no_network = {**variables, "PATH": fake(tmp_path / "no network", "curl", "exit 6")}
    assert "de-en.tgz: cannot be fetched" in refusal(
        call(WMT / "run.sh", "--work", work, *SETTINGS, "--stop-stage", "1", **no_network)
    )
    assert part.read_bytes() == half, "what there is of it is kept"
    assert not (work / "corpus").exists()
    slow.unlink()
    recipe(work, "--stop-stage", "1", tiny=(), **variables)
    assert (work / "corpus" / "train.de").read_text() == (data / "train.de").read_text() * 3
    assert (work / "corpus" / "newstest2014.de").read_text() == (data / "newstest2014.de").read_text()
