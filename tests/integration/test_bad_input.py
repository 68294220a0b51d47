"""Settings that can't be: fairseq-train says so in one line and stops, before anything is written."""

from argparse import Namespace
from dataclasses import fields

import pytest
import torch
from commands import SMALL, TRAINING, build, language_model_data, sentences, start
from fairseq import options
from fairseq.data import Dictionary
from fairseq_cli import preprocess

from alone_fairseq import UserError
from alone_fairseq.config import EMBEDDINGS, PAPER_MT, EmbeddingConfig, alone_architecture, build_embedding

LM = "--task language_modeling --decoder-layers 1 --tokens-per-sample 40"


@pytest.fixture(scope="module")
def separate_data(tmp_path_factory):
    """Two languages with a dictionary each."""
    folder = tmp_path_factory.mktemp("separate")
    (folder / "train.en").write_text("a b c\n")
    (folder / "train.de").write_text("d e f\n")
    line = f"-s en -t de --trainpref {folder}/train --destdir {folder}/data"
    preprocess.main(options.get_preprocessing_parser().parse_args(line.split()))
    return folder / "data"


REFUSED = {
    "--alone-codebooks -1": "--alone-codebooks.* must be 0 or more, not -1",
    "--alone-codes 0": "--alone-codes.* must be 1 or more, not 0",
    "--alone-codebooks 2 --alone-codes 5": "25 filters, fewer than 40 words; raise --alone-codebooks or",
    "--alone-inter-dim 0": "--alone-inter-dim.* must be 1 or more, not 0",
    "--alone-inter-dim -3": "--alone-inter-dim.* must be 1 or more, not -3",
    "--alone-base-dim 0": "--alone-base-dim.* must be 1 or more, not 0",
    "--alone-layers 0": "--alone-layers.* must be 1 or more, not 0",
    "--alone-filter binary --alone-zero-prob 0": "--alone-zero-prob.* between 0 and 1, not 0.0",
    "--alone-filter binary --alone-zero-prob 1": "--alone-zero-prob.* between 0 and 1, not 1.0",
    "--alone-filter binary --alone-zero-prob nan": "--alone-zero-prob.* between 0 and 1, not nan",
    "--alone-relu-dropout 1": "--alone-relu-dropout.* below 1, not 1.0",
    "--alone-stop-relu-dropout -1": "--alone-stop-relu-dropout.* must be 0 or more, not -1",
    "--alone-seed -1": "--alone-seed.* between 0 and 2.32 - 1, not -1",
    "--alone-chunk-size 0": "--alone-chunk-size.* must be 1 or more, not 0",
    "--alone-filter binary --alone-base-dim 5": "5 elements .*fewer than 40 words; raise --alone-base-dim",
    "--embedding factorized": "needs --factorized-dim",
    "--embedding factorized --factorized-dim 0": "--factorized-dim.* must be 1 or more, not 0",
    "--adaptive-softmax-cutoff 10,20": "--adaptive-.*, which cut the embedding matrix up",
    "--adaptive-input": "--adaptive-.*, which cut the embedding matrix up",
    "--encoder-embed-path none": "none: No such file",
    "--encoder-embed-path none --embedding lookup": "none: No such file",
    "--decoder-embed-path none": "--encoder-embed-path alone",
    "--encoder-embed-path none --merge-src-tgt-embed": "--merge-src-tgt-embed takes no vectors",
    "--decoder-embed-path none --merge-src-tgt-embed --no-share-all-embeddings": "--merge-src-tgt-embed takes no",
    "--encoder-embed-path none --alone-filter given": r"pre-trained embeddings \(none\) are not for",
    "--encoder-embed-path none --embedding factorized --factorized-dim 2": "are not for --embedding factorized",
    "--decoder-output-dim 32": "--decoder-output-dim",
    "--no-share-all-embeddings --share-decoder-input-output-embed --decoder-output-dim 32": "--decoder-output-dim",
    "--decoder-embed-dim 32": "--decoder-embed-dim",
    "--encoder-xformers-att-config {}": "xformers-att-config",
    "--decoder-xformers-att-config {}": "xformers-att-config",
    "--quant-noise-scalar 0.1": "--quant-noise-scalar",
    "--base-layers 1": "leave out --base-layers",
}


def assert_refusal(error, text=""):
    """One line, which also ends a command, with status 1 and no traceback."""
    assert isinstance(error.value, SystemExit) and isinstance(error.value, UserError)
    assert error.value.code == f"alone_fairseq: {error.value}" and "\n" not in str(error.value)


@pytest.mark.parametrize("flags", REFUSED)
def test_what_a_model_refuses(tiny_data, flags):
    with pytest.raises(UserError, match=REFUSED[flags]) as error:
        build(tiny_data, flags)
    assert_refusal(error)


def test_settings_without_effect_are_named(tiny_data, caplog):
    inter_dim = "--alone-inter-dim has no effect with"  # the tiny model has one
    for flags, *messages in (
        ("--embedding lookup", f"{inter_dim} --embedding lookup"),
        (
            "--embedding lookup --alone-center",
            "--alone-center has no effect with --embedding lookup",
            f"{inter_dim} --embedding lookup",
        ),
        (
            "--embedding factorized --factorized-dim 2 --alone-seed 2",
            f"{inter_dim} --embedding factorized",
            "--alone-seed has no effect with --embedding factorized",
        ),
        ("--factorized-dim 2", "--factorized-dim has no effect with --embedding alone"),
        (
            "--alone-layers 1 --alone-relu-dropout 0.3",
            f"{inter_dim} --alone-layers 1",
            "--alone-relu-dropout has no effect with --alone-layers 1",
        ),
        ("--alone-zero-prob 0.3", "--alone-zero-prob has no effect with --alone-filter real"),
        ("--alone-codebooks 0 --alone-codes 32", "--alone-codes has no effect with --alone-codebooks 0"),
        (
            "--alone-filter given --alone-seed 2",
            "--alone-seed has no effect with --alone-filter given, whose filters are in the checkpoint",
        ),
    ):
        caplog.clear()
        build(tiny_data, flags)
        warnings = [record.getMessage() for record in caplog.records if record.name == "alone_fairseq.config"]
        assert sorted(set(warnings)) == sorted(messages)
    caplog.clear()
    build(tiny_data, "--embedding lookup", "transformer_alone")
    assert "dropout" not in caplog.text, "the architecture's, which nobody has given"


@pytest.mark.parametrize("embedding", EMBEDDINGS)
def test_null_in_a_configuration_file_is_the_default(tiny_data, embedding, caplog):
    dictionary = Dictionary.load(str(tiny_data / "dict.en.txt"))
    settings = {field.name: None for field in fields(EmbeddingConfig)} | {"embedding": embedding}
    if embedding == "factorized":
        settings["factorized_dim"] = 2
    read = Namespace(**settings)
    alone_architecture(read, *PAPER_MT)
    made = build_embedding(read, dictionary, 8)
    assert made(torch.tensor([4])).shape == (1, 8) and not caplog.records


@pytest.mark.parametrize("name", ["embedding", "alone_filter", "alone_storage", "alone_codes_from"])
def test_unknown_choices_of_a_configuration_file_are_refused(tiny_data, name):
    """On the command line argparse refuses them; a YAML file reaches the model as it is."""
    _, task = build(tiny_data)
    settings = options.parse_args_and_arch(
        options.get_training_parser(), input_args=f"{tiny_data} {SMALL} --arch transformer_alone_tiny".split()
    )
    setattr(settings, name, "nonsense")
    with pytest.raises(UserError, match="unknown .*'nonsense'") as error:
        task.build_model(settings)
    assert_refusal(error)


def test_sharing_needs_one_dictionary(separate_data):
    with pytest.raises(UserError, match="--joined-dictionary, or add --no-share-all-embeddings") as error:
        build(separate_data)
    assert_refusal(error)
    model, _ = build(separate_data, "--no-share-all-embeddings")
    assert model.encoder.embed_tokens is not model.decoder.embed_tokens


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ("--character-embeddings", "leave out --character-embeddings"),
        ("--adaptive-input", "--adaptive-.*, which cut the embedding matrix up"),
        ("--alone-codes 0", "--alone-codes.* must be 1 or more"),
        ("--decoder-output-dim 32", "--decoder-output-dim"),
    ],
)
def test_what_a_language_model_refuses(tiny_data, tmp_path, flags, message):
    data = language_model_data(tiny_data, tmp_path / "data")
    with pytest.raises(UserError, match=message) as error:
        build(data, f"{LM} {flags}", "transformer_lm_alone", SMALL.replace("--encoder-layers 1", ""))
    assert_refusal(error)


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ("--alone-codebooks 1 --alone-codes 5", "alone_fairseq: 1 codebooks of 5 columns give 5 filters"),
        ("--alone-filter complex", "argument --alone-filter: invalid choice: 'complex'"),
    ],
)
def test_the_command_ends_with_one_line(tiny_data, tmp_path, flags, message):
    line = f"{tiny_data} --save-dir {tmp_path}/checkpoints {TRAINING} {SMALL} --arch transformer_alone_tiny"
    process = start("train", f"{line} {flags}")
    _, errors = process.communicate(timeout=200)
    assert process.returncode != 0
    assert message in errors.strip().split("\n")[-1]
    assert "Traceback" not in errors
    assert not list(tmp_path.glob("checkpoints/*"))


def test_a_misspelt_setting_of_a_configuration_file_is_refused(tiny_data):
    settings = options.parse_args_and_arch(
        options.get_training_parser(), input_args=f"{tiny_data} {SMALL} --arch transformer_alone_tiny".split()
    )
    _, task = build(tiny_data)
    settings.alone_inner_dim = 64
    with pytest.raises(UserError, match="no setting alone_inner_dim; choose from .*alone_inter_dim") as error:
        task.build_model(settings)
    assert_refusal(error)


def test_a_token_of_another_dictionary_is_refused(tiny_data):
    model, task = build(tiny_data)
    batch = sentences(task)["net_input"]
    batch["src_tokens"][0, 0] = len(task.source_dictionary)
    with pytest.raises(UserError, match="is not one of the .* words 0 to .*another dictionary") as error:
        model(**batch)
    assert_refusal(error)
