"""Raw text to the tokens a model reads, and back: the same steps before training and in ``alone translate``.

A recipe writes them down once, in ``tokenizer.json``, and leaves that in the folder of the binarised data:

    {"version": 1, "source_lang": "en", "target_lang": "de",
     "tokenizer": "moses", "lowercase": false, "bpe": "subword_nmt", "codes": "codes.txt"}

version       1
source_lang   language codes, as in the names of fairseq's dictionaries; Moses has rules for each language
target_lang
tokenizer     "moses" (sacremoses) or "none" (the default: split at spaces)
escape        whether Moses writes &amp; and so on for its special characters (default: false), and undoes it
normalize_punctuation  whether quotation marks, dashes, spaces and so on get one form first, as the script of
              that name in Moses does (default: false)
lowercase     whether all text is lower-cased (default: false)
bpe           "subword_nmt", "sentencepiece" or "none" (the default)
codes         the codes of subword-nmt or the model of sentencepiece, relative to this file
target_bpe    "same" (the default: the target is cut as the source is), or "characters": each is a token, and @@@@
              stands for a space, and the target is not tokenised, so that a length in tokens is one in characters

and prepares each file with

    python -m alone_fairseq.text tokenize --config tokenizer.json --lang en < raw > words   # to learn codes
    python -m alone_fairseq.text segment --config tokenizer.json --lang en < words > tokens

or with ``apply``, which is both at once; ``decode`` leads back from tokens to text. Files named NAME.en and
NAME.de are done in one go, and by several processes:

    python -m alone_fairseq.text apply --config tokenizer.json --workers 8 --into tokens raw/*.en raw/*.de

One line in is one line out; an empty line stays empty.
"""

import argparse
import json
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import redirect_stderr
from dataclasses import dataclass, fields, replace
from functools import partial
from io import StringIO
from multiprocessing import Pool
from pathlib import Path
from typing import BinaryIO

import sentencepiece
from fairseq.data.data_utils import post_process
from sacremoses import MosesDetokenizer, MosesPunctNormalizer, MosesTokenizer
from subword_nmt.apply_bpe import BPE
from tqdm import tqdm

from alone_fairseq.checkpoint.files import replacing
from alone_fairseq.cli.arguments import positive
from alone_fairseq.errors import UserError
from alone_fairseq.lines import read_windows, write_lines

CHOICES = {
    "version": (1,),
    "tokenizer": ("moses", "none"),
    "escape": (True, False),
    "normalize_punctuation": (True, False),
    "lowercase": (True, False),
    "bpe": ("subword_nmt", "sentencepiece", "none"),
    "target_bpe": ("same", "characters"),
}
SPACE = "@@@@"  # among characters


@dataclass(frozen=True)
class TextSettings:
    """What ``tokenizer.json`` says."""

    version: int
    source_lang: str
    target_lang: str
    tokenizer: str = "none"
    escape: bool = False
    normalize_punctuation: bool = False
    lowercase: bool = False
    bpe: str = "none"
    codes: Path | None = None
    target_bpe: str = "same"

    @property
    def target_units(self) -> str:
        """What the target's tokens are: one of the values of ``bpe``, or ``characters``."""
        return self.bpe if self.target_bpe == "same" else self.target_bpe

    @classmethod
    def load(cls, path: Path) -> "TextSettings":
        """Read ``tokenizer.json``; a ``UserError`` says what is wrong with it."""
        if not path.is_file():
            raise UserError(f"{path}: not there; to write it, see: python -m pydoc alone_fairseq.text")
        try:
            settings = cls(**json.loads(path.read_text(encoding="utf-8")))
        except ValueError as error:
            raise UserError(f"{path}: not JSON: {error}") from error
        except TypeError as error:
            names = ", ".join(field.name for field in fields(cls))
            raise UserError(f"{path}: must name {names}; those after target_lang may be left out") from error
        for name, choices in CHOICES.items():
            value = getattr(settings, name)
            if value not in choices:
                expected = " or ".join(map(json.dumps, choices))
                raise UserError(f"{path}: {name} must be {expected}, not {json.dumps(value)}")
        if settings.bpe == "none":
            return replace(settings, codes=None)
        if not isinstance(settings.codes, str):
            raise UserError(f"{path}: codes must name the file that {settings.bpe} has learnt")
        return replace(settings, codes=path.parent / settings.codes)


class TextPipeline:
    """Raw text of one language to tokens with a space between, and back.

    Args:
        segment: cut words, too, into the units that the model reads; for learning these, words as they are.
    """

    def __init__(self, settings: TextSettings, lang: str, segment: bool = True):
        self.settings = settings
        moses = settings.tokenizer == "moses"
        self._normalizer = MosesPunctNormalizer(lang) if settings.normalize_punctuation else None
        self._tokenizer = MosesTokenizer(lang) if moses else None
        self._detokenizer = MosesDetokenizer(lang) if moses else None
        self._characters = lang == settings.target_lang and settings.target_units == "characters"
        self._segment = str
        if segment:
            self._segment = to_characters if self._characters else load_segmenter(settings)
        if self._characters:  # those of the text as it is written, or lengths would be those of something else
            self._tokenizer = self._detokenizer = None

    def encode(self, text: str) -> str:
        """The tokens of ``text``; nothing but spaces gives an empty string."""
        if self._normalizer:
            text = self._normalizer.normalize(text)
        # Whatever Python takes for white space would be taken for the end of a line or token further on.
        text = " ".join(text.split())
        if self._tokenizer:
            text = self._tokenizer.tokenize(text, return_str=True, escape=self.settings.escape)
        if self.settings.lowercase:
            text = text.lower()
        return self._segment(text)

    def decode(self, tokens: str) -> str:
        """The text that ``tokens`` stand for; capitals, and what the tokenizer joined, are not restored."""
        text = from_characters(tokens) if self._characters else post_process(tokens, self.settings.bpe)
        if self._detokenizer:
            text = self._detokenizer.detokenize(text.split(), unescape=self.settings.escape)
        return text


def to_characters(text: str) -> str:
    return " ".join(SPACE if character == " " else character for character in text)


def from_characters(tokens: str) -> str:
    return "".join(" " if token == SPACE else token for token in tokens.split(" ")).strip()


def join_characters(texts: Sequence[str]) -> list[str]:
    """The texts, put together again if a token for a space shows that they are cut into characters."""
    cut = any(SPACE in text.split(" ") for text in texts)
    return [from_characters(text) for text in texts] if cut else list(texts)


def in_pieces(model: sentencepiece.SentencePieceProcessor, text: str) -> str:
    return " ".join(model.encode(text, out_type=str))


def load_segmenter(settings: TextSettings):
    """The function that splits words into the units that ``settings.codes`` has learnt."""
    if settings.bpe == "none":
        return str
    if not settings.codes.is_file():
        raise UserError(f"{settings.codes}: not there; it should be what {settings.bpe} has learnt")
    try:
        if settings.bpe == "sentencepiece":
            model = sentencepiece.SentencePieceProcessor(model_file=str(settings.codes))
            return partial(in_pieces, model)  # which other processes can be given
        # About a file of another kind subword-nmt writes two lines and exits; one line of ours will do.
        with open(settings.codes, encoding="utf-8") as codes, redirect_stderr(StringIO()):
            return BPE(codes).segment
    except (RuntimeError, SystemExit, UnicodeDecodeError) as error:
        raise UserError(f"{settings.codes}: not what {settings.bpe} has learnt") from error


ACTIONS = ("apply", "tokenize", "segment", "decode")
WINDOW = 1000  # lines that a worker gets at once
_convert = str  # a worker's copy of the function that is applied to each line


def converter(action: str, settings: TextSettings, lang: str) -> Callable[[str], str]:
    if lang not in (settings.source_lang, settings.target_lang):
        languages = f"{settings.source_lang} or {settings.target_lang}"
        raise UserError(f"the language {lang} is not one of the two in tokenizer.json, {languages}")
    if action == "segment":  # all else is done
        settings = replace(settings, tokenizer="none", normalize_punctuation=False, lowercase=False)
    pipeline = TextPipeline(settings, lang, segment=action != "tokenize")
    return pipeline.decode if action == "decode" else pipeline.encode


def _start_worker(convert: Callable[[str], str]) -> None:
    global _convert
    _convert = convert


def _convert_line(line: str) -> str:
    return _convert(line)


def converted(stream: BinaryIO, convert: Callable[[str], str], workers: int) -> Iterator[list[str]]:
    """Groups of the lines of a stream, each converted, by several processes if ``workers`` says so."""
    if workers == 1:
        for _, lines in read_windows(stream, WINDOW):
            yield list(map(convert, lines))
        return
    with Pool(workers, _start_worker, (convert,)) as pool:
        # Several windows a worker, so that none waits long for the others; not all the text at once.
        for _, lines in read_windows(stream, 8 * WINDOW * workers):
            yield pool.map(_convert_line, lines, WINDOW)


def check_files(sources: Sequence[Path], targets: Sequence[Path]) -> None:
    """Refuse to write over a file that is read, or twice into the same one."""
    if len(set(targets)) < len(targets):
        raise UserError("two files of the same name cannot go into one folder")
    read = {path.resolve() for path in sources}
    for path in targets:
        if path.resolve() in read:
            raise UserError(f"{path}: would be overwritten while it is read; choose another --into")


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m alone_fairseq.text",
        description="Raw text to tokens, as tokenizer.json says: from standard input to standard output, or a file"
        " for each file.",
        epilog="example: python -m alone_fairseq.text apply --config tokenizer.json --lang en < raw > tokens",
    )
    parser.add_argument(
        "action", choices=ACTIONS, help="all steps, those before BPE, BPE alone; or from tokens back to text"
    )
    parser.add_argument("files", nargs="*", type=Path, metavar="NAME.LANG", help="instead of standard input")
    parser.add_argument("--into", type=Path, metavar="DIR", help="folder for what is made of files")
    parser.add_argument("--config", type=Path, required=True, metavar="JSON", help="tokenizer.json")
    parser.add_argument("--lang", help="of standard input: source_lang or target_lang of tokenizer.json")
    parser.add_argument("--workers", type=positive, default=1, metavar="N", help="processes (default: 1)")
    arguments = parser.parse_intermixed_args(argv)
    if bool(arguments.files) == bool(arguments.lang) or bool(arguments.files) != bool(arguments.into):
        parser.error("give --lang and standard input, or files and --into")
    targets = [arguments.into / path.name for path in arguments.files]
    check_files(arguments.files, targets)
    settings = TextSettings.load(arguments.config)
    with tqdm(unit=" lines", disable=not sys.stderr.isatty()) as bar:
        if not arguments.files:
            convert = converter(arguments.action, settings, arguments.lang)
            for lines in converted(sys.stdin.buffer, convert, arguments.workers):
                write_lines(lines)
                bar.update(len(lines))
        converters = [
            converter(arguments.action, settings, path.suffix.removeprefix(".")) for path in arguments.files
        ]
        for path, output, convert in zip(arguments.files, targets, converters, strict=True):
            with open(path, "rb") as source, replacing(output, force=True) as target:
                for lines in converted(source, convert, arguments.workers):
                    target.writelines(f"{line}\n".encode() for line in lines)
                    bar.update(len(lines))


if __name__ == "__main__":
    try:
        main()
    except (UserError, OSError) as error:
        sys.exit(f"alone_fairseq.text: error: {error}")
