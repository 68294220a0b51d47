"""``alone doctor``: what is wrong here, and what to do about it."""

from collections.abc import Iterator
from pathlib import Path

from alone_fairseq.diagnosis import Finding, checkpoint, data, environment


def add_parser(subparsers):
    parser = subparsers.add_parser(
        "doctor",
        help="say what is wrong here, and what to do about it",
        description="Check Python, PyTorch, fairseq and, if given, binarised data and a checkpoint. Prints a"
        " line for each check: ok, warning or problem. Exits with status 1 if there is a problem.",
        epilog="example: alone doctor --data BIN --checkpoint checkpoints/checkpoint_best.pt",
    )
    parser.add_argument("--data", type=Path, metavar="BIN", help="fairseq-preprocess's --destdir")
    parser.add_argument("--checkpoint", metavar="F", help="a checkpoint of fairseq")
    parser.set_defaults(run=run)


def run(arguments):
    levels = set()
    for finding in diagnose(arguments.data, arguments.checkpoint):
        print(f"{finding.level:8} {finding.text}", flush=True)
        levels.add(finding.level)
    return int("problem" in levels)


def diagnose(folder: Path | None, path: str | None) -> Iterator[Finding]:
    """Each check in turn; those that need fairseq only if it works."""
    yield environment.python()
    yield environment.pytorch()
    yield environment.safe_loading()
    yield from environment.distributions()
    yield from environment.user_dir()
    yield (fairseq := environment.fairseq())
    works = fairseq.level == "ok"
    readable = folder is not None and data.has_dictionary(folder)
    if folder is not None:
        yield from data.folder(folder)
    if works and readable:
        yield from data.contents(folder)
        yield data.dictionaries(folder)
        yield from data.tokenizer(folder)
    if path is not None:
        loaded, state = checkpoint.load(path)
        yield loaded
        if works and state:
            yield (model := checkpoint.model(path, state))
            if readable and model.level == "ok":
                yield checkpoint.dictionaries(path, state, folder)
