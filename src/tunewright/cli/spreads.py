"""How counts are spread, on a terminal: quantiles and bars."""

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from tunewright.cli.terminal import screen
from tunewright.records.checks import Distribution, Histogram

_EIGHTHS = " ▏▎▍▌▋▊▉"
_BAR = 10  # characters of the longest


def print_spreads(spreads: dict[str, Distribution]) -> None:
    """A table of quantiles, and below it one histogram for each that varies."""
    counted = {name: spread for name, spread in spreads.items() if spread.total}
    if not counted:
        return
    screen.print(_quantiles(counted))
    drawn = {name: s.histogram for name, s in counted.items() if s.min != s.max}
    if not drawn:
        return
    grid = Table.grid(padding=(0, 3))
    grid.add_row(*(Text(f"  {name}", "bold") for name in drawn))
    grid.add_row(*(_bars(histogram) for histogram in drawn.values()))
    screen.print(grid)


def _quantiles(spreads: dict[str, Distribution]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("  per example")
    for name in ("min", "p5", "median", "mean", "p95", "max", "total"):
        table.add_column(name, justify="right")
    for name, s in spreads.items():
        values = [f"{s.min:,}", f"{s.p5:,.0f}", f"{s.median:,.0f}", f"{s.mean:,.1f}"]
        table.add_row(f"  {name}", *values, f"{s.p95:,.0f}", f"{s.max:,}", f"{s.total:,}")
    return table


def _bars(histogram: Histogram) -> RenderableType:
    most, edges = max(histogram.counts), histogram.edges
    lines = [
        (f"{edge:,}", _bar(count / most), f"{count:,}" if count else "")
        for edge, count in zip(edges, histogram.counts, strict=False)
    ]
    if len(edges) > 2 and edges[-1] - edges[-2] > edges[1] - edges[0]:  # all that is far beyond
        lines[-1] = (f"{edges[-2]:,}+", *lines[-1][1:])
    wide = max(len(edge) for edge, _, _ in lines)
    return Text("\n".join(f"  {edge:>{wide}} {bar} {count}" for edge, bar, count in lines))


def _bar(share: float) -> str:
    eighths = max(round(share * _BAR * 8), 1 if share else 0)
    return ("█" * (eighths // 8) + _EIGHTHS[eighths % 8].strip()).ljust(_BAR)
