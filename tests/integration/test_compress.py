"""``alone compress``: a model that is there already, with ALONE in the place of its embedding matrix."""

import io
import json
import math
import re
import sys

import pytest
import torch
from commands import SEARCH, SMALL_LM, USER_DIR, as_old, language_model_data, lines, load, run, train
from fairseq_cli import generate
from fairseq_cli import train as fairseq_train

from alone_fairseq import AloneEmbedding
from alone_fairseq.checkpoint import compress as checks
from alone_fairseq.checkpoint import unfinished
from alone_fairseq.checkpoint.fit import Quality
from alone_fairseq.cli import compress as command
from alone_fairseq.cli import main

LOOKUP = "--embedding lookup --max-update 40 --dropout 0 --lr-scheduler inverse_sqrt --warmup-updates 10"


@pytest.fixture(scope="module")
def lookup(tiny_data, tmp_path_factory):
    """A model with a lookup that has learnt ``tiny_data`` well enough to end its sentences."""
    return train(tiny_data, tmp_path_factory.mktemp("lookup"), LOOKUP)


def compress(checkpoint, data, output, *more) -> int:
    return main(["compress", str(checkpoint), "--data", str(data), "--output", str(output), *map(str, more)])


@pytest.fixture
def any_size(monkeypatch):
    """Tiny matrices are smaller than any ALONE that can hold them."""
    monkeypatch.setattr(checks, "check_sizes", lambda plain, settings: None)


@pytest.mark.usefixtures("any_size")
def test_a_large_network_says_the_same(tiny_data, lookup, tmp_path, capsys):
    """More features than words: the fit is all but exact, and so are the scores of translations."""
    line = ["--inter-dim", 400, "--updates", 50, "--codes-from", "symbol"]
    assert compress(lookup, tiny_data, tmp_path / "out.pt", *line) == 0
    report, warning = capsys.readouterr()
    assert "which saves none; a smaller --inter-dim does" in warning
    assert float(re.search(r"squared error ([\d.]+)%", report)[1]) < 1
    exported = ["--to", "fairseq", "--data", str(tiny_data), "--output", str(tmp_path / "plain.pt")]
    assert main(["export", str(tmp_path / "out.pt"), *exported]) == 0
    paths = lookup, tmp_path / "out.pt", tmp_path / "plain.pt"
    found = [lines("H", run(generate, f"{tiny_data} --path {path} {SEARCH}")) for path in paths]
    before, after, plain = ([float(line.split("\t")[0]) for line in one] for one in found)
    assert after == pytest.approx(before, abs=0.05) and plain == pytest.approx(after, abs=1e-4)
    translations, written_out = ([line.split("\t")[1] for line in one] for one in found[1:])
    assert written_out == translations
    model, _ = load(tmp_path / "out.pt")
    embedding = model.encoder.embed_tokens
    assert isinstance(embedding, AloneEmbedding) and embedding.filter_store.spec.symbols
    count = sum(p.numel() for p in embedding.parameters())
    assert f"{count:,} now" in report
    assert not (tmp_path / "out.pt.unfinished").exists()


@pytest.mark.usefixtures("any_size")
def test_the_report_has_bleu_before_and_after(tiny_data, tiny_text, lookup, tmp_path, capsys):
    text, reference = tmp_path / "text", tmp_path / "reference"
    text.write_text("".join(f"{english}\n" for english, _ in tiny_text["train"][:30]))
    reference.write_text("".join(f"{line}\n" for line in run_translate(lookup, tiny_data, text, capsys)))
    line = ["--text", text, "--reference", reference]
    better = [*line, "--inter-dim", 400, "--updates", 50, "--json"]
    assert compress(lookup, tiny_data, tmp_path / "out.pt", *better) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["BLEU"]["before"] == pytest.approx(100) and found["BLEU"]["after"] > 80
    assert "nrefs:1" in found["BLEU"]["signature"]
    assert found["embeddings"]["encoder.embed_tokens"]["cosines"][0]["cosine"] > 0.99
    tuned = f"--checkpoint {tmp_path}/out-tuned/checkpoint_last.pt --data {tiny_data}"
    assert found["scoring"] == f"alone translate {tuned} --beam 4 < {text} | sacrebleu {reference} -m bleu"
    assert compress(lookup, tiny_data, tmp_path / "poor.pt", *line, "--inter-dim", 1, "--updates", 1) == 0
    before, after = re.search(r"BLEU +([\d.]+) before, ([\d.]+) now", capsys.readouterr().out).groups()
    assert before == "100.00" and float(after) < 80


def test_a_model_with_length_control_is_scored_at_a_wanted_length(tiny_data, tiny_text, tmp_path, capsys):
    checkpoint = train(tiny_data, tmp_path, f"{LOOKUP} --length-control lrpe --length-control-pe")
    text, reference, lengths = tmp_path / "text", tmp_path / "reference", tmp_path / "lengths"
    text.write_text("".join(f"{english}\n" for english, _ in tiny_text["train"][:10]))
    lengths.write_text("".join(f"{length}\n" for length in range(4, 14)))
    wanted = ["--desired-length", str(lengths)]
    translated = run_translate(checkpoint, tiny_data, text, capsys, *wanted)
    reference.write_text("".join(f"{line}\n" for line in translated))
    line = ["--inter-dim", 8, "--updates", 1, "--json", "--text", text, "--reference", reference]
    assert compress(checkpoint, tiny_data, tmp_path / "out.pt", *line) == 1
    assert "--desired-length" in capsys.readouterr().err
    assert compress(checkpoint, tiny_data, tmp_path / "out.pt", *line, *wanted) == 0
    assert json.loads(capsys.readouterr().out)["BLEU"]["before"] == pytest.approx(100)
    lengths.write_text("4\n")
    assert compress(checkpoint, tiny_data, tmp_path / "other.pt", *line, *wanted) == 1
    assert f"--desired-length: has 1 lengths, but {text} 10 lines" in capsys.readouterr().err


def run_translate(checkpoint, data, text, capsys, *more) -> list[str]:
    with open(text) as file, pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "stdin", file)
        assert main(["translate", "--checkpoint", str(checkpoint), "--data", str(data), *more]) == 0
    return capsys.readouterr().out.splitlines()


@pytest.mark.parametrize(
    ("line", "embeddings"),
    [
        ("--embedding lookup --no-share-all-embeddings", 3),
        ("--embedding lookup --no-share-all-embeddings --share-decoder-input-output-embed", 2),
        ("--embedding factorized --factorized-dim 3", 1),
        ("--alone-inter-dim 64", 1),
    ],
)
@pytest.mark.usefixtures("any_size")
def test_each_matrix_is_fitted(tiny_data, tmp_path, line, embeddings, capsys):
    checkpoint = train(tiny_data, tmp_path / "run", f"{line} --max-update 2")
    output = tmp_path / "out.pt"
    assert (
        compress(
            checkpoint, tiny_data, output, "--inter-dim", 300, "--updates", 5, "--own-rows", 6, "--base-dim", 48
        )
        == 0
    )
    assert capsys.readouterr().out.count("squared error") == embeddings
    before, after = (load(path)[0].eval() for path in (checkpoint, output))
    for side in ("encoder", "decoder"):
        matrices = [getattr(model, side).embed_tokens.matrix() for model in (before, after)]
        assert torch.equal(matrices[0][:6], matrices[1][:6])
        assert torch.cosine_similarity(*matrices, dim=1)[6:].mean() > 0.95


@pytest.mark.usefixtures("any_size")
def test_old_checkpoints_are_compressed_too(tiny_data, lookup, tmp_path, capsys):
    """With all settings in one Namespace, and with objects of fairseq that there are no longer."""
    text = tmp_path / "text"
    text.write_text("The dog sleeps.\n")
    old = as_old(lookup, tmp_path / "old.pt")
    before = run_translate(lookup, tiny_data, text, capsys)
    assert run_translate(old, tiny_data, text, capsys) == before
    line = ["--inter-dim", 400, "--updates", 50, "--text", text, "--reference", text]
    assert compress(old, tiny_data, tmp_path / "out.pt", *line) == 0
    capsys.readouterr()
    assert run_translate(tmp_path / "out.pt", tiny_data, text, capsys) == before
    assert main(["params", str(old)]) == 0 and main(["params", str(tmp_path / "out.pt")]) == 0


@pytest.mark.parametrize(
    "line",
    [
        "--embedding lookup --no-share-all-embeddings --share-decoder-input-output-embed",
        "--embedding lookup --encoder-learned-pos --max-source-positions 60 --decoder-normalize-before",
        "--embedding lookup --length-control lrpe --length-control-pe --activation-fn gelu",
    ],
)
def test_the_options_that_it_prints_build_the_model_again(tiny_data, tmp_path, line, capsys):
    checkpoint = train(tiny_data, tmp_path / "run", f"{line} --max-update 1 --dropout 0.3")
    output = tmp_path / "out.pt"
    alone = ["--inter-dim", 16, "--own-rows", 7, "--base-dim", 5, "--seed", 3, "--updates", 2]
    assert compress(checkpoint, tiny_data, output, *alone) == 0
    told = capsys.readouterr().out.splitlines()[-1]
    options = told.split("--arch transformer_alone ")[1]
    run(
        fairseq_train,
        f"{tiny_data} --user-dir {USER_DIR} --arch transformer_alone {options} --max-update 1 --lr 0 --cpu"
        " --num-workers 0 --disable-validation",
    )
    before, after = (load(path)[0] for path in (output, tmp_path / "out-tuned" / "checkpoint_last.pt"))
    assert repr(before) == repr(after)
    assert all(map(torch.equal, before.parameters(), after.parameters()))


def test_stock_transformers_are_compressed_and_tuned(tiny_data, tmp_path):
    stock = train(
        tiny_data,
        tmp_path / "stock",
        "--share-all-embeddings --encoder-layers 1 --decoder-layers 1 --max-update 2",
        model="--arch transformer_tiny",
    )
    output = tmp_path / "out.pt"
    assert compress(stock, tiny_data, output, "--inter-dim", 16, "--updates", 5) == 0
    line = f"--finetune-from-model {output} --alone-inter-dim 16 --alone-center --max-update 3"
    tuned = train(tiny_data, tmp_path / "tuned", line)
    before, after = (load(path)[0].encoder.embed_tokens for path in (output, tuned))
    assert not torch.equal(before.weights[0], after.weights[0])
    torch.testing.assert_close(before.weights[0], after.weights[0], rtol=0, atol=0.05)


def test_a_stopped_fit_goes_on(tiny_data, lookup, tmp_path, monkeypatch, capsys):
    line = ["--inter-dim", 16, "--updates", 12]
    assert compress(lookup, tiny_data, tmp_path / "whole.pt", *line) == 0
    monkeypatch.setattr(unfinished, "SAVE_EVERY", 0)
    saved = unfinished.Unfinished.save

    def interrupted(self, name, state_dict):
        saved(self, name, state_dict)
        if state_dict()["done"] == 7:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(unfinished.Unfinished, "save", interrupted)
        assert compress(lookup, tiny_data, tmp_path / "parts.pt", *line) == 130
    assert not (tmp_path / "parts.pt").exists() and (tmp_path / "parts.pt.unfinished").exists()
    assert compress(lookup, tiny_data, tmp_path / "parts.pt", "--inter-dim", 17, "--updates", 12) == 1
    assert "left by a fit with --inter-dim 16; go on with that" in capsys.readouterr().err
    assert compress(lookup, tiny_data, tmp_path / "parts.pt", *line) == 0
    one, other = (load(tmp_path / f"{name}.pt")[0].eval().encoder.embed_tokens for name in ("whole", "parts"))
    assert torch.equal(one.matrix(), other.matrix())
    assert not (tmp_path / "parts.pt.unfinished").exists()


def test_what_another_model_has_left_is_not_gone_on_with(tiny_data, lookup, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(unfinished, "SAVE_EVERY", 0)
    checkpoint, line = tmp_path / "model.pt", ["--inter-dim", 16, "--updates", 3]
    checkpoint.write_bytes(lookup.read_bytes())
    with monkeypatch.context() as patch:
        patch.setattr(command, "sizes", interrupt)
        assert compress(checkpoint, tiny_data, tmp_path / "out.pt", *line) == 130
    state = torch.load(checkpoint, weights_only=True)
    state["model"]["encoder.embed_tokens.table"].mul_(-1)
    torch.save(state, checkpoint)
    assert compress(checkpoint, tiny_data, tmp_path / "out.pt", *line) == 1
    assert "out.pt.unfinished: left by the fit of another model; remove it" in capsys.readouterr().err


@pytest.mark.parametrize("damage", ["one bit", "cut short", "something else", "nothing"])
def test_a_damaged_fit_is_not_gone_on_with(tiny_data, lookup, tmp_path, monkeypatch, capsys, damage):
    line = ["--inter-dim", 16, "--updates", 3]
    with monkeypatch.context() as patch:
        patch.setattr(command, "sizes", interrupt)
        assert compress(lookup, tiny_data, tmp_path / "out.pt", *line) == 130
    path = tmp_path / "out.pt.unfinished"
    left = bytearray(path.read_bytes())
    left[len(left) // 2] ^= 1
    damaged = {"one bit": left, "cut short": left[:1000], "something else": b"mine", "nothing": b""}
    path.write_bytes(damaged[damage])
    assert compress(lookup, tiny_data, tmp_path / "out.pt", *line) == 1
    assert "out.pt.unfinished: not what a stopped fit leaves, or damaged; remove it" in capsys.readouterr().err
    assert path.read_bytes() == damaged[damage]


def test_what_is_fitted_stays_so_when_a_later_matrix_is_stopped(tiny_data, tmp_path, monkeypatch):
    separate = "--embedding lookup --no-share-all-embeddings --share-decoder-input-output-embed --max-update 1"
    checkpoint = train(tiny_data, tmp_path / "run", separate)
    line = ["--inter-dim", 16, "--updates", 12]
    assert compress(checkpoint, tiny_data, tmp_path / "whole.pt", *line) == 0
    saved = unfinished.Unfinished.save

    def interrupted(self, name, state_dict):
        saved(self, name, state_dict)
        if name.startswith("decoder") and state_dict()["done"] == 7:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(unfinished.Unfinished, "save", interrupted)
        assert compress(checkpoint, tiny_data, tmp_path / "parts.pt", *line) == 130
    left = torch.load(io.BytesIO((tmp_path / "parts.pt.unfinished").read_bytes()[32:]), weights_only=True)
    assert {name: state["done"] for name, state in left["states"].items()} == {
        "encoder.embed_tokens": 12,
        "decoder.embed_tokens": 7,
    }
    assert compress(checkpoint, tiny_data, tmp_path / "parts.pt", *line) == 0
    one, other = (load(tmp_path / f"{name}.pt")[0].eval() for name in ("whole", "parts"))
    for side in ("encoder", "decoder"):
        assert torch.equal(*(getattr(model, side).embed_tokens.matrix() for model in (one, other)))


def test_what_came_to_nothing_is_not_kept(tiny_data, lookup, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(checks, "quality", lambda *of: Quality(math.nan, {}))
    assert compress(lookup, tiny_data, tmp_path / "out.pt", "--inter-dim", 16, "--updates", 1) == 1
    assert "the fit came to nothing" in capsys.readouterr().err and not list(tmp_path.iterdir())


def interrupt(*arguments):
    raise KeyboardInterrupt


@pytest.mark.usefixtures("any_size")
def test_half_precision_stays_half(tiny_data, lookup, tmp_path):
    state = torch.load(lookup, weights_only=True)
    state["model"] = {key: tensor.half() for key, tensor in state["model"].items()}
    torch.save(state, tmp_path / "half.pt")
    line = ["--inter-dim", 16, "--updates", 3, "--own-rows", 39]
    assert compress(tmp_path / "half.pt", tiny_data, tmp_path / "out.pt", *line) == 0
    made = torch.load(tmp_path / "out.pt", weights_only=True)["model"]
    assert {tensor.dtype for tensor in made.values()} == {torch.float16}
    assert all(tensor.isfinite().all() for tensor in made.values())


def test_bad_input_is_refused(tiny_data, lookup, tmp_path, capsys):
    lm_data = language_model_data(tiny_data, tmp_path / "lm")
    lm = train(lm_data, tmp_path / "lm_run", "--max-update 1", model=SMALL_LM)
    (tmp_path / "there.pt").write_text("mine")
    (tmp_path / "out.pt.unfinished").write_text("mine")
    (tmp_path / "text.pt").write_text("text")
    wider = tmp_path / "wider.pt"
    state = torch.load(train(tiny_data, tmp_path / "alone", "--max-update 1"), weights_only=True)
    state["cfg"]["model"].alone_inter_dim += 1
    torch.save(state, wider)
    capsys.readouterr()
    for checkpoint, output, more, message in (
        (lm, "new.pt", [], "does not translate"),
        (tmp_path / "text.pt", "new.pt", [], "not a checkpoint"),
        (lookup, "there.pt", [], "--force"),
        (lookup, "out.pt", [], "remove it"),
        (lookup, lookup, ["--force"], "name another one to write"),
        (lookup, tiny_data / "dict.en.txt", ["--force"], "is a file to read"),
        (lookup, "new.pt", ["--inter-dim", 10**20], "choose smaller --inter-dim, --base-dim"),
        (lookup, "new.pt", ["--base-dim", 10**20], "for a matrix of 2,560 values; choose smaller"),
        (lookup, "new.pt", ["--layers", 10**20], "--layers or --own-rows"),
        (lookup, "new.pt", ["--layers", 1], "--inter-dim has no effect with --layers 1; leave it out"),
        (lookup, "new.pt", ["--own-rows", 4000], "own_rows"),
        (lookup, "new.pt", ["--seed", -1], "seed"),
        (lookup, "new.pt", ["--text", tiny_data / "dict.en.txt"], "both --text and --reference"),
        (lookup, "new.pt", ["--desired-length", 9], "needs --text and --reference"),
        (lookup, "new.pt", ["--beam", 9], "--beam is for BLEU, which needs --text and --reference"),
        (tmp_path / "out.pt.unfinished", "out.pt", [], "out.pt.unfinished: is a file to read"),
        (wider, "new.pt", [], "wider.pt: does not load; it is damaged, or not for the dictionaries in"),
        (lookup, "new.pt", ["--text", __file__, "--reference", tiny_data / "dict.en.txt"], "lines"),
    ):
        assert compress(checkpoint, tiny_data, tmp_path / output, "--inter-dim", 8, "--updates", 1, *more) == 1
        (line,) = capsys.readouterr().err.strip().split("\n")
        assert message in line
    assert compress(lookup, tiny_data, tmp_path / "new.pt") == 1
    assert "give --inter-dim N, the width of the network" in capsys.readouterr().err
    assert (tmp_path / "there.pt").read_text() == "mine" and not (tmp_path / "new.pt").exists()
    assert compress(lookup, tiny_data, tmp_path / "matrix.pt", "--layers", 1, "--base-dim", 8, "--updates", 1) == 0
