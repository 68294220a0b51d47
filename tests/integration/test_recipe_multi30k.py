"""The recipe as a person runs it: raw text to a score, nothing done twice, and one line about bad input."""

import re
import shutil
import sys
from pathlib import Path

import pytest
from commands import RECIPES, call, files, refusal
from recipe_runs import TINY, recipe, write_text

from alone_fairseq.checkpoint.contents import read_contents
from alone_fairseq.checkpoint.files import load_checkpoint, update_number
from alone_fairseq.text import TextPipeline, TextSettings

pytestmark = pytest.mark.xdist_group("multi30k")

SETTINGS = ["--bpe-size", "60", "--size", "32", "--cool-down", "2"]


@pytest.fixture(scope="module")
def data(tmp_path_factory, tiny_text) -> Path:
    return write_text(tmp_path_factory.mktemp("raw text"), tiny_text)


@pytest.fixture(scope="module")
def finished(tmp_path_factory, data) -> Path:
    """The work folder of a run, made where an interrupted one has left half a text."""
    work = tmp_path_factory.mktemp("work")
    (work / "text.tmp").mkdir()
    (work / "text.tmp" / "half").touch()
    result = recipe(data, work, *SETTINGS, tiny=TINY)
    assert result.returncode == 0, result.stdout + result.stderr
    return work


@pytest.fixture
def bad(tmp_path, data) -> Path:
    """A copy of the text, for a test to spoil."""
    return Path(shutil.copytree(data, tmp_path / "bad"))


def test_raw_text_becomes_translations_and_scores(finished, data):
    run = finished / "real-32-seed1"
    for name in ("val", "test_2016_flickr"):
        translations = (run / f"{name}.de").read_bytes()
        assert translations.count(b"\n") == (data / f"{name}.en").read_bytes().count(b"\n")
        assert translations.endswith(b"\n\n"), "an empty line has an empty translation"
        score = (run / f"{name}.bleu").read_text()
        assert re.match(r"BLEU\|nrefs:1\|case:mixed\|eff:no\|tok:13a\|smooth:exp\|version:\S+ = \d+\.\d\d ", score)
    assert b"\r" not in (finished / "text" / "raw" / "val.en").read_bytes()
    assert (finished / "bin" / "dict.en.txt").read_bytes() == (finished / "bin" / "dict.de.txt").read_bytes()


def test_a_training_that_is_resumed_knows_how_long_it_has_been_patient(finished):
    lines = (finished / "real-32-seed1" / "settings").read_text().splitlines()
    settings = dict(line.split(maxsplit=1) for line in lines if line.startswith("--"))
    assert int(settings["--keep-last-epochs"]) >= int(settings["--patience"])


def test_nothing_half_made_is_left_or_used(finished):
    assert not list(finished.rglob("*.tmp"))
    assert not (finished / "text" / "half").exists()


def test_a_second_run_changes_no_file(finished, data):
    before = files(finished)
    result = recipe(data, finished, *SETTINGS, tiny=TINY)
    assert result.returncode == 0
    assert result.stdout.count("done already") == len(result.stdout.splitlines()) == 9
    assert files(finished) == before


def test_training_goes_on_from_the_newest_epoch(finished, data, tmp_path):
    work = Path(shutil.copytree(finished, tmp_path / "work"))
    run = work / "real-32-seed1"
    (run / "trained").unlink()
    (run / "checkpoints" / "checkpoint2.pt").unlink()
    result = recipe(data, work, *SETTINGS, "--stop-stage", "3", tiny=TINY)
    assert result.returncode == 0, result.stderr
    assert "checkpoint1.pt (epoch 2 @" in result.stdout
    assert (run / "checkpoints" / "checkpoint2.pt").exists()
    assert (run / "trained").exists()
    assert not [*(run / "cooled").rglob("*.pt"), *run.glob("averaged.pt")], "they were of the older training"


def rate(checkpoint: Path) -> tuple[int, float]:
    """Number of updates, and the learning rate of the next one."""
    state = load_checkpoint(checkpoint)
    return update_number(state), state["last_optimizer_state"]["param_groups"][0]["lr"]


def test_the_learning_rate_goes_down_to_0_in_a_line_even_if_stopped_on_the_way(finished, data, tmp_path):
    work = Path(shutil.copytree(finished, tmp_path / "work"))
    run = work / "real-32-seed1"
    cooled = run / "cooled" / "checkpoints"
    for path in (run / "cooled" / "done", cooled / "checkpoint4.pt"):
        path.unlink()
    result = recipe(data, work, *SETTINGS, "--stop-stage", "5", tiny=TINY)
    assert result.returncode == 0, result.stderr
    assert "checkpoint3.pt (epoch 4 @" in result.stdout
    (start, first), (middle, half), (end, last) = (
        rate(run / "checkpoints" / "checkpoint2.pt"),
        rate(cooled / "checkpoint3.pt"),
        rate(cooled / "checkpoint4.pt"),
    )
    assert end == 2 * start and middle == 1.5 * start
    assert last == 0 and half == pytest.approx(first / 2) and first > 0
    assert read_contents(run / "averaged.pt")[0].updates == end
    assert not [*run.glob("*.de"), *run.glob("*.bleu")], "of checkpoints that are no longer there"


def test_sentences_too_long_for_the_model_are_left_out_and_a_limit_of_stage_3_is_none_of_stage_4(
    finished, data, tmp_path
):
    work = Path(shutil.copytree(finished, tmp_path / "work"))
    tiny = [*TINY, "--max-epoch", "1", "--max-update", "2", "--max-source-positions", "16"]
    settings = ["--bpe-size", "60", "--size", "16", "--cool-down", "1", "--stop-stage", "4"]
    result = recipe(data, work, *settings, tiny=tiny)
    assert result.returncode == 0, result.stdout + result.stderr
    assert "samples have invalid sizes and will be skipped" in result.stdout
    assert "valid on 'valid' subset" in result.stdout
    start, end = (work / "real-16-seed1" / part for part in ("checkpoints", "cooled/checkpoints"))
    (start,) = start.glob("checkpoint[0-9]*.pt")
    assert rate(end / "checkpoint2.pt") == (2 * rate(start)[0], 0)


def test_cooling_down_for_another_number_of_epochs_does_not_mix_with_old_outputs(finished, data):
    line = refusal(recipe(data, finished, "--bpe-size", "60", "--size", "32", "--cool-down", "3", tiny=TINY))
    assert "'cool_down 2'" in line and "'cool_down 3'" in line


def test_a_checkpoint_without_its_optimizer_cannot_cool_down(finished):
    averaged = finished / "real-32-seed1" / "averaged.pt"
    result = call(sys.executable, RECIPES / "lib" / "cool_down.py", averaged, 2)
    assert "cannot go on from it" in refusal(result)


@pytest.mark.parametrize(
    ("arguments", "tiny", "differs"),
    [
        (["--bpe-size", "50", "--size", "32"], TINY, ["bpe_size 60", "bpe_size 50"]),
        ([*SETTINGS, "--bpe", "sentencepiece"], TINY, ["bpe subword_nmt", "bpe sentencepiece"]),
        (SETTINGS, [*TINY, "--lr", "1"], ["nothing", "--lr 1"]),
    ],
)
def test_other_settings_do_not_mix_with_old_outputs(finished, data, arguments, tiny, differs):
    before = files(finished)
    line = refusal(recipe(data, finished, *arguments, tiny=tiny))
    assert all(f"'{setting}'" in line for setting in differs)
    assert files(finished) == before


def test_other_text_does_not_mix_with_old_outputs(finished, bad):
    (bad / "val.de").write_text("Der Hund schläft.\n" * 21)
    assert "'val.de " in refusal(recipe(bad, finished, *SETTINGS, tiny=TINY))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--learning-rate", "1"], "unknown option '--learning-rate'"),
        (["extra"], "unexpected argument 'extra'"),
        (["--seed"], "option '--seed' needs a value"),
        (["--", "--warmup-updatez", "1"], "run.sh: error: unrecognized arguments: --warmup-updatez 1"),
        (["--seed", "one"], "--seed must be a whole number above 0, not 'one'"),
        (["--system", "glove"], "--system must be one of lookup factorized real binary fast, not 'glove'"),
        (["--stage", "8"], "--stage must be one of 1 2 3 4 5 6 7, not '8'"),
        (["--system", "lookup", "--size", "64"], "--size is not for a lookup"),
        (["--stage", "2"], "text: not there; run stage 1 first"),
        (["--stage", "4"], "bin: not there; run stage 2 first"),
    ],
)
def test_options_that_make_no_sense_are_refused(data, tmp_path, arguments, message):
    assert message in refusal(recipe(data, tmp_path, *arguments))


def test_a_work_folder_that_cannot_be_made_is_refused(data):
    assert "val.en/work: cannot be written to" in refusal(recipe(data, data / "val.en" / "work"))


def test_a_missing_file_is_named(bad, tmp_path):
    (bad / "val.de").unlink()
    line = refusal(recipe(bad, tmp_path / "work"))
    assert "val.de: not there" in line
    assert "{train val test_2016_flickr}.{en,de}" in line
    assert not (tmp_path / "work").exists()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "val.de: is empty"),
        (b"eins\nzwei\n", "val.en and val.de: have 21 and 2 lines"),
        (b"eins\nzw\xffei\n", "val.de: line 2 is not valid UTF-8"),
    ],
)
def test_damaged_text_is_refused_and_the_mended_text_accepted(bad, tmp_path, content, message):
    good = (bad / "val.de").read_bytes()
    (bad / "val.de").write_bytes(content)
    assert message in refusal(recipe(bad, tmp_path / "work"))
    assert not (tmp_path / "work" / "text").exists()
    (bad / "val.de").write_bytes(good)
    copies = tmp_path / "val.en", tmp_path / "val.de"
    result = call(sys.executable, RECIPES / "lib" / "clean_parallel.py", bad / "val.en", bad / "val.de", *copies)
    assert result.returncode == 0, result.stderr


def test_sentencepiece_learns_pieces_that_give_the_text_back(data, tmp_path):
    script = '. "$0/lib/options.sh"; . "$0/lib/text.sh"; learn_bpe sentencepiece 60 "$2" "$1"'
    result = call("bash", "-ec", script, RECIPES, data / "train.de", tmp_path / "codes")
    assert result.returncode == 0, result.stderr
    pipeline = TextPipeline(TextSettings(1, "en", "de", bpe="sentencepiece", codes=tmp_path / "codes"), "de")
    sentence = "Der Hund sieht den Baum heute und morgen."
    pieces = pipeline.encode(sentence)
    assert len(pieces.split()) > len(sentence.split())
    assert pipeline.decode(pieces) == sentence


def test_the_fast_system_has_its_settings(finished, data, tmp_path):
    work = Path(shutil.copytree(finished, tmp_path / "work"))
    tiny = [*TINY, "--alone-own-rows", "7"]  # there are fewer words than the recipe's rows
    result = recipe(data, work, "--bpe-size", "60", "--system", "fast", "--stop-stage", "3", tiny=tiny)
    assert result.returncode == 0, result.stderr
    (checkpoint,) = (work / "fast-seed1" / "checkpoints").glob("checkpoint1.pt")
    contents, state = read_contents(checkpoint)
    sizes = contents.embeddings["encoder.embed_tokens"]
    assert (sizes["center"], sizes["own_rows"], sizes["inter_dim"]) == (True, 7, 873)
    assert 256 + 873 * 512 + 256 + 300 * 256 <= 256 + 1024 * 512  # as large as the other ALONE systems
    assert state["optimizer_history"][-1]["optimizer_name"] == "FairseqAdamMuon"


def test_help_shows_all_options_and_an_example(data):
    result = call(RECIPES / "multi30k" / "run.sh", "--help")
    assert result.returncode == 0
    names = "data system size seed work bpe bpe-size max-minutes cool-down stage stop-stage"
    assert re.findall(r"^  --(\S+)", result.stdout, re.M) == names.split()
    assert "Example: recipes/multi30k/run.sh --data" in result.stdout


def test_table_sets_finished_runs_side_by_side(finished, tmp_path):
    result = call(
        sys.executable, RECIPES / "multi30k" / "table.py", "--work", finished, "--plot", tmp_path / "bleu.png"
    )
    assert result.returncode == 0, result.stderr
    alone = 16 + 32 * (16 + 16)
    size = (finished / "real-32-seed1" / "averaged.pt").stat().st_size
    assert f"| ALONE, real, D_inter = 32 | 1 | {alone:,} | {size:,} |" in result.stdout
    assert "| lookup | not run |" in result.stdout
    assert "One seed. sacreBLEU nrefs:1" in result.stdout
    assert (tmp_path / "bleu.png").read_bytes().startswith(b"\x89PNG")
