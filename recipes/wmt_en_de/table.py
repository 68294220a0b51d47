"""Table 2 with the paper's figures beside ours, as text, Markdown and CSV, and two pictures.

Each row is compared with the lookup of the same seed by the paired bootstrap of sacreBLEU. Where a row was trained
with several of the dropouts that its file in conf/ offers, the one with the lowest validation loss counts.
"""

import logging
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "lib"))

from results import (
    NOT_RUN,
    Run,
    against_lookup,
    finished_runs,
    plot_by_size,
    read_lines,
    signatures,
    write_tables,
)

from alone_fairseq.checkpoint.files import replacing
from alone_fairseq.cli import Parser
from alone_fairseq.cli.plot import draw, read_curve
from alone_fairseq.errors import UserError

# Of Table 2: the method, and the paper's embedding parameters and BLEU.
ROWS = {
    "lookup": ("Transformer (conventional word embeddings)", "16.8M", 27.12),
    "factorized_128": ("Transformer (factorized embed)", "4.3M", 26.43),
    "factorized_256": ("Transformer (factorized embed)", "8.5M", 26.56),
    "binary_4096": ("Transformer+ALONE (Binary)", "4.2M", 26.97),
    "real_4096": ("Transformer+ALONE (Real number)", "4.2M", 26.93),
    "binary_8192": ("Transformer+ALONE (Binary)", "8.4M", 27.55),
    "real_8192": ("Transformer+ALONE (Real number)", "8.4M", 27.61),
    "binary_4096_frozen": ("ALONE (Binary) without training o", "4.2M", 26.75),
    "real_4096_frozen": ("ALONE (Real number) without training o", "4.2M", 26.85),
    "binary_8192_frozen": ("ALONE (Binary) without training o", "8.4M", 26.90),
    "real_8192_frozen": ("ALONE (Real number) without training o", "8.4M", 26.95),
}
FAMILIES = {
    "lookup": "lookup",
    "factorized": "factorized",
    "binary": "ALONE, binary",
    "real": "ALONE, real",
    "frozen": "ALONE, o not trained",
}
VALID, TEST = "newstest2013", "newstest2014"
HEADS = (
    "method",
    "row",
    "seed",
    "embed",
    "parameters",
    "dropout",
    "valid loss",
    "BLEU 2013",
    "BLEU 2014",
    "paper embed",
    "paper BLEU",
    "against lookup",
    "updates",
    "minutes",
)
EXPLANATION = """\
embed, parameters: of the embeddings, and of the whole model. valid loss: lowest negative log-likelihood on
newstest2013, in bits. paper: Table 2, BLEU on newstest2014. against lookup: difference in BLEU on newstest2014
from the lookup of the same seed, and p of the paired bootstrap with 1,000 samples. Detokenised, case-sensitive
sacreBLEU,"""


def offered(row: str) -> set[str]:
    """The variants of a row that stand for it in Table 2: those with a dropout of its file in conf/."""
    lines = (Path(__file__).parent / "conf" / f"{row}.conf").read_text().splitlines()
    (dropouts,) = (line.removeprefix("dropout ") for line in lines if line.startswith("dropout "))
    return {"", *(f"dropout{value}" for value in dropouts.split(","))}


def chosen(runs: list[Run]) -> list[Run]:
    """Of each row and seed, among the dropouts that conf/ offers, the run with the lowest validation loss."""
    best: dict[tuple[str, int], Run] = {}
    for run in runs:
        if run.variant in offered(run.system):
            other = best.setdefault((run.system, run.seed), run)
            if (run.validation or float("inf")) < (other.validation or float("inf")):
                best[run.system, run.seed] = run
    return list(best.values())


def cells(run: Run, runs: list[Run], references: list[str]) -> tuple:
    contents = run.contents
    return (
        f"{ROWS[run.system][0]}, {run.size}",
        run.system,
        run.seed,
        f"{contents.embedding_parameters:,}",
        f"{contents.parameters:,}",
        run.settings["dropout"],
        "–" if run.validation is None else f"{run.validation:.3f}",
        f"{run.score(VALID)[1]:.2f}",
        f"{run.score(TEST)[1]:.2f}",
        ROWS[run.system][1],
        f"{ROWS[run.system][2]:.2f}",
        against_lookup(run, runs, TEST, references),
        f"{contents.updates:,}",
        f"{run.minutes:.0f}",
    )


def rows_of(runs: list[Run], references: list[str]) -> list[tuple]:
    rows = []
    for name, (method, size, paper) in ROWS.items():
        found = [run for run in runs if run.system == name]
        rows += [cells(run, runs, references) for run in found]
        if not found:
            known = {"method": method, "row": name, "paper embed": size, "paper BLEU": f"{paper:.2f}"}
            rows.append(tuple(known.get(head, NOT_RUN) for head in HEADS))
    return rows


def family(run: Run) -> str:
    kind = "frozen" if run.system.endswith("_frozen") else run.system.partition("_")[0]
    return FAMILIES[kind]


def main() -> None:
    parser = Parser(description=__doc__, epilog="example: python recipes/wmt_en_de/table.py --work work/wmt_en_de")
    parser.add_argument("--work", type=Path, default="work/wmt_en_de", help="of run.sh (work/wmt_en_de)")
    parser.add_argument("--variants", action="store_true", help="all runs, with what sweep.sh has varied")
    arguments = parser.parse_args()
    logging.disable(logging.INFO)  # of sacreBLEU and Matplotlib
    work, everything = arguments.work, finished_runs(arguments.work, ROWS, TEST)
    if not everything:
        parser.error(f"{work}: no finished run; start with recipes/wmt_en_de/run.sh")
    references = read_lines(work / "clean" / "raw" / f"{TEST}.de")
    name, heads, runs = "table", HEADS, chosen(everything)
    if not runs and not arguments.variants:
        names = ", ".join(run.folder.name for run in everything)
        parser.error(f"{work}: no finished run of a row of Table 2, only {names}; --variants shows all")
    rows = rows_of(runs, references)
    if arguments.variants:
        name, heads = "sweep", ("variant", *HEADS)
        rows = [(run.variant or "–", *cells(run, everything, references)) for run in everything]
    note = f"{EXPLANATION}\n{signatures(everything, TEST)}."
    files = write_tables(work / name, heads, rows, note, left=3 if arguments.variants else 2)
    print(files[0].read_text(encoding="utf-8"))
    if not arguments.variants:
        files += draw_all(runs, work)
    print(*files, sep="\n")


def draw_all(runs: list[Run], work: Path) -> list[Path]:
    """Figure 4, of the first seed, and BLEU by embedding parameters, of all seeds."""
    seed = min(run.seed for run in runs)
    shown = {
        f"{run.system}, dropout {run.settings['dropout']}": read_curve(run.folder / "train.log", "nll_loss")
        for run in runs
        if run.seed == seed and run.validation is not None
    }
    pictures = [work / "bleu.png"]
    if shown:
        pictures.append(work / "figure4.png")
        with replacing(pictures[-1], force=True) as file:
            draw(shown.keys(), shown.values(), "nll_loss", file)
    curves = {label: [] for label in FAMILIES.values()}
    for run in runs:
        curves[family(run)].append((run.contents.embedding_parameters, run.score(TEST)[1]))
    with replacing(pictures[0], force=True) as file:
        plot_by_size(curves, f"BLEU on {TEST}", file)
    return pictures


if __name__ == "__main__":
    try:
        main()
    except (UserError, OSError) as error:
        sys.exit(f"{Path(__file__).name}: {error}")
