"""Figure 3 of the ALONE paper: rho of the students and, as a dashed line, of the teacher; and its numbers."""

from pathlib import Path

from scores import NOT_RUN, Score, found_pairs, markdown, mean, over_seeds, read_scores, shown

from alone_fairseq.charts import charts
from alone_fairseq.checkpoint.files import replacing
from alone_fairseq.cli import Parser
from alone_fairseq.sizes import alone_parameters
from alone_fairseq.vectors import read_vectors

FILTERS = {"real": "Real number", "binary": "Binary"}  # as the figure calls them
BASES = {"trained": "", "fixed": " (Fix o)"}
PAPER = """\
The paper prints its figure without numbers, for 300-dimensional GloVe: comparable with the teacher at
D_inter = 2,400 on SimLex-999, WordSim-353 and RG-65, which is 96 % of the teacher's values and no compression; no
significant difference between filters there, real slightly above binary where D_inter is small; without training
o worse in most cases."""


def inter_dim_of(share: float, words: int, dim: int) -> int:
    """The D_inter with which ALONE has a share, in per cent, of the parameters of a lookup."""
    return max(1, round((share / 100 * words * dim - dim) / (2 * dim)))


def table(scores: list[Score], wanted: list[tuple[str, str, int]], words: int, dim: int) -> str:
    sets = [name for name in scores[0].pairs if any(name in score.rho for score in scores)]
    rows = [
        ("teacher", f"{words * dim:,}", "100.0%", "", *(shown(scores[0].teacher.get(name)) for name in sets)),
    ]
    for filter, base, inter_dim in wanted:
        cell = [score for score in scores if score.name == f"{filter}-{base}-{inter_dim}"]
        parameters = cell[0].parameters if cell else alone_parameters(dim, dim, inter_dim)
        rows.append(
            (
                f"{FILTERS[filter]}{BASES[base]}, D_inter = {inter_dim:,}",
                f"{parameters:,}",
                f"{parameters / (words * dim):.1%}",
                len(cell) or NOT_RUN,
                *(over_seeds(cell, lambda score, name=name: score.rho.get(name)) for name in sets),
            )
        )
    return markdown(("", "parameters", "of the teacher", "seeds", *sets), rows, left=1)


def plot(scores: list[Score], sets: list[str], file) -> None:
    with charts(file, "D_inter", "Spearman's rho", sets) as axes:
        for axis, name in zip(axes, sets, strict=True):
            for filter in FILTERS:
                for base in BASES:
                    seeds: dict[int, list[Score]] = {}
                    for score in scores:
                        if score.name.startswith(f"{filter}-{base}-"):
                            seeds.setdefault(int(score.name.rpartition("-")[2]), []).append(score)
                    means = {
                        inter_dim: rho
                        for inter_dim, cell in sorted(seeds.items())
                        if (rho := mean(cell, lambda score, name=name: score.rho.get(name))) is not None
                    }
                    if means:
                        axis.plot(means.keys(), means.values(), marker="o", label=FILTERS[filter] + BASES[base])
            axis.axhline(scores[0].teacher[name], linestyle="--", color="black", label="teacher")


def main() -> None:
    parser = Parser(
        description=__doc__, epilog="example: python recipes/reconstruction/figure3.py --work work/figure3"
    )
    parser.add_argument("--work", type=Path, default="work/figure3", help="the recipe's --work (work/figure3)")
    parser.add_argument("--pairs-sum", help="pairs, as the recipe knows them (those of the newest scores)")
    parser.add_argument("--inter-dims", default="600 1200 1800 2400", metavar='"N ..."', help="rows")
    parser.add_argument("--shares", default="50 25 10", metavar='"N ..."', help="rows, per cent")
    parser.add_argument("--plot", metavar="PNG", help="picture to write, or to replace")
    parser.add_argument("--inter-dim-of", type=float, metavar="N", help="print the D_inter of N per cent, no more")
    arguments = parser.parse_args()
    words, dim = read_vectors(arguments.work / "teacher" / "teacher.npz").matrix.shape
    if arguments.inter_dim_of:
        print(inter_dim_of(arguments.inter_dim_of, words, dim))
        return
    scores = read_scores(arguments.work, arguments.pairs_sum)
    if not scores:
        parser.error(f"{arguments.work}: no student is done; start with recipes/reconstruction/figure3.sh")
    wanted = [
        (filter, base, int(inter_dim))
        for filter in FILTERS
        for base in BASES
        for inter_dim in arguments.inter_dims.split()
    ]
    wanted += [("real", "trained", inter_dim_of(float(share), words, dim)) for share in arguments.shares.split()]
    print(table(scores, list(dict.fromkeys(wanted)), words, dim))
    epochs = sorted({score.epochs for score in scores})
    print(f"\n{', '.join(f'{number:,}' for number in epochs)} epochs. Pairs found: {found_pairs(scores[0])}.")
    print(f"\n{PAPER}")
    if arguments.plot:
        sets = [name for name in scores[0].pairs if name in scores[0].teacher]
        with replacing(arguments.plot, force=True) as file:
            plot(scores, sets, file)
        print(f"\n{arguments.plot}")


if __name__ == "__main__":
    main()
