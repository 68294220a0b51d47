"""fairseq-generate with a lookup, with ALONE, and with ALONE computed again at each step as in the paper's code.

Base Transformer, hypotheses of always the same length; the models are not trained, which costs no
time and saves none. The one computation of ALONE's matrix is in its time, as in every fairseq-generate. Options
after -- go to fairseq-generate, for example: -- --fp16
"""

import logging
import re
import statistics
import sys
import tempfile
import time
from argparse import Namespace
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import report
import synthetic
import torch
from fairseq import checkpoint_utils, utils

import alone_fairseq

BATCHES = {1: 160, 32: 640}  # sentences in a batch: sentences to translate, two minutes' work or one
FEWER = {1: 2, 32: 32}  # where each takes so much longer
LENGTH = 25  # of a hypothesis, </s> included
USER_DIR = Path(alone_fairseq.__file__).parent
RECOMPUTE = Path(__file__).parent / "recompute"
MODELS = {"lookup": "--embedding lookup", "ALONE": "--alone-inter-dim 4096"}
SYSTEMS = {"lookup": ("lookup", USER_DIR), "ALONE": ("ALONE", USER_DIR), "ALONE, recomputed": ("ALONE", RECOMPUTE)}


def build(data: Path, model: str, folder: Path) -> Path:
    """A checkpoint of ``model``, after one small update."""
    line = f"{data} --user-dir {USER_DIR} --arch transformer_alone_wmt_en_de --optimizer sgd --lr 1e-4 --cpu"
    line += f" --max-tokens 64 --max-update 1 --disable-validation --no-epoch-checkpoints --save-dir {folder}"
    synthetic.run("train", [*line.split(), "--no-save-optimizer-state", *MODELS[model].split()])
    return folder / "checkpoint_last.pt"


def seconds_a_sentence(
    data: Path, sentences: int, checkpoint: Path, user_dir: Path, batch: int, more: list[str]
) -> float:
    """What fairseq-generate says that the search took, over all of the test set, which has ``sentences``."""
    line = f"{data} --path {checkpoint} --user-dir {user_dir} --max-sentences {batch} --num-workers 0 --beam 4"
    line += f" --min-len {LENGTH - 1} --max-len-b {LENGTH - 1} --required-batch-size-multiple 1"
    log = synthetic.run("generate", [*line.split(), *more])
    told = re.search(r"Translated ([\d,]+) sentences \(([\d,]+) tokens\) in ([\d.]+)s", log).groups()
    found, tokens, seconds = (number.replace(",", "") for number in told)
    if (int(found), int(tokens)) != (sentences, sentences * LENGTH):
        sys.exit(f"expected {sentences} sentences of {LENGTH} tokens:\n{log}")
    return float(seconds) / sentences


def load_and_begin(checkpoint: Path) -> tuple[float, float]:
    """Seconds to load a model, and from then on to the first token of a translation."""
    logging.disable(logging.INFO)
    utils.import_user_module(Namespace(user_dir=str(USER_DIR)))
    start = time.perf_counter()
    models, settings, task = checkpoint_utils.load_model_ensemble_and_task([str(checkpoint)])
    device = "cuda" if torch.cuda.is_available() else "cpu"
    models[0].to(device)
    loaded = time.perf_counter()
    generator = task.build_generator(models, Namespace(beam=4, max_len_a=0, max_len_b=1))
    tokens = torch.tensor([[10, 11, 12, task.source_dictionary.eos()]], device=device)
    sample = {"net_input": {"src_tokens": tokens, "src_lengths": torch.tensor([4], device=device)}}
    task.inference_step(generator, models, sample)
    report.synchronise()
    return loaded - start, time.perf_counter() - loaded


def speeds(
    data: dict[int, Path], checkpoints: dict[str, Path], batches: list[int], rounds: int, more: list[str]
) -> list[dict]:
    """Of each system, for each size of a batch."""
    rows = []
    for batch in batches:
        print(f"batches of {batch} ...", flush=True)
        steps, counts = {}, {}
        for system, (model, user_dir) in SYSTEMS.items():
            n = counts[system] = (FEWER if user_dir == RECOMPUTE else BATCHES)[batch]
            steps[system] = partial(seconds_a_sentence, data[n], n, checkpoints[model], user_dir, batch, more)
        seconds = report.medians(steps, rounds, warm_up=False)
        rows += [
            {
                "batch": batch,
                "system": system,
                "sentences": counts[system],
                "sentences/s": f"{1 / seconds[system]:.3f}",
                "tokens/s": f"{LENGTH / seconds[system]:.1f}",
                "× lookup's speed": f"{seconds['lookup'] / seconds[system]:.3f}",
            }
            for system in SYSTEMS
        ]
    return rows


def starts(checkpoints: dict[str, Path], rounds: int) -> list[dict]:
    """Of each model, in a fresh process."""
    measured = {model: [] for model in MODELS}
    for _ in range(rounds):
        for model, checkpoint in checkpoints.items():
            with get_context("spawn").Pool(1) as fresh:
                measured[model].append(fresh.apply(load_and_begin, (checkpoint,)))
    rows = []
    for model, seconds in measured.items():
        load, first = map(statistics.median, zip(*seconds, strict=True))
        rows.append({"system": model, "seconds to load": f"{load:.2f}", "to the first token": f"{first:.2f}"})
    return rows


def main() -> None:
    parser = report.parser(__doc__, "benchmarks/decoding.py --rounds 5")
    parser.add_argument("--vocab", type=synthetic.words, default=37_000, metavar="V", help="words (37000)")
    parser.add_argument(
        "--batches",
        nargs="+",
        type=int,
        choices=BATCHES,
        default=list(BATCHES),
        help="their sizes (1 32)",
    )
    arguments, more = report.parse(parser)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        counts = {*BATCHES.values(), *FEWER.values()}
        data = {n: synthetic.binarise(folder / f"{n}", arguments.vocab, n) for n in counts}
        checkpoints = {model: build(data[max(counts)], model, folder / model) for model in MODELS}
        rows = speeds(data, checkpoints, arguments.batches, arguments.rounds, more)
        report.write("decoding", rows, arguments.output)
        bars: dict[str, dict[str, float]] = {}
        for row in rows:
            bars.setdefault(f"batches of {row['batch']}", {})[row["system"]] = float(row["sentences/s"])
        report.bars("decoding", bars, "sentences a second", arguments.output)
        rows = starts(checkpoints, arguments.rounds)
        report.write("start", rows, arguments.output)
        labels = ("seconds to load", "to the first token")
        bars = {label: {row["system"]: float(row[label]) for row in rows} for label in labels}
        report.bars("start", bars, "seconds", arguments.output)


if __name__ == "__main__":
    report.run(main)
