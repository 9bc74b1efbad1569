"""Where the lines, dots and bars of the reports' pictures stand, in pixels of their SVG."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

WIDTH, HEIGHT = 440, 240
_LEFT, _RIGHT, _TOP, _BOTTOM = 44, 14, 12, 34
_ROW, _NAMES, _VALUES = 34, 138, 62  # of bars: the height of one, the room for names and values


@dataclass(frozen=True)
class Dot:
    x: float
    y: float
    size: float
    said: str
    low: float = 0
    high: float = 0


@dataclass(frozen=True)
class Chart:
    """`curve`, `band`: paths. `across`, `up`: (pixel, label) of the axes' marks. `ahead`: a path
    to what is expected, not measured."""

    dots: tuple[Dot, ...]
    across: tuple[tuple[float, str], ...]
    up: tuple[tuple[float, str], ...]
    curve: str = ""
    band: str = ""
    ahead: str = ""
    guide: str = ""


@dataclass(frozen=True)
class Bar:
    name: str
    y: int
    width: float
    low: float
    high: float
    value: str
    ours: bool = True


@dataclass(frozen=True)
class _Scale:
    low: float
    high: float
    start: float
    end: float

    def __call__(self, value: float) -> float:
        share = (value - self.low) / ((self.high - self.low) or 1)
        return round(self.start + share * (self.end - self.start), 1)


_LINE = _Scale(0, 1, _LEFT, WIDTH - _RIGHT)
_RISE = _Scale(0, 1, HEIGHT - _BOTTOM, _TOP)


def calibration(bins: Sequence[Any]) -> Chart:
    """How confident, against how often right: on the diagonal, confidence keeps its word."""
    most = max((one.count for one in bins), default=1)
    dots = tuple(
        Dot(
            _LINE(one.confidence),
            _RISE(one.right),
            round(3 + 5 * math.sqrt(one.count / most), 1),
            f"confidence {one.confidence:.2f}: {one.right:.2f} right, {one.count:,} rows",
        )
        for one in bins
        if one.count
    )
    marks = [0, 0.25, 0.5, 0.75, 1]
    return Chart(
        dots,
        tuple((_LINE(mark), f"{mark:g}") for mark in marks),
        tuple((_RISE(mark), f"{mark:g}") for mark in marks),
        curve=_path([(dot.x, dot.y) for dot in dots]),
        guide=_path([(_LINE(0), _RISE(0)), (_LINE(1), _RISE(1))]),
    )


def learning(points: Sequence[Any], forecast: Any = None) -> Chart:
    """Accuracy by labelled rows, on a logarithmic scale; `forecast` stands beyond a dashed line."""
    ahead = [forecast] if forecast is not None and forecast.score is not None else []
    line = [(math.log(p.rows), p.score, p.rows) for p in (*points, *ahead)]
    lows, highs = [score.low for _, score, _ in line], [score.high for _, score, _ in line]
    marks = _marks(min(lows), max(highs))
    across = _Scale(line[0][0], line[-1][0], _LEFT + 12, WIDTH - _RIGHT - 12)
    up = _Scale(marks[0], marks[-1], HEIGHT - _BOTTOM, _TOP)
    measured = line[: len(points)]
    tops = [(across(x), up(score.high)) for x, score, _ in measured]
    bottoms = [(across(x), up(score.low)) for x, score, _ in reversed(measured)]
    return Chart(
        tuple(_scored(across(x), up, score, rows) for x, score, rows in line),
        tuple((across(x), f"{rows:,}") for x, _, rows in _apart(line, across)),
        tuple((up(mark), f"{mark:.2f}") for mark in marks),
        curve=_path([(across(x), up(score.value)) for x, score, _ in measured]),
        band=_path([*tops, *bottoms]) + "Z",
        ahead=_path([(across(x), up(score.value)) for x, score, _ in line[-2:]]) if ahead else "",
    )


def bars(rows: Sequence[tuple[str, Any, bool]], most: float | None = None) -> tuple[Bar, ...]:
    """(name, Interval or number, whether it is ours) as horizontal bars from 0 to `most`."""
    top = most or max((_high(value) for _, value, _ in rows), default=1) or 1
    scale = _Scale(0, top, 0, WIDTH - _NAMES - _VALUES)
    return tuple(
        Bar(
            name,
            at * _ROW,
            max(scale(_middle(value)), 1),
            scale(max(_low(value), 0)),
            scale(_high(value)),
            _figure(_middle(value)),
            ours,
        )
        for at, (name, value, ours) in enumerate(rows)
    )


def heat(count: int, row_total: int) -> int:
    """0 to 10: how dark the cell of a table is."""
    return round(10 * count / row_total) if row_total else 0


def _scored(x: float, up: _Scale, score: Any, rows: int) -> Dot:
    said = f"{rows:,} rows: {score.value:.3f} (95 % interval {score.low:.3f} to {score.high:.3f})"
    return Dot(x, up(score.value), 4, said, up(score.low), up(score.high))


def _marks(low: float, high: float) -> list[float]:
    """Round numbers from below `low` to above `high`, some four of them."""
    step = next(s for s in (0.01, 0.02, 0.05, 0.1, 0.2, 0.25, 0.5, 1) if (high - low) / s <= 4.5)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [round(number * step, 4) for number in range(first, max(last, first + 1) + 1)]


def _apart(line: Sequence[Any], across: _Scale) -> list[Any]:
    """Those whose labels do not run into each other; the last is always among them."""
    kept: list[Any] = []
    for one in reversed(line):
        if not kept or across(kept[-1][0]) - across(one[0]) > 44:
            kept.append(one)
    return kept[::-1]


def _path(points: Sequence[tuple[float, float]]) -> str:
    return "".join(f"{'L' if at else 'M'}{x:g} {y:g}" for at, (x, y) in enumerate(points))


def _figure(value: float) -> str:
    """Three digits that count, and two behind the point from 0.1 to 10."""
    return f"{value:.2f}" if value == 0 or 0.1 <= abs(value) < 10 else f"{value:.3g}"


def _middle(value: Any) -> float:
    return float(getattr(value, "value", value))


def _low(value: Any) -> float:
    return float(getattr(value, "low", value))


def _high(value: Any) -> float:
    return float(getattr(value, "high", value))
