"""Options of fairseq-train for a checkpoint's last epochs, in which the learning rate goes down to 0 in a line.

The line begins at the rate that the checkpoint was left with. Printed as one line.
"""

import argparse
import sys

from alone_fairseq.checkpoint.files import load_checkpoint, update_number
from alone_fairseq.errors import UserError


def options(path: str, epochs: int) -> list[str]:
    """For ``epochs`` more than the checkpoint, made at the end of one, has; of as many updates each, on average.

    Raises:
        UserError: it has no state to go on from.
    """
    state = load_checkpoint(path)
    try:
        done = state["extra_state"]["train_iterator"]["epoch"] - 1
        rate = state["last_optimizer_state"]["param_groups"][0]["lr"]
    except (LookupError, TypeError):
        raise UserError(f"{path}: a training cannot go on from it; it has no state of an optimizer") from None
    updates = update_number(state)
    total = round(updates * (1 + epochs / done))
    # fairseq's schedule is a line from update 0 on.
    start = rate * total / (total - updates)
    return [
        *("--reset-lr-scheduler", "--lr-scheduler", "polynomial_decay", "--lr", repr(start)),
        *("--warmup-updates", "0", "--total-num-update", str(total)),
        *("--max-epoch", str(done + epochs), "--patience", "-1"),
        *("--max-update", "0", "--stop-time-hours", "0"),  # no limit, whatever ended the training
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("checkpoint", help="of the end of an epoch")
    parser.add_argument("epochs", type=int)
    arguments = parser.parse_args()
    try:
        print(*options(arguments.checkpoint, arguments.epochs))
    except UserError as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()
