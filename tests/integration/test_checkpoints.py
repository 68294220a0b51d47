"""Checkpoints: small, complete, tied to their filters, and nothing in them is run."""

import os
import pickle
import shutil
import zipfile
from argparse import Namespace
from collections import OrderedDict
from pathlib import Path

import pytest
import torch
from commands import USER_DIR, build, load, run, train, weights
from fairseq_cli import generate

from alone_fairseq import UserError
from alone_fairseq.checkpoint.files import load_checkpoint
from alone_fairseq.checkpoint.trust import check_trusted
from alone_fairseq.cli import main

PLUGIN = f"--user-dir {USER_DIR}"


@pytest.mark.parametrize("sharing", ["", "--no-share-all-embeddings"])
def test_the_state_dict_holds_each_embedding_once(tiny_data, sharing):
    model, _ = build(tiny_data, sharing)
    state = model.state_dict()
    names = {"base", "weights.0", "weights.1", "filter_probe"}
    places = ["encoder.embed_tokens", "decoder.embed_tokens", "decoder.output_embedding"]
    stored = {f"{place}.{name}" for place in places[: None if sharing else 1] for name in names}
    assert {key for key in state if "embed_tokens" in key or "output_embedding" in key} == stored
    beside = {key for key in state if key.endswith((".filter_probe", ".version"))}
    assert state.keys() - beside == {name for name, _ in model.named_parameters()}


@pytest.mark.parametrize("storage", ["codebook", "expanded", "volatile"])
def test_a_checkpoint_is_as_large_as_its_parameters(tiny_data, tmp_path, storage):
    flags = f"--alone-storage {storage} --alone-base-dim 3000 --no-save-optimizer-state --max-update 1"
    checkpoint = train(tiny_data, tmp_path, flags)
    model, _ = load(checkpoint)
    parameters = 4 * sum(p.numel() for p in model.parameters())
    with zipfile.ZipFile(checkpoint) as archive:
        data = sum(entry.file_size for entry in archive.infolist() if "/data/" in entry.filename)
    assert parameters < data < parameters + 1000
    assert checkpoint.stat().st_size < parameters + 60_000  # the settings; the filters alone have 480 kB


OTHERS = ["--alone-seed 2", "--alone-filter binary", "--alone-codes 32", "--alone-codes-from symbol"]


@pytest.mark.parametrize("flag", OTHERS)
def test_weights_go_with_their_filters_alone(tiny_data, flag):
    stranger, _ = build(tiny_data, f"--alone-base-dim 140 {flag}")
    with pytest.raises(UserError, match="^these weights were trained with other filters than this"):
        stranger.load_state_dict(build(tiny_data, "--alone-base-dim 140")[0].state_dict())


def test_another_dictionary_is_refused(tiny_data, tiny_checkpoint, tmp_path):
    for source in tiny_data.iterdir():
        (tmp_path / source.name).symlink_to(source)
    for name in ("dict.en.txt", "dict.de.txt"):
        (tmp_path / name).unlink()
        (tmp_path / name).write_text((tiny_data / name).read_text() + "zebra 1\n")
    with pytest.raises(UserError, match="trained with other filters .* the same dictionary"):
        run(generate, f"{tmp_path} {PLUGIN} --path {tiny_checkpoint} --cpu")


def test_training_does_not_go_on_with_other_filters(tiny_data, tmp_path):
    before = train(tiny_data, tmp_path, "--max-update 1").read_bytes()
    with pytest.raises(Exception, match="Cannot load model parameters") as error:
        train(tiny_data, tmp_path, "--alone-seed 2 --max-update 2")
    assert "trained with other filters" in str(error.value.__context__)  # shown above fairseq's own message
    assert (tmp_path / "checkpoint_last.pt").read_bytes() == before


def test_an_average_is_a_checkpoint_like_others(tiny_data, tiny_checkpoint, tmp_path, capsys):
    averaged = tmp_path / "averaged.pt"
    arguments = ["average", "--inputs", str(tiny_checkpoint.parent), "--last", "2", "--output", str(averaged)]
    assert main(arguments) == 0
    last = [weights(tiny_checkpoint.parent / f"checkpoint{epoch}.pt") for epoch in (15, 20)]
    mean = weights(averaged)
    for key in mean:
        torch.testing.assert_close(mean[key], (last[0][key] + last[1][key]) / 2)
    assert torch.equal(mean["encoder.embed_tokens.filter_probe"], last[0]["encoder.embed_tokens.filter_probe"])
    model, _ = load(averaged, data=str(tiny_data))
    assert model.encoder.embed_tokens is model.decoder.output_embedding
    log = run(generate, f"{tiny_data} {PLUGIN} --path {averaged} --cpu")
    assert "H-0\t" in log


class Hostile:
    """Unpickled, it makes a folder."""

    def __init__(self, marker):
        self.marker = marker

    def __reduce__(self):
        return os.mkdir, (str(self.marker),)


@pytest.fixture
def hostile(tiny_checkpoint, tmp_path):
    """A folder with a checkpoint that runs code, and the folder it would make."""
    state, marker = torch.load(tiny_checkpoint), tmp_path / "marker"
    state["extra_state"]["surprise"] = Hostile(marker)
    torch.save(state, tmp_path / "checkpoint_last.pt")
    torch.load(tmp_path / "checkpoint_last.pt", weights_only=False)
    marker.rmdir()  # it does run, where it may
    return tmp_path / "checkpoint_last.pt", marker


def test_code_in_a_checkpoint_is_not_run(tiny_data, hostile, capsys):
    checkpoint, marker = hostile
    with pytest.raises(pickle.UnpicklingError):
        run(generate, f"{tiny_data} {PLUGIN} --path {checkpoint} --cpu")
    before = checkpoint.read_bytes()
    with pytest.raises(pickle.UnpicklingError):
        train(tiny_data, checkpoint.parent, "--max-update 50")
    assert checkpoint.read_bytes() == before
    assert main(["translate", "--checkpoint", str(checkpoint), "--data", str(tiny_data)]) == 1
    message = capsys.readouterr().err.strip()
    assert message.startswith("alone: error:") and "\n" not in message
    assert not marker.exists()


def references(state, code):
    state["cfg"]["elsewhere"] = {"decoder": {"xformers_att_config": code}}
    state["cfg"]["model"] = {"_name": "transformer", "decoder": "${elsewhere.decoder}"}


def nameless(state, code):
    state["cfg"]["model"] = {"wav2vec2": {"conv_feature_layers": code}}


def nested(state, code):
    state["cfg"]["model"].arch = state["cfg"]["model"]._name = "transformer"
    state["cfg"]["model"].decoder = Namespace(xformers_att_config=code)


def two_lines(state, code):
    state["cfg"]["model"].arch = state["cfg"]["model"]._name = "transformer"
    vars(state["cfg"]["model"])["decoder_xformers_att_config\n"] = code


@pytest.mark.parametrize(
    ("hide", "reason"),
    [
        (references, "its setting decoder stands for another one"),
        (nameless, "its model has no name"),
        (nested, "fairseq would run the text of its setting xformers_att_config"),
        (two_lines, "a setting cannot be called 'decoder_xformers_att_config\\n'"),
    ],
)
def test_code_that_hides_in_the_settings_is_not_run(tiny_data, tiny_checkpoint, tmp_path, capsys, hide, reason):
    """fairseq would find it: with OmegaConf, by the only name that is there, or by a regular expression."""
    state, marker = torch.load(tiny_checkpoint), tmp_path / "marker"
    hide(state, f"__import__('os').mkdir({str(marker)!r})")
    torch.save(state, tmp_path / "hostile.pt")
    assert main(["translate", "--checkpoint", str(tmp_path / "hostile.pt"), "--data", str(tiny_data)]) == 1
    message = capsys.readouterr().err.strip()
    assert f"refused: {reason}" in message and "\n" not in message
    assert not marker.exists()


def test_a_file_that_fairseq_takes_for_a_part_is_refused(tiny_checkpoint, tiny_data, tmp_path, capsys):
    """It would be loaded in the place of the one that was looked at."""
    checkpoint, other = (Path(shutil.copy(tiny_checkpoint, tmp_path / name)) for name in ("x.pt", "x-shard0.pt"))
    assert main(["translate", "--checkpoint", str(checkpoint), "--data", str(tiny_data)]) == 1
    assert f"fairseq would load {other} in its place" in capsys.readouterr().err


def test_settings_that_are_not_those_fairseq_reads_are_refused(tiny_checkpoint, tmp_path):
    """Whatever is in ``args`` counts for fairseq, and not what is in ``cfg``."""
    state = torch.load(tiny_checkpoint)
    state["args"] = OrderedDict()
    state["args"].arch = "fconv"
    torch.save(state, tmp_path / "hostile.pt")
    with pytest.raises(UserError, match="no model with its configuration in it"):
        load_checkpoint(tmp_path / "hostile.pt")


@pytest.mark.parametrize("half", ["encoder", "decoder"])
def test_code_in_the_settings_is_not_run(tiny_data, tiny_checkpoint, tmp_path, half):
    """fairseq evaluates the text of this setting; a model has to refuse it first."""
    state, marker = torch.load(tiny_checkpoint), tmp_path / "marker"
    setattr(state["cfg"]["model"], f"{half}_xformers_att_config", f"__import__('os').mkdir({str(marker)!r})")
    torch.save(state, tmp_path / "hostile.pt")
    with pytest.raises((RuntimeError, ValueError)):
        load(tmp_path / "hostile.pt", data=str(tiny_data))
    assert not marker.exists()


def test_code_in_the_settings_of_another_model_is_not_run(tiny_data, tiny_checkpoint, tmp_path, capsys):
    """fairseq's other models evaluate other settings; ``alone translate`` has no need of them."""
    state, marker = torch.load(tiny_checkpoint), tmp_path / "marker"
    settings = state["cfg"]["model"]
    settings.arch = settings._name = "fconv"
    settings.encoder_layers = f"__import__('os').mkdir({str(marker)!r})"
    torch.save(state, tmp_path / "hostile.pt")
    assert main(["translate", "--checkpoint", str(tmp_path / "hostile.pt"), "--data", str(tiny_data)]) == 1
    message = capsys.readouterr().err.strip()
    assert message.startswith("alone: error:") and "\n" not in message
    assert not marker.exists()


@pytest.mark.parametrize(
    ("part", "name", "value"),
    [
        ("model", "decoder_xformers_att_config", "{}"),
        ("model", "adaptive_softmax_cutoff", "[1]"),
        ("task", "_name", "multilingual_translation"),
        ("model", "_name", ["transformer_alone"]),
    ],
)
def test_settings_that_fairseq_evaluates_are_refused(tiny_checkpoint, part, name, value):
    state = torch.load(tiny_checkpoint)
    check_trusted("F", state)
    settings = state["cfg"][part]
    (settings if isinstance(settings, dict) else vars(settings))[name] = value
    with pytest.raises(UserError, match="^F: refused: "):
        check_trusted("F", state)


def test_a_whole_model_can_be_pickled(tiny_checkpoint, tiny_data, tmp_path):
    model, _ = load(tiny_checkpoint, data=str(tiny_data))
    torch.save(model, tmp_path / "model.pt")
    twin = torch.load(tmp_path / "model.pt", weights_only=False)
    assert twin.state_dict().keys() == model.state_dict().keys()
    assert not any(key.startswith("decoder.embed_tokens") for key in twin.state_dict())
    twin.load_state_dict(model.state_dict())
