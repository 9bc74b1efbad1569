"""What every index refuses before anything is written."""

import math
from collections.abc import Mapping, Sequence
from typing import Any, get_args

import numpy as np
from numpy.typing import NDArray

from tunewright import names
from tunewright.errors import BadRequest
from tunewright.vectors.filters import Filter, Value, value_of
from tunewright.vectors.index import MOST_ID, Floats, Metric


def checked_vectors(given: Any, dimensions: int, metric: Metric, what: str = "vectors") -> Floats:
    """As float32 [n, dimensions], C-contiguous. Raises BadRequest, naming the first bad row."""
    vectors = np.ascontiguousarray(given, dtype=np.float32)
    if vectors.ndim != 2 or vectors.shape[1] != dimensions:
        raise BadRequest(
            f"The collection has vectors of {dimensions} dimensions; {what} have the shape "
            f"{list(vectors.shape)}, and [n, {dimensions}] is expected.",
            param=what,
        )
    if not _fine(vectors, metric):
        finite = np.isfinite(vectors).all(axis=1)
        _refuse(~finite, what, "has a component that is not a finite number")
        if metric == "cosine":
            _refuse(~vectors.any(axis=1), what, "has the length 0, so its cosine is undefined")
    return vectors


def _fine(vectors: Floats, metric: Metric) -> bool:
    """Told by one pass, whose sums of squares (float64) nothing finite takes to infinity."""
    if not len(vectors):
        return True
    squares = squared(vectors)
    least, most = float(squares.min()), float(squares.max())  # NaN where one is
    return (least > 0 if metric == "cosine" else least >= 0) and most < math.inf


def squared(vectors: Floats) -> NDArray[np.float64]:
    """[n, d] -> [n]: the squares of their lengths."""
    return np.einsum("nd,nd->n", vectors, vectors, dtype=np.float64)


def checked_rows(given: Any, rows: int, dimensions: int, metric: Metric) -> Floats:
    """The vectors of so many ids: `checked_vectors`."""
    vectors = checked_vectors(given, dimensions, metric)
    if len(vectors) != rows:
        raise BadRequest(f"{rows} ids and {len(vectors)} vectors were given: one each is needed.")
    return vectors


def may_be_name(name: str) -> bool:
    """Whether a collection can be called so."""
    try:
        names.id(name)
    except ValueError:
        return False
    return True


def check_new(name: str, dimensions: int, metric: str, most: int) -> None:
    """What `create` is given; `most` dimensions. Raises BadRequest."""
    if not may_be_name(name):
        raise BadRequest(
            f"'{name[:200]}' cannot be a collection's name: letters, digits, _ and - only, at most "
            "128.",
            param="name",
        )
    if not 1 <= dimensions <= most:
        raise BadRequest(f"dimensions is {dimensions}: from 1 to {most}.", param="dimensions")
    if metric not in get_args(Metric):
        raise BadRequest(
            f"There is no metric '{metric}'. Known: {', '.join(get_args(Metric))}.", param="metric"
        )


def check_same(name: str, there: tuple[int, Metric], asked: tuple[int, Metric]) -> None:
    """(dimensions, metric) of a collection that is there. Raises BadRequest."""
    if there != asked:
        raise BadRequest(
            f"The collection '{name}' has vectors of {there[0]} dimensions and the metric "
            f"{there[1]}; {asked[0]} and {asked[1]} were asked for."
        )


def _refuse(bad: Any, what: str, why: str) -> None:
    rows = np.flatnonzero(bad)  # [n] -> indices
    if len(rows):
        raise BadRequest(f"Row {rows[0]} of {what} {why}.", param=what)


def checked_ids(ids: Sequence[Any]) -> None:
    """Raises BadRequest."""
    for index, id in enumerate(ids):
        if isinstance(id, str) and id.isascii() and 0 < len(id) <= MOST_ID:
            continue  # as nearly all are
        if not isinstance(id, str) or not id:
            raise BadRequest(f"ids[{index}] is {id!r}: expected a string that is not empty.")
        value_of(id, f"ids[{index}]")
        if (size := len(id.encode())) > MOST_ID:
            raise BadRequest(
                f"ids[{index}] begins with {id[:20]!r} and has {size} bytes: at most {MOST_ID}."
            )


def checked_attributes(given: Sequence[Mapping[Any, Any]], rows: int) -> list[dict[str, Value]]:
    """One object a row, as `filters.matches` compares them. Raises BadRequest."""
    if len(given) != rows:
        raise BadRequest(f"{rows} ids and {len(given)} attributes were given: one each is needed.")
    return [_plain(attributes, f"attributes[{row}]") for row, attributes in enumerate(given)]


def _plain(attributes: Mapping[Any, Any], at: str) -> dict[str, Value]:
    if all(map(_is_plain, attributes, attributes.values())):
        # Nearly always: no place is spelled out for each value.
        return {k: float(v) if type(v) is int else v for k, v in attributes.items()}
    for key in attributes:
        if not isinstance(key, str):
            raise BadRequest(f"{at} has the key {key!r}: expected a string.")
        value_of(key, at)
    return {key: value_of(value, f"{at}.{key}") for key, value in attributes.items()}


def _is_plain(key: object, value: object) -> bool:
    """Whether both are as most are, by what costs least to find out."""
    if not (isinstance(key, str) and key.isascii()):
        return False
    if isinstance(value, str):
        return type(value) is str and value.isascii()
    if isinstance(value, float):
        return type(value) is float and math.isfinite(value)
    return isinstance(value, int) and abs(value) < 2**63


def checked_k(k: int) -> None:
    """Raises BadRequest."""
    if k < 1:
        raise BadRequest(f"k is {k}: at least 1.", param="k")


def one_of(ids: Sequence[str] | None, where: Filter | None) -> None:
    """What `delete` is given. Raises BadRequest."""
    if (ids is None) == (where is None):
        raise BadRequest("What to delete is named by 'ids' or by 'where': one of the two.")
