"""Filters of attributes: OpenAI's comparison and compound filters as one tree.

What they mean, in every index:

    eq         both are strings, both booleans or both numbers, and equal: 1 equals 1.0, and
               neither equals true or "1"
    ne         not eq: it matches a row without the key too
    gt gte     both are numbers, or both are strings (in the order of Unicode code points); any
    lt lte     other pair, and a row without the key, does not match
    in         eq to one of the values: an empty list matches nothing
    nin        not in: an empty list, or a row without the key, matches
    and or     of any depth up to `DEEPEST`

Numbers are doubles, as in JSON.
"""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from operator import ge, gt, le, lt
from typing import Any, Literal, TypeAlias, cast, get_args

from tunewright.errors import BadRequest
from tunewright.records.record import json_type

Value: TypeAlias = str | bool | float
Attributes: TypeAlias = Mapping[str, str | bool | float]
Kind: TypeAlias = Literal["string", "boolean", "number"]
Operator: TypeAlias = Literal["eq", "ne", "gt", "gte", "lt", "lte", "in", "nin"]

DEEPEST = 20
MOST_COMPARISONS = 1000
MOST_VALUES = 1000  # of one `in` or `nin`

_ORDER: dict[str, Callable[[Any, Any], bool]] = {"gt": gt, "gte": ge, "lt": lt, "lte": le}
_OPERATORS = get_args(Operator)


@dataclass(frozen=True)
class Comparison:
    """`values`: one, except of `in` and `nin`, whose values are distinct and at least one."""

    key: str
    op: Operator
    values: tuple[Value, ...]
    # To Python true equals 1: without these, two filters that differ would be one.
    kinds: tuple[Kind | None, ...] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "kinds", tuple(map(kind, self.values)))


@dataclass(frozen=True)
class And:
    """Of no parts it matches every row; else of two or more, none of them an And."""

    parts: tuple["Filter", ...]


@dataclass(frozen=True)
class Or:
    """Of no parts it matches no row; else of two or more, none of them an Or."""

    parts: tuple["Filter", ...]


Filter: TypeAlias = Comparison | And | Or
EVERY, NONE = And(()), Or(())


def matches(tree: Filter, attributes: Attributes) -> bool:
    """Whether a row with these attributes is meant."""
    if isinstance(tree, And):
        return all(matches(part, attributes) for part in tree.parts)
    if isinstance(tree, Or):
        return any(matches(part, attributes) for part in tree.parts)
    found, value = attributes.get(tree.key), tree.values[0]
    if tree.op in _ORDER:
        return kind(found) == tree.kinds[0] and _ORDER[tree.op](found, value)
    return (tree.op in ("eq", "in")) == any(_equal(found, value) for value in tree.values)


def kind(value: object) -> Kind | None:
    """What it can be compared with: "string", "boolean" or "number"; None of anything else."""
    if isinstance(value, str):
        return "string"
    if isinstance(value, bool):
        return "boolean"
    return "number" if isinstance(value, (int, float)) else None


def _equal(one: object, other: object) -> bool:
    return kind(one) == kind(other) and one == other


def parse(given: Any, param: str = "filters") -> Filter:
    """The tree of a filter as OpenAI writes it: {"type", "key", "value"} or {"type", "filters"}.

    Its parts are in the order given, and equal filters give equal trees. Raises BadRequest, which
    names the place, for anything else, and for more than the limits above.
    """
    seen: list[str] = []
    return _parsed(given, param, 1, seen)


def _parsed(given: Any, at: str, depth: int, seen: list[str]) -> Filter:
    if depth > DEEPEST:
        raise BadRequest(
            f"Invalid '{at}': nested too deeply. Expected at most {DEEPEST} levels.",
            param=at,
            code="invalid_value",
        )
    if not isinstance(given, Mapping):
        raise _wrong_type(at, "an object", given)
    fields = cast("Mapping[str, Any]", given)
    compound = fields.get("type") in ("and", "or")
    _only(fields, ("type", "filters") if compound else ("type", "key", "value"), at)
    return _compound(fields, at, depth, seen) if compound else _comparison(fields, at, seen)


def _comparison(fields: Mapping[str, Any], at: str, seen: list[str]) -> Filter:
    key, op = fields.get("key"), cast("Operator", fields.get("type"))
    if op not in _OPERATORS:
        raise _unknown_type(f"{at}.type", op)
    for name in ("key", "value"):
        if name not in fields:
            raise _missing(f"{at}.{name}")
    if not isinstance(key, str):
        raise _wrong_type(f"{at}.key", "a string", key)
    seen.append(_encodable(key, f"{at}.key"))
    if len(seen) > MOST_COMPARISONS:
        raise BadRequest(
            f"The filter has too many comparisons: at most {MOST_COMPARISONS}. Use 'in' for many "
            "values of one key.",
            param=at,
            code="array_above_max_length",
        )
    if op in ("in", "nin"):
        return _membership(key, op, fields["value"], f"{at}.value")
    value = value_of(fields["value"], f"{at}.value")
    # A boolean is greater than nothing and less than nothing.
    return NONE if op in _ORDER and isinstance(value, bool) else Comparison(key, op, (value,))


def _membership(key: str, op: Operator, given: Any, at: str) -> Filter:
    if isinstance(given, str) or not isinstance(given, Sequence):
        raise _wrong_type(at, "an array", given)
    if len(given) > MOST_VALUES:
        raise BadRequest(
            f"Invalid '{at}': array too long. Expected an array with maximum length {MOST_VALUES}, "
            f"but got an array with length {len(given)} instead.",
            param=at,
            code="array_above_max_length",
        )
    values = [value_of(value, f"{at}[{index}]") for index, value in enumerate(given)]
    distinct = {(kind(value), value): value for value in values}  # True == 1 to Python
    if not distinct:
        return NONE if op == "in" else EVERY
    return Comparison(key, op, tuple(distinct.values()))


def value_of(given: Any, at: str) -> Value:
    """As it is stored and compared: a number as a double. Raises BadRequest, which names `at`."""
    if isinstance(given, (str, bool)):
        return given if isinstance(given, bool) else _encodable(given, at)
    if not isinstance(given, (int, float)):
        raise _wrong_type(at, "a string, a number or a boolean", given)
    try:
        number = float(given)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise BadRequest(
            f"Invalid '{at}': expected a finite number that fits into a double.",
            param=at,
            code="invalid_value",
        )
    return number


def _encodable(text: str, at: str) -> str:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise BadRequest(
            f"Invalid '{at}': expected Unicode text, but it has half of a surrogate pair.",
            param=at,
            code="invalid_value",
        ) from None
    return text


def _compound(fields: Mapping[str, Any], at: str, depth: int, seen: list[str]) -> Filter:
    given, kind_of = fields.get("filters"), And if fields["type"] == "and" else Or
    if "filters" not in fields:
        raise _missing(f"{at}.filters")
    if isinstance(given, str) or not isinstance(given, Sequence):
        raise _wrong_type(f"{at}.filters", "an array", given)
    parts = (
        _parsed(part, f"{at}.filters[{index}]", depth + 1, seen) for index, part in enumerate(given)
    )
    return joined(kind_of, parts)


def joined(kind_of: type[And] | type[Or], parts: Iterable[Filter]) -> Filter:
    """`And` or `Or` of these, in the form that the classes describe."""
    nothing, decided = (EVERY, NONE) if kind_of is And else (NONE, EVERY)
    flat: dict[Filter, None] = {}
    for part in parts:
        flat |= dict.fromkeys(part.parts if isinstance(part, kind_of) else (part,))
        if part == decided:
            return decided
    return kind_of(tuple(flat)) if len(flat) > 1 else next(iter(flat), nothing)


def _only(fields: Mapping[str, Any], known: tuple[str, ...], at: str) -> None:
    if unknown := [name for name in fields if name not in known]:
        name = f"{at}.{unknown[0]}"
        raise BadRequest(f"Unknown parameter: '{name}'.", param=name, code="unknown_parameter")


def _unknown_type(at: str, given: Any) -> BadRequest:
    if given is None:
        return _missing(at)
    known = ", ".join(f"'{name}'" for name in (*_OPERATORS, "and", "or"))
    if not isinstance(given, str):
        return _wrong_type(at, f"one of {known}", given)
    return BadRequest(
        f"Invalid value for '{at}': {given[:40]!r}. Supported values are: {known}.",
        param=at,
        code="invalid_value",
    )


def _missing(at: str) -> BadRequest:
    message = f"Missing required parameter: '{at}'."
    return BadRequest(message, param=at, code="missing_required_parameter")


def _wrong_type(at: str, expected: str, given: Any) -> BadRequest:
    return BadRequest(
        f"Invalid type for '{at}': expected {expected}, but got {json_type(given)} instead.",
        param=at,
        code="invalid_type",
    )
