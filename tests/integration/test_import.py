"""``alone import``: a checkpoint as the paper's own code wrote it, made up here, with the formula written out."""

import json
import os
import re
from argparse import Namespace

import pytest
import torch
from commands import SEARCH, build, lines, load, meters, run, sentences, train, weights
from fairseq.dataclass.configs import EMAConfig
from fairseq.models.ema import EMA
from fairseq_cli import generate

from alone_fairseq.cli import main

MODEL = "--encoder-layers 1 --decoder-layers 1 --encoder-normalize-before --decoder-normalize-before"
ONE_EMB = {
    "one_emb_std": 1.0,
    "one_emb_dropout": 0.5,
    "codenum": 64,
    "codebooknum": 8,
    "one_emb_relu_dropout": 0.15,
    "stop_relu_dropout_update": 300,
}


def values(*shape) -> torch.Tensor:
    """Of no random generator, about as large as trained weights."""
    count = torch.Size(shape).numel()
    return torch.sin(torch.arange(count) * 1.7 + sum(shape)).view(shape) / shape[-1] ** 0.5


def filters(words, dim, kind) -> torch.Tensor:
    drawn = torch.randn(words, dim, generator=torch.Generator().manual_seed(words))
    return (drawn > 0).float() if kind == "binary" else drawn


def formula(base, matrices, masks) -> torch.Tensor:
    """e_w = W_L max(0, ... W_1 (m_w * o)), a word at a time."""
    rows = []
    for mask in masks:
        row = matrices[0] @ (mask * base[0])
        for matrix in matrices[1:]:
            row = matrix @ row.clamp(min=0)
        rows.append(row)
    return torch.stack(rows)


def old_names(state) -> dict[str, torch.Tensor]:
    """The weights as fairseq 0.6 called them: queries, keys and values in one."""
    old = {}
    for key, tensor in state.items():
        if match := re.fullmatch(r"(.*)\.q_proj\.(weight|bias)", key):
            parts = [state[f"{match[1]}.{part}_proj.{match[2]}"] for part in "qkv"]
            old[f"{match[1]}.in_proj_{match[2]}"] = torch.cat(parts)
        elif not re.search(r"\.[kv]_proj\.|embed_tokens|output_projection", key):
            old[key] = tensor
    for side in ("encoder", "decoder"):
        old[f"{side}.embed_positions._float_tensor"] = torch.ones(1)
    return old


class Reference:
    """A model of fairseq with matrices by the formula, and the checkpoint and filters of the paper's code."""

    def __init__(self, data, folder, kind="binary", shared=True, layers=2, inter_dim=24):
        self.data, self.checkpoint = data, folder / "checkpoint_last.pt"
        sharing = "--share-all-embeddings" if shared else "--share-decoder-input-output-embed"
        self.model, self.task = build(
            data, f"{MODEL} {sharing} --optimizer adam --lr 0.001", "transformer_tiny", ""
        )
        self.model.eval()
        dim, state = self.model.encoder.embed_tokens.embedding_dim, old_names(self.model.state_dict())
        sizes = [dim, *[inter_dim] * (layers - 1), dim]
        self.files = []
        for number, side in enumerate(("encoder", "decoder")):
            base = values(1, dim) + number * (not shared)
            matrices = [values(m, n) * 2 for n, m in zip(sizes, sizes[1:], strict=False)]
            module = getattr(self.model, side).embed_tokens
            masks = filters(len(module.weight), dim, kind)
            with torch.no_grad():
                module.weight.copy_(formula(base, matrices, masks))
            state[f"{side}.embed_tokens.weight"] = base
            state |= {f"{side}.embed_tokens.weight_matrices.{i}": matrix for i, matrix in enumerate(matrices)}
            if not (shared and number):
                self.files.append(folder / f"mask_to_one_embed_{side}.pt")
                torch.save(masks, self.files[-1])
        settings = dict(vars(self.args()), one_emb=kind, one_emb_layernum=layers, one_emb_inter_dim=inter_dim)
        history = {"optimizer_name": "FairseqAdam", "lr_scheduler_state": {"best": 3.0}, "num_updates": 70}
        self.state = {
            "args": Namespace(**settings | ONE_EMB),
            "model": state,
            "optimizer_history": [history],
            "extra_state": {"train_iterator": {"epoch": 4}, "val_loss": 3.0},
            "last_optimizer_state": {"state": {}},
        }
        self.save()

    def args(self):
        from fairseq import options

        line = ["data", *MODEL.split(), "--arch", "transformer_tiny", "--source-lang", "en", "--target-lang", "de"]
        args = options.parse_args_and_arch(options.get_training_parser(), input_args=line)
        decoder = self.model.decoder
        args.share_all_embeddings = self.model.encoder.embed_tokens is decoder.embed_tokens
        args.share_decoder_input_output_embed = True
        return args

    def save(self):
        torch.save(self.state, self.checkpoint, _use_new_zipfile_serialization=False)  # as PyTorch did then


def take_over(reference, output, *more, files=None) -> int:
    files = reference.files if files is None else files
    line = [
        "import",
        reference.checkpoint,
        "--filters",
        *files,
        "--data",
        reference.data,
        "--output",
        output,
        *more,
    ]
    return main([*map(str, line)])


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"kind": "real"},
        {"shared": False},
        {"layers": 1, "kind": "real"},
        {"layers": 3},
        {"inter_dim": 64},  # as wide as the embeddings: each matrix is square
    ],
    ids=str,
)
def test_the_model_says_the_same(tiny_data, tmp_path, options, capsys):
    reference = Reference(tiny_data, tmp_path, **options)
    assert take_over(reference, tmp_path / "new.pt") == 0
    assert f"{options.get('kind', 'binary')} filters of 64 elements" in capsys.readouterr().out
    model, task = load(tmp_path / "new.pt", data=str(tiny_data))
    batch = sentences(task)["net_input"]
    with torch.no_grad():
        ours, theirs = (m.eval()(**batch)[0].log_softmax(-1) for m in (model, reference.model))
    assert theirs.std() > 0.1
    torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-5)
    stored = weights(tmp_path / "new.pt")
    assert sum(key.endswith(".filters") for key in stored) == len(reference.files)


def test_it_translates_tunes_averages_and_is_exported_like_any_other(tiny_data, tmp_path, capsys):
    reference = Reference(tiny_data, tmp_path)
    new = tmp_path / "new.pt"
    assert take_over(reference, new) == 0
    before = lines("H", run(generate, f"{tiny_data} --path {new} {SEARCH}"))
    assert len(before) == 20
    line = f"--alone-filter given --finetune-from-model {new} --max-update 4 --save-interval-updates 2"
    flags = f"{MODEL} --alone-inter-dim 24 --arch transformer_alone_tiny"
    tuned = train(tiny_data, tmp_path / "tuned", line, model=f"{SEARCH.split(' --cpu')[0]} {flags}")
    kept = [{k: t for k, t in weights(path).items() if k.endswith(".filters")} for path in (new, tuned)]
    assert kept[0].keys() == kept[1].keys() == {"encoder.embed_tokens.filter_store.filters"}
    assert torch.equal(*(only for one in kept for only in one.values()))
    averaged = tmp_path / "averaged.pt"
    assert main(["average", "--inputs", str(tuned.parent), "--last", "2", "--output", str(averaged)]) == 0
    for to in ("fairseq", "vectors"):
        arguments = ["--to", to, "--data", str(tiny_data), "--output", str(tmp_path / to)]
        assert main(["export", str(averaged), *arguments]) == 0
    capsys.readouterr()
    assert main(["params", str(averaged), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    (*_, given) = found["tables"][0]["rows"]
    assert given["embedding"] == "ALONE, given"
    assert given["checkpoint_bytes"] == found["checkpoint"]["embedding_bytes"]


@pytest.mark.parametrize("kind", ["binary", "real"])
def test_moving_averages_keep_the_filters(tiny_data, tmp_path, kind):
    reference = Reference(tiny_data, tmp_path, kind)
    assert take_over(reference, tmp_path / "new.pt") == 0
    model, _ = load(tmp_path / "new.pt", data=str(tiny_data))
    average = EMA(model, EMAConfig(ema_decay=0.9))
    for _ in range(20):
        average.step(model)
    model.load_state_dict(average.model.state_dict())
    masks = model.state_dict()["encoder.embed_tokens.filter_store.filters"]
    torch.testing.assert_close(masks.float(), torch.load(reference.files[0]), rtol=1e-6, atol=1e-6)


def test_half_precision_keeps_its_filters(tiny_data, tmp_path):
    reference = Reference(tiny_data, tmp_path, kind="real")
    reference.state["model"] = {key: tensor.half() for key, tensor in reference.state["model"].items()}
    reference.save()
    assert take_over(reference, tmp_path / "new.pt") == 0
    stored = weights(tmp_path / "new.pt")
    assert stored["encoder.embed_tokens.base"].dtype == torch.float16
    masks = torch.load(reference.files[0])
    assert torch.equal(stored["encoder.embed_tokens.filter_store.filters"], masks)
    model, _ = load(tmp_path / "new.pt", data=str(tiny_data))
    again = model.half().state_dict()
    assert torch.equal(again["encoder.embed_tokens.filter_store.filters"], masks)
    again = {key: tensor.half() for key, tensor in again.items()}
    model.load_state_dict(again)  # the filters are those that it has, but for rounding
    assert torch.equal(model.state_dict()["encoder.embed_tokens.filter_store.filters"], masks)


def test_other_filters_are_not_taken_for_its_own(tiny_data, tmp_path):
    (tmp_path / "other").mkdir()
    reference, other = (
        Reference(tiny_data, tmp_path / name, kind) for name, kind in (("", "binary"), ("other", "real"))
    )
    for number, one in enumerate((reference, other)):
        assert take_over(one, tmp_path / f"{number}.pt") == 0
    empty, _ = build(tiny_data, f"{MODEL} --alone-filter given --alone-inter-dim 24", "transformer_alone_tiny")
    with pytest.raises(SystemExit, match="other filters"):
        empty.load_state_dict(empty.state_dict())
    model, _ = load(tmp_path / "0.pt", data=str(tiny_data))
    with pytest.raises(SystemExit, match="other filters"):
        model.load_state_dict(weights(tmp_path / "1.pt"))


def test_what_needs_drawn_filters_says_so(tiny_data, tmp_path, capsys):
    assert take_over(Reference(tiny_data, tmp_path), tmp_path / "new.pt") == 0
    line = [str(tmp_path / "new.pt"), "--data", str(tiny_data), "--output", str(tmp_path / "out")]
    for command in (["export", "--to", "safetensors", *line], ["grow", *line, "--old-data", str(tiny_data)]):
        assert main(command) == 1
        assert "were given and not drawn" in capsys.readouterr().err


def test_given_filters_must_come_with_a_checkpoint(tiny_data, tmp_path):
    with pytest.raises(SystemExit, match="with filters in it"):
        train(tiny_data, tmp_path / "run", "--alone-filter given --max-update 1")


class Hostile:
    """Unpickled, it makes a folder."""

    def __init__(self, marker):
        self.marker = marker

    def __reduce__(self):
        return os.mkdir, (str(self.marker),)


def test_what_cannot_be_taken_over_is_refused(tiny_data, tiny_checkpoint, tmp_path, capsys):
    reference = Reference(tiny_data, tmp_path)
    marker, good = tmp_path / "marker", torch.load(reference.files[0])
    bad = {
        "hostile.pt": Hostile(marker),
        "dict.pt": {"a": good},
        "narrow.pt": good[:, :5],
        "real.pt": good + 0.5,
        "nan.pt": good * torch.nan,
        "flat.pt": good[0],
    }
    for name, content in bad.items():
        torch.save(content, tmp_path / name)
    (tmp_path / "short.pt").write_bytes(reference.files[0].read_bytes()[:700])
    (tmp_path / "there.pt").write_text("mine")
    torch.save(good[:-1], tmp_path / "short_words.pt")
    output = tmp_path / "new.pt"
    for files, more, message in (
        ([tmp_path / "hostile.pt"], [], "only data is loaded"),
        ([tmp_path / "dict.pt"], [], "not a file with one tensor"),
        ([tmp_path / "narrow.pt"], [], "does not go with these filters"),
        ([tmp_path / "real.pt"], [], "--one-emb binary"),
        ([tmp_path / "nan.pt"], [], "not filters"),
        ([tmp_path / "flat.pt"], [], "not filters"),
        ([tmp_path / "short.pt"], [], "cut short"),
        ([tmp_path / "none.pt"], [], "No such file"),
        (reference.files * 2, [], "needs 1 files of filters"),
        ([tmp_path / "short_words.pt"], [], "has filters of"),
        (reference.files, ["--output", reference.files[0], "--force"], "is a file to read"),
        (reference.files, ["--output", tmp_path / "there.pt"], "--force"),
    ):
        assert take_over(reference, output, *more, files=files) == 1
        (line,) = capsys.readouterr().err.strip().split("\n")
        assert message in line and not output.exists()
    assert not marker.exists() and (tmp_path / "there.pt").read_text() == "mine"
    for change, message in (
        ({"one_emb": None}, "without --one-emb"),
        ({"represent_length_by_lrpe": True}, "length control"),
        ({"share_all_embeddings": False, "share_decoder_input_output_embed": False}, "matrix of its own"),
        ({"arch": "lstm"}, "refused"),
        ({"adaptive_softmax_cutoff": "1"}, "would run the text"),
    ):
        kept = Namespace(**vars(reference.state["args"]))
        vars(reference.state["args"]).update(change)
        reference.save()
        assert take_over(reference, output) == 1
        (line,) = capsys.readouterr().err.strip().split("\n")
        assert message in line and not output.exists()
        reference.state["args"] = kept
    reference.checkpoint.write_bytes(tiny_checkpoint.read_bytes())
    assert take_over(reference, output) == 1 and "without --one-emb" in capsys.readouterr().err


def test_meters_of_old_checkpoints_are_passed_over(tiny_data, tmp_path):
    """fairseq 0.9 pickled objects of fairseq.meters, which today's has not."""
    reference = Reference(tiny_data, tmp_path)
    with meters(reference.state):
        reference.save()
    assert take_over(reference, tmp_path / "new.pt") == 0
    assert "train_meters" not in torch.load(tmp_path / "new.pt", weights_only=True)["extra_state"]
