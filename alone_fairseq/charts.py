"""Pictures: one set of axes, written as PNG without a screen."""

from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def chart(file, xlabel: str, ylabel: str) -> Iterator:
    """Axes of Matplotlib to draw on; written to ``file`` as PNG, with a legend, when the block ends."""
    # Matplotlib takes a second to import; the commands that draw nothing need not wait for it.
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 4.5), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot(xlabel=xlabel, ylabel=ylabel)
    yield axes
    axes.grid(alpha=0.3)
    axes.legend()
    figure.savefig(file, format="png", dpi=150)
