"""Table 1 of Ohashi et al. 2020: mean rho and size of students, with the local loss and with the global loss."""

import argparse
from pathlib import Path

from scores import (
    FEWEST,
    NOT_RUN,
    Score,
    found_pairs,
    larger,
    markdown,
    mean,
    over_seeds,
    read_scores,
    share,
    shown,
)

from alone_fairseq.charts import chart
from alone_fairseq.checkpoint.files import replacing

NAMES = {
    "char_rnn": "Character-RNN",
    "char_cnn": "Character-CNN",
    "ngram_bag": "Bag of N-gram (small)",
    "ngram_attention": "N-gram SAM (small)",
    "char_bilstm": "Character BiLSTM",
    "alone": "ALONE",
}
LOSSES = {"local": "", "global": " + Global Loss"}
# rho, local and with the global loss, and size in MB. fastText: 0.719 and 2,230 MB.
PAPER = {
    "char_rnn": (0.534, 0.540, 14),
    "char_cnn": (0.594, 0.602, 25),
    "ngram_bag": (0.191, 0.210, 10),
    "ngram_attention": (0.494, 0.618, 12),
}
TEACHER_RHO, TEACHER_MB = 0.719, 2230


def cell(scores: list[Score], name: str, loss: str) -> list[Score]:
    return [score for score in scores if score.name == f"{name}-{loss}"]


def table(scores: list[Score]) -> str:
    teacher = scores[0].mean_teacher
    megabytes = f"{4e-6 * scores[0].parameters / scores[0].share:.1f}"
    rows = [
        ("teacher", shown(teacher), "100.0%", "", megabytes, "100.0%", f"{TEACHER_RHO:.3f}", "100.0%", TEACHER_MB)
    ]
    for name in NAMES:
        for place, loss in enumerate(LOSSES):
            found = cell(scores, name, loss)
            if not found and name not in PAPER:
                continue
            *rhos, size = PAPER.get(name, (None, None, None))
            paper = (f"{rhos[place]:.3f}", f"{rhos[place] / TEACHER_RHO:.1%}", size) if size else ("–",) * 3
            rows.append((NAMES[name] + LOSSES[loss], *ours(found, teacher), *paper))
    heads = (
        "",
        "ρ",
        "of the teacher's",
        "ρ, all pairs",
        "MB",
        "of the teacher",
        "the paper: ρ",
        "of fastText's",
        "MB",
    )
    return markdown(heads, rows, left=1)


def ours(found: list[Score], teacher: float | None) -> tuple[str, ...]:
    if not found:
        return (NOT_RUN,) * 5
    return (
        over_seeds(found, lambda score: score.mean_rho),
        share(mean_of(found), teacher),
        over_seeds(found, lambda score: score.mean_everywhere),
        f"{4e-6 * found[0].parameters:.1f}",
        f"{found[0].share:.1%}",
    )


def mean_of(found: list[Score]) -> float | None:
    return mean(found, lambda score: score.mean_rho)


def plot(scores: list[Score], file) -> None:
    with chart(file, "MB", "mean of Spearman's rho") as axes:
        for name in NAMES:
            points = []
            for loss in LOSSES:
                found = cell(scores, name, loss)
                if (rho := mean_of(found)) is not None:
                    points.append((4e-6 * found[0].parameters, rho, loss))
            if points:
                sizes, rhos, _ = zip(*points, strict=True)
                (line,) = axes.plot(sizes, rhos, label=NAMES[name])
                for size, rho, loss in points:
                    axes.scatter([size], [rho], marker="^" if loss == "global" else "o", color=line.get_color())
        if (teacher := scores[0].mean_teacher) is not None:
            axes.axhline(teacher, linestyle="--", color="black", label="teacher")
        axes.set(title="circles: local loss, triangles: with the global loss")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, epilog="example: python recipes/reconstruction/global_loss.py --work work/global_loss"
    )
    parser.add_argument("--work", type=Path, default="work/global_loss", help="the recipe's --work")
    parser.add_argument("--epochs", type=int, default=50, metavar="N", help="(50)")
    parser.add_argument("--plot", metavar="PNG", help="picture to write, or to replace")
    arguments = parser.parse_args()
    scores = [score for score in read_scores(arguments.work) if score.epochs == arguments.epochs]
    if not scores:
        parser.error(
            f"{arguments.work}: no student of {arguments.epochs} epochs is done; start with "
            "recipes/reconstruction/global_loss.sh"
        )
    print(table(scores))
    print(
        f"\n{arguments.epochs} epochs. ρ: mean over the sets with {FEWEST} pairs or more whose words were learnt;"
    )
    print(f"found: {found_pairs(scores[0])}.")
    new = max(score.new for score in scores)
    print(f"ρ, all pairs: of the same sets; {new:,} of their words were not learnt.")
    if warning := larger(scores):
        print(warning)
    if arguments.plot:
        with replacing(arguments.plot, force=True) as file:
            plot(scores, file)
        print(f"{arguments.plot}")


if __name__ == "__main__":
    main()
