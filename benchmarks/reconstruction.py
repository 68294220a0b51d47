"""A step of --task embedding_reconstruction on fairseq's trainer against a bare loop of the same arithmetic.

The loop is Equation 4 as it is written: filters of a batch from the codebooks, two products, squared distance,
PyTorch's Adam. Both go through an epoch of random vectors in turn, batches and shuffling included.
"""

import logging
import tempfile
from pathlib import Path

import numpy as np
import report
import torch
from fairseq import options, tasks
from fairseq.data.iterators import GroupedIterator
from fairseq.dataclass.utils import convert_namespace_to_omegaconf
from fairseq.trainer import Trainer
from torch.nn import functional

import alone_fairseq
from alone_fairseq import AloneEmbedding

SETTINGS = """--task embedding_reconstruction --criterion embedding_reconstruction --arch student_alone
    --optimizer adam --lr 0.001 --disable-validation --no-save --cpu"""
FILTERS = ("real", "binary")


class Fairseq:
    """A call is an epoch of fairseq's trainer; ``loss`` that of its last batch."""

    def __init__(self, teacher: Path, kind: str, inter_dim: int, batch: int, more: list[str]):
        user_dir = Path(alone_fairseq.__file__).parent
        line = f"--teacher {teacher} --user-dir {user_dir} --alone-filter {kind} --alone-inter-dim {inter_dim}"
        words = [*SETTINGS.split(), *line.split(), "--batch-size", str(batch), *more]
        parsed = options.parse_args_and_arch(options.get_training_parser(), input_args=words)
        settings = convert_namespace_to_omegaconf(parsed)
        torch.manual_seed(1)
        task = tasks.setup_task(settings.task)
        self.trainer = Trainer(
            settings, task, task.build_model(settings.model), task.build_criterion(settings.criterion)
        )
        self.batches = self.trainer.get_train_iterator(epoch=1, load_dataset=True)

    def __call__(self) -> None:
        iterator = GroupedIterator(self.batches.next_epoch_itr(), 1)
        self.trainer.begin_epoch(self.batches.epoch)
        for samples in iterator:
            self.loss = self.trainer.train_step(samples)["loss"]
        self.batches = self.trainer.get_train_iterator(self.batches.next_epoch_idx, load_dataset=False)


class Bare:
    """A call is an epoch of the loop."""

    def __init__(self, teacher: torch.Tensor, kind: str, inter_dim: int, batch: int):
        torch.manual_seed(1)
        start = AloneEmbedding(*teacher.shape, filter=kind, inter_dim=inter_dim)
        self.filters = start.filters
        self.base, self.first, self.second = (p.detach().clone().requires_grad_() for p in start.parameters())
        self.optimizer = torch.optim.Adam([self.base, self.first, self.second])
        self.teacher, self.batch = teacher, batch

    def __call__(self) -> None:
        for words in torch.randperm(len(self.teacher)).split(self.batch):
            x = self.filters(words) * self.base  # (n, D_o)
            made = functional.linear(functional.linear(x, self.first).relu(), self.second)  # (n, D_e)
            loss = (made - self.teacher[words]).square().sum(1).mean()
            self.optimizer.zero_grad()
            loss.backward()
            self.optimizer.step()
            self.loss = loss.item()


def main() -> None:
    parser = report.parser(__doc__, "benchmarks/reconstruction.py --inter-dims 600")
    parser.add_argument("--words", type=report.positive, default=5000, metavar="V", help="(5000)")
    parser.add_argument("--dim", type=report.positive, default=300, metavar="D", help="of a vector (300)")
    parser.add_argument("--batch", type=report.positive, default=256, metavar="N", help="words of a batch (256)")
    parser.add_argument(
        "--inter-dims", type=report.positive, nargs="+", default=[600, 2400], metavar="N", help="(600 2400)"
    )
    arguments, more = report.parse(parser)
    logging.disable(logging.INFO)
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        teacher = Path(folder) / "teacher.npz"
        vectors = np.random.RandomState(1).randn(arguments.words, arguments.dim).astype(np.float32)
        np.savez(teacher, words=np.array([f"word{n}" for n in range(arguments.words)]), vectors=vectors)
        for inter_dim in arguments.inter_dims:
            for kind in FILTERS:
                epochs = {
                    "bare": Bare(torch.from_numpy(vectors), kind, inter_dim, arguments.batch),
                    "fairseq": Fairseq(teacher, kind, inter_dim, arguments.batch, more),
                }
                seconds = report.medians(epochs, arguments.rounds)
                steps = -(-arguments.words // arguments.batch)
                rows.append(
                    {
                        "D_inter": inter_dim,
                        "filter": kind,
                        **{f"{name}, ms a step": f"{1000 * seconds[name] / steps:.1f}" for name in epochs},
                        "× bare": f"{seconds['fairseq'] / seconds['bare']:.2f}",
                    }
                )
    report.write("reconstruction", rows, arguments.output, gpu=False)


if __name__ == "__main__":
    report.run(main)
