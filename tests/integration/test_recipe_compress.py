"""The recipe as a person runs it: a trained model, made smaller, tuned and scored."""

import shutil
from pathlib import Path

import pytest
import torch
from commands import RECIPES, call, files, refusal
from recipe_runs import TINY, recipe, write_text

from alone_fairseq.checkpoint.contents import read_contents

pytestmark = [pytest.mark.recipes, pytest.mark.xdist_group("multi30k")]

FIT = ["--fit-updates", "3", "--own-rows", "9"]


def compress(original, work, *arguments):
    return call(RECIPES / "compress" / "run.sh", "--original", original, "--work", work, *arguments)


@pytest.fixture(scope="module")
def original(tmp_path_factory, tiny_text):
    """The work folder of recipes/multi30k with a trained lookup."""
    folder = tmp_path_factory.mktemp("multi30k")
    data = write_text(tmp_path_factory.mktemp("data"), tiny_text)
    result = recipe(data, folder, "--bpe-size", "60", "--system", "lookup", tiny=TINY)
    assert result.returncode == 0, result.stderr
    return folder


@pytest.fixture(scope="module")
def finished(original, tmp_path_factory):
    work = tmp_path_factory.mktemp("compress")
    for options in (["--system", "distillation", *FIT], ["--system", "int8", "--stop-stage", 3]):
        result = compress(original, work, *options)
        assert result.returncode == 0, result.stdout + result.stderr
    return work


def test_the_model_gets_a_quarter_of_the_parameters_and_a_fifth_of_the_updates(original, finished):
    lookup, _ = read_contents(original / "lookup-seed1" / "averaged.pt")
    run = finished / "distillation-4-seed1"
    tuned, state = read_contents(run / "averaged.pt")
    assert 0.15 < tuned.embedding_parameters / lookup.embedding_parameters <= 0.25
    assert tuned.embeddings["encoder.embed_tokens"]["own_rows"] == 9
    assert tuned.updates == -(-lookup.updates // 5)
    settings = (run / "settings").read_text()
    assert "--criterion label_smoothed_distillation" in settings and "--encoder-embed-dim 16" in settings
    assert "distil_loss" in (run / "train.log").read_text()
    assert (run / "test_2016_flickr.bleu").read_text().startswith("BLEU|nrefs:1")


def test_a_second_run_changes_no_file(original, finished):
    before = files(finished)
    result = compress(original, finished, *FIT)
    assert result.returncode == 0 and result.stdout.count("done already") == 7
    assert files(finished) == before


def test_int8_has_255_values_in_a_row(original, finished):
    key = "encoder.embed_tokens.table"
    before, after = (
        torch.load(path, weights_only=True)["model"][key]
        for path in (original / "lookup-seed1" / "averaged.pt", finished / "int8-seed1" / "averaged.pt")
    )
    scale = before.abs().amax(1, keepdim=True) / 127
    assert ((before - after).abs() <= scale / 2 + 1e-7).all() and not torch.equal(before, after)
    steps = after / scale.clamp(min=1e-30)
    torch.testing.assert_close(steps, steps.round(), rtol=0, atol=1e-3)


def test_table_sets_them_beside_the_original(original, finished):
    result = call("python", RECIPES / "compress" / "table.py", "--work", finished, "--original", original)
    assert result.returncode == 0, result.stderr
    rows = [line for line in result.stdout.splitlines() if line.startswith("|")][2:]
    assert [row.split(",")[0] for row in rows] == ["| lookup", "| ALONE"] and "(p = " in rows[1]


def test_what_does_not_go_together_is_refused(original, finished, tmp_path):
    for arguments, message in (
        (["--divide", "3"], "--divide must be one of 4 8, not '3'"),
        (["--fit-updates", "4", "--own-rows", "9"], "made with other settings"),
        ([*FIT, "--", "--lr", "5"], "distillation-4-seed1 was made with other settings"),
        ([*FIT, "--", "--no-such-option"], "error: unrecognized arguments: --no-such-option"),
        (["--system", "untuned", "--", "--lr", "5"], "--system untuned trains nothing: no options behind --"),
        (["--system", "int8", "--divide", "8"], "are for ALONE, not for --system int8"),
        (["--stage", "3", "--stop-stage", "2"], "--stage 3 comes after --stop-stage 2: nothing is left to do"),
        (["--own-rows", "99999"], "leaves nothing to ALONE"),
        (["--seed", "2"], "no trained lookup there"),
    ):
        assert message in refusal(compress(original, finished, *arguments))
    assert "--work" in refusal(compress(original, original / "text" / "codes" / "work", *FIT))


def test_what_was_made_of_another_original_is_refused(original, finished, tmp_path):
    """Such as one that has gone on; what was made of it is named, and nothing else is to be removed."""
    longer, work = (Path(shutil.copytree(folder, tmp_path / folder.name)) for folder in (original, finished))
    shutil.copy(
        longer / "lookup-seed1" / "checkpoints" / "checkpoint1.pt", longer / "lookup-seed1" / "averaged.pt"
    )
    line = [longer, work, "--system", "int8", "--stop-stage", 3]
    assert f"remove {work}/int8-seed1.*" in refusal(compress(*line))
    for path in work.glob("int8-seed1.*"):
        path.unlink()
    assert "int8-seed1 was made with other settings, 'original " in refusal(compress(*line))
    shutil.rmtree(work / "int8-seed1")
    assert compress(*line).returncode == 0
