"""Compressed models beside the original and beside ALONE trained from the start, as a Markdown table.

Each is compared with the lookup of the same seed, the original, by the paired bootstrap of sacreBLEU.
"""

import logging
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "lib"))

from results import Run, against_lookup, finished_runs, markdown, read_lines, signatures

from alone_fairseq.cli import Parser

FROM_THE_START = {
    "lookup": "lookup, the original",
    "real": "ALONE from the start",
    "fast": "ALONE, fast, from the start",
}
COMPRESSED = {
    "int8": "int8",
    "untuned": "ALONE, fitted",
    "references": "ALONE, tuned on the references",
    "distillation": "ALONE, tuned with distillation",
}
VAL, TEST = "val", "test_2016_flickr"
HEADS = (
    "system",
    "embedding parameters",
    "embedding bytes",
    "BLEU val",
    "BLEU test_2016",
    "against the original",
    "updates",
    "minutes",
)


def embedding_bytes(run: Run) -> int:
    """In the file; for int8 a byte an element and a float32 scale a row: its checkpoint has their product."""
    if run.system != "int8":
        return run.contents.embedding_bytes
    return sum(sizes["vocab"] * (sizes["dim"] + 4) for sizes in run.contents.embeddings.values())


def row(run: Run, runs: list[Run], references: list[str]) -> tuple:
    trained = run.system != "int8"
    return (
        f"{(FROM_THE_START | COMPRESSED)[run.system]}, {run.size}",
        f"{run.contents.embedding_parameters:,}",
        f"{embedding_bytes(run):,}",
        f"{run.score(VAL)[1]:.2f}",
        f"{run.score(TEST)[1]:.2f}",
        against_lookup(run, runs, TEST, references),
        f"{run.contents.updates if trained else 0:,}",
        f"{run.minutes if trained else 0:.0f}",
    )


def main() -> None:
    parser = Parser(description=__doc__, epilog="example: python recipes/compress/table.py")
    parser.add_argument("--work", type=Path, default="work/compress", help="that of run.sh (work/compress)")
    parser.add_argument("--original", type=Path, default="work/multi30k", help="that of run.sh (work/multi30k)")
    parser.add_argument("--seed", type=int, default=1, help="of the runs (1)")
    arguments = parser.parse_args()
    logging.disable(logging.INFO)  # of sacreBLEU
    found = [
        *finished_runs(arguments.original, FROM_THE_START, TEST),
        *finished_runs(arguments.work, COMPRESSED, TEST),
    ]
    runs = [run for run in found if run.seed == arguments.seed]
    if not any(run.system in COMPRESSED for run in runs):
        parser.error(
            f"{arguments.work}: no finished run of seed {arguments.seed}; start with recipes/compress/run.sh"
        )
    references = read_lines(arguments.original / "text" / "raw" / f"{TEST}.de")
    print(markdown(HEADS, [row(run, runs, references) for run in runs], left=1))
    print(f"\nOne seed. sacreBLEU {signatures(runs, TEST)}; against the original: paired bootstrap of 1,000")
    print("samples, on test_2016. Updates and minutes are those of the training or the tuning, not of the fit.")


if __name__ == "__main__":
    main()
