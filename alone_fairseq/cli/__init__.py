"""The ``alone`` command: one subcommand a file."""

import argparse
import io
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from alone_fairseq.cli import (
    analogy,
    average,
    compress,
    doctor,
    export,
    grow,
    hypotheses,
    import_,
    lengths,
    neighbours,
    params,
    plot,
    rerank,
    rouge,
    similarity,
    tagging,
    teacher,
    translate,
    user_dir,
)
from alone_fairseq.errors import UserError

COMMANDS = (
    translate,
    average,
    compress,
    export,
    grow,
    import_,
    hypotheses,
    rerank,
    rouge,
    lengths,
    params,
    plot,
    teacher,
    similarity,
    analogy,
    neighbours,
    tagging,
    doctor,
    user_dir,
)


class Parser(argparse.ArgumentParser):
    """Answers a wrong argument in one line, and takes no beginning of an option for the whole one."""

    def __init__(self, **options):
        super().__init__(**options, allow_abbrev=False)

    def error(self, message: str):
        self.exit(2, f"{self.prog}: error: {message}; see {self.prog} --help\n")


def build_parser() -> argparse.ArgumentParser:
    parser = Parser(prog="alone", description="All word embeddings from one embedding.")
    subparsers = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for command in COMMANDS:
        command.add_parser(subparsers)
    return parser


@contextmanager
def ended_by_sigterm() -> Iterator[None]:
    """Let a SIGTERM end the block as an error does, so that no temporary file is left."""
    if threading.current_thread() is not threading.main_thread():  # which alone may set handlers
        yield
        return
    before = signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def main(argv: list[str] | None = None) -> int:
    arguments = build_parser().parse_args(argv)
    if isinstance(sys.stdout, io.TextIOWrapper):  # text is UTF-8 whatever the locale
        sys.stdout.reconfigure(encoding="utf-8")
    try:
        with ended_by_sigterm():
            return arguments.run(arguments) or 0
    except UserError as error:
        print(f"alone: error: {error}", file=sys.stderr)
    except BrokenPipeError:  # the reader of our output went away, as in `alone translate ... | head`
        sys.stderr.close()
    except OSError as error:  # a full disk, a missing file, a folder that may not be written to
        name = "" if error.filename is None else f": {error.filename or repr(error.filename)}"
        print(f"alone: error: {error.strerror or error}{name}", file=sys.stderr)
    except KeyboardInterrupt:
        print("alone: interrupted", file=sys.stderr)
        return 130
    return 1
