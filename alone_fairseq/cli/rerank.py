"""``alone rerank``: of several headlines the one that shares the most words with the text."""

from dataclasses import replace
from pathlib import Path

from alone_fairseq.cli.arguments import positive
from alone_fairseq.cli.hypotheses import read_log
from alone_fairseq.errors import UserError
from alone_fairseq.lines import read_lines, write_lines


def add_parser(subparsers):
    parser = subparsers.add_parser(
        "rerank",
        help="of several headlines the one that shares the most words with its text",
        description="Print for each line of the source the candidate with the most words that are in the source;"
        " of equals the one with the better score. Words with a letter count, but <unk>, each time they occur, and"
        " whether capital or not makes no difference.",
        epilog="example: alone translate --checkpoint F --data BIN --desired-length 75 --beam 20 --nbest 20"
        " < texts > candidates; alone rerank --candidates candidates --nbest 20 --source texts > headlines",
    )
    parser.add_argument(
        "--candidates",
        required=True,
        type=Path,
        metavar="LOG",
        help="what fairseq-generate --nbest N wrote; or, with --nbest, alone translate --nbest N",
    )
    parser.add_argument("--source", required=True, type=Path, metavar="FILE", help="the texts, one a line")
    parser.add_argument(
        "--nbest",
        type=positive,
        metavar="N",
        help="the candidates are plain lines, N for each line of the source, the best first",
    )
    parser.add_argument("--stem", action="store_true", help="compare Porter's stems, as `alone rouge` has them")
    parser.add_argument("--stop-words", type=Path, metavar="FILE", help="words that do not count")
    parser.add_argument(
        "--data",
        type=Path,
        metavar="BIN",
        help="take texts and candidates apart as its tokenizer.json says (default: at spaces)",
    )
    parser.set_defaults(run=run)


def run(arguments):
    from alone_fairseq.evaluation.rerank import Reranker

    source = read_lines(arguments.source)
    candidates = read_candidates(arguments.candidates, arguments.nbest)
    if len(candidates) != len(source):
        raise UserError(
            f"{arguments.candidates} has candidates for {len(candidates)} texts, but {arguments.source} has"
            f" {len(source)} lines"
        )
    reranker = Reranker(
        tokenize=tokenizer(arguments.data) if arguments.data else str,
        stem=stemmer() if arguments.stem else str,
        stop_words=" ".join(read_lines(arguments.stop_words)).lower().split() if arguments.stop_words else (),
    )
    write_lines(map(reranker.best, source, candidates))


def read_candidates(path, nbest):
    """For each text its candidates, (score, text)."""
    if nbest is None:
        from alone_fairseq.text import join_characters  # fairseq takes seconds to import

        with open(path, "rb") as log:
            found = read_log(log)
        texts = iter(join_characters([text for candidates in found for _, text in candidates]))
        return [[(score, next(texts)) for score, _ in candidates] for candidates in found]
    lines = read_lines(path)
    if len(lines) % nbest:
        raise UserError(f"{path}: {len(lines)} lines are no multiple of --nbest {nbest}")
    ranked = [(-(rank % nbest), line) for rank, line in enumerate(lines)]
    return [ranked[start : start + nbest] for start in range(0, len(ranked), nbest)]


def stemmer():
    from alone_fairseq.evaluation.stemmer import Stemmer  # NLTK takes a second to import

    return Stemmer()


def tokenizer(data):
    from alone_fairseq.text import TextPipeline, TextSettings  # and fairseq takes some

    settings = TextSettings.load(data / "tokenizer.json")
    return TextPipeline(replace(settings, bpe="none"), settings.source_lang).encode
