"""fairseq-train with ``transformer_alone``: restarts, schedules, moving averages, both ways to configure it."""

import json
from dataclasses import fields

import pytest
import torch
from commands import (
    SMALL_LM,
    TRAINING,
    USER_DIR,
    count_calls,
    language_model_data,
    load,
    run,
    start,
    train,
    weights,
)
from fairseq import checkpoint_utils
from fairseq_cli import generate
from fairseq_cli import train as fairseq_train

from alone_fairseq import AloneEmbedding
from alone_fairseq.config import EmbeddingConfig
from alone_fairseq.vectors import Vectors, write_vectors

# Every setting of the embedding, with a value that is no architecture's default.
SETTINGS = {
    "embedding": "alone",
    "alone_filter": "binary",
    "alone_base_dim": 130,
    "alone_inter_dim": 24,
    "alone_layers": 3,
    "alone_codebooks": 5,
    "alone_codes": 9,
    "alone_zero_prob": 0.25,
    "alone_relu_dropout": 0.35,
    "alone_stop_relu_dropout": 7,
    "alone_freeze_base": True,
    "alone_center": True,
    "alone_own_rows": 6,
    "alone_storage": "expanded",
    "alone_codes_from": "symbol",
    "alone_seed": 11,
    "alone_chunk_size": 6,
}
RELU_DROPOUT = "--alone-relu-dropout 0.1 --alone-stop-relu-dropout 3"


@pytest.fixture(scope="module")
def lm_data(tiny_data, tmp_path_factory):
    return language_model_data(tiny_data, tmp_path_factory.mktemp("lm") / "data")


def assert_same(one, other):
    assert one.keys() == other.keys()
    assert [key for key in one if not torch.equal(one[key], other[key])] == []


@pytest.mark.parametrize(
    "line",
    [
        "",
        "--no-share-all-embeddings --alone-filter binary",
        "--optimizer adam_muon --alone-center --alone-own-rows 6",
    ],
)
def test_a_restart_changes_nothing(tiny_data, tmp_path, line):
    """With ReLU dropout that stops between the restart and the end."""
    line = f"{line} {RELU_DROPOUT}"
    whole = train(tiny_data, tmp_path / "whole", f"{line} --max-update 4")
    train(tiny_data, tmp_path / "parts", f"{line} --max-update 2")
    parts = train(tiny_data, tmp_path / "parts", f"{line} --max-update 4")
    assert_same(weights(whole), weights(parts))


def test_relu_dropout_stops_for_good(tiny_data, tmp_path, monkeypatch):
    dropped = []
    embed = AloneEmbedding._embed
    monkeypatch.setattr(
        AloneEmbedding, "_embed", lambda self, tokens: dropped.append(self.num_updates) or embed(self, tokens)
    )
    for updates in (2, 5):  # interrupted before it stops
        train(tiny_data, tmp_path, f"{RELU_DROPOUT} --max-update {updates}")
    assert dropped == [0, 0, 1, 1, 2, 2]  # encoder and decoder


@pytest.mark.parametrize(
    ("line", "matrices", "lookups"),
    [("", 2, 0), ("--update-freq 2", 4, 0), ("--alone-relu-dropout 0.1", 2, 4)],  # encoder and decoder look up
)
def test_a_step_computes_the_matrix_once(tiny_data, tmp_path, monkeypatch, line, matrices, lookups):
    calls = count_calls(monkeypatch, "_compute", "_embed")
    train(tiny_data, tmp_path, f"--max-update 2 {line}")
    assert calls == {"_compute": matrices, "_embed": lookups}


@pytest.mark.parametrize("precision", ["", "--ema-fp32"])
def test_moving_average(tiny_data, tmp_path, precision):
    line = f"--store-ema --ema-decay 0.75 {precision} --save-interval-updates 1"
    train(tiny_data, tmp_path / "whole", f"{line} --max-update 3")
    states = [torch.load(tmp_path / f"whole/checkpoint_1_{update}.pt") for update in (1, 2, 3)]
    for before, after in zip(states, states[1:], strict=False):
        old, average = before["extra_state"]["ema"], after["extra_state"]["ema"]
        assert average.keys() == after["model"].keys()
        for key in after["model"].keys() - {"encoder.version", "decoder.version"}:  # fairseq leaves those out
            value = after["model"][key]  # a shared embedding, too, moves once a step
            torch.testing.assert_close(average[key], 0.75 * old[key] + 0.25 * value, rtol=1e-5, atol=1e-7)
    train(tiny_data, tmp_path / "parts", f"{line} --max-update 2")
    restarted = torch.load(train(tiny_data, tmp_path / "parts", f"{line} --max-update 3"))
    assert_same(restarted["extra_state"]["ema"], states[-1]["extra_state"]["ema"])

    averaged, base = tmp_path / "averaged.pt", "encoder.embed_tokens.base"
    checkpoint_utils.save_ema_as_checkpoint(str(tmp_path / "whole/checkpoint_last.pt"), str(averaged))
    assert not torch.equal(weights(averaged)[base], states[-1]["model"][base])
    assert "H-0\t" in run(generate, f"{tiny_data} --user-dir {USER_DIR} --path {averaged} --cpu")


def assert_settings(checkpoint):
    """The model in a checkpoint has ``SETTINGS``, which nobody repeats, and its embedding is made of them."""
    model, _ = load(checkpoint)
    config = model.decoder.cfg
    assert {field.name: getattr(config, field.name) for field in fields(EmbeddingConfig)} == SETTINGS | {
        "factorized_dim": None
    }
    embedding = model.decoder.embed_tokens
    assert embedding.filter_store.kind == "binary"
    assert set(embedding.filters(torch.arange(5)).unique().tolist()) == {0.0, 1.0}
    assert [tuple(weight.shape[:1]) for weight in embedding.weights] == [(24,), (24,), (embedding.embedding_dim,)]
    assert (embedding.base.shape, embedding.base.requires_grad) == ((130,), False)
    assert (embedding.relu_dropout, embedding.stop_relu_dropout) == (0.35, 7)
    assert embedding.chunk_size == 6


@pytest.mark.parametrize("arch", ["transformer_alone_tiny", "transformer_lm_alone"])
def test_each_flag_arrives_and_is_kept(tiny_data, lm_data, tmp_path, arch):
    flags = [
        f"--{name.replace('_', '-')}" + ("" if value is True else f" {value}") for name, value in SETTINGS.items()
    ]
    if arch == "transformer_lm_alone":
        checkpoint = train(lm_data, tmp_path, f"{' '.join(flags)} --max-update 1", model=SMALL_LM)
    else:
        checkpoint = train(tiny_data, tmp_path, f"{' '.join(flags)} --max-update 1")
    assert_settings(checkpoint)


def train_by_hydra(folder, task, model, **common):
    """The checkpoint that ``fairseq-hydra-train`` writes of one update."""
    config = {
        "common": {"user_dir": str(USER_DIR), "cpu": True, **common},
        "task": task,
        "model": {"decoder_layers": 1, **model},
        "criterion": {"_name": "cross_entropy"},
        "dataset": {"max_tokens": 400, "num_workers": 0, "disable_validation": True},
        "optimizer": {"_name": "adam"},
        "lr_scheduler": {"_name": "fixed"},
        "optimization": {"lr": [0.005], "max_update": 1},
        "checkpoint": {"save_dir": str(folder / "checkpoints")},
        "hydra": {"run": {"dir": str(folder / "hydra")}},
    }
    (folder / "small.yaml").write_text(json.dumps(config))  # JSON is YAML
    process = start("hydra_train", f"--config-dir {folder} --config-name small")
    _, errors = process.communicate(timeout=200)
    assert process.returncode == 0, errors
    return folder / "checkpoints/checkpoint_last.pt"


def translation(data):
    return {"_name": "translation", "data": str(data), "source_lang": "en", "target_lang": "de"}


@pytest.mark.parametrize("arch", ["transformer_alone_tiny", "transformer_lm_alone"])
def test_each_setting_arrives_by_hydra(tiny_data, lm_data, tmp_path, arch):
    lm = arch == "transformer_lm_alone"
    sizes = {"decoder_embed_dim": 16, "decoder_attention_heads": 2} if lm else {"encoder_layers": 1}
    modeling = {"_name": "language_modeling", "data": str(lm_data), "tokens_per_sample": 40}
    task = modeling if lm else translation(tiny_data)
    checkpoint = train_by_hydra(tmp_path, task, {"_name": arch, **sizes, **SETTINGS})
    assert_settings(checkpoint)
    if not lm:
        assert "H-0\t" in run(generate, f"{tiny_data} --user-dir {USER_DIR} --path {checkpoint} --cpu")


def test_bfloat16_by_hydra(tiny_data, tmp_path):
    """``fairseq-train --bf16`` is for TPUs alone."""
    model = {"_name": "transformer_alone_tiny", "encoder_layers": 1, "alone_seed": None}  # null is the default
    checkpoint = train_by_hydra(tmp_path, translation(tiny_data), model, bf16=True)
    for value in weights(checkpoint).values():  # which fairseq writes in float32
        assert value.isfinite().all() and torch.equal(value, value.bfloat16().to(value.dtype))
    assert "H-0\t" in run(generate, f"{tiny_data} --user-dir {USER_DIR} --path {checkpoint} --cpu")


def test_a_language_model_logs_its_gradients(lm_data, tmp_path):
    line = f"{TRAINING} --user-dir {USER_DIR} --max-update 2 --log-interval 1 --no-save"
    log = run(fairseq_train, f"{lm_data} --save-dir {tmp_path} {line} {SMALL_LM}")
    assert all(f" gnorm_{name}=" in log for name in ("o", "w1", "w2"))


@pytest.mark.skipif(not torch.cuda.is_available(), reason="mixed precision needs a GPU")
@pytest.mark.parametrize("precision", ["--fp16", "--amp"])
def test_mixed_precision(tiny_data, tmp_path, precision):
    line = TRAINING.replace("--cpu ", "")
    model = f"--user-dir {USER_DIR} --arch transformer_alone_tiny {RELU_DROPOUT} {precision} --max-update 5"
    log = run(fairseq_train, f"{tiny_data} --save-dir {tmp_path} {line} {model} --log-interval 1")
    assert all(f" gnorm_{name}=" in log for name in ("o", "w1", "w2"))
    assert (precision == "--fp16") == (" overflows=" in log) and " loss_scale=" in log
    assert all(value.isfinite().all() for value in weights(tmp_path / "checkpoint_last.pt").values())
    assert "H-0\t" in run(generate, f"{tiny_data} --user-dir {USER_DIR} --path {tmp_path}/checkpoint_last.pt")


def test_a_lookup_starts_as_the_vectors_and_its_checkpoint_needs_them_no_more(tiny_data, tmp_path):
    words = [text.split()[0] for text in (tiny_data / "dict.en.txt").read_text().splitlines()]
    rows = torch.randn(len(words), 64)
    write_vectors(path := tmp_path / "words.vec", Vectors(words, rows.numpy()))
    line = f"--embedding lookup --encoder-embed-path {path} --lr 0 --max-update 1"
    checkpoint = train(tiny_data, tmp_path / "run", line)
    path.unlink()
    model, _ = load(checkpoint)
    assert torch.equal(model.encoder.embed_tokens.table.detach()[4 : 4 + len(words)], rows)


@pytest.mark.parametrize("line", ["", "--no-share-all-embeddings --decoder-embed-path {0}"])
def test_a_training_starts_from_vectors_and_its_checkpoint_needs_them_no_more(tiny_data, tmp_path, line):
    path = tmp_path / "words.vec"
    words = [text.split()[0] for text in (tiny_data / "dict.en.txt").read_text().splitlines()]
    rows = torch.randn(len(words), 64)
    write_vectors(path, Vectors(words, rows.numpy()))
    line = f"--encoder-embed-path {path} {line.format(path)} --alone-inter-dim 256 --lr 0 --max-update"
    checkpoint = train(tiny_data, tmp_path / "run", f"{line} 1")
    model, _ = load(checkpoint)
    for embedding in (model.encoder.embed_tokens, model.decoder.embed_tokens):
        made = embedding.eval().matrix().detach()[4 : 4 + len(words)]
        assert torch.cosine_similarity(made - made.mean(0), rows - rows.mean(0)).mean() > 0.9
    before = weights(checkpoint)
    checkpoint = train(tiny_data, tmp_path / "run", f"{line} 2")  # goes on
    assert_same(before, weights(checkpoint))
    path.unlink()
    assert_same(before, load(checkpoint)[0].state_dict())
