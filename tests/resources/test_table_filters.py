"""Filters on the columns of a table, whose cells are of any type."""

import datetime
from decimal import Decimal
from typing import Any

import pytest

from tunewright.errors import BadRequest
from tunewright.resources.table_filters import mask_of

CELLS: list[Any] = [
    *(
        "4",
        "4.0",
        4,
        Decimal(4),
        4.5,
        "1,234",
        True,
        "true",
        "TRUE",
        "four",
        "",
        None,
        float("nan"),
    ),
    *(10**400, datetime.date(2024, 5, 6), [1, 2], "007"),
]


@pytest.mark.parametrize(
    ("op", "value", "found"),
    [
        ("eq", 4, ["4", "4.0", 4, Decimal(4)]),
        ("eq", "4", ["4"]),
        ("eq", True, [True, "true", "TRUE"]),
        ("eq", "true", ["true"]),
        ("eq", 1, []),  # true is no number
        ("eq", 7, ["007"]),
        ("eq", "007", ["007"]),
        ("gt", 4, [4.5, "1,234", "007"]),
        (
            "gte",
            "2024-05-01",
            [datetime.date(2024, 5, 6), "4", "4.0", [1, 2], "true", "TRUE", "four"],
        ),
        ("in", [4, "four"], ["4", "4.0", 4, Decimal(4), "four"]),
        ("eq", "[1,2]", [[1, 2]]),
    ],
)
def test_a_cell_is_read_as_what_it_is_compared_with(op: str, value: Any, found: list[Any]) -> None:
    rows = [{"cell": cell} for cell in CELLS]
    mask = mask_of({"type": op, "key": "cell", "value": value}, rows, ["cell"])
    meant = {_key(cell) for cell, kept in zip(CELLS, mask.tolist(), strict=True) if kept}
    assert meant == {_key(one) for one in found}


def _key(cell: Any) -> str:
    text = str(cell).replace(", ", ",")
    return text if isinstance(cell, str | list | datetime.date) else f"{type(cell)} {text}"


@pytest.mark.parametrize(("op", "value"), [("ne", 4), ("nin", [4, "four"]), ("ne", True)])
def test_what_is_not_there_is_unequal(op: str, value: Any) -> None:
    same = {"ne": "eq", "nin": "in"}[op]
    rows = [{"cell": cell} for cell in [*CELLS]] + [{}]
    unlike = mask_of({"type": op, "key": "cell", "value": value}, rows, ["cell"])
    alike = mask_of({"type": same, "key": "cell", "value": value}, rows, ["cell"])
    assert (unlike == ~alike).all()
    assert unlike[-1]


def test_filters_within_filters_and_columns_that_are_not_there() -> None:
    rows = [{"stars": stars, "kind": kind} for stars in ("1", "5") for kind in ("tea", "rice")]

    def one(op: str, key: str, value: Any) -> dict[str, Any]:
        return {"type": op, "key": key, "value": value}

    either = {"type": "or", "filters": [one("gt", "stars", 4), one("eq", "kind", "tea")]}
    both = {"type": "and", "filters": [either, one("ne", "kind", "rice")]}
    assert mask_of(either, rows, ["stars", "kind"]).tolist() == [True, False, True, True]
    assert mask_of(both, rows, ["stars", "kind"]).tolist() == [True, False, True, False]
    with pytest.raises(BadRequest, match=r"no column 'star'\. Did you mean 'stars'"):
        mask_of({"type": "and", "filters": [either, one("eq", "star", 1)]}, rows, ["stars", "kind"])
