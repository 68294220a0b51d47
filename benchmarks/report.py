"""What the benchmarks share: timing side by side, tables on screen and as CSV, pictures, the machine's name."""

import argparse
import csv
import gc
import io
import os
import platform
import statistics
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import torch
from tabulate import tabulate

from alone_fairseq.charts import chart, charts
from alone_fairseq.checkpoint.files import replacing
from alone_fairseq.errors import UserError


def parser(description: str, example: str, rounds: bool = True) -> argparse.ArgumentParser:
    """A parser with the options that all benchmarks have."""
    result = argparse.ArgumentParser(description=description, epilog=f"example: python {example}")
    if rounds:
        result.add_argument("--rounds", type=positive, default=3, help="measurements; the median counts (3)")
    result.add_argument(
        "--output",
        type=Path,
        default=Path("work/benchmarks"),
        help="folder for CSV and PNG (work/benchmarks); older ones of the same name are replaced",
    )
    return result


def parse(parser: argparse.ArgumentParser, for_fairseq: bool = True) -> tuple[argparse.Namespace, list[str]]:
    """Our own options, and those after -- if there may be such.

    An --output that can't be written to is refused now and not after hours of measuring.
    """
    own = sys.argv[1:]
    end = own.index("--") if for_fairseq and "--" in own else len(own)
    arguments = parser.parse_args(own[:end])
    try:
        arguments.output.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=arguments.output).close()
    except OSError as error:
        parser.error(f"--output {arguments.output}: {error.strerror}")
    return arguments, own[end + 1 :]


def run(main: Callable[[], None]) -> None:
    """A program, mistakes of whose user get one line."""
    try:
        with warnings.catch_warnings(action="ignore"):  # what fairseq and hydra say would bury the table
            main()
    except (UserError, OSError) as error:
        sys.exit(f"error: {error}")


def positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"must be 1 or more, not {number}")
    return number


def medians(steps: dict[str, Callable[[], object]], rounds: int, warm_up: bool = True) -> dict[str, float]:
    """Median seconds of each step: one of each in turn, so that what slows the machine slows all of them.

    With ``warm_up`` there is a round before that is not counted. A step may return a time of its own, in seconds,
    to be taken in place of ours.
    """
    seconds: dict[str, list[float]] = {name: [] for name in steps}
    for number in range(1 - warm_up, rounds + 1):
        for name, step in steps.items():
            gc.collect()
            synchronise()
            start = time.perf_counter()
            own = step()
            synchronise()
            if number:
                seconds[name].append(own if isinstance(own, float) else time.perf_counter() - start)
    return {name: statistics.median(times) for name, times in seconds.items()}


def synchronise() -> None:
    if torch.cuda.is_available():
        torch.cuda.synchronize()


def write(name: str, rows: list[dict], output: Path, gpu: bool | None = None) -> None:
    """Print ``rows`` as a Markdown table under the machine's name, and write them to ``output``/name.csv.

    ``gpu``: whether they were measured on one; by default, if there is one.
    """
    print(f"\n{machine(torch.cuda.is_available() if gpu is None else gpu)}\n")
    print(tabulate(rows, headers="keys", tablefmt="github", intfmt=","), flush=True)
    text = io.StringIO(newline="")
    table = csv.DictWriter(text, rows[0])
    table.writeheader()
    table.writerows(rows)
    with replacing(output / f"{name}.csv", force=True) as file:
        file.write(text.getvalue().encode())
    print(f"\n{output / name}.csv")


def draw(
    name: str, curves: dict[str, dict[float, float]], xlabel: str, ylabel: str, output: Path, **scales
) -> None:
    """Draw curves, {label: {x: y}}, to ``output``/name.png; ``scales`` as for ``Axes.set``."""
    with replacing(output / f"{name}.png", force=True) as file, chart(file, xlabel, ylabel) as axes:
        for label, curve in curves.items():
            axes.plot(*zip(*sorted(curve.items()), strict=True), marker=".", label=label)
        axes.set(**scales)
    print(f"{output / name}.png")


def bars(name: str, groups: dict[str, dict[str, float]], label: str, output: Path) -> None:
    """Draw bars, {title: {system: value}}, a set of axes for each title, to ``output``/name.png."""
    with replacing(output / f"{name}.png", force=True) as file, charts(file, label, "", list(groups)) as beside:
        for axes, values in zip(beside, groups.values(), strict=True):
            drawn = axes.barh(list(values), list(values.values()))
            axes.bar_label(drawn, fmt="%.3g", padding=3)
            axes.invert_yaxis()  # the first on top, as in the table
            axes.margins(x=0.15)
    print(f"{output / name}.png")


def machine(gpu: bool) -> str:
    """Processor or GPU, threads, and versions."""
    device = torch.cuda.get_device_name() if gpu else _processor()
    cores = f"{torch.get_num_threads()} of {os.cpu_count()} cores"
    return f"{device}, {cores}, Python {platform.python_version()}, PyTorch {torch.__version__}"


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    return next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), "CPU")
