"""A dozen texts with their headlines at each length, to read."""

import sys
from pathlib import Path

from alone_fairseq.cli import Parser
from alone_fairseq.cli.arguments import positive
from alone_fairseq.errors import UserError
from alone_fairseq.lines import read_lines


def main() -> None:
    parser = Parser(
        description=__doc__, epilog="example: python recipes/headline/show.py --run real_512-lrpe_pe-seed1"
    )
    parser.add_argument("--work", type=Path, default="work/headline", help="of run.sh (work/headline)")
    parser.add_argument("--run", required=True, metavar="NAME", help="a folder of a row in it")
    parser.add_argument("--count", type=positive, default=12, metavar="N", help="texts (12)")
    arguments = parser.parse_args()
    raw = arguments.work / "text" / "raw"
    files = sorted(
        (arguments.work / arguments.run).glob("test-*.best"), key=lambda path: (len(path.name), path.name)
    )
    if not files:
        parser.error(f"{arguments.work / arguments.run}: no headlines of test; run run.sh to the end")
    columns = {"text": read_lines(raw / "test.en"), "reference": read_lines(raw / "test.headline")}
    columns |= {path.stem.removeprefix("test-"): read_lines(path) for path in files}
    texts = len(columns["text"])
    for number in range(0, texts, max(1, texts // arguments.count))[: arguments.count]:
        for label, lines in columns.items():
            print(f"{label:<10}{lines[number]}")
        print()


if __name__ == "__main__":
    try:
        main()
    except (UserError, OSError) as error:
        sys.exit(f"{Path(__file__).name}: {error}")
