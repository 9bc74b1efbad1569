"""The whole report of a table: each part that its columns allow, two of them beside each other."""

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any

import numpy as np

from tunewright import __version__
from tunewright.analysis.exploration import About, Exploration
from tunewright.errors import BadRequest
from tunewright.resources.table_plans import content

if TYPE_CHECKING:
    from tunewright.resources.explored import Explored

Progress = Callable[[float], None]
_BESIDE = 2  # parts at once: numpy, scikit-learn and openTSNE hold no lock of Python's
_CLASSES = 20  # distinct values of a column by which rows are coloured as classes
_COLOURS = 6  # columns of either kind, besides those that were named
_NAMED = ("label", "number", "user", "item")  # columns, which only some commands take
_LONGEST = 40  # characters of a value of such a column


@dataclass(frozen=True)
class _Part:
    """`name`: of a field of Exploration. `share`: of the time of all, roughly. `needs`: the columns
    without which it is not made."""

    name: str
    share: float
    make: Callable[["Explored", Progress], Any]
    needs: tuple[str, ...] = ()


_PARTS = (  # the longest first, so that the last ones to end are short
    _Part("map", 5, lambda table, say: table.map(progress=say)),
    _Part("clusters", 4, lambda table, say: table.clusters(progress=say)),
    _Part("anomalies", 2, lambda table, say: table.anomalies(progress=say)),
    _Part("recommendations", 1, lambda table, say: table.hit_rates(progress=say), ("user", "item")),
    _Part("diversity", 1, lambda table, say: table.diversity(progress=say)),
    _Part("classification", 2, lambda table, say: table.classify(progress=say), ("label",)),
    _Part("regression", 1, lambda table, say: table.regress(progress=say), ("number",)),
)


def check_report(output: Path) -> None:
    """Raises BadRequest for a report that cannot be written here."""
    if output.suffix.lower() not in (".html", ".htm"):
        raise BadRequest(f"{output}: expected a name ending in .html.", param="output")
    parent = output.absolute().parent
    if not parent.is_dir():
        raise BadRequest(f"There is no folder {parent}.", param="output")
    if output.is_dir():
        raise BadRequest(f"{output} is a folder. Name a file in it.", param="output")
    if not os.access(output if output.exists() else parent, os.W_OK):
        raise BadRequest(f"{output} may not be written by you. Name another one.", param="output")


def explore(table: "Explored", command: str, progress: Progress) -> Exploration:
    """A part that this table has too little for is absent, with the reason."""
    made, absent = _made(table, progress)
    labels, numbers = _colours(table)
    about = About(
        table=table.given,
        table_sha256=content(table.path),
        columns=tuple(table.text_columns),
        model=table.model or "not known: the file does not say",
        fingerprint=table.fingerprint or "not known: the file does not say",
        dimensions=table.vectors.shape[1],
        command=command,
        version=__version__,
        options=tuple((name, said) for name, said in table.options.items() if name not in _NAMED),
        left_out=tuple(table.left_out.items()),
        notes=table.notes,
    )
    rows = (tuple(table.lines), tuple(table.texts))
    return Exploration(about, *rows, labels, numbers, **made, absent=absent)


def _made(
    table: "Explored", progress: Progress
) -> tuple[dict[str, Any], tuple[tuple[str, str], ...]]:
    import openTSNE  # before there are threads: two that import scikit-learn at once get half of it
    import sklearn.cluster
    import sklearn.linear_model

    _ = openTSNE, sklearn.cluster, sklearn.linear_model
    parts = [part for part in _PARTS if all(getattr(table, name) for name in part.needs)]
    shares = _Shares({part.name: part.share for part in parts}, progress)
    made: dict[str, Any] = {}
    absent: dict[str, str] = {}

    def make(part: _Part) -> None:
        try:
            made[part.name] = part.make(table, lambda share: shares.say(part.name, share))
        except BadRequest as reason:
            absent[part.name] = reason.message
        shares.say(part.name, 1.0)

    with ThreadPoolExecutor(_BESIDE) as beside:
        running = [beside.submit(make, part) for part in parts]
        try:
            for one in running:
                one.result()
        except BaseException:
            shares.stop()
            beside.shutdown(wait=False, cancel_futures=True)
            raise
    return made, tuple((part.name, absent[part.name]) for part in parts if part.name in absent)


class _Shares:
    """How far all is, of how far each part is. Parts run in threads of their own."""

    def __init__(self, sizes: dict[str, float], progress: Progress) -> None:
        self._sizes = sizes
        self._done = dict.fromkeys(sizes, 0.0)
        self._progress = progress
        self._lock = Lock()
        self._stopped = False

    def say(self, part: str, share: float) -> None:
        with self._lock:
            if self._stopped:  # whoever waited is gone: a part ends when it next says how far it is
                raise InterruptedError
            self._done[part] = max(self._done[part], min(share, 1.0))
            all_ = sum(self._done[name] * size for name, size in self._sizes.items())
            self._progress(all_ / sum(self._sizes.values()))

    def stop(self) -> None:
        with self._lock:
            self._stopped = True


Labels = tuple[tuple[str, tuple[str | None, ...]], ...]
Numbers = tuple[tuple[str, tuple[float | None, ...]], ...]


def _colours(table: "Explored") -> tuple[Labels, Numbers]:
    """Columns by which rows are coloured: those that were named, then others of few values, or of
    numbers."""
    named = [name for name in (table.label, table.user, table.item) if name]
    labels = {name: tuple(table.labels(name)) for name in named}
    numbers = {table.number: _numbers(table, table.number)} if table.number else {}
    for name in table.columns:
        if name in (*labels, *numbers, *table.text_columns):
            continue
        cells = table.labels(name)
        if _are_classes(cells) and len(labels) < len(named) + _COLOURS:
            labels[name] = tuple(cells)
        elif _are_numbers(table, name) and len(numbers) < 1 + _COLOURS:
            numbers[name] = _numbers(table, name)
    return tuple(labels.items()), tuple(numbers.items())


def _are_classes(cells: Sequence[str | None]) -> bool:
    values = {cell for cell in cells if cell is not None}
    return 2 <= len(values) <= _CLASSES and max(map(len, values)) <= _LONGEST


def _are_numbers(table: "Explored", name: str) -> bool:
    """Most rows have one, and not all the same: no column of ids written as numbers is told."""
    cells = table.cells(name)
    try:
        found = table.numbers(name)
    except BadRequest:
        return False
    known = ~np.isnan(found)
    given = sum(cell is not None for cell in cells)
    return bool(known.sum() >= 0.9 * given and len(np.unique(found[known])) > 1)


def _numbers(table: "Explored", name: str) -> tuple[float | None, ...]:
    return tuple(None if np.isnan(each) else float(each) for each in table.numbers(name))
