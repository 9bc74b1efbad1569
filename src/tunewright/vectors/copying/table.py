"""A file with vectors, such as `tunewright embed` and `tunewright vectors copy` write."""

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, cast

import numpy as np
import orjson

from tunewright.errors import BadRequest
from tunewright.tables.cells import number_of
from tunewright.tables.problems import shown
from tunewright.tables.sources import open_source
from tunewright.tables.writers import EMBEDDING
from tunewright.vectors.copying.ends import Mark, rows_of_a_page
from tunewright.vectors.copying.values import Values
from tunewright.vectors.filters import Kind
from tunewright.vectors.index import Described, Floats, Metric, Rows

_NUMBER = re.compile(r"-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?")
_BOOLEANS = {"true": True, "false": False}
ATTRIBUTES, METRIC, OWN = "attributes", "tunewright.metric", "tunewright.attributes"
Row = dict[str, Any]


def kinds_of(path: Path) -> dict[str, Kind]:
    """Of a CSV file, whose cells are texts: its columns of numbers, and of true and false. One with
    anything else in it is not among them, such as 01234, nor one of empty cells only."""
    source = open_source(path)
    if source.typed:
        return {}
    found: dict[str, Kind] = {}
    for row in source.rows:
        for name, cell in (row.values or {}).items():
            if cell and found.get(name) != "string":
                kind = _kind(cell)
                found[name] = kind if found.get(name, kind) == kind else "string"
    return {name: kind for name, kind in found.items() if kind != "string"}


def _kind(cell: str) -> Kind:
    if _NUMBER.fullmatch(cell):
        return "number"
    return "boolean" if cell.lower() in _BOOLEANS else "string"


class OfTable:
    """Its contract: `Source`. A mark is the number of rows that were read."""

    repeats = True

    def __init__(
        self,
        path: Path,
        metric: Metric | None,
        id: str | None,
        *,
        numbered: str = "",
        kinds: Mapping[str, Kind] | None = None,
        numbers: Sequence[str] = (),
    ) -> None:
        """id: the column with the ids. numbered: stands before the number of a row that is its id,
        where no column has them. kinds: of columns of texts that are numbers, or true and false; by
        default `kinds_of` the file. numbers: columns that are numbers whatever the file says, as
        texts of a Parquet file may be. Raises BadRequest for a file without vectors."""
        if not path.is_file():
            raise BadRequest(f"There is no file {path}.")
        self.path = path
        self.label = str(path.resolve())
        self.collection = path.name.partition(".")[0]
        stat = path.stat()
        self.version = f"{stat.st_size} {stat.st_mtime_ns}"
        self._given: Metric | None = metric
        self._values, self._numbered = Values(), numbered
        self._kinds = kinds_of(path) if kinds is None else kinds
        self._numbers = {*numbers}
        first = next(iter(self._rows(None)), None) or self._empty()
        if not isinstance(first.get(EMBEDDING), list | str | np.ndarray):
            raise BadRequest(
                f"{path.name} has no column `{EMBEDDING}` with vectors. Make one: tunewright embed "
                "--file TABLE --output OUT.parquet."
            )
        self._dimensions = len(self._vector(first[EMBEDDING], 0))
        self._id = id if id is not None else ("id" if "id" in first else None)
        for param, name in [("id", id), *(("number", name) for name in numbers)]:
            if name is not None and name not in first:
                there = ", ".join(shown(name) for name in first if name != EMBEDDING)
                what = f"{path.name} has no column {shown(name)}. It has: {there}."
                raise BadRequest(what, param=param)

    @cached_property
    def _parquet(self) -> Any:
        """None of other files."""
        return open_source(self.path, only=[]).parquet

    def _empty(self) -> Row:
        """As the first row of a file that has none, where the file tells how long vectors are."""
        schema = self._parquet.schema_arrow if self._parquet is not None else None
        if schema is None or EMBEDDING not in schema.names:
            return {}
        size = getattr(schema.field(EMBEDDING).type, "list_size", 0)
        return dict.fromkeys(schema.names) | ({EMBEDDING: np.zeros(size)} if size else {})

    @cached_property
    def _said(self) -> Mapping[bytes, bytes]:
        return (self._parquet and self._parquet.schema_arrow.metadata) or {}

    @cached_property
    def _ours(self) -> bool:
        """Written by `IntoParquet`: what does not fit into columns is in one of them."""
        return OWN.encode() in self._said

    def describe(self) -> Described:
        told = self._said.get(METRIC.encode(), b"").decode()
        if told and self._given not in (None, told):
            raise BadRequest(
                f"{self.path.name} says that its metric is {told}: it is kept. Leave out 'metric'.",
                param="metric",
            )
        return Described(self._dimensions, self._given or cast("Metric", told or "cosine"))

    def rows(self) -> int:
        if self._parquet is not None:
            return self._parquet.metadata.num_rows
        return self._counted

    @cached_property
    def _counted(self) -> int:
        return sum(1 for _ in self._rows(None))

    def notes(self) -> list[str]:
        return self._values.notes

    def pages(self, after: Mark | None) -> Iterator[tuple[Mark, Rows]]:
        size, first = rows_of_a_page(self._dimensions), after or 0
        read, page = 0, list[Row]()
        for row in self._rows(size):
            read += 1
            if read <= first:
                continue
            page.append(row)
            if len(page) == size:
                yield read, self._page(page, read - len(page))
                page = []
        if page:
            yield read, self._page(page, read - len(page))

    def _rows(self, size: int | None) -> Iterator[Row]:
        """size: of the pages that a Parquet file is read in. Raises BadRequest for a row that
        cannot be read."""
        if self._parquet is not None:
            yield from _of_parquet(self.path, size or 64)
            return
        for row in open_source(self.path).rows:
            if row.values is None:
                raise BadRequest(f"{self.path.name}, line {row.line}: {row.fault}")
            yield row.values

    def _page(self, rows: list[Row], start: int) -> Rows:
        vectors = [self._vector(row.get(EMBEDDING), start + n) for n, row in enumerate(rows)]
        ids = [self._id_of(row, start + n) for n, row in enumerate(rows)]
        attributes = [self._attributes(row, start + n) for n, row in enumerate(rows)]
        return Rows(ids, np.stack(vectors), attributes)

    def _vector(self, value: Any, at: int) -> Floats:
        try:
            numbers = orjson.loads(value) if isinstance(value, str) else value
            vector = np.array(numbers, np.float32)
        except (ValueError, TypeError):
            vector = np.zeros((0, 0), np.float32)
        if vector.ndim != 1 or not len(vector):
            raise self._wrong(at, f"`{EMBEDDING}` is not a list of numbers")
        if at and len(vector) != self._dimensions:
            raise self._wrong(
                at, f"`{EMBEDDING}` has {len(vector)} numbers, the first row {self._dimensions}"
            )
        return vector

    def _id_of(self, row: Row, at: int) -> str:
        if self._id is None:
            return f"{self._numbered}{at + 1}"
        value = row.get(self._id)
        if isinstance(value, bool) or not isinstance(value, str | int) or value == "":
            raise self._wrong(at, f"{shown(self._id)} is {value!r}, and no id: a text or a number")
        return str(value)

    def _attributes(self, row: Row, at: int) -> dict[str, str | bool | float]:
        """A column that is empty in this row is an attribute that the row does not have."""
        rest = row.get(ATTRIBUTES) if self._ours else None
        left = (EMBEDDING, self._id, *([ATTRIBUTES] if self._ours else []))
        try:
            found = self._values.of(
                {name: self._typed(name, row[name]) for name in row if name not in left}
            )
        except BadRequest as error:
            raise self._wrong(at, error.message.rstrip(".")) from None
        return found | (orjson.loads(rest) if rest else {})

    def _typed(self, name: str, value: Any) -> Any:
        if name in self._numbers and isinstance(value, str) and value.strip():
            if (number := number_of(value)) is None:
                raise BadRequest(f"{shown(name)} is {shown(value)}, which is not a number.")
            return number
        if name not in self._kinds or not isinstance(value, str):
            return value
        if not value:
            return None
        return float(value) if self._kinds[name] == "number" else _BOOLEANS[value.lower()]

    def _wrong(self, at: int, what: str) -> BadRequest:
        return BadRequest(f"{self.path.name}, row {at + 1}: {what}.")


def _of_parquet(path: Path, size: int) -> Iterator[Row]:
    """Vectors as arrays: as lists, each number would be an object."""
    from pyarrow import types
    from pyarrow.parquet import ParquetFile

    with ParquetFile(path) as file:
        for batch in file.iter_batches(batch_size=size):
            names = batch.schema.names
            columns = [
                _arrays(column)
                if name == EMBEDDING
                and types.is_fixed_size_list(column.type)
                and column.null_count == 0
                else column.to_pylist()
                for name, column in zip(names, batch.columns, strict=True)
            ]
            for values in zip(*columns, strict=True):
                yield dict(zip(names, values, strict=True))


def _arrays(column: Any) -> Any:
    """FixedSizeList<float>[n] -> [n, d]"""
    return column.flatten().to_numpy(zero_copy_only=False).reshape(len(column), -1)
