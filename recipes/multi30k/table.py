"""The recipe's results side by side: a Markdown table, and BLEU plotted against embedding parameters.

Each system is compared with the lookup of the same seed by the paired bootstrap of sacreBLEU.
"""

import logging
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "lib"))

from results import NOT_RUN, Run, against_lookup, finished_runs, markdown, plot_by_size, read_lines, signatures

from alone_fairseq.checkpoint.files import replacing
from alone_fairseq.cli import Parser

SYSTEMS = {
    "lookup": "lookup",
    "factorized": "factorized",
    "real": "ALONE, real",
    "binary": "ALONE, binary",
    "fast": "ALONE, fast",
}
VAL, TEST = "val", "test_2016_flickr"
HEADS = (
    "system",
    "seed",
    "embedding parameters",
    "checkpoint bytes",
    "BLEU val",
    "BLEU test_2016",
    "against lookup",
    "updates",
    "minutes",
)


def table(runs: list[Run], references: list[str]) -> str:
    rows = [
        (
            f"{SYSTEMS[run.system]}, {run.size}",
            run.seed,
            f"{run.contents.embedding_parameters:,}",
            f"{run.contents.file_bytes:,}",
            f"{run.score(VAL)[1]:.2f}",
            f"{run.score(TEST)[1]:.2f}",
            against_lookup(run, runs, TEST, references),
            f"{run.contents.updates:,}",
            f"{run.minutes:.0f}",
        )
        for run in runs
    ]
    missing = [system for system in SYSTEMS if all(run.system != system for run in runs)]
    rows += [(SYSTEMS[system], *[NOT_RUN] * (len(HEADS) - 1)) for system in missing]
    return markdown(HEADS, rows)


def main() -> None:
    parser = Parser(
        description=__doc__, epilog="example: python recipes/multi30k/table.py --plot work/multi30k/bleu.png"
    )
    parser.add_argument("--work", type=Path, default="work/multi30k", help="the recipe's --work (work/multi30k)")
    parser.add_argument("--plot", metavar="PNG", help="picture to write, or to replace")
    arguments = parser.parse_args()
    logging.disable(logging.INFO)  # of sacreBLEU and Matplotlib
    runs = finished_runs(arguments.work, SYSTEMS, TEST)
    if not runs:
        parser.error(f"{arguments.work}: no finished run; start with recipes/multi30k/run.sh")
    print(table(runs, read_lines(arguments.work / "text" / "raw" / f"{TEST}.de")))
    seeds = sorted({run.seed for run in runs})
    print(f"\n{'One seed' if len(seeds) == 1 else f'{len(seeds)} seeds'}. sacreBLEU {signatures(runs, TEST)};")
    print("against lookup: paired bootstrap of 1,000 samples with the lookup of the same seed, on test_2016.")
    if arguments.plot:
        curves = {label: [] for label in SYSTEMS.values()}
        for run in runs:
            curves[SYSTEMS[run.system]].append((run.contents.embedding_parameters, run.score(TEST)[1]))
        with replacing(arguments.plot, force=True) as file:
            plot_by_size(curves, "BLEU on test_2016", file)


if __name__ == "__main__":
    main()
