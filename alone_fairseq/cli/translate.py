"""``alone translate``: raw text in, raw text out."""

import sys
from pathlib import Path

from tqdm import tqdm

from alone_fairseq.cli.arguments import finite, positive
from alone_fairseq.errors import UserError
from alone_fairseq.lines import read_windows, write_lines

WINDOW = 1000  # lines read ahead, so that those of one length can share a batch


def add_parser(subparsers):
    parser = subparsers.add_parser(
        "translate",
        help="translate raw text",
        description="Translate raw text from standard input, a line in for a line out.",
        epilog="example: alone translate --checkpoint checkpoints/averaged.pt --data BIN < in.en > out.de",
    )
    parser.add_argument(
        "--checkpoint", required=True, metavar="F", help="the model; several with ':' between: an ensemble"
    )
    parser.add_argument(
        "--data", required=True, type=Path, metavar="BIN", help="binarised data, with tokenizer.json"
    )
    parser.add_argument("--beam", type=positive, default=4, metavar="N", help="size of the beam (default: 4)")
    parser.add_argument(
        "--nbest", type=positive, default=1, metavar="N", help="translations of each line (default: 1)"
    )
    parser.add_argument(
        "--lenpen", type=finite, default=1.0, help="length penalty: above 1 favours longer ones (default: 1)"
    )
    parser.add_argument(
        "--batch-size", type=positive, default=64, metavar="N", help="lines in a batch, at most (default: 64)"
    )
    parser.add_argument(
        "--max-tokens",
        type=positive,
        default=4096,
        metavar="N",
        help="source tokens in a batch, at most (default: 4096); a longer line is a batch of its own",
    )
    parser.add_argument(
        "--desired-length",
        metavar="N|FILE",
        help="wanted number of target tokens, or a file with one for each line, for models with --length-control",
    )
    parser.add_argument("--max-bytes", type=positive, metavar="N", help="bytes that no translation exceeds")
    parser.add_argument("--bpe-codes", type=Path, metavar="F", help="in place of those tokenizer.json names")
    parser.add_argument("--source-lang", metavar="L", help="if BIN holds several pairs of languages")
    parser.add_argument("--target-lang", metavar="L", help="if BIN holds several pairs of languages")
    parser.add_argument("--cpu", action="store_true", help="use no GPU even if there is one")
    parser.add_argument("--fp16", action="store_true", help="half precision, on a GPU")
    parser.set_defaults(run=run)


def run(arguments):
    # Imported here, for `alone doctor` must run where fairseq does not.
    from alone_fairseq.headline import read_wanted
    from alone_fairseq.translate import Translator, search_settings

    desired = read_wanted(arguments.desired_length)
    translator = Translator(
        arguments.checkpoint,
        arguments.data,
        search_settings(arguments.beam, desired, nbest=arguments.nbest, lenpen=arguments.lenpen),
        source_lang=arguments.source_lang,
        target_lang=arguments.target_lang,
        bpe_codes=arguments.bpe_codes,
        desired_length=desired,
        max_bytes=arguments.max_bytes,
        max_tokens=arguments.max_tokens,
        batch_size=arguments.batch_size,
        cpu=arguments.cpu,
        fp16=arguments.fp16,
    )
    # A bar among the lines that are typed or read in the same terminal would be in the way.
    hidden = sys.stdin.isatty() or sys.stdout.isatty() or not sys.stderr.isatty()
    count = 0
    with tqdm(unit=" lines", disable=hidden) as bar:
        for first, lines in read_windows(sys.stdin.buffer, WINDOW):
            translations = translator.translate(lines, first, progress=bar.update)
            write_lines(text for texts in translations for text in texts)
            count += len(lines)
    if isinstance(desired, list) and count < len(desired):
        raise UserError(f"{arguments.desired_length}: has {len(desired):,} lengths, but the text {count:,} lines")
