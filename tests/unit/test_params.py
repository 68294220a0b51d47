"""``alone params``: counts and bytes of checkpoints against those of the models they were made of."""

import json
from argparse import Namespace
from types import SimpleNamespace

import pytest
import torch
from fairseq.data import Dictionary
from fairseq.models import ARCH_CONFIG_REGISTRY, ARCH_MODEL_REGISTRY

from alone_fairseq.cli import main
from alone_fairseq.embedding import WordEmbedding

WORDS = {"en": 60, "de": 44}


def dictionary(words):
    made = Dictionary()
    for word in range(words - len(made)):
        made.add_symbol(str(word))
    return made


@pytest.fixture
def data(tmp_path):
    """A folder with dictionaries of two sizes, and none for a third language."""
    folder = tmp_path / "data"
    folder.mkdir()
    for lang, words in WORDS.items():
        dictionary(words).save(str(folder / f"dict.{lang}.txt"))
    return folder


@pytest.fixture
def save(tmp_path):
    """Save a checkpoint as fairseq does; returns it and its model."""

    def save(architecture="transformer_alone_tiny", joined=True, copy=False, **settings):
        args = Namespace(arch=architecture, **settings)
        ARCH_CONFIG_REGISTRY[architecture](args)
        source, target = dictionary(WORDS["en"]), dictionary(WORDS["en" if joined else "de"])
        task = SimpleNamespace(source_dictionary=source, target_dictionary=target)
        model = ARCH_MODEL_REGISTRY[architecture].build_model(args, task)
        weights = model.state_dict()
        state = {
            "cfg": {"model": args, "task": {"source_lang": "en", "target_lang": "en" if joined else "de"}},
            # From a GPU, each name of a tied weight comes with a copy of its own.
            "model": {key: tensor.clone() for key, tensor in weights.items()} if copy else weights,
            "optimizer_history": [{"num_updates": 1234}],
            "extra_state": {},
            "last_optimizer_state": {"state": {0: torch.ones(100_000)}},
        }
        path = tmp_path / "checkpoint.pt"
        torch.save(state, path)
        return path, model

    return save


def report(capsys, *arguments):
    assert main(["params", *map(str, arguments), "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def count(parameters):
    return sum(p.numel() for p in parameters)


def embeddings(model):
    return [module for module in model.modules() if isinstance(module, WordEmbedding)]


@pytest.mark.parametrize("joined", [True, False])
@pytest.mark.parametrize("copy", [True, False])
@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"alone_freeze_base": True, "alone_base_dim": 20},
        {"alone_layers": 3, "alone_filter": "binary"},
        {"alone_filter": None, "alone_codebooks": None},
        {"alone_layers": 1},
        {"embedding": "factorized", "factorized_dim": 5},
        {"embedding": "lookup"},
    ],
    ids=str,
)
def test_counts_are_those_of_the_model(save, capsys, settings, copy, joined):
    path, model = save(joined=joined, copy=copy, share_all_embeddings=joined, **settings)
    found = report(capsys, path)["checkpoint"]
    assert found["parameters"] == count(model.parameters())
    assert found["trained"] == count(p for p in model.parameters() if p.requires_grad)
    assert found["embedding_parameters"] == sum(count(module.parameters()) for module in embeddings(model))
    assert len(found["embeddings"]) == (1 if joined else 3)
    assert found["updates"] == 1234
    assert found["file_bytes"] == path.stat().st_size
    assert found["model_bytes"] == sum(tensor.nbytes for tensor in model.state_dict().values())
    assert found["file_bytes"] > found["model_bytes"] + 400_000  # the optimizer's state is not the model's
    tables = (tensor for module in embeddings(model) for tensor in module.state_dict().values())
    assert found["embedding_bytes"] == sum(tensor.nbytes for tensor in tables)


@pytest.mark.parametrize("arch", ["student_alone", "student_ngram_attention", "student_char_cnn"])
def test_a_student_is_an_embedding_as_a_whole(tmp_path, capsys, arch):
    args = Namespace(arch=arch, alone_inter_dim=7, alone_freeze_base=True)
    ARCH_CONFIG_REGISTRY[arch](args)
    task = SimpleNamespace(words=[f"w{i}" for i in range(50)], embedding_dim=6)
    model = ARCH_MODEL_REGISTRY[arch].build_model(args, task)
    state = {
        "cfg": {"model": args, "task": {}},
        "model": model.state_dict(),
        "task_state": vars(task),
        "optimizer_history": [],
        "extra_state": {},
    }
    torch.save(state, tmp_path / "student.pt")
    found = report(capsys, tmp_path / "student.pt")
    count, alone = model.student.parameter_count, arch == "student_alone"
    assert found["checkpoint"]["parameters"] == found["checkpoint"]["embedding_parameters"] == count
    assert found["checkpoint"]["trained"] == count - (6 if alone else 0)
    assert found["checkpoint"]["teacher_values"] == 300
    assert [table["sizes"]["vocab"] for table in found["tables"]] == ([50] if alone else [])
    assert main(["params", str(tmp_path / "student.pt")]) == 0
    assert f"300 values; the student has {count / 300:.1%} of them" in capsys.readouterr().out


@pytest.mark.parametrize("copy", [True, False])
def test_tied_tables_of_fairseq_s_own_model_count_once(save, capsys, copy):
    path, model = save("transformer_tiny", copy=copy, share_all_embeddings=True)
    found = report(capsys, path)["checkpoint"]
    assert found["parameters"] == count(model.parameters())
    assert found["embedding_parameters"] == 60 * 64
    assert found["embedding_bytes"] == 60 * 64 * 4 * (3 if copy else 1)  # the copies are on disk


def test_what_is_compared_with_a_checkpoint_has_its_sizes(save, capsys):
    path, _ = save(alone_base_dim=20, alone_layers=3, alone_filter="binary", alone_codebooks=3, alone_codes=16)
    (table,) = report(capsys, path, "--vocab", 60)["tables"]
    assert table["embedding"] == "encoder.embed_tokens"
    expected = {"vocab": 60, "dim": 64, "base_dim": 20, "inter_dim": 256, "layers": 3, "filter": "binary"}
    assert table["sizes"].items() >= {**expected, "codebooks": 3, "codes": 16}.items()
    lookup, _, alone, *_ = table["rows"]
    assert lookup["parameters"] == 60 * 64
    assert alone["parameters"] == 20 + 256 * (20 + 64) + 256**2
    assert alone["share_of_lookup"] == alone["parameters"] / (60 * 64)
    assert alone["filter_bytes"] == 3 * 16 * 20 + 3 * 60
    assert (alone["checkpoint_bytes"], alone["checkpoint_bytes_half"]) == (87_076 * 4, 87_076 * 2)


def test_sizes_that_are_given_come_before_the_checkpoint_s(save, capsys):
    path, _ = save(embedding="lookup")
    (table,) = report(capsys, path, "--vocab", 1000, "--inter-dim", 32)["tables"]
    assert [row["parameters"] for row in table["rows"]] == [64_000, 4 * (1000 + 64)] + 3 * [64 + 32 * 128]


def test_words_come_from_the_dictionary_of_each_side(save, capsys, data):
    path, _ = save(joined=False, share_all_embeddings=False, share_decoder_input_output_embed=True)
    tables = report(capsys, path, "--data", data)["tables"]
    found = {table["embedding"]: table["sizes"]["vocab"] for table in tables}
    assert found == {"encoder.embed_tokens": 60, "decoder.embed_tokens": 44}


def test_tables_tell_their_words_themselves(save, capsys):
    path, _ = save(joined=False, share_all_embeddings=False, embedding="factorized", factorized_dim=5)
    tables = report(capsys, path)["tables"]
    assert [table["sizes"]["vocab"] for table in tables] == [60, 44, 44]
    assert {table["sizes"]["factorized_dim"] for table in tables} == {5}


def test_without_words_the_table_is_left_out_and_the_options_named(save, capsys):
    path, _ = save()
    assert main(["params", str(path)]) == 0
    out = capsys.readouterr().out
    assert "updates     1,234" in out
    assert "lookup" not in out
    assert "encoder.embed_tokens: the checkpoint does not tell how many words; add --data BIN or --vocab N" in out


def test_the_example_of_the_paper(capsys):
    assert main(["params", "--vocab", "37000", "--dim", "512", "--inter-dim", "4096"]) == 0
    rows = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    assert "lookup 18,944,000 100.0% 18,944,000 75.8 MB 37.9 MB - - 75.8 MB" in rows
    assert "factorized, r = 112 4,201,344 22.2% 4,201,344 16.8 MB 8.4 MB - - 16.8 MB" in rows
    assert "ALONE, codebook 4,194,816 22.1% 4,456,960 16.8 MB 8.4 MB 1.3 MB 92.6 MB 110.7 MB" in rows
    assert "ALONE, expanded 4,194,816 22.1% 23,138,816 16.8 MB 8.4 MB 75.8 MB 92.6 MB 185.1 MB" in rows
    assert "ALONE, volatile 4,194,816 22.1% 4,194,816 16.8 MB 8.4 MB - 92.6 MB 109.3 MB" in rows


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("", "give a CHECKPOINT, or --vocab and --dim"),
        ("--vocab 10", "give a CHECKPOINT, or --vocab and --dim"),
        ("--vocab 10 --data BIN --dim 4", "give --vocab or --data, not both"),
        ("--data BIN --dim 4", "BIN: no dict.*.txt in it"),
        ("--vocab 300 --dim 64 --codebooks 1", "fewer than 300 words; raise --codebooks or --codes"),
        ("--vocab 300 --dim 64 --codebooks -1", "codebooks (--codebooks) must be 0 or more, not -1"),
        ("missing.pt", "No such file or directory: missing.pt"),
        ("text.pt", "text.pt: not a checkpoint"),
    ],
)
def test_bad_arguments_get_one_line(tmp_path, monkeypatch, capsys, arguments, message):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "text.pt").write_text("no checkpoint")
    assert main(["params", *arguments.split()]) == 1
    captured = capsys.readouterr()
    assert captured.err.startswith("alone: error: ")
    assert captured.err.count("\n") == 1
    assert message in captured.err
    assert not captured.out


def test_a_dictionary_that_is_none(data, capsys):
    (data / "dict.de.txt").write_text("not a dictionary\n")
    assert main(["params", "--data", str(data), "--dim", "64"]) == 1
    assert "alone: error: " in (line := capsys.readouterr().err)
    assert "Incorrect dictionary format" in line


def test_dictionaries_that_differ_need_a_side(data, capsys):
    assert main(["params", "--data", str(data), "--dim", "64"]) == 1
    assert "its dictionaries differ in size; give --vocab instead" in capsys.readouterr().err
