"""Which words a model predicts well: perplexity on the validation set, by how frequent the words are.

Bands are places in the target's dictionary, which has the most frequent words first; its special symbols, of which
the end of the sentence is one, are in the first. With --keep benchmarks/convergence.py leaves such checkpoints.
"""

import itertools
import math
from pathlib import Path

import report
import torch
from fairseq import utils

from alone_fairseq.checkpoint.files import load_checkpoint
from alone_fairseq.translate import direction, load_models

BANDS = (100, 1000)  # where the next one begins


@torch.no_grad()
def bits_by_word(checkpoint: Path, data: Path) -> tuple[torch.Tensor, torch.Tensor]:
    """Bits that the validation set's tokens take, summed by word, and how many there are: (V) each."""
    source, target = direction(str(checkpoint), load_checkpoint(checkpoint), data)
    (model,), task = load_models([str(checkpoint)], data, source, target)
    model.eval()
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    model.to(device)
    task.load_dataset("valid")
    batches = task.get_batch_iterator(task.dataset("valid"), max_tokens=4096).next_epoch_itr(shuffle=False)
    bits, counts = torch.zeros(2, len(task.target_dictionary), dtype=torch.float64)
    for sample in batches:
        sample = utils.move_to_cuda(sample) if device.type == "cuda" else sample
        scores = model.get_normalized_probs(model(**sample["net_input"]), log_probs=True)  # (batch, length, V)
        targets = sample["target"]  # (batch, length)
        counted = targets != task.target_dictionary.pad()
        told = scores.gather(-1, targets[..., None])[..., 0][counted]
        words = targets[counted].cpu()
        bits.index_add_(0, words, -told.double().cpu() / math.log(2))
        counts.index_add_(0, words, torch.ones_like(words, dtype=torch.float64))
    return bits, counts


def row(label: str, bits: torch.Tensor, counts: torch.Tensor) -> dict[str, str]:
    """Perplexity in each band, and of all."""
    ends = [0, *(end for end in BANDS if end < len(bits)), len(bits)]
    bands = {f"words {a:,} to {b - 1:,}": slice(a, b) for a, b in itertools.pairwise(ends)} | {"all": slice(None)}
    return {"model": label} | {
        name: f"{2 ** (bits[band].sum() / counts[band].sum()):.1f}" if counts[band].sum() else ""
        for name, band in bands.items()
    }


def main() -> None:
    example = "benchmarks/bands.py --data work/multi30k/bin --checkpoints work/benchmarks/convergence-300/*.pt"
    parser = report.parser(__doc__, example, rounds=False)
    parser.add_argument("--data", type=Path, required=True, metavar="BIN", help="binarised corpus")
    parser.add_argument("--checkpoints", type=Path, nargs="+", required=True, metavar="F")
    arguments, _ = report.parse(parser, for_fairseq=False)
    rows = [row(path.stem, *bits_by_word(path, arguments.data)) for path in arguments.checkpoints]
    report.write("bands", rows, arguments.output)


if __name__ == "__main__":
    report.run(main)
