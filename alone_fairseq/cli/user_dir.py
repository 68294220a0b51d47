"""``alone user-dir``: where the plugin is, for fairseq's ``--user-dir``."""

from pathlib import Path

import alone_fairseq


def add_parser(subparsers):
    parser = subparsers.add_parser(
        "user-dir",
        help="print the folder to give to fairseq's --user-dir",
        description="Print the folder to give to fairseq's --user-dir.",
        epilog='example: fairseq-train BIN --user-dir "$(alone user-dir)" --arch transformer_alone ...',
    )
    parser.set_defaults(run=run)


def run(arguments):
    print(Path(alone_fairseq.__file__).parent)
