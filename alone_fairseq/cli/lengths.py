"""``alone lengths``: how far outputs are from the wanted length."""

import json
from pathlib import Path

from alone_fairseq.checkpoint.files import check_other_file, replacing
from alone_fairseq.errors import UserError
from alone_fairseq.lines import read_lines

LABELS = {
    "absolute": "mean absolute deviation  {:.2f} characters",
    "squared": "mean squared deviation   {:.2f}",
    "deviation": "mean deviation           {:+.2f}",
    "exact": "as long as wanted        {:.1%}",
    "longer": "longer than wanted       {:.1%}",
    "length": "mean length              {:.2f}",
    "items": "outputs                  {}",
}


def add_parser(subparsers):
    parser = subparsers.add_parser(
        "lengths",
        help="how far outputs are from the wanted length",
        description="Mean absolute and squared deviation of lengths, in characters, from the wanted one.",
        epilog="example: alone lengths --hypotheses headlines.txt --desired 75 --plot lengths.png",
    )
    parser.add_argument("--hypotheses", required=True, type=Path, metavar="FILE", help="the outputs, one a line")
    parser.add_argument(
        "--desired", required=True, metavar="N|FILE", help="the wanted length, or a file with one for each line"
    )
    parser.add_argument("--plot", metavar="PNG", help="histogram to write")
    parser.add_argument("--force", action="store_true", help="replace the histogram if it exists")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.set_defaults(run=run)


def run(arguments):
    # Imported here, for `alone doctor` must run where they do not.
    from alone_fairseq.evaluation.lengths import Lengths
    from alone_fairseq.headline import GOLD, read_desired_length

    if arguments.plot:
        check_other_file(arguments.plot, arguments.hypotheses, arguments.desired)
    wanted = read_desired_length(arguments.desired, "--desired")
    if wanted == GOLD:
        raise UserError("--desired gold: give a number, or a file with the length of each reference")
    lengths = Lengths.of(read_lines(arguments.hypotheses), wanted)
    if arguments.plot:
        with replacing(arguments.plot, arguments.force) as file:
            lengths.plot(file)
    report = lengths.report()
    if arguments.json:
        print(json.dumps(report, indent=2))
    else:
        print("\n".join(label.format(report[name]) for name, label in LABELS.items()))
