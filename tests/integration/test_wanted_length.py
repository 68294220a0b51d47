"""Models that are told how long their output shall be, in fairseq's own commands."""

import re
import subprocess

import pytest
import torch
from commands import SEARCH, SMALL, TRAINING, USER_DIR, build, lines, load, run, sentences, train
from fairseq_cli import generate, interactive
from fairseq_cli import train as fairseq_train

from alone_fairseq import UserError
from alone_fairseq.cli import main
from alone_fairseq.headline import read_desired_length, wanted_lengths
from alone_fairseq.length_control import length_settings
from alone_fairseq.transformer import TransformerAloneModel

TASK = "--task headline_generation"
KINDS = ["--length-control lrpe", "--length-control ldpe --length-control-pe"]
EMBEDDINGS = ["alone", "lookup", "factorized --factorized-dim 3"]


def wanted(model, tokens, *lengths):
    """Scores of a batch of the training data if the outputs shall have these lengths."""
    with torch.no_grad():
        return model(**tokens, tgt_lengths=torch.tensor(lengths))[0]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("embedding", EMBEDDINGS)
def test_the_gold_length_is_what_training_wants(tiny_data, kind, embedding):
    model, task = build(tiny_data, f"{TASK} {kind} --embedding {embedding}")
    batch = sentences(task)
    inputs, target = batch["net_input"], batch["target"]
    lengths = target.ne(task.target_dictionary.pad()).sum(1)
    with torch.no_grad():
        gold = model.eval()(**inputs)[0]
    assert len(set(lengths.tolist())) > 1, "the batch must be ragged"
    assert torch.equal(gold, wanted(model, inputs, *lengths))
    assert not torch.allclose(gold, wanted(model, inputs, *(lengths + 3)))


@pytest.mark.parametrize("kind", KINDS)
def test_batched_is_as_one_by_one(tiny_data, kind):
    model, task = build(tiny_data, f"{TASK} {kind}")
    batch = sentences(task)
    inputs = batch["net_input"]
    together = wanted(model.eval(), inputs, 3, 9, 5, 2000)
    for row, length in enumerate((3, 9, 5, 2000)):
        kept = inputs["src_tokens"][row] != task.source_dictionary.pad()
        one = {
            "src_tokens": inputs["src_tokens"][row : row + 1, kept],
            "src_lengths": inputs["src_lengths"][row : row + 1],
            "prev_output_tokens": inputs["prev_output_tokens"][row : row + 1],
        }
        one["prev_output_tokens"] = one["prev_output_tokens"][:, one["prev_output_tokens"][0] != 1]
        alone = wanted(model, one, length)[0]
        torch.testing.assert_close(together[row, : len(alone)], alone, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_half_precision(tiny_data, kind):
    """Encodings are float32 whatever the model is, and do not make float32 of what they are added to."""
    model, task = build(tiny_data, f"{TASK} {kind}")
    inputs = sentences(task)["net_input"]
    lengths = (3, 9, 5, 2000)
    full = wanted(model.eval(), inputs, *lengths)
    half = wanted(model.half(), inputs, *lengths)
    assert half.dtype == torch.float16
    torch.testing.assert_close(half.float(), full, atol=2e-2, rtol=2e-2)


def incremental(model, inputs, lengths):
    """Scores step by step, as a search computes them."""
    encoder_out = model.encoder(inputs["src_tokens"], inputs["src_lengths"], tgt_lengths=torch.tensor(lengths))
    state, tokens = {}, inputs["prev_output_tokens"]
    steps = [model.decoder(tokens[:, : t + 1], encoder_out, state)[0] for t in range(tokens.shape[1])]
    return torch.cat(steps, 1)


@pytest.mark.parametrize("kind", KINDS)
def test_step_by_step_is_as_all_at_once(tiny_data, kind):
    model, task = build(tiny_data, f"{TASK} {kind}")
    inputs = sentences(task)["net_input"]
    lengths, real = [1, 2, 6, 3000], inputs["prev_output_tokens"] != task.target_dictionary.pad()
    with torch.no_grad():
        found = incremental(model.eval(), inputs, lengths)
    torch.testing.assert_close(found[real], wanted(model, inputs, *lengths)[real], atol=1e-5, rtol=1e-5)


@pytest.fixture(scope="module")
def checkpoint(tiny_data, tmp_path_factory):
    flags = f"{TASK} --length-control lrpe --length-control-pe --max-target-positions 60"
    flags += " --max-update 60 --dropout 0"
    return train(tiny_data, tmp_path_factory.mktemp("lrpe"), flags)


def test_the_headline_architecture_has_lrpe_and_pe(tiny_data):
    def positions(flags):
        small = "--encoder-embed-dim 16 --encoder-ffn-embed-dim 16 --decoder-ffn-embed-dim 16"
        model, _ = build(tiny_data, f"{small} {flags}", "transformer_alone_gigaword")
        return model.decoder.embed_positions

    found = positions("")
    assert (found.kind, found.ordinary is None) == ("lrpe", False)
    assert positions("--length-control ldpe").kind == "ldpe"
    assert positions("--no-length-control-pe").ordinary is None
    assert not hasattr(positions("--length-control none"), "kind")


def found(log: str) -> list[str]:
    return [line.split("\t")[1] for line in lines("H", log)]


def sizes(log: str) -> list[int]:
    return [len(text.split()) for text in found(log)]


def search(data, checkpoint, desired: str = "", command=generate, more: str = "") -> str:
    desired = desired and f"--desired-length {desired}"
    return run(command, f"{data} --path {checkpoint} {TASK} {SEARCH} {desired} {more}")


def test_outputs_get_as_long_as_they_shall_be(tiny_data, checkpoint):
    logs = {length: search(tiny_data, checkpoint, length) for length in (3, 20, "gold")}
    assert sum(sizes(logs[3])) + 20 < sum(sizes(logs[20]))
    references = [len(text.split()) for text in lines("T", logs["gold"])]
    assert len(set(references)) > 1
    errors = {
        length: sum(abs(size - reference) for size, reference in zip(sizes(log), references, strict=True))
        for length, log in logs.items()
    }
    assert errors["gold"] < min(errors[3], errors[20])


@pytest.mark.parametrize("nbest", [1, 2])
def test_a_length_for_each_line(tiny_data, checkpoint, tmp_path, nbest):
    """The same as with one length for all, whatever batches and buffers the lines are in."""
    more = f"--nbest {nbest}"
    wanted = [2 + line % 5 for line in range(20)]
    (tmp_path / "lengths").write_text("".join(f"{length}\n" for length in wanted))
    expected = {length: found(search(tiny_data, checkpoint, length, more=more)) for length in set(wanted)}
    expected = [
        text for line, length in enumerate(wanted) for text in expected[length][line * nbest : (line + 1) * nbest]
    ]
    log = search(tiny_data, checkpoint, tmp_path / "lengths", more=more)
    assert found(log) == expected
    assert len(set(map(len, expected))) > 2
    (tmp_path / "text").write_text("".join(f"{source}\n" for source in lines("S", log)))
    more += f" --input {tmp_path}/text --buffer-size 7 --batch-size 3"
    assert found(search(tiny_data, checkpoint, tmp_path / "lengths", interactive, more)) == expected


def test_from_pretrained(tiny_data, checkpoint):
    model = TransformerAloneModel.from_pretrained(
        str(checkpoint.parent), checkpoint.name, str(tiny_data), tokenizer=None, bpe=None
    )
    log = search(tiny_data, checkpoint, 4)
    assert model.translate(lines("S", log), beam=3, desired_length=4) == found(log)
    with pytest.raises(UserError, match="must be told"):
        model.translate(lines("S", log))


@pytest.mark.parametrize(
    "more",
    [
        "--nbest 3",
        "--prefix-size 2",
        "--sampling --sampling-topk 5 --nbest 3 --seed 1",
        "--score-reference",
        "--print-alignment",
    ],
)
def test_every_kind_of_search_takes_a_length(tiny_data, checkpoint, more):
    one, other = (lines("H", search(tiny_data, checkpoint, length, more=more)) for length in (3, 12))
    assert len(one) == len(other) == (60 if "--nbest" in more else 20)
    assert one != other


def test_an_ensemble_takes_a_length(tiny_data, checkpoint, tmp_path):
    other = train(tiny_data, tmp_path, f"{TASK} --length-control ldpe --max-update 30")
    alone, both = search(tiny_data, checkpoint, 4), search(tiny_data, f"{checkpoint}:{other}", 4)
    assert lines("H", alone) != lines("H", both)
    assert sum(sizes(both)) < sum(sizes(search(tiny_data, f"{checkpoint}:{other}", 12)))


@pytest.mark.parametrize("length", [1, 2, 55, 3000])
def test_lengths_out_of_the_ordinary(tiny_data, checkpoint, length):
    """From one token to more than max_target_positions, 60: no output is longer, and none crashes."""
    found = sizes(search(tiny_data, checkpoint, length))
    assert len(found) == 20
    assert 1 <= min(found) <= max(found) < 60


def test_outputs_may_get_longer_than_they_shall_be(tiny_data, checkpoint):
    assert min(sizes(search(tiny_data, checkpoint, 2, more="--min-len 30"))) >= 30


def test_bleu_in_validation_is_of_outputs_as_long_as_their_references(tiny_data, tmp_path):
    model = f"{SMALL} --arch transformer_alone_tiny {TASK} --length-control lrpe --eval-bleu --max-update 1"
    training = TRAINING.replace("--disable-validation", "")
    log = run(fairseq_train, f"{tiny_data} --save-dir {tmp_path} {training} {model}")
    assert re.search(r"valid on 'valid' subset .* bleu \d", log)


def test_other_commands_take_such_a_model(tiny_data, checkpoint, tmp_path, capsys):
    small = tmp_path / "small.pt"
    data = ["--data", str(tiny_data)]
    line = [str(checkpoint), *data, "--inter-dim", "16", "--updates", "20", "--output", str(small), "--cpu"]
    assert main(["compress", *line]) == 0
    before, after = load(checkpoint)[0], load(small)[0]
    assert (
        length_settings(before) == length_settings(after) == {"length_control": "lrpe", "length_control_pe": True}
    )
    assert (
        main(["average", "--inputs", str(checkpoint.parent), "--last", "1", "--output", f"{tmp_path}/mean.pt"])
        == 0
    )
    assert found(search(tiny_data, tmp_path / "mean.pt", 4)) == found(search(tiny_data, checkpoint, 4))
    capsys.readouterr()
    assert main(["doctor", *data, "--checkpoint", str(checkpoint)]) == 0
    assert "must be told a length: --task headline_generation --desired-length N" in capsys.readouterr().out


REFUSED = {
    "0": "--desired-length 0: a wanted length must be between 1 and",
    "-3": "--desired-length -3: a wanted length must be between 1 and",
    "2.5": "--desired-length 2.5: neither a number, nor gold, nor a file of numbers",
    "golden": "--desired-length golden: neither a number, nor gold, nor a file of numbers",
    "": "must be told how long its output shall be: .*--desired-length N",
    "few": "few: has 19 lines, but test has 20",
    "many": "many: has 21 lines, but test has 20",
    "odd": "odd, line 2: 'two' is not a number",
    "zero": "zero, line 20: a wanted length must be between 1 and",
    "4 --nbest 4": "--nbest 4 needs a --beam of 4 or more, not 3",
}
FILES = {"few": ["3"] * 19, "many": ["3"] * 21, "odd": ["3", "two"], "zero": ["3"] * 19 + ["0"]}


@pytest.mark.parametrize("desired", REFUSED)
def test_bad_lengths_get_one_line(tiny_data, checkpoint, tmp_path, monkeypatch, desired):
    monkeypatch.chdir(tmp_path)
    for name, rows in FILES.items():
        (tmp_path / name).write_text("".join(f"{row}\n" for row in rows))
    with pytest.raises(UserError, match=REFUSED[desired]) as error:
        search(tiny_data, checkpoint, desired)
    assert_one_line(error)


def test_a_file_of_lengths_is_long_enough_for_each_batch():
    """Of a search in validation, whose data fairseq loads after it has built the generator."""
    batch = {"id": torch.tensor([0, 2]), "net_input": {"src_tokens": torch.ones(2, 3, dtype=torch.int64)}}
    assert wanted_lengths([5, 6, 7], batch, None, pad=1).tolist() == [6, 8]
    with pytest.raises(UserError, match="its file has 2 lines, which are too few"):
        wanted_lengths([5, 6], batch, None, pad=1)


def test_a_length_of_thousands_of_digits_is_no_length(tmp_path):
    """Python's int() refuses so many."""
    (tmp_path / "long").write_text("9" * 5000)
    for said in ("9" * 5000, str(tmp_path / "long")):
        with pytest.raises(UserError, match="a wanted length must be between 1 and"):
            read_desired_length(said)


def assert_one_line(error):
    """A line of its own, with which fairseq's command ends."""
    assert isinstance(error.value, SystemExit) and "\n" not in error.value.code


def test_interactive_refuses_what_it_cannot_know(tiny_data, checkpoint, tmp_path):
    (tmp_path / "text").write_text("The man sees the dog .\n" * 3)
    (tmp_path / "lengths").write_text("3\n4\n")
    for desired, message in (("gold", "gold needs references"), (f"{tmp_path}/lengths", "fewer lines than the")):
        with pytest.raises(UserError, match=message) as error:
            search(tiny_data, checkpoint, desired, interactive, f"--input {tmp_path}/text")
        assert_one_line(error)


def test_interactive_warns_of_lengths_left_over(tiny_data, checkpoint, tmp_path):
    """At its end, which only the interpreter's end tells."""
    (tmp_path / "lengths").write_text("3\n4\n5\n")
    flags = f"--path {checkpoint} --beam 1 --cpu --desired-length {tmp_path}/lengths"
    line = f"fairseq-interactive {tiny_data} --user-dir {USER_DIR} {TASK} {flags}"
    result = subprocess.run(line.split(), input="The man sees the dog .\n", capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    assert "lengths: 2 more lengths than lines of input" in result.stdout + result.stderr


def test_a_model_without_length_control_takes_no_length(tiny_data, tiny_checkpoint, checkpoint):
    for models in (tiny_checkpoint, f"{tiny_checkpoint}:{checkpoint}"):
        with pytest.raises(UserError, match="trained with --length-control, and .* was not") as error:
            search(tiny_data, models, 4)
        assert_one_line(error)
    assert len(sizes(search(tiny_data, tiny_checkpoint))) == 20


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ("--length-control-pe", "--length-control-pe is for --length-control"),
        ("--length-control lrpe --length-control-pe --no-token-positional-embeddings", "contradict each other"),
        (
            "--length-control lrpe --eval-bleu",
            "--eval-bleu with --length-control needs --task headline_generation",
        ),
    ],
)
def test_what_a_model_refuses(tiny_data, flags, message):
    with pytest.raises(UserError, match=message) as error:
        build(tiny_data, flags)
    assert_one_line(error)
