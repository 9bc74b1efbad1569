"""What a filter means, and what is refused."""

from typing import Any

import pytest

from tunewright.errors import BadRequest
from tunewright.vectors.filters import EVERY, NONE, And, Comparison, Or, matches, parse

# The rows that databases disagree about.
ROWS: dict[str, dict[str, Any]] = {
    "int": {"k": 1},
    "double": {"k": 1.0},
    "text": {"k": "1"},
    "true": {"k": True},
    "missing": {"other": 1},
}
ALL = set(ROWS)


def comparison(op: str, value: Any, key: str = "k") -> dict[str, Any]:
    return {"type": op, "key": key, "value": value}


@pytest.mark.parametrize(
    ("op", "value", "expected"),
    [
        ("eq", 1, {"int", "double"}),
        ("eq", "1", {"text"}),
        ("eq", True, {"true"}),
        ("ne", 1, {"text", "true", "missing"}),
        ("ne", True, ALL - {"true"}),
        ("gt", 0, {"int", "double"}),
        ("gte", 1.0, {"int", "double"}),
        ("lt", 2, {"int", "double"}),
        ("lte", 0, set()),
        ("gt", "0", {"text"}),
        ("lt", "1\x00", {"text"}),
        ("gt", False, set()),
        ("in", [1, "x"], {"int", "double"}),
        ("in", [True, "1"], {"true", "text"}),
        ("in", [], set()),
        ("nin", [], ALL),
        ("nin", [1], {"text", "true", "missing"}),
    ],
)
def test_comparisons_are_strict_about_types(op: str, value: Any, expected: set[str]) -> None:
    tree = parse(comparison(op, value))
    assert {name for name, row in ROWS.items() if matches(tree, row)} == expected


def test_strings_are_ordered_by_code_points_and_keys_are_any_text() -> None:
    tree = parse(comparison("gt", "z", key="schlüssel 🔑.$'\""))
    assert matches(tree, {"schlüssel 🔑.$'\"": "é"})
    assert not matches(tree, {"schlüssel 🔑.$'\"": "Z"})


def test_compound_filters_become_one_flat_tree() -> None:
    a, b, c = (comparison("eq", value) for value in ("a", "b", "c"))
    nested = {"type": "or", "filters": [a, {"type": "or", "filters": [b, c]}]}
    assert parse(nested) == Or(tuple(map(parse, (a, b, c))))
    assert parse({"type": "and", "filters": [a]}) == parse(a)
    assert parse({"type": "and", "filters": []}) == EVERY == And(())
    assert parse({"type": "or", "filters": []}) == NONE
    assert parse({"type": "and", "filters": [a, comparison("in", [])]}) == NONE
    assert parse({"type": "or", "filters": [a, comparison("nin", [])]}) == EVERY


def test_true_and_1_are_different_filters() -> None:
    one, true = parse(comparison("eq", 1)), parse(comparison("eq", True))
    assert one != true
    assert parse({"type": "or", "filters": [comparison("eq", 1), comparison("eq", True)]}) == Or(
        (one, true)
    )
    assert parse(comparison("in", [1, True, 1.0])) == Comparison("k", "in", (1.0, True))


def deep(levels: int) -> dict[str, Any]:
    tree = comparison("eq", 1)
    for _ in range(levels):
        tree = {"type": "and", "filters": [tree, comparison("eq", 2)]}
    return tree


@pytest.mark.parametrize(
    ("given", "param"),
    [
        ("text", "filters"),
        ([], "filters"),
        ({}, "filters.type"),
        (comparison("not", 1), "filters.type"),
        ({"type": "eq", "value": 1}, "filters.key"),
        ({"type": "eq", "key": "k"}, "filters.value"),
        (comparison("eq", None), "filters.value"),
        (comparison("eq", [1]), "filters.value"),
        (comparison("eq", 10**400), "filters.value"),
        (comparison("eq", float("nan")), "filters.value"),
        (comparison("eq", "\ud800"), "filters.value"),
        (comparison("in", "abc"), "filters.value"),
        (comparison("in", [1, {}]), "filters.value[1]"),
        (comparison("in", list(range(10_000))), "filters.value"),
        (comparison("eq", 1) | {"also": 2}, "filters.also"),
        ({"type": "and", "filters": comparison("eq", 1)}, "filters.filters"),
        ({"type": "and", "filters": [comparison("eq", 1), 7]}, "filters.filters[1]"),
        ({"type": "or", "filters": [comparison("eq", 1)] * 1001}, "filters.filters[1000]"),
        (deep(100), "filters" + ".filters[0]" * 20),
    ],
)
def test_what_is_no_filter_is_refused_by_its_place(given: Any, param: str) -> None:
    with pytest.raises(BadRequest) as refused:
        parse(given)
    assert refused.value.param == param
    assert len(refused.value.message) < 300
