"""fairseq-train whose --patience goes on counting where a training was stopped.

fairseq counts validations without a gain in its process: a training that is resumed would wait for as many again.
Here they are read from the checkpoints of the epochs so far, without the first LEAD_EPOCHS of the environment,
which were on other data.
"""

import os
import sys
from argparse import ArgumentParser
from collections.abc import Sequence
from pathlib import Path

from fairseq_cli import train

from alone_fairseq.checkpoint.files import load_checkpoint


def without_gain(losses: Sequence[float | None], best: float | None) -> int:
    """How many of the last validations brought no gain; ``best`` may be older than ``losses``.

    Epochs that were not validated, None, do not count.
    """
    losses = [loss for loss in losses if loss is not None]
    return len(losses) - 1 - losses.index(best) if best in losses else len(losses)


def main() -> None:
    parser = ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument("--patience", type=int, default=-1)
    parser.add_argument("--save-dir", type=Path, default="checkpoints")  # as in fairseq
    known, _ = parser.parse_known_args()
    epochs = {int(path.stem[len("checkpoint") :]): path for path in known.save_dir.glob("checkpoint[0-9]*.pt")}
    first = int(os.environ.get("LEAD_EPOCHS", "0"))
    epochs = {epoch: path for epoch, path in epochs.items() if epoch > first}
    if known.patience > 0 and epochs:
        states = [load_checkpoint(path)["extra_state"] for _, path in sorted(epochs.items())]
        best = states[-1].get("best")
        count = without_gain([state.get("val_loss") for state in states], best)
        if count >= known.patience:
            print(f"no gain in the last {count} validations: the training has ended")
            return
        train.should_stop_early.best, train.should_stop_early.num_runs = best, count
    train.cli_main()


if __name__ == "__main__":
    sys.exit(main())
