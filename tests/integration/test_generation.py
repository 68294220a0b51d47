"""fairseq's other commands on a trained model: they need to know nothing but where the plugin is."""

import math
import re
from argparse import Namespace

import pytest
import torch
from commands import (
    SEARCH,
    SMALL_LM,
    USER_DIR,
    build,
    count_calls,
    language_model_data,
    lines,
    load,
    run,
    sentences,
    train,
    weights,
)
from fairseq_cli import eval_lm, generate, interactive, validate

from alone_fairseq.transformer import TransformerAloneModel

# All of it is needed to build the model, and none of it is told to the other commands.
UNUSUAL = (
    "--alone-filter binary --alone-base-dim 140 --alone-layers 3 --alone-codebooks 5 --alone-codes 9"
    " --alone-codes-from symbol --alone-seed 11 --alone-zero-prob 0.3 --alone-relu-dropout 0.1"
    " --no-share-all-embeddings --share-decoder-input-output-embed --max-update 40"
    " --lr-scheduler inverse_sqrt --warmup-updates 10"
)


@pytest.fixture(scope="module")
def checkpoint(tiny_data, tmp_path_factory):
    return train(tiny_data, tmp_path_factory.mktemp("unusual"), UNUSUAL)


def test_generate_interactive_and_from_pretrained_agree(tiny_data, checkpoint, tmp_path):
    log = run(generate, f"{tiny_data} --path {checkpoint} {SEARCH}")
    sources, found = lines("S", log), lines("H", log)
    scores, hypotheses = zip(*(line.split("\t") for line in found), strict=True)
    assert len(set(scores)) == len(sources) == 20
    (tmp_path / "text").write_text("".join(f"{source}\n" for source in sources))
    log = run(interactive, f"{tiny_data} --path {checkpoint} {SEARCH} --input {tmp_path}/text")
    again = [line.split("\t") for line in lines("H", log)]
    assert [text for _, text in again] == list(hypotheses)
    assert [float(score) for score, _ in again] == pytest.approx([float(score) for score in scores], abs=1e-5)
    model = TransformerAloneModel.from_pretrained(
        str(checkpoint.parent), checkpoint.name, str(tiny_data), tokenizer=None, bpe=None
    )
    assert model.translate(sources, beam=3) == list(hypotheses)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="half precision needs a GPU")
def test_generate_in_half_precision(tiny_data, tiny_checkpoint):
    line = f"{tiny_data} --path {tiny_checkpoint} {SEARCH}"
    exact, rounded = (lines("D", run(generate, text)) for text in (line, line.replace("--cpu", "--fp16")))
    assert sum(one.split("\t")[1] == other.split("\t")[1] for one, other in zip(exact, rounded, strict=True)) > 15


def test_validate_finds_the_loss_of_the_model(tiny_data, checkpoint):
    line = f"{tiny_data} --path {checkpoint} --user-dir {USER_DIR} --task translation --cpu"
    log = run(validate, f"{line} --max-tokens 400 --required-batch-size-multiple 1 --no-progress-bar")
    (found,) = re.findall(r"valid on 'valid' subset \| loss ([\d.]+)", log)
    model, task = load(checkpoint)
    task.load_dataset("valid")
    data = task.dataset("valid")
    batch = data.collater([data[i] for i in range(len(data))])
    with torch.no_grad():
        scores = model.eval()(**batch["net_input"])[0]
    pad = task.target_dictionary.pad()
    nats = torch.nn.functional.cross_entropy(scores.flatten(0, 1), batch["target"].flatten(), ignore_index=pad)
    assert float(found) == pytest.approx(nats.item() / math.log(2), abs=2e-3)


@pytest.mark.parametrize("line", ["", "--no-share-decoder-input-output-embed"])
def test_a_language_model_learns_and_eval_lm_sees_it(tiny_data, tmp_path, line):
    data = language_model_data(tiny_data, tmp_path / "data")
    perplexities = []
    for updates in (1, 30):
        checkpoint = train(data, tmp_path / "lm", f"--max-update {updates} --lr 0.02 {line}", SMALL_LM)
        tested = f"{data} --path {checkpoint} --user-dir {USER_DIR} --cpu --tokens-per-sample 40"
        perplexities += map(float, re.findall(r"Perplexity: ([\d.]+)", run(eval_lm, tested)))
    assert perplexities[1] < perplexities[0] / 2
    assert any("output_embedding" in key for key in weights(checkpoint)) == bool(line)


@pytest.mark.parametrize("filter", ["real", "binary"])
def test_a_search_computes_the_matrix_once(tiny_data, monkeypatch, filter):
    calls = count_calls(monkeypatch, "project", "_up_to_date", "_compute")
    model, task = build(tiny_data, f"--alone-filter {filter} --alone-base-dim 140")
    model.eval()
    for length in (5, 25):
        settings = Namespace(beam=3, max_len_a=0, max_len_b=length, min_len=length)
        task.inference_step(task.build_generator([model], settings), [model], sentences(task))
        # Only the encoder and the first step, not each, look whether a weight has changed.
        assert calls.pop("project") == length + 1
        assert calls.pop("_up_to_date") == 2
    assert calls == {"_compute": 1}
