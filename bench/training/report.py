"""Tables of what was measured, in Markdown."""

import statistics
from collections.abc import Callable, Iterator

from training import INGREDIENTS, LADDER, MAIN, TRIED
from training.results import Result, grouped

OURS = "tunewright"
Runs = dict[str, list[Result]]


def tables(results: list[Result]) -> Iterator[str]:
    for (base, task), runs in grouped(results):
        yield f"\n### {task}, {base}\n"
        yield _about(runs)
        yield from _comparison({name: runs[name] for name in (*MAIN, *TRIED) if name in runs})
        if runs.keys() & set(INGREDIENTS):
            yield from _ladder({name: runs[name] for name in LADDER if name in runs})


def median(results: list[Result], of: Callable[[Result], float]) -> float:
    return statistics.median(map(of, results))


def cpu_of_a_row(result: Result) -> float:
    return result.cpu / result.passes


def _about(runs: Runs) -> str:
    some = (runs.get(OURS) or next(iter(runs.values())))[0]
    versions = ", ".join(f"{name} {version}" for name, version in some.versions.items())
    tokens, supervised = some.tokens / some.rows, some.supervised / some.rows
    return f"{tokens:.0f} tokens a row, {supervised:.0f} of them learnt; {some.date}; {versions}.\n"


def _comparison(runs: Runs) -> Iterator[str]:
    yield (
        "| trainer | runs x rows x epochs | threads | CPU s a row | ratio | s a row by the clock "
        "| ratio | most memory | tokens computed | share of peak | loss |"
    )
    yield "|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|---|"
    ours = runs.get(OURS)
    for name, some in runs.items():
        wall = [(result.wall / result.passes) for result in some]
        cells = [
            name,
            f"{len(some)} x {some[0].rows} x {some[0].epochs}",
            str(some[0].threads),
            f"{median(some, cpu_of_a_row):.3f}",
            _ratio(median(some, cpu_of_a_row), ours and median(ours, cpu_of_a_row)),
            f"{statistics.median(wall):.3f}",
            _ratio(statistics.median(wall), ours and median(ours, lambda r: r.wall / r.passes)),
            f"{median(some, lambda r: r.peak) / 1024:.1f} GiB",
            f"{median(some, lambda r: r.computed / r.epochs / r.tokens):.2f}",
            f"{median(some, lambda r: r.share_of_peak):.0%}",
            _loss(some, ours),
        ]
        yield f"| {' | '.join(cells)} |"
    if ours and ours[0].forecast is not None:
        share = median(ours, lambda r: (r.forecast or 0) / r.cpu)
        yield f"\nNot timed: ours' forecast before its first step, {share:.0%} of its CPU s here."
        yield "It takes the gradients of two steps, of six in a job of a hundred steps or more."


def _ratio(value: float, ours: float | None) -> str:
    return f"{value / ours:.2f}" if ours else ""


def _loss(some: list[Result], ours: list[Result] | None) -> str:
    """The mean over seeds and how far they lie apart; whether ours differs by no more."""
    losses = [result.loss for result in some if result.loss is not None]
    if not losses:
        return "not compared"
    said = f"{statistics.fmean(losses):.4f}"
    if len(losses) == 1:
        return said
    spread = max(losses) - min(losses)
    said = f"{said} (spread {spread:.4f})"
    mine = [result.loss for result in ours or () if result.loss is not None]
    if not mine or some is ours:
        return said
    apart = statistics.fmean(losses) - statistics.fmean(mine)
    within = abs(apart) <= max(spread, max(mine) - min(mine))
    return f"{said}, {'within' if within else f'{apart:+.4f}, beyond'} the spread"


def _ladder(runs: Runs) -> Iterator[str]:
    yield "\nWhat each ingredient gives, one more at a time:\n"
    yield "| | CPU s a row | faster than the line before | than the first | loss |"
    yield "|---|---:|---:|---:|---:|"
    first = before = None
    for name, some in runs.items():
        took = median(some, cpu_of_a_row)
        first, before = first or took, before or took
        faster = f"{before / took:.2f} | {first / took:.2f}"
        yield f"| {name} | {took:.3f} | {faster} | {_loss(some, None)} |"
        before = took
