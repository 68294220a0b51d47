"""The benchmarks at sizes of no interest: that they run, and that what they compare is what they say."""

import csv
import os
import runpy
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from commands import build, count_calls

from alone_fairseq import AloneEmbedding

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


def benchmark(name: str, *arguments) -> str:
    line = [sys.executable, str(BENCHMARKS / f"{name}.py"), *map(str, arguments)]
    done = subprocess.run(line, capture_output=True, text=True, env={**os.environ, "OMP_NUM_THREADS": "1"})
    assert done.returncode == 0, done.stderr
    return done.stdout


def rows(path: Path) -> list[dict[str, str]]:
    with open(path, newline="") as file:
        return list(csv.DictReader(file))


def program(name: str) -> dict:
    """What benchmarks/``name``.py defines."""
    sys.path.insert(0, str(BENCHMARKS))
    try:
        return runpy.run_path(str(BENCHMARKS / f"{name}.py"))
    finally:
        sys.path.remove(str(BENCHMARKS))


@pytest.mark.parametrize(
    "name", ["embedding", "training_step", "decoding", "size", "convergence", "reconstruction", "serving", "bands"]
)
def test_help_has_an_example(name):
    assert f"example: python benchmarks/{name}.py" in " ".join(benchmark(name, "--help").split())


def test_serving(tmp_path, tiny_data, tiny_text, tiny_checkpoint):
    (tmp_path / "text").write_text("".join(f"{english}\n" for english, _ in tiny_text["test"]))
    model = ["--checkpoint", tiny_checkpoint, "--data", tiny_data, "--text", tmp_path / "text"]
    benchmark("serving", *model, "--sentences", 3, "--rounds", 1, "--output", tmp_path)
    table = rows(tmp_path / "serving.csv")
    assert [row["system"] for row in table] == ["fairseq", "CTranslate2, float32", "CTranslate2, int8"]
    assert all(float(row["sentences/s"]) > 0 for row in table)


def test_training_step(tmp_path):
    sizes = [f"--{side}-{size}" for side in ("encoder", "decoder") for size in ("embed-dim=16", "layers=1")]
    line = ["--vocab", 200, "--systems", "factorized", "--rounds", 1, "--output", tmp_path]
    benchmark("training_step", *line, "--", *sizes, "--max-tokens", 200)
    table = rows(tmp_path / "training_step.csv")
    assert [row["system"] for row in table] == ["lookup", "factorized, r = 112"]
    assert table[0]["× lookup"] == "1.000"
    assert int(table[0]["parameters"]) - int(table[1]["parameters"]) == 200 * 16 - 112 * (200 + 16)


def test_embedding(tmp_path):
    text = benchmark("embedding", "--sizes", "600x64", "--rounds", 1, "--output", tmp_path)
    table = rows(tmp_path / "embedding.csv")
    assert [row["system"] for row in table] == list(program("embedding")["SYSTEMS"])
    seconds = {row["system"]: float(row["seconds"]) for row in table}
    for row in table:
        assert float(row["seconds"]) > 0 and row["system"] in text
        assert float(row["added"]) == pytest.approx(seconds[row["system"]] - seconds["lookup"], abs=0.011)
    assert (tmp_path / "embedding-time.png").read_bytes().startswith(b"\x89PNG")


def test_ratios_of_the_embedding():
    defined = program("embedding")
    names = list(defined["SYSTEMS"])
    seconds = dict(zip(names, (2, 12, 14, 8, 7, 2.05), strict=True)) | {"bound": 4}
    peaks = dict(zip(names, (10**9, 3 * 10**9, 3 * 10**9, 2 * 10**9, 1.09 * 10**9, 10**9), strict=True))
    table = defined["table"](defined["Size"](37_000, 8_192), seconds, peaks)
    assert [row["× formula"] for row in table] == ["", "1.00", "1.20", "0.60", "0.50", ""], "2.05 is noise"
    assert [row["× bound"] for row in table] == ["", "2.50", "3.00", "1.50", "1.25", ""]
    assert [row["MB added"] for row in table] == ["0", "2000", "2000", "1000", "90", "0"]
    seconds["binary, in chunks"] = 8
    table = defined["table"](defined["Size"](37_000, 8_192), seconds, peaks)
    assert table[-1]["× formula"] == "0.50", "binary filters by the formula of binary filters"
    del peaks["the formula"]
    table = defined["table"](defined["Size"](1_000_000, 2_048), seconds, peaks)
    assert table[1]["seconds"] == "needs 33 GB or more" and table[4]["× formula"] == ""


def test_embedding_has_sizes_to_begin_with():
    sizes = program("embedding")["parser"]().parse_args([]).sizes
    assert {size.vocab for size in sizes} == {8_000, 37_000, 250_000, 1_000_000}


def test_curves_leave_out_what_was_not_measured():
    table = [
        {"V": vocab, "D_inter": 64, "system": "factored", "added": added}
        for vocab, added in ((9, "0.5"), (3, ""), (5, "0.2"))
    ]
    curves = program("embedding")["curves"](table, "added", "V", "D_inter")
    assert curves == {"factored": {9: 0.5, 5: 0.2}}


@pytest.mark.parametrize(
    ("name", "arguments", "message"),
    [
        ("embedding", ["--sizes", "37000"], "'37000' is not of the form VOCABULARYxINTER_DIM"),
        ("embedding", ["--sizes", "0x5"], "'0x5' is not of the form VOCABULARYxINTER_DIM"),
        ("embedding", ["--", "--fp16"], "unrecognized arguments: -- --fp16"),
        ("embedding", ["--sizes", "99999999999x1"], "a lookup alone needs 409,600 GB"),
        ("size", ["--output", __file__], "File exists"),
        ("training_step", ["--systems", "binary", "4096"], "--systems: '4096' is in none of"),
        ("training_step", ["--vocab", "4"], "must be above 4"),
        ("convergence", ["--data", "nowhere"], "nowhere: no dict.*.txt"),
        ("convergence", ["--data", ".", "--rows", "lookups"], "no row 'lookups'; there are 'lookup',"),
        (
            "convergence",
            ["--data", ".", "--rows", "centred, from vectors"],
            "'centred, from vectors' needs --vectors FILE",
        ),
        ("convergence", ["--data", ".", "--vectors", "none.vec"], "--vectors: [Errno 2] No such file"),
        ("convergence", ["--data", "bin", "--", "--disable-validation"], "nothing to compare"),
        ("serving", ["--checkpoint", "none.pt", "--data", ".", "--text", "none"], "none.pt"),
    ],
)
def test_mistakes_get_one_line(tmp_path, monkeypatch, capsys, name, arguments, message):
    defined = program(name)
    monkeypatch.chdir(tmp_path)
    Path("bin").mkdir()
    Path("bin/dict.en.txt").touch()
    monkeypatch.setattr(sys, "argv", [f"{name}.py", *arguments])
    with pytest.raises(SystemExit) as stopped:
        defined["report"].run(defined["main"])
    last = str(stopped.value) if stopped.value.code != 2 else capsys.readouterr().err.splitlines()[-1]
    assert "error: " in last and message in last and "\n" not in last


def test_bars_are_drawn(tmp_path):
    report = program("report")
    report["bars"]("speed", {"a": {"one": 1.0, "two": 2.5}, "b": {"one": 3.0}}, "seconds", tmp_path)
    assert (tmp_path / "speed.png").read_bytes().startswith(b"\x89PNG")


def test_the_systems_that_are_compared_give_the_same_matrix():
    size = program("embedding")["Size"](700, 32)
    for literal, other in (
        ("the formula", "factored"),
        ("the formula", "factored, in chunks"),
        ("the formula, binary", "binary, in chunks"),
    ):
        matrices = [size.build(system).matrix() for system in (literal, other)]
        torch.testing.assert_close(*matrices, rtol=1e-4, atol=1e-5)


def test_a_large_vocabulary_gets_a_fixed_gradient():
    size = program("embedding")["Size"](100_001, 1)
    embedding = size.build("lookup")
    seen = []
    embedding.table.register_hook(lambda gradient: seen.append(gradient.shape))
    size.step(embedding)()
    assert seen == [(100_001, 512)] and embedding.table.grad is None


def test_recompute_computes_at_each_step(tiny_data, monkeypatch):
    model, _ = build(tiny_data)
    model.eval()
    for name in ("shared_matrix", "_keeps"):
        monkeypatch.setattr(AloneEmbedding, name, getattr(AloneEmbedding, name))  # put back afterwards
    runpy.run_path(str(BENCHMARKS / "recompute" / "__init__.py"))
    calls = count_calls(monkeypatch, "_compute")
    tokens = torch.tensor([[4, 5, 2]])
    with torch.no_grad():
        encoded = model.encoder(tokens, torch.tensor([3]))
        state = {}
        for length in (1, 2, 3):
            model.decoder(tokens[:, :length], encoder_out=encoded, incremental_state=state)
    assert calls["_compute"] == 3


def test_convergence(tiny_data, tmp_path):
    row = "whitened gradient of W_2"
    line = ["--data", tiny_data, "--rows", "lookup", row, "--updates", 2, "--output", tmp_path, "--keep"]
    benchmark("convergence", *line, "--", "--max-tokens", 200)
    table = rows(tmp_path / "convergence.csv")
    assert [row["embedding"] for row in table] == ["lookup", row]
    assert all(row["time of a step"] == "" for row in table), "a ratio to plain ALONE, which was not trained"
    assert all(1 < float(row["perplexity"]) < 10_000 for row in table)
    logs = {log: log.stat().st_mtime_ns for log in tmp_path.glob("convergence-2*/*.log")}
    assert len(logs) == 2
    benchmark("convergence", *line, "--", "--max-tokens", 200)
    assert logs == {log: log.stat().st_mtime_ns for log in logs}, "trained again what was done"
    models = sorted(tmp_path.glob("convergence-2*/*"))[1::2]
    assert [model.suffix for model in models] == [".pt", ".pt"], "and nothing else is left"
    benchmark("bands", "--data", tiny_data, "--checkpoints", models[0], "--output", tmp_path)
    (bands,) = rows(tmp_path / "bands.csv")
    assert bands["model"] == models[0].stem and bands["all"] == bands["words 0 to 39"] == table[0]["perplexity"]


def test_perplexity_by_band():
    defined = program("bands")
    bits, counts = torch.zeros(2, 1200)
    bits[5], counts[5] = 4, 2
    bits[100], counts[100] = 3, 1
    bits[1100:1104], counts[1100:1104] = 5, 1
    assert defined["row"]("it", bits, counts) == {
        "model": "it",
        "words 0 to 99": "4.0",
        "words 100 to 999": "8.0",
        "words 1,000 to 1,199": "32.0",
        "all": f"{2 ** (27 / 7):.1f}",
    }


def test_a_training_of_other_data_or_threads_is_another(tmp_path):
    defined = program("convergence")
    content_hash = defined["content_hash"]
    (tmp_path / "dict.en.txt").write_text("a 1\n")
    hashes = {content_hash(tmp_path, row, threads) for row in ("lookup", "ALONE") for threads in (1, 2)}
    assert len(hashes) == 4 and content_hash(tmp_path, "ALONE", 2) in hashes
    (tmp_path / "dict.en.txt").write_text("b 1\n")
    assert content_hash(tmp_path, "ALONE", 2) not in hashes
    vectors, row = tmp_path / "some.vec", "lookup, from vectors"
    defined["ROWS"][row] = f"--idea-start {vectors}"
    hashes = set()
    for content in ("a 1\n", "a 2\n"):
        vectors.write_text(content)
        hashes.add(content_hash(tmp_path, row, 1))
    assert len(hashes) == 2


def test_seconds_an_update_leave_out_the_first_steps_and_validation():
    line = (
        "2026 | INFO | train_inner | epoch 001: {0} / 249 loss=9, num_updates={0}, lr=1, train_wall={1}, wall=7\n"
    )
    seconds_an_update = program("convergence")["seconds_an_update"]
    assert seconds_an_update(line.format(40, 99)) is None
    log = line.format(40, 99) + "2026 | INFO | valid | num_updates=50 | train_wall=1\n"
    assert seconds_an_update(log + line.format(80, 30) + line.format(100, 12)) == pytest.approx(42 / 60)


def test_reconstruction(tmp_path):
    sizes = ["--words", 24, "--dim", 8, "--batch", 10, "--inter-dims", 7, "--rounds", 1]
    text = benchmark("reconstruction", *sizes, "--output", tmp_path)
    table = rows(tmp_path / "reconstruction.csv")
    assert [row["filter"] for row in table] == ["real", "binary"]
    ratios = [float(row["× bare"]) for row in table]
    # In the printed table, which drops zeros at the end, too.
    assert all(ratio > 0 and f"{ratio:g}" in text for ratio in ratios)


@pytest.mark.parametrize("kind", ["real", "binary"])
def test_the_bare_loop_and_the_trainer_do_the_same(tmp_path, kind):
    """Where a batch is the whole vocabulary, whatever the shuffling."""
    defined, vectors = program("reconstruction"), torch.randn(24, 20)
    np.savez(tmp_path / "v.npz", words=[f"word{n}" for n in range(24)], vectors=vectors.numpy())
    bare = defined["Bare"](vectors, kind, 7, 24)
    fairseq = defined["Fairseq"](tmp_path / "v.npz", kind, 7, 24, [])
    losses = []
    for _ in range(3):
        bare()
        fairseq()
        assert fairseq.loss == pytest.approx(bare.loss, rel=1e-5)
        losses.append(bare.loss)
    assert losses[0] > losses[1] > losses[2]
