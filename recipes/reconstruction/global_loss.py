"""Table 1 of Ohashi et al. 2020: mean rho and size of students, with the local loss and with the global loss."""

from pathlib import Path

from scores import (
    FEWEST,
    NOT_RUN,
    Score,
    found_pairs,
    markdown,
    mean,
    notes,
    over_seeds,
    read_scores,
    share,
    shown,
)

from alone_fairseq.charts import charts
from alone_fairseq.checkpoint.files import replacing
from alone_fairseq.cli import Parser

NAMES = {
    "char_rnn": "Character-RNN",
    "char_cnn": "Character-CNN",
    "ngram_bag": "Bag of N-gram (small)",
    "ngram_attention": "N-gram SAM (small)",
    "char_bilstm": "Character BiLSTM",
    "alone": "ALONE",
}
LOSSES = {"local": "", "global": " + Global Loss"}
MARKERS = {"local": "o", "global": "^"}
LINES = {"local": ":", "global": "-"}
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
    """Of scores after one number of epochs."""
    teacher = scores[0].mean_teacher
    megabytes = f"{4e-6 * scores[0].parameters / scores[0].share:.1f}"
    all_ = "100.0%"
    rows = [("teacher", shown(teacher), all_, "", megabytes, all_, f"{TEACHER_RHO:.3f}", all_, TEACHER_MB, all_)]
    for name in NAMES:
        for place, loss in enumerate(LOSSES):
            found = cell(scores, name, loss)
            if not found and name not in PAPER:
                continue
            *rhos, size = PAPER.get(name, (None, None, None))
            paper = ("–",) * 4
            if size:
                rho = rhos[place]
                paper = (f"{rho:.3f}", f"{rho / TEACHER_RHO:.1%}", size, f"{size / TEACHER_MB:.1%}")
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
        "of fastText's",
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


def plot(by_epochs: dict[int, list[Score]], file) -> None:
    """Of the last epochs by size, and of all by epochs; one legend for both, it would cover the curves."""
    last = by_epochs[max(by_epochs)]
    titles = ["● local loss, ▲ with the global loss", "the same by epochs"]
    with charts(file, "MB", "mean of Spearman's rho", titles) as both:
        plot_sizes(last, both[0])
        plot_epochs(by_epochs, both[1])
        if (teacher := last[0].mean_teacher) is not None:
            for axes, label in zip(both, ("teacher", None), strict=True):
                axes.axhline(teacher, linestyle="--", color="black", label=label)


def plot_sizes(scores: list[Score], axes) -> None:
    for colour, name in enumerate(NAMES):
        points = []
        for loss in LOSSES:
            found = cell(scores, name, loss)
            if (rho := mean_of(found)) is not None:
                points.append((4e-6 * found[0].parameters, rho))
                axes.scatter(*points[-1], marker=MARKERS[loss], color=f"C{colour}")
        if points:
            axes.plot(*zip(*points, strict=True), color=f"C{colour}", label=NAMES[name])


def plot_epochs(by_epochs: dict[int, list[Score]], axes) -> None:
    axes.set(xlabel="epochs")
    for colour, name in enumerate(NAMES):
        for loss in LOSSES:
            rhos = {epochs: mean_of(cell(scores, name, loss)) for epochs, scores in by_epochs.items()}
            points = {epochs: rho for epochs, rho in rhos.items() if rho is not None}
            if points:
                style = {"color": f"C{colour}", "marker": MARKERS[loss], "linestyle": LINES[loss]}
                axes.plot(points.keys(), points.values(), **style)


def main() -> None:
    parser = Parser(
        description=__doc__, epilog="example: python recipes/reconstruction/global_loss.py --work work/global_loss"
    )
    parser.add_argument("--work", type=Path, default="work/global_loss", help="the recipe's --work")
    parser.add_argument("--pairs-sum", help="pairs, as the recipe knows them (those of the newest scores)")
    parser.add_argument("--epochs", default="50", metavar='"N ..."', help="the table is of the last (50)")
    parser.add_argument("--plot", metavar="PNG", help="picture to write, or to replace")
    arguments = parser.parse_args()
    epochs = sorted(map(int, arguments.epochs.split()))
    done = read_scores(arguments.work, arguments.pairs_sum)
    by_epochs = {number: [score for score in done if score.epochs == number] for number in epochs}
    scores = by_epochs[epochs[-1]]
    if not scores:
        parser.error(
            f"{arguments.work}: no student of {epochs[-1]} epochs is done; start with "
            "recipes/reconstruction/global_loss.sh"
        )
    print(table(scores))
    print(f"\n{epochs[-1]} epochs. ρ: mean over the sets with {FEWEST} pairs or more whose words were learnt;")
    print(f"found: {found_pairs(scores[0])}.")
    new = max(score.new for score in scores)
    print(f"ρ, all pairs: of the same sets; {new:,} of their words were not learnt.")
    for note in notes(scores):
        print(note)
    if arguments.plot:
        with replacing(arguments.plot, force=True) as file:
            plot(by_epochs, file)
        print(f"{arguments.plot}")


if __name__ == "__main__":
    main()
