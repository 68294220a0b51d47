"""fairseq-generate with a lookup, with ALONE, and with ALONE computed again at each step as in the paper's code.

Base Transformer, hypotheses of always the same length; the models are not trained, which costs no
time and saves none. Options after -- go to fairseq-generate, for example: -- --fp16
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

BATCHES = {1: 6, 32: 64}  # sentences in a batch: sentences to translate
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


def seconds_to_translate(data: Path, checkpoint: Path, user_dir: Path, batch: int, more: list[str]) -> float:
    """What fairseq-generate says that the search took, over all of the test set."""
    line = f"{data} --path {checkpoint} --user-dir {user_dir} --max-sentences {batch} --num-workers 0 --beam 4"
    line += f" --min-len {LENGTH - 1} --max-len-b {LENGTH - 1} --required-batch-size-multiple 1"
    log = synthetic.run("generate", [*line.split(), *more])
    told = re.search(r"Translated ([\d,]+) sentences \(([\d,]+) tokens\) in ([\d.]+)s", log).groups()
    sentences, tokens, seconds = (number.replace(",", "") for number in told)
    if (int(sentences), int(tokens)) != (BATCHES[batch], BATCHES[batch] * LENGTH):
        sys.exit(f"expected {BATCHES[batch]} sentences of {LENGTH} tokens:\n{log}")
    return float(seconds)


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


def main() -> None:
    parser = report.parser(__doc__, "benchmarks/decoding.py --rounds 5")
    parser.add_argument("--vocab", type=report.positive, default=37_000, metavar="V", help="words (37000)")
    arguments, more = report.parse(parser)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        data = {batch: synthetic.binarise(folder / f"{n}", arguments.vocab, n) for batch, n in BATCHES.items()}
        checkpoints = {model: build(data[32], model, folder / model) for model in MODELS}
        rows = []
        for batch, sentences in BATCHES.items():
            print(f"batches of {batch} ...", flush=True)
            steps = {
                system: partial(seconds_to_translate, data[batch], checkpoints[model], user_dir, batch, more)
                for system, (model, user_dir) in SYSTEMS.items()
            }
            seconds = report.medians(steps, arguments.rounds)
            rows += [
                {
                    "batch": batch,
                    "system": system,
                    "sentences/s": f"{sentences / seconds[system]:.3f}",
                    "tokens/s": f"{sentences * LENGTH / seconds[system]:.1f}",
                    "× lookup's speed": f"{seconds['lookup'] / seconds[system]:.3f}",
                }
                for system in SYSTEMS
            ]
        report.write("decoding", rows, arguments.output)
        speeds: dict[str, dict[str, float]] = {}
        for row in rows:
            speeds.setdefault(f"batches of {row['batch']}", {})[row["system"]] = float(row["sentences/s"])
        report.bars("decoding", speeds, "sentences a second", arguments.output)
        starts = {model: [] for model in MODELS}
        for _ in range(arguments.rounds):
            for model, checkpoint in checkpoints.items():
                with get_context("spawn").Pool(1) as fresh:
                    starts[model].append(fresh.apply(load_and_begin, (checkpoint,)))
        rows = []
        for model, seconds in starts.items():
            load, first = map(statistics.median, zip(*seconds, strict=True))
            rows.append({"system": model, "seconds to load": f"{load:.2f}", "to the first token": f"{first:.2f}"})
        report.write("start", rows, arguments.output)


if __name__ == "__main__":
    main()
