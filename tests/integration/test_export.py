"""``alone export``: what comes out runs where people serve, and says the same."""

import copy
import errno
import json
import os
import shutil
import signal
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
import torch
from commands import SEARCH, SMALL_LM, USER_DIR, build, language_model_data, lines, load, run, train
from fairseq_cli import generate
from safetensors.torch import load_file, save, save_file

from alone_fairseq import AloneEmbedding, UserError, embedding_file
from alone_fairseq.checkpoint.contents import read_contents
from alone_fairseq.checkpoint.files import load_checkpoint, replacing_folder
from alone_fairseq.cli import main
from alone_fairseq.export import ctranslate2_folder, fairseq_checkpoint, fsmt_folder, search, vectors
from alone_fairseq.export.check import largest_difference, report_difference
from alone_fairseq.export.fixed_length import position_table
from alone_fairseq.export.plain import load_plain
from alone_fairseq.vectors import Vectors

GENERATE = f"--gen-subset test {SEARCH}"
SENTENCE = ["The", "dog", "finds", "the", "tree", "."]

# fairseq's own commands where there is no alone_fairseq; the first argument is the command's module.
WITHOUT_PLUGIN = """
import runpy, sys
sys.modules["alone_fairseq"] = None
sys.argv = sys.argv[1:]
runpy.run_module(sys.argv[0], run_name="__main__")
"""
WITHOUT_FAIRSEQ = """
import sys
sys.modules["fairseq"] = None
from alone_fairseq import AloneEmbedding
import torch
symbols = open(sys.argv[2]).read().split("\\n") if len(sys.argv) > 2 else None
embedding = AloneEmbedding.from_file(sys.argv[1], symbols).eval()
torch.save(embedding.matrix().detach(), sys.argv[1] + ".matrix")
"""


def export(checkpoint, to, data, output, *more) -> int:
    return main(["export", str(checkpoint), "--to", to, "--data", str(data), "--output", str(output), *more])


def translations(hypotheses: list[str]) -> list[list[str]]:
    return [line.split("\t")[1].split(" ") for line in hypotheses]


def scores(hypotheses: list[str]) -> list[float]:
    return [float(line.split("\t")[0]) for line in hypotheses]


def elsewhere(program: str, *arguments) -> str:
    """What a program prints in a process of its own."""
    line = [sys.executable, "-c", program, *map(str, arguments)]
    done = subprocess.run(line, capture_output=True, text=True, env={**os.environ, "PYTHONHASHSEED": "7"})
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


@pytest.fixture(scope="module")
def hypotheses(tiny_data, tiny_checkpoint):
    """Translations of the test set by fairseq-generate with the plugin."""
    return lines("H", run(generate, f"{tiny_data} --path {tiny_checkpoint} {GENERATE}"))


def test_fairseq_generates_the_same_without_the_plugin(tiny_data, tiny_checkpoint, hypotheses, tmp_path, capsys):
    assert export(tiny_checkpoint, "fairseq", tiny_data, tmp_path / "plain.pt") == 0
    assert "largest difference of log-probabilities: 0.0e+00" in capsys.readouterr().out
    search = GENERATE.replace(f"--user-dir {USER_DIR}", "")
    log = elsewhere(
        WITHOUT_PLUGIN, "fairseq_cli.generate", tiny_data, "--path", tmp_path / "plain.pt", *search.split()
    )
    assert translations(lines("H", log)) == translations(hypotheses)
    assert scores(lines("H", log)) == pytest.approx(scores(hypotheses), abs=1e-5)


VARIANTS = {
    "lookup": "--embedding lookup",
    "factorized": "--embedding factorized --factorized-dim 3",
    "separate": "--no-share-all-embeddings",
    "separate, output tied": "--no-share-all-embeddings --share-decoder-input-output-embed",
    "beyond the paper": "--alone-center --alone-own-rows 6 --encoder-normalize-before --decoder-normalize-before",
}


@pytest.mark.parametrize("to", ["fairseq", "ctranslate2"])
@pytest.mark.parametrize("variant", VARIANTS)
def test_all_embeddings_can_be_written_out(tiny_data, tmp_path, variant, to, capsys):
    """The command itself compares log-probabilities, and fails where they differ."""
    checkpoint = train(tiny_data, tmp_path / "run", f"{VARIANTS[variant]} --max-update 2")
    assert export(checkpoint, to, tiny_data, tmp_path / "out") == 0
    assert (tmp_path / "out").exists() and "largest difference" in capsys.readouterr().out


def test_half_precision_takes_half(tiny_data, tiny_checkpoint, tmp_path):
    for name, more in (("whole", []), ("half", ["--half"])):
        assert export(tiny_checkpoint, "fairseq", tiny_data, tmp_path / f"{name}.pt", *more) == 0
    whole, half = (load_checkpoint(tmp_path / f"{name}.pt")["model"] for name in ("whole", "half"))
    assert {tensor.dtype for tensor in half.values()} == {torch.float16}
    assert sum(t.nbytes for t in whole.values()) == 2 * sum(t.nbytes for t in half.values())


def test_ctranslate2_finds_the_same_translations(tiny_data, tiny_checkpoint, hypotheses, tmp_path):
    from ctranslate2 import Translator

    assert export(tiny_checkpoint, "ctranslate2", tiny_data, tmp_path / "model") == 0
    sources = lines("S", run(generate, f"{tiny_data} --path {tiny_checkpoint} {GENERATE}"))
    found = Translator(str(tmp_path / "model")).translate_batch([s.split(" ") for s in sources], beam_size=3)
    assert [result.hypotheses[0] for result in found] == translations(hypotheses)


@pytest.mark.parametrize("to", ["ctranslate2", "fsmt"])
def test_real_text_is_translated_with_both(tiny_data, tiny_text, fsmt, tmp_path, to, capsys):
    text = tmp_path / "text"
    text.write_text("".join(f"{english}\n" for english, _ in tiny_text["test"]) + "\nThe zebra!\n")
    line = ["--check-text", str(text), "--beam", "3"]
    assert export(fsmt[0], to, tiny_data, tmp_path / "out", *line) == 0
    assert "the same translation of 21 of 21 sentences, beam 3" in capsys.readouterr().out


def test_translations_that_differ_are_listed(capsys):
    search.report([["a"], ["b", "c"]], [(["x"], ["x"]), (["y"], ["z", "z"])], 5)
    told = capsys.readouterr().out
    assert "of 1 of 2 sentences" in told and "source    b c" in told and "exported  z z" in told


def test_ctranslate2_quantised(tiny_data, tiny_checkpoint, tmp_path, capsys):
    assert export(tiny_checkpoint, "ctranslate2", tiny_data, tmp_path / "model", "--quantization", "int8") == 0
    difference = float(capsys.readouterr().out.split(": ")[1].split(",")[0])
    assert 1e-4 < difference < 0.3


@pytest.fixture(scope="module", params=["lrpe", "lrpe --decoder-learned-pos"])
def told(tiny_data, tmp_path_factory, request):
    """A model that is told how long its output shall be."""
    flags = f"--task headline_generation --length-control-pe --length-control {request.param} --max-update 40"
    return train(tiny_data, tmp_path_factory.mktemp("told"), flags)


def test_ctranslate2_for_one_length(tiny_data, tiny_text, told, tmp_path, capsys):
    """The same headlines as fairseq's search, and other ones for another length."""
    from ctranslate2 import Translator

    (tmp_path / "text").write_text("".join(f"{english}\n" for english, _ in tiny_text["test"]))
    found = {}
    for length in (4, 8):
        output = tmp_path / f"model{length}"
        more = ["--desired-length", str(length), "--check-text", str(tmp_path / "text"), "--beam", "3"]
        assert export(told, "ctranslate2", tiny_data, output, *more) == 0
        printed = capsys.readouterr().out
        assert float(printed.split(": ")[1].split(",")[0]) < 1e-4
        assert "the same translation of 20 of 20 sentences" in printed
        found[length] = Translator(str(output)).translate_batch([SENTENCE])[0].hypotheses
    assert found[4] != found[8]


@pytest.mark.parametrize("kind", ["ldpe", "lrpe", "ldpe --length-control-pe"])
def test_the_table_for_one_length_has_what_the_decoder_adds(tiny_data, kind):
    model, _ = build(tiny_data, f"--length-control {kind} --max-target-positions 12")
    table = position_table(model.decoder, 5)
    assert table.shape == (12 + 2, 64) and not table[:2].any()
    positions = model.decoder.embed_positions
    with positions.told(torch.tensor([6])):
        steps = [positions(torch.full((1, t), 4), incremental_state={})[0, 0] for t in range(1, 13)]
    torch.testing.assert_close(table[2:], torch.stack(steps), rtol=0, atol=0)


def test_the_embedding_of_a_model_with_length_control(tiny_data, told, tmp_path):
    assert export(told, "vectors", tiny_data, tmp_path / "words.vec") == 0


@pytest.mark.parametrize(
    ("to", "more", "message"),
    [
        ("fairseq", [], "--to fairseq: this model is told how long its output shall be, which is not known there"),
        ("fsmt", [], "--to fsmt: this model is told how long"),
        ("ctranslate2", [], "--to ctranslate2 --desired-length N writes it for one length"),
        ("ctranslate2", ["--desired-length", "0"], "--desired-length 0: a wanted length must be between 1 and"),
        ("fairseq", ["--desired-length", "9"], "--desired-length is for --to ctranslate2"),
        ("vectors", ["--desired-length", "9"], "--desired-length is for --to ctranslate2"),
    ],
)
def test_what_a_model_with_length_control_refuses(tiny_data, told, tmp_path, capsys, to, more, message):
    assert export(told, to, tiny_data, tmp_path / "out", *more) == 1
    error = capsys.readouterr().err
    assert message in error and error.count("\n") == 1
    assert not list(tmp_path.iterdir())


def test_a_model_without_length_control_is_written_for_no_length(tiny_data, tiny_checkpoint, tmp_path, capsys):
    assert export(tiny_checkpoint, "ctranslate2", tiny_data, tmp_path / "out", "--desired-length", "9") == 1
    assert "is for models that were trained with --length-control" in capsys.readouterr().err


@pytest.fixture(scope="module")
def fsmt(tiny_data, tmp_path_factory):
    """A model without what FSMT has not, and its folder."""
    folder = tmp_path_factory.mktemp("fsmt")
    checkpoint = train(tiny_data, folder / "run", "--max-update 30 --dropout 0")
    assert export(checkpoint, "fsmt", tiny_data, folder / "model") == 0
    return checkpoint, folder / "model"


def test_transformers_finds_the_same_translations(tiny_data, fsmt, capsys, recwarn):
    from transformers import FSMTForConditionalGeneration

    checkpoint, folder = fsmt
    model = FSMTForConditionalGeneration.from_pretrained(folder).eval()
    assert "MISSING" not in capsys.readouterr().err
    _, task = load(checkpoint, data=str(tiny_data))
    log = run(generate, f"{tiny_data} --path {checkpoint} {GENERATE}")
    dictionary = task.source_dictionary
    for source, expected in zip(lines("S", log), translations(lines("H", log)), strict=True):
        ids = dictionary.encode_line(source, add_if_not_exist=False).long()[None]
        found = model.generate(ids, num_beams=3, max_new_tokens=60)[0]
        assert dictionary.string(found[1:-1]).split(" ") == expected  # without </s> before and after


def test_tokenizer_files_are_left_out_where_fsmt_has_no_such_tokenizer(fsmt):
    assert not list(fsmt[1].glob("vocab*")), "the text has no BPE"


def test_fsmt_tokenizer(tiny_data, tiny_text, fsmt, tmp_path):
    """With Moses and subword-nmt the words get the ids that the recipe gives them."""
    from subword_nmt.learn_bpe import learn_bpe
    from transformers import FSMTTokenizer

    data = tmp_path / "data"
    data.mkdir()
    for name in ("dict.en.txt", "dict.de.txt"):
        (data / name).write_bytes((tiny_data / name).read_bytes())
    with open(data / "codes", "w") as codes:
        learn_bpe([f"{english} {german}" for english, german in tiny_text["train"]], codes, 200)
    settings = json.loads((tiny_data / "tokenizer.json").read_text())
    (data / "tokenizer.json").write_text(json.dumps({**settings, "bpe": "subword_nmt", "codes": "codes"}))
    assert export(fsmt[0], "fsmt", data, tmp_path / "model") == 0
    tokenizer = FSMTTokenizer.from_pretrained(tmp_path / "model")
    _, task = load(fsmt[0], data=str(tiny_data))
    expected = [task.source_dictionary.index(word) for word in SENTENCE] + [2]
    assert task.source_dictionary.unk() not in expected
    assert tokenizer("The dog finds the tree.")["input_ids"] == expected


def test_what_fsmt_has_not_is_named(tiny_data, tmp_path, capsys):
    checkpoint = train(tiny_data, tmp_path / "run", "--encoder-normalize-before --max-update 1")
    assert export(checkpoint, "fsmt", tiny_data, tmp_path / "model") == 1
    assert "--encoder-normalize-before" in capsys.readouterr().err
    assert not (tmp_path / "model").exists()


@pytest.mark.parametrize("line", ["", "--alone-codes-from symbol --alone-filter binary --alone-base-dim 130"])
def test_the_small_file_is_read_without_fairseq(tiny_data, tmp_path, line):
    checkpoint = train(tiny_data, tmp_path / "run", f"{line} --alone-center --alone-own-rows 5 --max-update 2")
    small = tmp_path / "small.safetensors"
    assert export(checkpoint, "safetensors", tiny_data, small) == 0
    model, task = load(checkpoint)
    embedding = model.eval().encoder.embed_tokens
    words = []
    if line:
        (tmp_path / "words").write_text("\n".join(task.source_dictionary.symbols))
        words = [tmp_path / "words"]
    elsewhere(WITHOUT_FAIRSEQ, small, *words)
    assert torch.equal(torch.load(f"{small}.matrix"), embedding.matrix())
    values = sum(p.numel() for p in embedding.parameters())
    assert small.stat().st_size <= 4 * values + 4096


def test_the_small_file_says_what_is_wrong_with_it(tmp_path):
    embedding, small = AloneEmbedding(50, 8, inter_dim=4, codes=4), tmp_path / "small"
    small.write_bytes(embedding_file.content(embedding))
    with pytest.raises(UserError, match="leave symbols out"):
        AloneEmbedding.from_file(small, symbols=["a"] * 50)
    tensors = load_file(small)

    def spoilt(**settings) -> bytes:
        changed = json.dumps({**json.loads(settings_in(small)), **settings})
        return save(tensors, {"format": embedding_file.FORMAT, "settings": changed})

    for content, message in (
        (small.read_bytes()[:-9], "cut short"),
        (b"text", "cut short"),
        ({"a": torch.ones(2)}, "not an embedding that"),
        (spoilt(codebooks=10**9), "256 at most"),
        (spoilt(dim=2**70), "not an embedding that"),
        (spoilt(num_embeddings="many"), "not an embedding that"),
        (spoilt(codes_from="elsewhere"), "not an embedding that"),
        (spoilt(kind="odd"), "unknown filter"),
        (spoilt(num_embeddings=10**9), "fewer than"),
        ({name: tensor for name, tensor in tensors.items() if name != "base"}, "not an embedding that"),
    ):
        if isinstance(content, dict):
            save_file(content, tmp_path / "bad", {"format": embedding_file.FORMAT, "settings": settings_in(small)})
        else:
            (tmp_path / "bad").write_bytes(content)
        with pytest.raises(UserError, match=message):
            AloneEmbedding.from_file(tmp_path / "bad")
    with pytest.raises(UserError, match="not there"):
        AloneEmbedding.from_file(tmp_path / "none")
    # Of other filters than its settings make.
    tensors["filter_probe"] += 1
    metadata = {"format": embedding_file.FORMAT, "settings": settings_in(small)}
    save_file(tensors, tmp_path / "bad", metadata)
    with pytest.raises(UserError, match="other filters"):
        AloneEmbedding.from_file(tmp_path / "bad")
    symbols = [f"w{i}" for i in range(50)]
    of_words = AloneEmbedding(50, 8, inter_dim=4, codes=16, symbols=symbols)
    small.write_bytes(embedding_file.content(of_words))
    with pytest.raises(UserError, match="symbols="):
        AloneEmbedding.from_file(small)
    given = AloneEmbedding.from_filters(torch.randn(5, 8), 8, inter_dim=4)
    with pytest.raises(UserError, match="were given"):
        embedding_file.content(given)


def settings_in(path) -> str:
    header = path.read_bytes()
    length = int.from_bytes(header[:8], "little")
    return json.loads(header[8 : 8 + length])["__metadata__"]["settings"]


def test_vectors_are_word2vec_s_text(tiny_data, tiny_checkpoint, tmp_path):
    assert export(tiny_checkpoint, "vectors", tiny_data, tmp_path / "words.vec") == 0
    model, task = load(tiny_checkpoint)
    count, dim = map(int, (text := (tmp_path / "words.vec").read_text()).split("\n")[0].split())
    rows = [line.split(" ") for line in text.splitlines()[1:]]
    assert [row[0] for row in rows] == task.source_dictionary.symbols[4:] and len(rows) == count
    vectors = torch.tensor([[float(value) for value in row[1:]] for row in rows])
    assert torch.equal(vectors, model.eval().encoder.embed_tokens.matrix()[4:]) and vectors.shape[1] == dim


@pytest.mark.parametrize(
    ("to", "more", "message"),
    [
        ("vectors", ["--half"], "--half is for"),
        ("fsmt", ["--quantization", "int8"], "--quantization is for"),
        ("fairseq", ["--check-text", "text"], "--check-text is for"),
        ("fsmt", ["--beam", "5"], "--beam is for --check-text"),
        ("ctranslate2", ["--check-text", "none.txt"], "none.txt"),
    ],
)
def test_options_of_another_format_are_refused(tiny_data, tiny_checkpoint, tmp_path, to, more, message, capsys):
    assert export(tiny_checkpoint, to, tiny_data, tmp_path / "out", *more) == 1
    assert message in capsys.readouterr().err


@pytest.mark.parametrize("to", ["fairseq", "safetensors", "vectors"])
def test_nothing_is_overwritten_without_force(tiny_data, tiny_checkpoint, tmp_path, to, capsys):
    output = tmp_path / "out"
    output.write_text("mine")
    assert export(tiny_checkpoint, to, tiny_data, output) == 1
    assert "--force" in capsys.readouterr().err and output.read_text() == "mine"
    assert export(tiny_checkpoint, to, tiny_data, output, "--force") == 0
    assert output.read_bytes() != b"mine"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out"]


@pytest.mark.parametrize("to", ["ctranslate2", "fsmt"])
def test_only_an_earlier_export_is_replaced(tiny_data, fsmt, tmp_path, to, capsys):
    output = tmp_path / "out"
    assert export(fsmt[0], to, tiny_data, output) == 0
    before = {path: path.stat().st_ino for path in output.iterdir()}
    assert export(fsmt[0], to, tiny_data, output) == 1 and "--force" in capsys.readouterr().err
    (output / "mine").write_text("mine")
    assert export(fsmt[0], to, tiny_data, output, "--force") == 1
    assert "holds mine, which is no file of this format" in capsys.readouterr().err
    assert {path: path.stat().st_ino for path in before} == before
    (output / "mine").unlink()
    assert export(fsmt[0], to, tiny_data, output, "--force") == 0
    assert all(path.stat().st_ino != inode for path, inode in before.items())
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out"]


def test_no_path_of_the_training_is_exported(tiny_data, tiny_checkpoint, tmp_path):
    assert export(tiny_checkpoint, "fairseq", tiny_data, tmp_path / "plain.pt") == 0
    with zipfile.ZipFile(tmp_path / "plain.pt") as archive:
        (pickled,) = (archive.read(name) for name in archive.namelist() if name.endswith("data.pkl"))
    for path in (tiny_data, tiny_checkpoint.parent, USER_DIR, tmp_path):
        assert str(path).encode() not in pickled


def test_a_terminated_command_leaves_nothing(tiny_data, tiny_checkpoint, tmp_path, monkeypatch):
    def terminated(*arguments):
        assert list(tmp_path.iterdir()), "a temporary file is being written"
        os.kill(os.getpid(), signal.SIGTERM)

    monkeypatch.setattr(fairseq_checkpoint, "check", terminated)
    with pytest.raises(SystemExit) as end:
        export(tiny_checkpoint, "fairseq", tiny_data, tmp_path / "out")
    assert end.value.code == 143 and not list(tmp_path.iterdir())
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


def test_what_cannot_be_exported_is_refused(tiny_data, tiny_checkpoint, tmp_path, capsys):
    lookup = train(tiny_data, tmp_path / "lookup", "--embedding lookup --max-update 1")
    separate = train(tiny_data, tmp_path / "separate", "--no-share-all-embeddings --max-update 1")
    lm_data = language_model_data(tiny_data, tmp_path / "lm")
    lm = train(lm_data, tmp_path / "lm_run", "--max-update 1", model=SMALL_LM)
    (tmp_path / "short.pt").write_bytes(tiny_checkpoint.read_bytes()[:5000])
    merged = torch.load(tiny_checkpoint, weights_only=False)
    merged["cfg"]["model"].merge_src_tgt_embed = True
    torch.save(merged, tmp_path / "merged.pt")
    (tmp_path / "other").mkdir()
    for lang in ("en", "de"):
        (tmp_path / "other" / f"dict.{lang}.txt").write_text("word 1\n")
    (tmp_path / "other" / "tokenizer.json").write_bytes((tiny_data / "tokenizer.json").read_bytes())
    for checkpoint, to, data, message in (
        (lookup, "safetensors", tiny_data, "--embedding alone"),
        (separate, "safetensors", tiny_data, "an embedding each"),
        (separate, "vectors", tiny_data, "an embedding each"),
        (separate, "fsmt", tiny_data, "must share"),
        (lm, "fairseq", tiny_data, "does not translate"),
        (tmp_path / "short.pt", "fairseq", tiny_data, "cut short"),
        (tmp_path / "merged.pt", "fairseq", tiny_data, "trained with --merge-src-tgt-embed"),
        (tiny_checkpoint, "fairseq", tmp_path / "other", "other: they are not those of its training"),
        (tiny_checkpoint, "fairseq", tmp_path / "none", "none: no such folder"),
    ):
        assert export(checkpoint, to, data, tmp_path / "out") == 1
        (line,) = capsys.readouterr().err.strip().split("\n")
        assert message in line and not (tmp_path / "out").exists()


def test_a_checkpoint_need_not_say_how_long_it_was_trained(tiny_data, tiny_checkpoint, tmp_path):
    state = torch.load(tiny_checkpoint, weights_only=False)
    del state["optimizer_history"][-1]["num_updates"]
    torch.save(state, tmp_path / "silent.pt")
    assert export(tmp_path / "silent.pt", "fairseq", tiny_data, tmp_path / "out") == 0
    assert read_contents(tmp_path / "silent.pt")[0].updates is None


@pytest.mark.parametrize(("to", "package"), [("ctranslate2", "ctranslate2.converters"), ("fsmt", "transformers")])
def test_a_missing_package_is_named(fsmt, tiny_data, tmp_path, monkeypatch, to, package, capsys):
    monkeypatch.setitem(sys.modules, package, None)
    assert export(fsmt[0], to, tiny_data, tmp_path / "out") == 1
    assert "pip install '.[" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("to", ["fairseq", "ctranslate2", "fsmt", "vectors"])
def test_what_is_not_a_number_is_no_model(tiny_data, fsmt, tmp_path, to, capsys):
    state = torch.load(fsmt[0], weights_only=True)
    state["model"]["encoder.layers.0.fc1.bias"][0] = torch.nan
    torch.save(state, tmp_path / "bad.pt")
    assert export(tmp_path / "bad.pt", to, tiny_data, tmp_path / "out") == 1
    assert "not finite" in capsys.readouterr().err and not (tmp_path / "out").exists()


def test_differences_that_are_no_numbers_count():
    zero, nan = torch.zeros(2), torch.tensor([0.0, torch.nan])
    for ours, theirs in (([zero, nan], [zero, zero]), ([zero], [torch.zeros(3)])):
        with pytest.raises(UserError, match="nothing is written"):
            report_difference(largest_difference(ours, theirs), 1.0)


def test_languages_are_found_as_training_found_them(tiny_data, tiny_checkpoint, tmp_path):
    data = tmp_path / "data"
    data.mkdir()
    for path in tiny_data.iterdir():
        if path.name != "tokenizer.json":
            (data / path.name).symlink_to(path)
    assert export(tiny_checkpoint, "vectors", data, tmp_path / "out") == 0


def test_an_interrupted_replacement_leaves_the_old_folder(tmp_path, monkeypatch):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine").write_text("mine")
    rename = Path.rename

    def interrupted(self, target):
        if target == tmp_path / "out" and (self / "new").exists():
            raise KeyboardInterrupt
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", interrupted)
    with pytest.raises(KeyboardInterrupt), replacing_folder(tmp_path / "out", True, {"mine"}) as folder:
        (folder / "new").write_text("new")
    assert [path.name for path in tmp_path.iterdir()] == ["out"] and (tmp_path / "out" / "mine").exists()


def test_a_difference_is_an_error(tiny_data, tiny_checkpoint, tmp_path, monkeypatch, capsys):
    from alone_fairseq.export import plain

    written = plain.plain_weights

    def spoilt(model):
        weights = written(model)
        weights["decoder.layers.0.fc1.bias"] = weights["decoder.layers.0.fc1.bias"] + 0.1
        return weights

    monkeypatch.setattr(plain, "plain_weights", spoilt)
    for to in ("fairseq", "ctranslate2"):
        assert export(tiny_checkpoint, to, tiny_data, tmp_path / "out") == 1
        assert "nothing is written" in capsys.readouterr().err
        assert list(tmp_path.iterdir()) == []


def test_a_difference_is_an_error_for_transformers(tiny_data, fsmt, tmp_path, monkeypatch, capsys):
    written = fsmt_folder.weights
    name = "model.decoder.layers.0.fc1.bias"
    monkeypatch.setattr(fsmt_folder, "weights", lambda plain: written(plain) | {name: written(plain)[name] + 0.1})
    assert export(fsmt[0], "fsmt", tiny_data, tmp_path / "out") == 1
    assert "nothing is written" in capsys.readouterr().err and list(tmp_path.iterdir()) == []


def test_a_difference_is_an_error_for_the_small_file(tiny_data, tiny_checkpoint, tmp_path, monkeypatch, capsys):
    content = embedding_file.content

    def spoilt(embedding, dtype):
        other = copy.deepcopy(embedding)
        other.base.data[0] += 1e-3
        return content(other, dtype)

    monkeypatch.setattr(embedding_file, "content", spoilt)
    assert export(tiny_checkpoint, "safetensors", tiny_data, tmp_path / "out") == 1
    assert "nothing is written" in capsys.readouterr().err and list(tmp_path.iterdir()) == []


def test_a_difference_is_an_error_for_vectors(tiny_data, tiny_checkpoint, tmp_path, monkeypatch, capsys):
    dump = vectors.dump_vectors
    monkeypatch.setattr(vectors, "dump_vectors", lambda file, v: dump(file, Vectors(v.words, v.matrix + 1e-6)))
    assert export(tiny_checkpoint, "vectors", tiny_data, tmp_path / "out") == 1
    assert "nothing is written" in capsys.readouterr().err and list(tmp_path.iterdir()) == []


def test_no_space_for_what_ctranslate2_reads(tiny_data, tiny_checkpoint, tmp_path, monkeypatch, capsys):
    def full(state, file):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(ctranslate2_folder, "save_checkpoint", full)
    assert export(tiny_checkpoint, "ctranslate2", tiny_data, tmp_path / "out") == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert "cannot be written: No space left" in line and list(tmp_path.iterdir()) == []


def test_nothing_that_is_read_is_replaced(tiny_data, tiny_checkpoint, tmp_path, capsys):
    """Codes of BPE need not lie among the data."""
    data, codes = shutil.copytree(tiny_data, tmp_path / "data"), tmp_path / "codes.txt"
    codes.write_text("#version: 0.2\nt h\n")
    settings = json.loads((data / "tokenizer.json").read_text())
    (data / "tokenizer.json").write_text(json.dumps({**settings, "bpe": "subword_nmt", "codes": "../codes.txt"}))
    for output in (data / "dict.en.txt", codes):
        before = output.read_bytes()
        assert export(tiny_checkpoint, "vectors", data, output, "--force") == 1
        assert "is a file to read" in capsys.readouterr().err and output.read_bytes() == before


def test_text_is_read_before_anything_is_written(tiny_data, tiny_checkpoint, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(ctranslate2_folder, "write", None)
    (tmp_path / "empty").write_text("\n \n")
    for text, message in (("empty", "is empty"), ("none", "No such file")):
        line = ["--check-text", str(tmp_path / text)]
        assert export(tiny_checkpoint, "ctranslate2", tiny_data, tmp_path / "out", *line) == 1
        assert message in capsys.readouterr().err


def test_text_longer_than_the_model_takes_is_cut(tiny_data, tiny_checkpoint, tmp_path, capsys):
    (tmp_path / "text").write_text("The dog sleeps. The dog sleeps.\nThe dog\n")
    plain = load_plain(str(tiny_checkpoint), tiny_data)
    plain.model.encoder.max_positions = lambda: 5
    long, short = search.CheckText(tmp_path / "text", 2).sentences(plain, tiny_data)
    assert len(long) == 4 and len(short) < 4
    assert "line 1" in capsys.readouterr().err
