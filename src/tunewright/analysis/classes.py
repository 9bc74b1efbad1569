"""The classes that the labels of a column name, and labels that follow from a number."""

import math
import operator
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tunewright.wording import counted, some

Places = NDArray[np.int64]
FEWEST = 3  # rows of a class: one or two can be learned from, but not judged
_MANY_VALUES = 0.5  # of the labelled rows: a column with more distinct values names rows
_COMPARED = {">=": operator.ge, "<=": operator.le, ">": operator.gt, "<": operator.lt}
_SIDE = r"(>=|<=|>|<)\s*(-?\d+(?:\.\d+)?)"
_RULE = re.compile(rf"\s*(.+?)\s*{_SIDE}(?:\s+against\s+{_SIDE})?\s*")


@dataclass(frozen=True)
class Classes:
    """`names`: of the classes, in order; `of` [n]: the class of a row, -1 for a row without one.
    `notes`: what a user should know of the labels, a sentence each."""

    names: tuple[str, ...]
    of: Places
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Rule:
    """Two classes from a number: ``Score >= 4 against <= 2``; without ``against``, every other row
    that has a number is the second class. What is neither has no class."""

    column: str
    names: tuple[str, str]
    first: tuple[str, float]
    second: tuple[str, float] | None

    def __str__(self) -> str:
        if self.second is None:
            return self.names[0]
        return f"{self.names[0]} against {self.names[1].removeprefix(self.column).strip()}"

    @classmethod
    def parse(cls, text: str) -> "Rule | None":
        """None where the text is not a rule: it then is the name of a column."""
        found = _RULE.fullmatch(text)
        if found is None:
            return None
        column, sign, number, other_sign, other = found.groups()
        names = f"{column} {sign} {number}", f"{column} {other_sign} {other}"
        if other is None:
            return cls(column, (names[0], f"not {names[0]}"), (sign, float(number)), None)
        return cls(column, names, (sign, float(number)), (other_sign, float(other)))

    def labels(self, numbers: Sequence[float]) -> list[str | None]:
        """Of rows with these numbers; None for NaN and for what is on neither side. Raises
        ValueError where a number is on both."""
        return [self._label(number) for number in numbers]

    def _label(self, number: float) -> str | None:
        if math.isnan(number):
            return None
        first = _is(number, self.first)
        second = _is(number, self.second) if self.second else not first
        if first and second:
            raise ValueError(
                f"{self.column} {number:g} is on both sides of '{self.names[0]} against "
                f"{self.names[1]}'. Choose two sides that have no number in common."
            )
        return self.names[0] if first else self.names[1] if second else None


def _is(number: float, side: tuple[str, float]) -> bool:
    return bool(_COMPARED[side[0]](number, side[1]))


def classes_by(rule: Rule, numbers: Sequence[float]) -> Classes:
    """The two classes of a rule. Raises ValueError as `Rule.labels` and `classes_of` do."""
    labels = rule.labels(numbers)
    found = classes_of(labels, str(rule))
    between = [n for n, one in zip(numbers, labels, strict=True) if one is None and n == n]
    notes = []
    if between:
        values = some([f"{value:g}" for value in sorted(set(between))])
        notes.append(
            f"{counted(len(between), 'row')} on neither side of '{rule}' ({rule.column} {values}): "
            "predicted, not learned from."
        )
    if nothing := labels.count(None) - len(between):
        notes.append(
            f"{counted(nothing, 'row')} without a number in '{rule.column}': predicted, not "
            "learned from."
        )
    others = [note for note in found.notes if "without a label" not in note]
    return Classes(found.names, found.of, (*notes, *others))


def classes_of(labels: Sequence[str | None], column: str = "label") -> Classes:
    """The classes of a column's labels; None and blank is no label. Classes of fewer than `FEWEST`
    rows are left out, which a note says.

    Raises ValueError where fewer than two classes remain, or where nearly every row has a label of
    its own.
    """
    given = [None if label is None or not label.strip() else label for label in labels]
    counts = Counter(label for label in given if label is not None)
    labelled = counts.total()
    _refuse(counts, column)
    names = tuple(sorted((name for name, n in counts.items() if n >= FEWEST), key=_order))
    number = {name: at for at, name in enumerate(names)}
    of = np.array([-1 if one is None else number.get(one, -1) for one in given], np.int64)
    return Classes(names, of, tuple(_notes(counts, labelled, len(given), column)))


def _order(name: str) -> tuple[float, str]:
    try:
        return float(name), name
    except ValueError:
        return math.inf, name


def _refuse(counts: Counter[str], column: str) -> None:
    labelled, kept = counts.total(), [name for name, n in counts.items() if n >= FEWEST]
    where = f"The column '{column}'"
    if not labelled:
        raise ValueError(f"{where} has no label. Name a column whose rows have one.")
    if len(counts) == 1:
        raise ValueError(
            f"{where} has one class only: {counted(labelled, 'row')} with '{_shown(*counts)}'. A "
            f"classifier needs two, with {FEWEST} rows each at least."
        )
    if len(counts) > max(_MANY_VALUES * labelled, 2 * FEWEST):
        amount = all(_order(name)[0] < math.inf for name in counts)
        how = f", or, if it is an amount, predict it as a number (--number '{column}')"
        raise ValueError(
            f"{where} has {len(counts):,} different values in {counted(labelled, 'row')}: it tells "
            f"rows apart, but names no classes. Name another column{how if amount else ''}."
        )
    if len(kept) < 2:
        raise ValueError(
            f"{where} has {len(kept) or 'no'} class with {FEWEST} rows or more, among "
            f"{counted(labelled, 'row')} with a label. A classifier needs two: label more rows."
        )


def _notes(counts: Counter[str], labelled: int, rows: int, column: str) -> list[str]:
    notes: list[str] = []
    if labelled < rows:
        notes.append(
            f"{counted(rows - labelled, 'row')} without a label: predicted, not learned from."
        )
    if few := {name: n for name, n in counts.items() if n < FEWEST}:
        named = some([f"'{_shown(name)}' ({n})" for name, n in sorted(few.items())])
        notes.append(
            f"Left out for having fewer than {FEWEST} rows: {named}. Their "
            f"{counted(sum(few.values()), 'row')} are predicted as one of the others."
        )
    notes.extend(_alike(counts))
    if len(counts) > 10 and all(_order(name)[0] < math.inf for name in counts):
        notes.append(
            f"Each of the {len(counts)} numbers is a class of its own: 4 is as far from 5 as from "
            f"1. As an amount it is predicted by --number '{column}'."
        )
    return notes


def _alike(counts: Counter[str]) -> list[str]:
    """Labels that are one but for case and blanks."""
    spelled: dict[str, list[str]] = {}
    for name in sorted(counts):
        spelled.setdefault(" ".join(name.casefold().split()), []).append(name)
    groups = [names for names in spelled.values() if len(names) > 1]
    said = [" and ".join(f"'{name}' ({counts[name]:,})" for name in names) for names in groups]
    return [f"Written differently, so taken as different classes: {one}." for one in said[:5]]


def _shown(name: str) -> str:
    return name if len(name) <= 40 else f"{name[:39]}…"
