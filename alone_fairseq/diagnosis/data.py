"""The folder of ``fairseq-preprocess``: are its dictionaries there, and both files of each side?"""

import re
from collections.abc import Iterator
from contextlib import redirect_stderr
from io import StringIO
from pathlib import Path

from alone_fairseq.diagnosis import Finding, ok, problem, warning
from alone_fairseq.errors import UserError

# train.de-en.de.bin of a translation, train.bin of a language model; without .bin or .idx it is raw text.
SPLIT = re.compile(r"((?:train|valid|test)\d*)(?:\.([^.-]+)-([^.-]+)\.[^.-]+)?(\.bin|\.idx)?")


def folder(data: Path) -> Iterator[Finding]:
    """All that shows in the names and sizes of the files; does without fairseq."""
    if not has_dictionary(data):
        yield no_dictionary(data)
        return
    complete = []
    for (split, source, target), binary in sorted(splits(data).items(), key=str):
        # With --only-source, fairseq-preprocess calls the target language None.
        languages = [language for language in (source, target) if language not in (None, "None")]
        name = f"{split}.{source}-{target}" if source else split
        missing = missing_files(data, [f"{name}.{language}" for language in languages] or [name])
        if orphans := [language for language in languages if not (data / f"dict.{language}.txt").is_file()]:
            yield problem(f"{data}: no dict.{orphans[0]}.txt for {name}: run fairseq-preprocess again")
        elif not binary:
            yield warning(f"{data}: {name} is raw text: add --dataset-impl raw, or binarise it")
        elif missing:
            yield problem(
                f'{data}: {missing[0]} is missing or empty, so that fairseq stops with "no attribute'
                ' \'_bin_buffer_mmap\'" or "Dataset not found": run fairseq-preprocess again'
            )
        else:
            complete.append(name)
    if complete:
        yield ok(f"{data}: {', '.join(complete)}")
    elif not splits(data):
        yield warning(
            f"{data}: no train.SRC-TGT.LANG.bin, nor valid or test: enough to translate, but not to train"
        )


def splits(data: Path) -> dict[tuple[str, str | None, str | None], bool]:
    """{(split, source, target): whether any of its files is binary}; no languages in a language model's."""
    found: dict[tuple[str, str | None, str | None], bool] = {}
    for match in filter(None, (SPLIT.fullmatch(path.name) for path in data.iterdir())):
        found[match.group(1, 2, 3)] = found.get(match.group(1, 2, 3), False) or match[4] is not None
    return found


def has_dictionary(folder: Path) -> bool:
    return folder.is_dir() and any(folder.glob("dict.*txt"))


def no_dictionary(data: Path) -> Finding:
    near = [data.parent, *(sorted(data.iterdir()) if data.is_dir() else ())]
    if better := next(filter(has_dictionary, near), None):
        return problem(f"{data}: no dict.*.txt in it, but in {better}: give that as the data")
    what = "no dict.*.txt in it" if data.is_dir() else "no such folder"
    return problem(f"{data}: {what}: give the folder that fairseq-preprocess wrote, its --destdir")


def missing_files(data: Path, sides: list[str]) -> list[str]:
    """Files of a split without which fairseq cannot read it."""
    files = [data / f"{side}{end}" for side in sides for end in (".bin", ".idx")]
    return [file.name for file in files if not (file.is_file() and file.stat().st_size)]


def contents(data: Path) -> Iterator[Finding]:
    """Whether fairseq can read the binary files to their end."""
    for index in sorted(data.glob("*.idx")):
        side = index.with_suffix("")
        if not missing_files(data, [side.name]) and not readable(side):
            yield problem(f"{side}.bin or .idx is cut short: copy both once more, or run fairseq-preprocess again")


def readable(side: Path) -> bool:
    from fairseq.data.data_utils import load_indexed_dataset

    with redirect_stderr(StringIO()):  # a dataset that failed to open complains again when it goes
        try:
            dataset = load_indexed_dataset(str(side))
            dataset[len(dataset) - 1]
            return True
        except Exception:
            return False


def dictionaries(data: Path) -> Finding:
    """Whether fairseq reads the dictionaries, and whether they are one."""
    from fairseq.data import Dictionary

    loaded = {}
    for path in sorted(data.glob("dict.*txt")):
        try:
            loaded[path.name] = Dictionary.load(str(path))
        except Exception as error:
            return problem(f"{path}: {' '.join(str(error).split())}: run fairseq-preprocess again")
    sizes = ", ".join(f"{name} of {len(dictionary):,} words" for name, dictionary in loaded.items())
    first, *others = loaded.values()
    if any(other != first for other in others):
        return warning(
            f"{data}: {sizes}, which differ: to train with one embedding, binarise with --joined-dictionary;"
            " otherwise train with --no-share-all-embeddings"
        )
    return ok(f"{data}: {sizes}")


def tokenizer(data: Path) -> Iterator[Finding]:
    """Whether ``alone translate`` knows how to make tokens of raw text."""
    from alone_fairseq.text import TextSettings, load_segmenter

    if (data / "dict.txt").is_file():  # of a language model, which translates nothing
        return
    if not (data / "tokenizer.json").is_file():
        yield warning(
            f"{data}: no tokenizer.json, without which alone translate cannot make tokens of text:"
            " see python -m pydoc alone_fairseq.text"
        )
        return
    try:
        load_segmenter(TextSettings.load(data / "tokenizer.json"))
    except UserError as error:
        yield problem(str(error))
    else:
        yield ok(f"{data}: tokenizer.json")
