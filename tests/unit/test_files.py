"""Files are written whole or not at all, and loading one runs nothing."""

import os
import resource
from argparse import Namespace

import pytest
import torch

from alone_fairseq.checkpoint.files import load_checkpoint, replacing, save_checkpoint, settings_of, update_number
from alone_fairseq.errors import UserError

STATE = {
    "args": None,
    "cfg": {"task": {"_name": "translation"}, "model": {}},
    "model": {"weight": torch.arange(3.0)},
    "optimizer_history": [{"num_updates": 7}],
    "extra_state": {},
}


def test_new_file(tmp_path):
    with replacing(tmp_path / "new") as file:
        file.write(b"new")
        assert not (tmp_path / "new").exists()
    assert (tmp_path / "new").read_bytes() == b"new"
    assert os.listdir(tmp_path) == ["new"]


def test_permissions_are_those_of_any_new_file(tmp_path):
    (tmp_path / "other").touch()
    with replacing(tmp_path / "new"):
        pass
    assert (tmp_path / "new").stat().st_mode == (tmp_path / "other").stat().st_mode


@pytest.mark.parametrize("force", [False, True])
def test_nothing_is_lost(tmp_path, force):
    (tmp_path / "old").write_bytes(b"old")
    if force:
        with pytest.raises(ZeroDivisionError), replacing(tmp_path / "old", force=True) as file:
            file.write(b"half")
            raise ZeroDivisionError
    else:
        with pytest.raises(UserError, match="old: exists already; add --force"), replacing(tmp_path / "old"):
            pass
    assert (tmp_path / "old").read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["old"]


def test_force(tmp_path):
    (tmp_path / "old").write_bytes(b"old")
    with replacing(tmp_path / "old", force=True) as file:
        file.write(b"new")
    assert (tmp_path / "old").read_bytes() == b"new"


def test_a_link_that_leads_nowhere_is_not_replaced(tmp_path):
    (tmp_path / "link").symlink_to(tmp_path / "gone")
    with pytest.raises(UserError, match="link: exists already"), replacing(tmp_path / "link"):
        pass
    assert (tmp_path / "link").is_symlink()


@pytest.mark.parametrize("make", [os.mkdir, os.mkfifo])
def test_only_files_are_replaced(tmp_path, make):
    """A pipe stands for what is no file here: /dev/null itself would be gone if this failed."""
    make(tmp_path / "other")
    with pytest.raises(UserError, match="is a folder or a device"), replacing(tmp_path / "other", force=True):
        pass


@pytest.mark.parametrize("folder", ["nowhere", "file"])
def test_unusable_folder(tmp_path, folder):
    (tmp_path / "file").touch()
    path = tmp_path / folder / "new"
    with pytest.raises(UserError, match=f"{folder}/new: cannot be written: No"), replacing(path):
        pass


def test_full_disk(tmp_path):
    """A limit on the size of a file fails like a full disk: in the middle of writing."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, limits[1]))
        with pytest.raises(UserError, match="new: cannot be written: File too large"):  # noqa: SIM117
            with replacing(tmp_path / "new") as file:
                save_checkpoint({"weight": torch.zeros(100_000)}, file)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert os.listdir(tmp_path) == []


def test_an_error_about_what_was_read_again_names_the_file(tmp_path):
    path = tmp_path / "new"
    with pytest.raises(UserError) as raised, replacing(path) as file:
        raise UserError(f"{file.name}: does not load")
    assert str(raised.value) == f"{path}: does not load; nothing is written"


def test_an_input_that_is_missing_is_not_the_outputs_fault(tmp_path):
    with pytest.raises(FileNotFoundError), replacing(tmp_path / "new"):
        load_checkpoint(tmp_path / "nowhere")


@pytest.mark.parametrize("zipped", [True, False])
def test_load(tmp_path, zipped):
    torch.save(STATE, tmp_path / "F", _use_new_zipfile_serialization=zipped)
    assert torch.equal(load_checkpoint(tmp_path / "F")["model"]["weight"], torch.arange(3.0))


class RunsCode:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (self.path,)


@pytest.mark.parametrize("zipped", [True, False])
def test_code_is_not_run(tmp_path, zipped):
    extra = {"extra_state": RunsCode(str(tmp_path / "ran"))}
    torch.save({**STATE, **extra}, tmp_path / "F", _use_new_zipfile_serialization=zipped)
    with pytest.raises(UserError, match="F: refused: loading it would call posix.mkdir"):
        load_checkpoint(tmp_path / "F")
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    ("zipped", "share"),
    [(True, 0), (True, 0.01), (True, 0.1), (True, 0.5), (True, 0.9), (True, 0.99), (False, 0.1), (False, 0.99)],
)
def test_truncated(tmp_path, zipped, share):
    torch.save(STATE, tmp_path / "whole", _use_new_zipfile_serialization=zipped)
    content = (tmp_path / "whole").read_bytes()
    (tmp_path / "F").write_bytes(content[: int(len(content) * share)])
    with pytest.raises(UserError, match="F: not a checkpoint, or cut short"):
        load_checkpoint(tmp_path / "F")


@pytest.mark.parametrize("content", [b"text\n" * 100, b"\x89PNG\r\n\x1a\n", b"PK\x03\x04", bytes(range(256))])
def test_not_from_torch(tmp_path, content, recwarn):
    (tmp_path / "F").write_bytes(content)
    with pytest.raises(UserError, match="F: not a checkpoint, or cut short"):
        load_checkpoint(tmp_path / "F")
    assert not recwarn


@pytest.mark.parametrize(
    "state",
    [
        [],
        {},
        {"model": {}},
        {**STATE, "cfg": None},
        {**STATE, "optimizer_history": 5},
        {**STATE, "optimizer_history": [5]},
        {k: v for k, v in STATE.items() if k != "model"},
    ],
)
def test_not_from_fairseq(tmp_path, state):
    torch.save(state, tmp_path / "F")
    with pytest.raises(UserError, match="F: not a checkpoint of fairseq"):
        load_checkpoint(tmp_path / "F")


@pytest.mark.parametrize(
    "state",
    [
        {"args": None, "cfg": {"task": {"source_lang": "en"}}},
        {"args": None, "cfg": {"task": Namespace(source_lang="en")}},
        {"args": Namespace(source_lang="en")},
    ],
)
def test_settings_of_old_and_new_checkpoints(state):
    assert settings_of(state, "task")["source_lang"] == "en"


@pytest.mark.parametrize(
    "change",
    [
        {"model": {}},
        {"model": {"weight": 1}},
        {"model": {1: torch.ones(2)}},
        {"model": []},
        {"cfg": {}},
        {"cfg": []},
        {"cfg": {"task": {}}},
        {"extra_state": []},
    ],
    ids=str,
)
def test_foreign_contents_are_refused(tmp_path, change):
    torch.save({**STATE, "args": None, **change}, tmp_path / "foreign.pt")
    with pytest.raises(UserError, match="not a checkpoint of fairseq"):
        load_checkpoint(tmp_path / "foreign.pt")


@pytest.mark.parametrize("history", [[], [{}], None])
def test_updates_that_are_not_told(history):
    with pytest.raises(UserError, match="does not say how many updates"):
        update_number({**STATE, "optimizer_history": history})


def test_arguments_of_another_kind_do_not_hide_the_configuration():
    assert settings_of({**STATE, "args": {"source_lang": "fr"}}, "task") == STATE["cfg"]["task"]
