"""Arguments that several commands share, and their types."""

import math


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


def add_learnt_only(parser) -> None:
    parser.add_argument(
        "--learnt-only",
        action="store_true",
        help="no vectors from students for words that they have not learnt",
    )
