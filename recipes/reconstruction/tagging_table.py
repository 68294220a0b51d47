"""Results of tagging.sh side by side with Table 3 of Stratos (2017): a Markdown table."""

import argparse
import json
import re
import sys
from pathlib import Path
from statistics import fmean, stdev

sys.path.insert(0, str(Path(__file__).parents[1] / "lib"))

from results import markdown

# Test accuracy on the Penn treebank, and rows of vectors looked up. "CHAR(D)" is any distance.
PAPER = {
    "FULL": (97.20, 43211),
    "FULL+EMB": (97.32, 252365),
    "CHAR": (96.93, 80),
    "CHAR(D1)": (97.17, 93),
    "CHAR(D2)": (97.08, 93),
    "CHAR(Dinf)": (97.06, 93),
    "CHAR(Dcos)": (97.08, 93),
}
RUN = re.compile(r"(.+)-seed(\d+)")
HEADS = ("system", "seeds", "dev", "test", "new words", "lookup", "parameters", "paper: test", "paper: lookup")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("results", nargs="+", type=Path, metavar="JSON", help="what alone tagging has printed")
    parser.add_argument("--best", action="store_true", help="print the lr of the best lr-*.json on dev, only")
    arguments = parser.parse_args()
    runs = {path: json.loads(path.read_text(encoding="utf-8")) for path in arguments.results}
    if arguments.best:
        print(max(runs, key=lambda path: runs[path]["dev"]).stem.removeprefix("lr-"))
        return
    systems: dict[str, list[dict]] = {}
    for path, run in runs.items():
        systems.setdefault(RUN.fullmatch(path.stem)[1], []).append(run)
    names = [*PAPER, *sorted(set(systems) - set(PAPER))]
    print(markdown(HEADS, [row(name, systems.get(name)) for name in names], left=1))
    for name, found in systems.items():
        chosen = sorted({(run["settings"]["lr"], run["settings"]["dropout"]) for run in found})
        print(
            f"\n{name}: learning rate and dropout {', '.join(f'{lr:g} and {drop:g}' for lr, drop in chosen)}",
            end="",
        )
    print()


def row(name, runs):
    paper = (f"{PAPER[name][0]:.2f}", f"{PAPER[name][1]:,}") if name in PAPER else ("", "")
    if not runs:
        return (name, "not run", "", "", "", "", "", *paper)
    scores = (shown([run[part] for run in runs]) for part in ("dev", "test", "new_words"))
    return (name, str(len(runs)), *scores, f"{runs[0]['lookup']:,}", f"{runs[0]['parameters']:,}", *paper)


def shown(shares):
    if None in shares:
        return "none"
    mean = f"{100 * fmean(shares):.2f}"
    return f"{mean} ± {100 * stdev(shares):.2f}" if len(shares) > 1 else mean


if __name__ == "__main__":
    main()
