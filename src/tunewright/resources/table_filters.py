"""Which rows of a table a filter means: OpenAI's filters, as of vector stores, on its columns."""

import datetime
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tunewright.errors import BadRequest
from tunewright.tables.cells import number_of, text_of, written
from tunewright.tables.texts import missing
from tunewright.vectors import filters
from tunewright.vectors.filters import And, Comparison, Filter, Kind, Or, Value


def mask_of(
    where: Mapping[str, Any], rows: Sequence[Mapping[str, Any]], columns: Sequence[str]
) -> NDArray[np.bool_]:
    """[rows]: whether each is meant.

    As `vectors.filters` says, and a cell that is text is compared as what the filter compares it
    with: "4.0" of a CSV file equals 4, "True" is true. An empty cell is one that is not there.
    Raises BadRequest for what is no filter, and for a column that the table does not have.
    """
    tree = filters.parse(where, "filter")
    for comparison in _comparisons(tree):
        if comparison.key not in columns:
            raise BadRequest(missing(comparison.key, columns), param="filter")
    return np.array([_meant(tree, row) for row in rows], np.bool_)


def _comparisons(tree: Filter) -> Iterator[Comparison]:
    if isinstance(tree, Comparison):
        yield tree
    else:
        for part in tree.parts:
            yield from _comparisons(part)


def _meant(tree: Filter, row: Mapping[str, Any]) -> bool:
    if isinstance(tree, And):
        return all(_meant(part, row) for part in tree.parts)
    if isinstance(tree, Or):
        return any(_meant(part, row) for part in tree.parts)
    cell = row.get(tree.key)
    kinds = dict.fromkeys(tree.kinds)  # of `in`, several
    read = {kind: value for kind in kinds if (value := _as(cell, kind)) is not None}
    if tree.op in ("ne", "nin"):
        return all(filters.matches(tree, {tree.key: value}) for value in read.values())
    return any(filters.matches(tree, {tree.key: value}) for value in read.values())


def _as(cell: Any, kind: Kind | None) -> Value | None:
    """A cell as a value of a filter; None where nothing is there."""
    if cell is None or cell == "" or cell != cell:  # NaN
        return None
    if isinstance(cell, str) and kind == "number":
        number = number_of(cell)
        return cell if number is None else number
    if isinstance(cell, str) and kind == "boolean":
        return {"true": True, "false": False}.get(cell.strip().lower(), cell)
    if isinstance(cell, bool | float | str):
        return cell
    if isinstance(cell, datetime.date | datetime.time):
        return text_of(cell)
    number = None if isinstance(cell, list | dict) else number_of(cell)  # a decimal is one too
    return written(cell) if number is None else number  # no double holds 10**400
