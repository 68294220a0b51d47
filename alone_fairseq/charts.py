"""Pictures: sets of axes, written as PNG without a screen."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager


@contextmanager
def chart(file, xlabel: str, ylabel: str) -> Iterator:
    """Axes of Matplotlib to draw on; written to ``file`` as PNG, labels in a legend, when the block ends."""
    with charts(file, xlabel, ylabel, [""]) as (axes,):
        yield axes


@contextmanager
def charts(file, xlabel: str, ylabel: str, titles: Sequence[str]) -> Iterator[list]:
    """Axes beside each other, one for each title, as ``chart``."""
    # Matplotlib takes a second to import; the commands that draw nothing need not wait for it.
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    width = 7 if len(titles) == 1 else 4.5 * len(titles)
    figure = Figure(figsize=(width, 4.5), layout="constrained")
    FigureCanvasAgg(figure)
    beside = figure.subplots(1, len(titles), squeeze=False)[0].tolist()
    for axes, title in zip(beside, titles, strict=True):
        axes.set(title=title, xlabel=xlabel, ylabel=ylabel)
    yield beside
    for axes in beside:
        axes.grid(alpha=0.3)
        if axes.get_legend_handles_labels()[0]:
            axes.legend()
    figure.savefig(file, format="png", dpi=150)
