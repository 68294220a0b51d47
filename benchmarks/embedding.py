"""The matrix, forward and backward: what it adds to a lookup in time and in memory.

Each system looks up a batch of tokens, projects them on all words and goes back from the cross-entropy; from
250,000 words on, where the scores alone would fill the memory, the matrix gets a fixed gradient instead.
"bound" is the time of the second layer's three products and nothing else; "× formula" compares real filters with
the formula of real ones, binary with that of binary ones. 1 MB is 10^6 bytes.
"""

import argparse
import multiprocessing
import re
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path

import report
import torch
from torch.nn import functional

from alone_fairseq import AloneEmbedding
from alone_fairseq.baselines import LookupEmbedding
from alone_fairseq.errors import UserError
from alone_fairseq.storage import index
from alone_fairseq.word_embedding import WordEmbedding

DIM = 512
TOKENS = 3584  # of a batch, as in the paper's training
SCORES_UP_TO = 100_000  # words
SIZES = "37000x512 37000x1024 37000x2048 37000x4096 37000x8192 8000x2048 250000x2048 1000000x2048"
NOISE = 0.05  # of a lookup's time; of less than that no ratios are made


class Formula(AloneEmbedding):
    """Equations 1 to 3 as they are written: a row for each filter, all activations kept for the way back."""

    def __init__(self, *sizes, **options):
        super().__init__(*sizes, storage="expanded", **options)
        self.masks = self.filter_store.rows()  # (V, D_o)

    def _compute(self):
        first, second = self.weights
        hidden = functional.linear(self.masks * self.base, first).relu()  # (V, D_inter)
        return {"matrix": functional.linear(hidden, second)}  # (V, D_e)


class Factored(AloneEmbedding):
    """The first layer as a gather and a sum, the rest by PyTorch's autograd, all activations kept."""

    def _compute(self):
        first, second = self.weights
        table, codes = self.filter_store.tables(self.base.device)
        products = functional.linear(table * self.base, first)  # (M c, D_inter)
        hidden = functional.embedding_bag(index(codes, len(table)), products, mode="sum").relu()  # (V, D_inter)
        return {"matrix": functional.linear(hidden, second)}  # (V, D_e)


SYSTEMS = {
    "lookup": LookupEmbedding,
    "the formula": Formula,
    "the formula, binary": partial(Formula, filter="binary"),
    "factored": Factored,
    "factored, in chunks": AloneEmbedding,
    "binary, in chunks": partial(AloneEmbedding, filter="binary"),
}
LITERAL = {"binary, in chunks": "the formula, binary"}  # what a system is compared with, if not "the formula"
COLUMNS = ("seconds", "added", "× formula", "× bound", "MB added")
KEEPS_ACTIVATIONS = ("the formula", "the formula, binary", "factored")


@dataclass(frozen=True)
class Size:
    """V and D_inter."""

    vocab: int
    inter_dim: int

    @classmethod
    def parse(cls, text: str) -> "Size":
        if not re.fullmatch(r"[1-9]\d*x[1-9]\d*", text):
            raise argparse.ArgumentTypeError(f"{text!r} is not of the form VOCABULARYxINTER_DIM, as 37000x4096")
        return cls(*map(int, text.split("x")))

    def build(self, system: str) -> WordEmbedding:
        torch.manual_seed(1)
        options = {} if system == "lookup" else {"inter_dim": self.inter_dim}
        return SYSTEMS[system](self.vocab, DIM, **options)

    def needed_bytes(self, system: str) -> int:
        """At least what ``system`` needs at its peak, beside the model that all have.

        The matrix and its gradient; W_1 and W_2 and theirs; filters, if there is one a word; activations, their
        gradient and the ReLU's.
        """
        weights = 0 if system == "lookup" else 4 * self.inter_dim * DIM
        rows = 2 * DIM
        rows += 2 * DIM if "formula" in system else 0
        rows += 3 * self.inter_dim if system in KEEPS_ACTIVATIONS else 0
        return 4 * (self.vocab * rows + weights)

    def step(self, embedding: WordEmbedding):
        """One step, forward and backward, as a function without arguments."""
        if self.vocab > SCORES_UP_TO:
            gradient = fixed_gradient(self.vocab)
            return lambda: _clear(embedding, embedding.matrix().backward(gradient))
        torch.manual_seed(2)
        tokens, targets = torch.randint(self.vocab, (2, TOKENS))

        def with_scores():
            with embedding.shared_matrix():
                scores = embedding.project(embedding(tokens))
            _clear(embedding, functional.cross_entropy(scores, targets).backward())

        return with_scores

    def bound(self):
        """The second layer's three products, a few words at a time, in the cache."""
        rows = 512
        hidden, weight = torch.rand(rows, self.inter_dim), torch.randn(DIM, self.inter_dim)
        gradient, output, total = torch.randn(rows, DIM), torch.empty(rows, DIM), torch.zeros_like(weight)
        products = torch.empty_like(hidden)

        def three_products():
            for start in range(0, self.vocab, rows):
                n = min(rows, self.vocab - start)
                torch.mm(hidden[:n], weight.t(), out=output[:n])
                total.addmm_(gradient[:n].t(), hidden[:n])
                torch.mm(gradient[:n], weight, out=products[:n])

        return three_products


@lru_cache(maxsize=1)
def fixed_gradient(vocab: int) -> torch.Tensor:
    """Of the matrix, the same for all systems."""
    torch.manual_seed(2)
    return torch.randn(vocab, DIM)


def _clear(embedding, _backward_done) -> None:
    embedding.zero_grad(set_to_none=True)


def peak_bytes(size: Size, system: str) -> int:
    """Most memory that this process, a fresh one, holds in one step; what building took is not counted."""
    embedding = size.build(system)
    step = size.step(embedding)
    Path("/proc/self/clear_refs").write_text("5")  # starts the kernel's high-water mark anew
    step()
    return 1024 * int(re.search(r"VmHWM:\s+(\d+)", Path("/proc/self/status").read_text())[1])


def measure(size: Size, rounds: int) -> tuple[dict[str, float], dict[str, int]]:
    """Seconds, of "bound" too, and peak bytes of the systems that the memory is large enough for."""
    available = 1024 * int(re.search(r"MemAvailable:\s+(\d+)", Path("/proc/meminfo").read_text())[1])
    fitting = [system for system in SYSTEMS if size.needed_bytes(system) < 0.9 * available]
    if "lookup" not in fitting:
        raise UserError(f"{size.vocab:,} words: a lookup alone needs {size.needed_bytes('lookup') / 1e9:,.0f} GB")
    peaks = {}
    for system in fitting:
        with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as fresh:
            peaks[system] = fresh.submit(peak_bytes, size, system).result()
    steps = {"bound": size.bound()} | {system: size.step(size.build(system)) for system in fitting}
    return report.medians(steps, rounds), peaks


def table(size: Size, seconds: dict[str, float], peaks: dict[str, int]) -> list[dict]:
    """A row for each system; of what does not fit, what it would need."""
    noise = NOISE * seconds["lookup"]
    added = {system: seconds[system] - seconds["lookup"] for system in peaks}
    rows = []
    for system in SYSTEMS:
        row = {"V": size.vocab, "D_inter": size.inter_dim, "system": system} | dict.fromkeys(COLUMNS, "")
        if system in peaks:
            row["seconds"] = f"{seconds[system]:.2f}"
            row["added"] = f"{added[system]:.2f}"
            row["MB added"] = f"{(peaks[system] - peaks['lookup']) / 1e6:.0f}"
            if added[system] > noise:
                row["× bound"] = f"{added[system] / seconds['bound']:.2f}"
                literal = added.get(LITERAL.get(system, "the formula"), 0)
                row["× formula"] = f"{added[system] / literal:.2f}" if literal > noise else ""
        else:
            row["seconds"] = f"needs {size.needed_bytes(system) / 1e9:,.0f} GB or more"
        rows.append(row)
    return rows


def curves(rows: list[dict], column: str, along: str, fixed: str) -> dict[str, dict[float, float]]:
    """{system: {``along``: value}} at the value of ``fixed`` that has the most sizes."""
    values = [row[fixed] for row in rows]
    most = max(values, key=values.count)
    result: dict[str, dict[float, float]] = {}
    for row in rows:
        if row[fixed] == most and row["system"] != "lookup" and row.get(column):
            result.setdefault(row["system"], {})[row[along]] = float(row[column])
    return result


def parser() -> argparse.ArgumentParser:
    result = report.parser(__doc__, "benchmarks/embedding.py --sizes 37000x4096 37000x8192")
    result.add_argument(
        "--sizes",
        nargs="+",
        type=Size.parse,
        default=list(map(Size.parse, SIZES.split())),
        metavar="VxD",
        help=f"vocabulary and D_inter ({SIZES})",
    )
    return result


def main() -> None:
    arguments, _ = report.parse(parser(), for_fairseq=False)
    rows = []
    for size in arguments.sizes:
        print(f"V = {size.vocab:,}, D_inter = {size.inter_dim:,} ...", flush=True)
        rows += table(size, *measure(size, arguments.rounds))
    report.write("embedding", rows, arguments.output, gpu=False)
    for name, column, label, scale in (
        ("embedding-time", "added", "seconds added to a lookup", "log"),
        ("embedding-memory", "MB added", "MB added to a lookup", "linear"),
    ):
        report.draw(name, curves(rows, column, "D_inter", "V"), "D_inter", label, arguments.output)
        by_words = curves(rows, column, "V", "D_inter")
        report.draw(f"{name}-words", by_words, "words", label, arguments.output, xscale="log", yscale=scale)


if __name__ == "__main__":
    report.run(main)
