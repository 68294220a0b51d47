"""The recipe's results side by side: a Markdown table, and BLEU plotted against embedding parameters.

Each system is compared with the lookup of the same seed by the paired bootstrap of sacreBLEU.
"""

import argparse
import logging
import re
from dataclasses import dataclass
from pathlib import Path

from sacrebleu.metrics import BLEU
from sacrebleu.significance import PairedTest

from alone_fairseq.charts import chart
from alone_fairseq.checkpoint.contents import Contents, read_contents
from alone_fairseq.checkpoint.files import replacing

SYSTEMS = {
    "lookup": "lookup",
    "factorized": "factorized",
    "real": "ALONE, real",
    "binary": "ALONE, binary",
    "fast": "ALONE, fast",
}
VAL, TEST = "val", "test_2016_flickr"
RUN = re.compile(rf"({'|'.join(SYSTEMS)})(?:-\d+)?-seed(\d+)")
SCORE = re.compile(r"BLEU\|(\S+) = ([\d.]+)")
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


@dataclass
class Run:
    """What a finished run has left in its folder."""

    folder: Path
    system: str
    seed: int
    contents: Contents
    minutes: float  # of training, up to the newest of the averaged checkpoints

    @property
    def name(self) -> str:
        sizes = next(iter(self.contents.embeddings.values()))
        letters = {"inter_dim": "D_inter", "factorized_dim": "r", "dim": "D_e"}
        size = next(size for size in letters if size in sizes)
        return f"{SYSTEMS[self.system]}, {letters[size]} = {sizes[size]:,}"

    def score(self, name: str) -> tuple[str, float]:
        """sacreBLEU's signature and score, as the recipe has recorded them."""
        signature, score = SCORE.match((self.folder / f"{name}.bleu").read_text()).groups()
        return signature, float(score)

    def translations(self) -> list[str]:
        return read_lines(self.folder / f"{TEST}.de")


def finished_runs(work: Path) -> list[Run]:
    """By system, the larger ones first."""
    runs = []
    for folder in work.iterdir():
        name = RUN.fullmatch(folder.name)
        if name and (folder / f"{TEST}.bleu").exists():
            contents, state = read_contents(folder / "averaged.pt")
            minutes = state["extra_state"]["previous_training_time"] / 60
            runs.append(Run(folder, name[1], int(name[2]), contents, minutes))
    order = list(SYSTEMS)
    return sorted(runs, key=lambda r: (order.index(r.system), -r.contents.embedding_parameters, r.seed))


def read_lines(path: Path) -> list[str]:
    return path.read_text(encoding="utf-8").removesuffix("\n").split("\n")


def against_lookup(run: Run, runs: list[Run], references: list[str]) -> str:
    """The difference in BLEU on the test set, and the probability of one as large if there were none."""
    lookup = next((r for r in runs if r.system == "lookup" and r.seed == run.seed), run)
    if lookup is run:
        return "–"
    systems = [("lookup", lookup.translations()), (run.name, run.translations())]
    _, scores = PairedTest(systems, {"BLEU": BLEU(references=[references])}, None, "bs")()
    base, result = scores["BLEU"]
    return f"{result.score - base.score:+.2f} (p = {result.p_value:.3f})"


def table(runs: list[Run], references: list[str]) -> str:
    rows = [
        (
            run.name,
            run.seed,
            f"{run.contents.embedding_parameters:,}",
            f"{run.contents.file_bytes:,}",
            f"{run.score(VAL)[1]:.2f}",
            f"{run.score(TEST)[1]:.2f}",
            against_lookup(run, runs, references),
            f"{run.contents.updates:,}",
            f"{run.minutes:.0f}",
        )
        for run in runs
    ]
    missing = [system for system in SYSTEMS if all(run.system != system for run in runs)]
    rows += [(SYSTEMS[system], *["not run"] * (len(HEADS) - 1)) for system in missing]
    lines = [HEADS, ["---"] * 2 + ["---:"] * (len(HEADS) - 2), *rows]
    return "\n".join(f"| {' | '.join(map(str, line))} |" for line in lines)


def plot(runs: list[Run], file) -> None:
    """Write a PNG: a point for each run, a line through the systems' sizes."""
    with chart(file, "embedding parameters (millions)", "BLEU on test_2016") as axes:
        for system, label in SYSTEMS.items():
            points: dict[float, list[float]] = {}
            for run in runs:
                if run.system == system:
                    points.setdefault(run.contents.embedding_parameters / 1e6, []).append(run.score(TEST)[1])
            if points:
                line = axes.plot(points.keys(), [sum(p) / len(p) for p in points.values()], label=label)
                crowd = [(size, score) for size, scores in points.items() for score in scores]
                axes.scatter(*zip(*crowd, strict=True), color=line[0].get_color())


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, epilog="example: python recipes/multi30k/table.py --plot work/multi30k/bleu.png"
    )
    parser.add_argument("--work", type=Path, default="work/multi30k", help="the recipe's --work (work/multi30k)")
    parser.add_argument("--plot", metavar="PNG", help="picture to write, or to replace")
    arguments = parser.parse_args()
    logging.disable(logging.INFO)  # of sacreBLEU and Matplotlib
    runs = finished_runs(arguments.work) if arguments.work.is_dir() else []
    if not runs:
        parser.error(f"{arguments.work}: no finished run; start with recipes/multi30k/run.sh")
    print(table(runs, read_lines(arguments.work / "text" / "raw" / f"{TEST}.de")))
    seeds = sorted({run.seed for run in runs})
    print(f"\n{'One seed' if len(seeds) == 1 else f'{len(seeds)} seeds'}. sacreBLEU {runs[0].score(TEST)[0]};")
    print("against lookup: paired bootstrap of 1,000 samples with the lookup of the same seed, on test_2016.")
    if arguments.plot:
        with replacing(arguments.plot, force=True) as file:
            plot(runs, file)


if __name__ == "__main__":
    main()
