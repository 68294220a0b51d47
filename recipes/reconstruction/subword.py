"""Tables 1 and 2 of Stratos 2017, similarity by epochs and distance, and analogy, beside the paper's figures."""

import json
import re
from collections import defaultdict
from pathlib import Path

from scores import FEWEST, Score, found_pairs, markdown, mean, notes, over_seeds, percent, read_scores, shown

from alone_fairseq.charts import chart
from alone_fairseq.checkpoint.files import replacing
from alone_fairseq.cli import Parser

# Table 1: mean of WordSim-353, MEN and Rare Words, teacher 0.50.
SIMILARITY = {
    "manhattan": {0: 0.03, 10: 0.09, 20: 0.11, 30: 0.12, 50: 0.13},
    "squared": {0: 0.03, 10: 0.12, 20: 0.12, 30: 0.14, 50: 0.15},
    "linf": {0: 0.03, 10: 0.12, 20: 0.10, 30: 0.09, 50: 0.10},
    "cosine": {0: 0.03, 10: 0.13, 20: 0.15, 30: 0.15, 50: 0.15},
}
# Table 2: per cent of the syntactic and semantic questions, after 10 epochs.
ANALOGY = {
    "random": (65.21, 1.13),
    "manhattan": (26.32, 2.20),
    "squared": (27.56, 2.47),
    "linf": (45.68, 1.74),
    "cosine": (23.77, 2.22),
    "teacher": (57.42, 59.58),
}


def cell(scores: list[Score], distance: str, epochs: int) -> list[Score]:
    name = f"plain-{distance}" if epochs else "plain-random"
    return [score for score in scores if (score.name, score.epochs) == (name, epochs)]


def similarity(scores: list[Score], distances: list[str], epochs: list[int], of: str) -> str:
    """``mean_rho``, on the pairs whose words were learnt, or ``mean_everywhere``, on all."""
    rows = []
    for distance in distances:
        cells = (cell(scores, distance, number) for number in epochs)
        rows.append((distance, *(over_seeds(found, lambda one: getattr(one, of)) for found in cells)))
        if of == "mean_rho":
            paper = (SIMILARITY.get(distance, {}).get(number) for number in epochs)
            rows.append(("  the paper", *("–" if value is None else f"{value:.2f}" for value in paper)))
    return markdown(("distance", *(f"{number} epochs" for number in epochs)), rows, left=1)


def analogy(found: dict) -> str:
    groups = list(next(iter(found.values()))["groups"])
    rows, seeds = [], defaultdict(list)
    for file, result in found.items():
        student = re.match(r"highway-(.+)-seed\d+-", file)
        seeds[student[1] if student else "teacher"].append(result["groups"])
    for name, results in seeds.items():
        shown = ([result[group] for result in results] for group in groups)
        paper = (f"{score:.2f}%" for score in ANALOGY[name]) if name in ANALOGY else ("–", "–")
        rows.append((name, *map(accuracy, shown), *paper))
    questions = next(iter(found.values()))["groups"]
    counted = ", ".join(f"{group} {one['questions']:,} of {one['total']:,}" for group, one in questions.items())
    heads = ("", *groups, "the paper: syntactic", "semantic")
    return f"{markdown(heads, rows, left=1)}\n\n3CosMul; questions whose words the teacher has: {counted}."


def accuracy(seeds: list[dict]) -> str:
    """Of one group of questions; all seeds have the same words, hence the same questions."""
    return percent([seed["3CosMul"] for seed in seeds]) if seeds[0]["questions"] else "none"


def plot(scores: list[Score], distances: list[str], epochs: list[int], file) -> None:
    with chart(file, "epochs", "mean of Spearman's rho") as axes:
        for distance in distances:
            points = {
                number: rho
                for number in epochs
                if (rho := mean(cell(scores, distance, number), lambda one: one.mean_rho)) is not None
            }
            axes.plot(points.keys(), points.values(), marker="o", label=distance)
        if (teacher := scores[0].mean_teacher) is not None:
            axes.axhline(teacher, linestyle="--", color="black", label="teacher")


def main() -> None:
    parser = Parser(
        description=__doc__, epilog="example: python recipes/reconstruction/subword.py --work work/subword"
    )
    parser.add_argument("--work", type=Path, default="work/subword", help="the recipe's --work (work/subword)")
    parser.add_argument("--pairs-sum", help="pairs, as the recipe knows them (those of the newest scores)")
    parser.add_argument("--distances", default=" ".join(SIMILARITY), metavar='"NAME ..."', help="rows")
    parser.add_argument("--epochs", default="0 10 20 30 50", metavar='"N ..."', help="columns")
    parser.add_argument("--plot", metavar="PNG", help="picture to write, or to replace")
    parser.add_argument("--analogy", type=Path, metavar="JSON", help="print Table 2 from this report, no more")
    arguments = parser.parse_args()
    if arguments.analogy:
        print(f"\nAnalogy\n\n{analogy(json.loads(arguments.analogy.read_text()))}")
        return
    scores = [
        score for score in read_scores(arguments.work, arguments.pairs_sum) if score.name.startswith("plain-")
    ]
    if not scores:
        parser.error(f"{arguments.work}: no student is done; start with recipes/reconstruction/subword.sh")
    distances, epochs = arguments.distances.split(), sorted(map(int, arguments.epochs.split()))
    print(
        f"Mean rho, pairs of words that were learnt: {found_pairs(scores[0])}; sets with {FEWEST} pairs or more."
    )
    print(f"Teacher: {shown(scores[0].mean_teacher)} (the paper's, on WordSim-353, MEN and Rare Words: 0.50).\n")
    print(similarity(scores, distances, epochs, "mean_rho"))
    print(f"\nMean rho of the same sets, all pairs; {scores[0].new:,} of their words were not learnt\n")
    print(similarity(scores, distances, epochs, "mean_everywhere"))
    print(f"\n{scores[0].parameters:,} parameters, {scores[0].share:.1%} of the teacher's values.")
    for note in notes(scores):
        print(note)
    if arguments.plot:
        with replacing(arguments.plot, force=True) as file:
            plot(scores, distances, epochs, file)
        print(f"{arguments.plot}")


if __name__ == "__main__":
    main()
