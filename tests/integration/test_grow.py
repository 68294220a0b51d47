"""``alone grow``: old words keep their rows in a model with a larger dictionary."""

import shutil

import pytest
import torch
from commands import SEARCH, lines, load, run, train, weights
from fairseq_cli import generate

from alone_fairseq.cli import main

SYMBOL = "--alone-codes-from symbol --max-update 2"


def larger(tiny_data, folder):
    """Data with new words in the middle of the dictionary, and one old word fewer."""
    folder.mkdir()
    for lang in ("en", "de"):
        old = (tiny_data / f"dict.{lang}.txt").read_text().splitlines()
        new = [f"new{number} 5" for number in range(9)]
        (folder / f"dict.{lang}.txt").write_text("\n".join([*old[:10], *new, *old[11:]]) + "\n")
    (folder / "tokenizer.json").write_bytes((tiny_data / "tokenizer.json").read_bytes())
    return folder


def only(tiny_data, folder, count):
    """Data with the first ``count`` words and new ones."""
    larger(tiny_data, folder)
    for path in folder.glob("dict.*.txt"):
        old = path.read_text().splitlines()[:count]
        path.write_text("\n".join([*old, *(f"new{number} 5" for number in range(30))]) + "\n")
    return folder


def grow(checkpoint, data, output, *more) -> int:
    return main(["grow", str(checkpoint), "--data", str(data), "--output", str(output), *map(str, more)])


@pytest.mark.parametrize(
    "line",
    [
        "",
        "--no-share-all-embeddings --alone-filter binary --alone-base-dim 130",
        "--alone-center --alone-own-rows 9",
        "--alone-codebooks 0",
    ],
)
def test_old_words_keep_their_rows(tiny_data, tmp_path, line, capsys):
    checkpoint = train(tiny_data, tmp_path / "run", f"{SYMBOL} {line}")
    data = larger(tiny_data, tmp_path / "data")
    assert grow(checkpoint, data, tmp_path / "grown.pt") == 0
    assert "kept, whose rows differ by" in capsys.readouterr().out
    models = [
        load(path, data=str(d), source_lang="en", target_lang="de")
        for path, d in ((checkpoint, tiny_data), (tmp_path / "grown.pt", data))
    ]
    (old, old_task), (new, new_task) = models
    for side, dictionaries in (
        ("encoder", (old_task.source_dictionary, new_task.source_dictionary)),
        ("decoder", (old_task.target_dictionary, new_task.target_dictionary)),
    ):
        before, after = (getattr(model.eval(), side).embed_tokens.matrix() for model in (old, new))
        assert len(after) == len(before) + 8
        kept = [word for word in dictionaries[0].symbols if word in dictionaries[1].indices]
        assert len(kept) == len(before) - 1
        rows = [
            matrix[[dictionary.index(word) for word in kept]]
            for matrix, dictionary in zip((before, after), dictionaries, strict=True)
        ]
        torch.testing.assert_close(*rows, rtol=0, atol=1e-5)
    assert dictionaries[1].index("new0") == 14


def test_no_word_but_those_with_rows_of_their_own_may_be_left(tiny_data, tmp_path, capsys):
    """Then no word says what the mean should be, and the bias stays."""
    checkpoint = train(tiny_data, tmp_path / "run", f"{SYMBOL} --alone-center --alone-own-rows 9")
    assert grow(checkpoint, only(tiny_data, tmp_path / "data", 5), tmp_path / "grown.pt") == 0
    assert ", 31 gone; 9 kept" in capsys.readouterr().out
    old, new = (weights(path)["encoder.embed_tokens.bias"] for path in (checkpoint, tmp_path / "grown.pt"))
    assert torch.equal(old, new)


def test_the_same_dictionary_changes_nothing(tiny_data, tmp_path):
    checkpoint = train(tiny_data, tmp_path / "run", f"{SYMBOL} --alone-center")
    assert grow(checkpoint, tiny_data, tmp_path / "grown.pt") == 0
    logs = [run(generate, f"{tiny_data} --path {path} {SEARCH}") for path in (checkpoint, tmp_path / "grown.pt")]
    assert lines("H", logs[0]) == lines("H", logs[1])


def test_training_goes_on_with_the_new_dictionary(tiny_data, tmp_path):
    checkpoint = train(tiny_data, tmp_path / "run", f"{SYMBOL} --store-ema")
    data = larger(tiny_data, tmp_path / "data")
    for path in tiny_data.glob("train.*"):
        (data / path.name).symlink_to(path)
    assert grow(checkpoint, data, tmp_path / "grown.pt", "--old-data", tiny_data) == 0
    line = f"--finetune-from-model {tmp_path / 'grown.pt'} --alone-codes-from symbol --max-update 1 --store-ema"
    assert train(data, tmp_path / "more", line).exists()


def test_half_precision_grows_in_half_precision(tiny_data, tmp_path, capsys):
    checkpoint = train(tiny_data, tmp_path / "run", f"{SYMBOL} --alone-center")
    state = torch.load(checkpoint, weights_only=True)
    state["model"] = {key: tensor.half() for key, tensor in state["model"].items()}
    torch.save(state, checkpoint)
    data = larger(tiny_data, tmp_path / "data")
    assert grow(checkpoint, data, tmp_path / "grown.pt", "--old-data", tiny_data) == 0
    told = float(capsys.readouterr().out.split("differ by ")[1].split(" ")[0])
    old, new = (
        load(path, data=str(d), source_lang="en", target_lang="de")[0].float().eval().encoder.embed_tokens.matrix()
        for path, d in ((checkpoint, tiny_data), (tmp_path / "grown.pt", data))
    )
    assert (old[:14] - new[:14]).abs().max().item() <= told + 1e-7


def test_what_cannot_grow_is_refused(tiny_data, tiny_checkpoint, tmp_path, capsys):
    data = larger(tiny_data, tmp_path / "data")
    symbol = train(tiny_data, tmp_path / "symbol", SYMBOL)
    lookup = train(tiny_data, tmp_path / "lookup", "--embedding lookup --max-update 1")
    own = train(tiny_data, tmp_path / "own", f"{SYMBOL} --alone-own-rows 16")
    (tmp_path / "there.pt").write_text("mine")
    others = only(tiny_data, tmp_path / "others", 0)
    for checkpoint, folder, output, more, message in (
        (tiny_checkpoint, data, "out.pt", [], "--alone-codes-from index"),
        (lookup, data, "out.pt", [], "--embedding alone"),
        (own, data, "out.pt", [], "must stay the first 16"),
        (symbol, tmp_path, "out.pt", [], "dict.en.txt: not there"),
        (symbol, data, "out.pt", ["--old-data", tmp_path / "none"], "--old-data"),
        (symbol, data, "out.pt", ["--old-data", data], "does not load"),
        (symbol, data, "there.pt", [], "--force"),
        (symbol, data, symbol, ["--force"], "name another one to write"),
        (symbol, others, "out.pt", [], "no word of encoder.embed_tokens is in the dictionary"),
    ):
        assert grow(checkpoint, folder, tmp_path / output, *more) == 1
        (line,) = capsys.readouterr().err.strip().split("\n")
        assert message in line
    assert (tmp_path / "there.pt").read_text() == "mine" and not (tmp_path / "out.pt").exists()


def test_a_shared_embedding_needs_one_dictionary(tiny_data, tmp_path, capsys):
    checkpoint = train(tiny_data, tmp_path / "run", SYMBOL)
    data = larger(tiny_data, tmp_path / "data")
    with open(data / "dict.en.txt", "a") as file:
        file.write("more 1\n")
    assert grow(checkpoint, data, tmp_path / "grown.pt") == 1
    assert "one dictionary for both" in capsys.readouterr().err
    (data / "dict.en.txt").write_text("New York 7 x\n")
    assert grow(checkpoint, data, tmp_path / "grown.pt") == 1
    assert "not a dictionary" in capsys.readouterr().err and not (tmp_path / "grown.pt").exists()


def test_nothing_that_is_read_is_replaced(tiny_data, tmp_path, capsys):
    """The old data are read, too, where the checkpoint says that they are."""
    old, new = tmp_path / "old", larger(tiny_data, tmp_path / "new")
    shutil.copytree(tiny_data, old)
    checkpoint = train(old, tmp_path / "run", SYMBOL)
    for output in (old / "dict.en.txt", new / "dict.en.txt", checkpoint):
        before = output.read_bytes()
        assert grow(checkpoint, new, output, "--force") == 1
        assert "is a file to read" in capsys.readouterr().err and output.read_bytes() == before
