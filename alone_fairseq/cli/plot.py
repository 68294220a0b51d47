"""``alone plot``: validation or training curves from the logs of fairseq-train."""

import re
from pathlib import Path

from alone_fairseq.charts import chart
from alone_fairseq.checkpoint.files import check_other_file, replacing
from alone_fairseq.errors import UserError

# With --log-format simple or tqdm, and with --log-format json, which puts the subset into each key.
LINES = {
    "validation": (
        re.compile(r"\| valid on '(\S+)' subset \| (.*)"),
        re.compile(r'\{.*"(?!train_)(\w+)_num_updates": .*\}'),
    ),
    "training": (
        re.compile(r"\b(train)(?: \||\]\[INFO\] -) epoch \d+ \| (.*)"),
        re.compile(r'\{.*"(train)_num_updates": .*\}'),
    ),
}
# The unit of the loss is the criterion's.
AXES = {"nll_loss": "negative log-likelihood (bits)", "ppl": "perplexity"}


def add_parser(subparsers):
    parser = subparsers.add_parser(
        "plot",
        help="draw validation or training curves from fairseq-train's logs",
        description="Draw a validation metric by number of updates, a curve for each log of fairseq-train,"
        " whatever its --log-format; of a log without validation, as of a student's, the training's by epoch.",
        epilog="example: alone plot lookup.log alone.log --output curves.png --metric ppl",
    )
    parser.add_argument("logs", nargs="+", metavar="LOG", help="fairseq-train's output or --log-file")
    parser.add_argument("--output", required=True, metavar="PNG", help="picture to write")
    parser.add_argument("--metric", default="loss", help="as the log names it: loss, ppl, bleu")
    parser.add_argument("--labels", nargs="+", metavar="L", help="names of the curves (default: of the files)")
    parser.add_argument("--force", action="store_true", help="replace the picture if it exists")
    parser.set_defaults(run=run)


def run(arguments):
    check_other_file(arguments.output, *arguments.logs)
    labels = arguments.labels or default_labels(arguments.logs)
    if len(labels) != len(arguments.logs):
        raise UserError(f"--labels: {len(labels)} for {len(arguments.logs)} logs")
    kinds, curves = zip(*(read_either(log, arguments.metric) for log in arguments.logs), strict=True)
    if len(set(kinds)) > 1:
        labels = [f"{label}, {kind}" for label, kind in zip(labels, kinds, strict=True)]
    with replacing(arguments.output, arguments.force) as file:
        draw(labels, curves, arguments.metric, file, " and ".join(dict.fromkeys(kinds)))


def default_labels(logs):
    """Names of the files, or all of their paths where names alone would be the same."""
    names = [Path(log).stem for log in logs]
    return names if len(set(names)) == len(names) else logs


class NoResults(UserError):
    """A log without any lines of the kind that is looked for."""


def read_either(log, metric):
    """(kind, curve): of the validation, or else of the training."""
    try:
        return "validation", read_curve(log, metric)
    except NoResults:
        return "training", read_curve(log, metric, "training")


def read_curve(log, metric, kind="validation"):
    """{number of updates: value} of the first validation set in the log, or of the epochs of the training.

    After a restart fairseq validates at some numbers of updates again; the later value counts.

    Raises:
        NoResults: there is none of the ``kind``.
        UserError: there is, but without the metric.
    """
    curve, first, names = {}, None, ()
    with open(log, encoding="utf-8", errors="replace") as lines:
        for subset, stats in filter(None, (parse_line(line, *LINES[kind]) for line in lines)):
            first = first or subset
            if subset == first:
                names = stats.keys()
                if {metric, "num_updates"} <= names:  # the last line of a log may be cut short
                    curve[int(float(stats["num_updates"]))] = float(stats[metric])
    if first is None:
        raise NoResults(f"{log}: no results of {kind} in it; is it the log of fairseq-train?")
    if not curve:
        raise UserError(f"{log}: has no {metric} of '{first}', only {', '.join(names)}")
    return dict(sorted(curve.items()))


def parse_line(line, simple, json):
    """(subset, statistics) of a line that one of the patterns finds, else None."""
    if match := simple.search(line):
        return match[1], dict(re.findall(r"(\w+) (\S+)", match[2]))
    if match := json.search(line):
        return match[1], dict(re.findall(rf'"{match[1]}_(\w+)": "?([^",}}]+)', match[0]))
    return None


def draw(labels, curves, metric, file, kind="validation"):
    """Write a PNG with the ``curves``, each a {number of updates: value}."""
    with chart(file, "updates", f"{kind} {AXES.get(metric, metric)}") as axes:
        for label, curve in zip(labels, curves, strict=True):
            axes.plot(curve.keys(), curve.values(), marker=".", label=label)
