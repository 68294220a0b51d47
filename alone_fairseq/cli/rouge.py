"""``alone rouge``: ROUGE recall as DUC 2004 scores headlines."""

import json
from pathlib import Path

from alone_fairseq.cli.arguments import not_negative
from alone_fairseq.errors import UserError
from alone_fairseq.lines import read_lines

EXAMPLES = "example: alone rouge --hypotheses headlines.txt --references task1_ref0.txt task1_ref1.txt"


def add_parser(subparsers):
    parser = subparsers.add_parser(
        "rouge",
        help="ROUGE recall at 75 bytes, as on DUC 2004",
        description="Recall of ROUGE-1, ROUGE-2 and ROUGE-L, with 95 % confidence intervals, and a signature that"
        " says how it was computed. The defaults are those of DUC 2004, ROUGE-1.5.5.pl -m -b 75 -n 2 -w 1.2 -a.",
        epilog=EXAMPLES,
    )
    parser.add_argument("--hypotheses", required=True, type=Path, metavar="FILE", help="one a line")
    parser.add_argument(
        "--references",
        required=True,
        type=Path,
        nargs="+",
        metavar="FILE",
        help="a file for each reference, line by line those of the hypotheses; an empty line is no reference",
    )
    parser.add_argument(
        "--bytes",
        type=not_negative,
        default=75,
        metavar="N",
        help="where hypotheses and references are cut (default: 75; 0: nowhere)",
    )
    parser.add_argument("--no-stem", action="store_true", help="compare words, not their stems")
    parser.add_argument(
        "--aggregate",
        choices=["pooled", "best", "mean"],
        default="pooled",
        help="several references: all in one (as ROUGE-1.5.5 -f A), the best (-f B), or the mean of recalls",
    )
    parser.add_argument(
        "--exceptions",
        type=Path,
        nargs="+",
        metavar="FILE",
        help="WordNet's noun.exc, verb.exc, adj.exc, adv.exc: the irregular forms that ROUGE-1.5.5 knows",
    )
    parser.add_argument("--json", action="store_true", help="print JSON, with fractions in place of percent")
    parser.set_defaults(run=run)


def run(arguments):
    # Imported here, for `alone doctor` must run where NLTK does not.
    from alone_fairseq.evaluation.rouge import Rouge
    from alone_fairseq.evaluation.stemmer import read_exceptions

    hypotheses = read_lines(arguments.hypotheses)
    references = [read_lines(path) for path in arguments.references]
    for path, lines in zip(arguments.references, references, strict=True):
        if len(lines) != len(hypotheses):
            raise UserError(
                f"{arguments.hypotheses} has {len(hypotheses)} lines and {path} {len(lines)};"
                " each line needs its reference"
            )
    rouge = Rouge(
        bytes=arguments.bytes,
        stem=not arguments.no_stem,
        aggregate=arguments.aggregate,
        exceptions=read_exceptions(arguments.exceptions) if arguments.exceptions else None,
    )
    score = rouge.score(hypotheses, references)
    print(json.dumps(score.as_json(), indent=2) if arguments.json else score)
