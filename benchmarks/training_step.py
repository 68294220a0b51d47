"""A whole training step in fairseq, the update included: all systems in turn, as multiples of a lookup's.

The model is the base Transformer of the paper, the batch is one of --max-tokens tokens. All models are in memory
together, some 20 GB; --systems takes fewer. Options after -- go to fairseq, for example: -- --fp16
"""

import logging
import tempfile
from pathlib import Path

import report
import synthetic
import torch
from fairseq import options, tasks
from fairseq.data.iterators import GroupedIterator
from fairseq.dataclass.utils import convert_namespace_to_omegaconf
from fairseq.trainer import Trainer

import alone_fairseq

SETTINGS = """--arch transformer_alone_wmt_en_de --max-tokens 3584 --required-batch-size-multiple 1
    --criterion label_smoothed_cross_entropy --label-smoothing 0.1 --optimizer adam --lr 1e-4
    --num-workers 0 --disable-validation --no-save"""
SYSTEMS = {
    "lookup": "--embedding lookup",
    "factorized, r = 112": "--embedding factorized --factorized-dim 112",
    **{
        f"ALONE, {kind}, D_inter = {size:,}{', ReLU dropout' if dropout else ''}": (
            f"--alone-filter {kind} --alone-inter-dim {size} --alone-relu-dropout {dropout}"
        )
        for kind in ("real", "binary")
        for size in (4096, 8192)
        for dropout in (0, 0.2)
    },
}


class Step:
    """A model of ``system`` on fairseq's trainer; a call makes one update on always the same batch."""

    def __init__(self, data: Path, system: str, more: list[str]):
        user_dir = Path(alone_fairseq.__file__).parent
        arguments = [str(data), "--user-dir", str(user_dir), *SETTINGS.split(), *SYSTEMS[system].split()]
        if not torch.cuda.is_available():
            arguments.append("--cpu")
        parsed = options.parse_args_and_arch(options.get_training_parser(), input_args=[*arguments, *more])
        settings = convert_namespace_to_omegaconf(parsed)
        torch.manual_seed(1)
        task = tasks.setup_task(settings.task)
        self.trainer = Trainer(
            settings, task, task.build_model(settings.model), task.build_criterion(settings.criterion)
        )
        iterator = self.trainer.get_train_iterator(epoch=1, load_dataset=True)
        self.trainer.begin_epoch(1)
        self.batch = next(GroupedIterator(iterator.next_epoch_itr(shuffle=False), 1))
        self.parameters = sum(p.numel() for p in self.trainer.model.parameters())

    def __call__(self) -> None:
        self.trainer.train_step(self.batch)


def main() -> None:
    parser = report.parser(__doc__, "benchmarks/training_step.py --systems factorized real")
    parser.add_argument(
        "--systems", nargs="+", metavar="NAME", help="those whose names contain one of these (all)", default=[""]
    )
    parser.add_argument("--vocab", type=synthetic.words, default=37_000, metavar="V", help="words (37000)")
    arguments, more = report.parse(parser)
    others = [name for name in SYSTEMS if name != "lookup"]
    for part in arguments.systems:
        if not any(part in name for name in others):
            parser.error(f"--systems: {part!r} is in none of {'; '.join(others)}")
    chosen = [name for name in others if any(part in name for part in arguments.systems)]
    logging.disable(logging.INFO)
    with tempfile.TemporaryDirectory() as folder:
        data = synthetic.binarise(Path(folder), arguments.vocab, sentences=2000)
        steps = {name: Step(data, name, more) for name in ["lookup", *chosen]}
        seconds = report.medians(steps, arguments.rounds)
    rows = [
        {
            "system": name,
            "parameters": step.parameters,
            "seconds": f"{seconds[name]:.3f}",
            "× lookup": f"{seconds[name] / seconds['lookup']:.3f}",
        }
        for name, step in steps.items()
    ]
    report.write("training_step", rows, arguments.output)
    ratios = {row["system"]: float(row["× lookup"]) for row in rows}
    report.bars("training_step", {"": ratios}, "seconds of a step by those with a lookup", arguments.output)


if __name__ == "__main__":
    report.run(main)
