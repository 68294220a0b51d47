"""Arguments that several commands share, and their types."""

import math

from alone_fairseq.errors import UserError


def positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise ValueError
    return number


positive.__name__ = "positive number"  # argparse writes: invalid positive number value: '0'


def not_negative(text: str) -> int:
    number = int(text)
    if number < 0:
        raise ValueError
    return number


not_negative.__name__ = "number"


def finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError
    return number


finite.__name__ = "number"


def check_above_zero(name: str, value: float | None) -> None:
    """Refuse a number of an option, if it is given, that is not above 0 or not finite."""
    if value is not None and not 0 < value < math.inf:
        raise UserError(f"{name} must be above 0, and finite")


def check_seed(seed: int) -> None:
    """Refuse what NumPy takes for no seed."""
    if not 0 <= seed < 1 << 32:
        raise UserError("--seed must be 0 or more, and below 2^32")


def add_learnt_only(parser) -> None:
    parser.add_argument(
        "--learnt-only",
        action="store_true",
        help="no vectors from students for words that they have not learnt",
    )
