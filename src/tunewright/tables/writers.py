"""Rows of a table with their vectors, out: Parquet, CSV, JSON lines, or the vectors alone.

A writer gets rows in their order, some thousand at a time, and the same rows cut the same way give
the same bytes.
"""

import csv
import io
from collections.abc import Container, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Protocol, TypeAlias

import numpy as np
import orjson
from numpy.typing import NDArray

from tunewright.errors import BadRequest, MissingExtra
from tunewright.tables.cells import written
from tunewright.tables.problems import shown

Floats: TypeAlias = NDArray[np.float32]
Row: TypeAlias = dict[str, Any]
Data: TypeAlias = bytes
EMBEDDING, COMBINED = "embedding", "combined"
_JSON = orjson.OPT_SERIALIZE_NUMPY
ROW_GROUP = 16 * 2**20  # bytes of vectors, about


class Out(Protocol):
    """Where the bytes go: `durable.Upload`, or whatever counts what it is given."""

    bytes: int

    def write(self, data: Data) -> None: ...


@dataclass(frozen=True)
class Rows:
    """Some rows that have a vector. `values`: of each, by column. `batch`: the same as a
    pyarrow.RecordBatch, where the table is in Parquet and its writer asks for that."""

    lines: Sequence[int]
    values: Sequence[Row]
    texts: Sequence[str]
    vectors: Floats  # [rows, d]
    batch: Any = None


@dataclass(frozen=True)
class About:
    """What is known before the first row. `columns`: of the whole table, in their order; `types`:
    of each the type that fits all of its values. `combined`: the text is a column of its own.
    `rows`: how many will come. `said`: name and value of what the file says of itself.
    `dimensions`: 0 for a table without vectors."""

    columns: Sequence[str]
    dimensions: int
    rows: int
    combined: bool
    types: dict[str, str] = field(default_factory=dict)
    schema: Any = None
    said: dict[str, str] = field(default_factory=dict)


class Writer(Protocol):
    """`beside`: where the texts go, for a format that has no place for them. `whole_table`: whether
    it must know `About.columns` of a table whose rows name their own."""

    whole_table: ClassVar[bool]
    beside: ClassVar[str | None]

    def __init__(self, out: Out, about: About, beside: Out | None) -> None: ...

    def write(self, rows: Rows) -> None: ...

    def close(self) -> None: ...


class Csv:
    """As OpenAI's guide has it: ``df.embedding.apply(eval).apply(np.array)`` reads it back."""

    whole_table: ClassVar = True
    beside: ClassVar[str | None] = None

    def __init__(self, out: Out, about: About, beside: Out | None = None) -> None:
        self._out = out
        self._columns = about.columns
        self._combined = about.combined
        self._dimensions = about.dimensions
        more = [*([COMBINED] if about.combined else []), *([EMBEDDING] if about.dimensions else [])]
        self._lines([[*about.columns, *more]])

    def write(self, rows: Rows) -> None:
        def cells() -> Iterator[list[str]]:
            for at, values in enumerate(rows.values):
                row = [written(values.get(name)) for name in self._columns]
                if self._combined:
                    row.append(rows.texts[at])
                if self._dimensions:
                    row.append(_numbers(rows.vectors[at]).decode())
                yield row

        self._lines(cells())

    def _lines(self, rows: Any) -> None:
        buffer = io.StringIO(newline="")
        csv.writer(buffer).writerows(
            rows
        )  # "\r\n": with "\n" alone a cell's own "\r" is not quoted
        self._out.write(buffer.getvalue().encode())

    def close(self) -> None: ...


class JsonLines:
    whole_table: ClassVar = False
    beside: ClassVar[str | None] = None

    def __init__(self, out: Out, about: About, beside: Out | None = None) -> None:
        self._out = out
        self._combined = about.combined
        self._dimensions = about.dimensions

    def write(self, rows: Rows) -> None:
        lines: list[bytes] = []
        for at, values in enumerate(rows.values):
            row = {**values, COMBINED: rows.texts[at]} if self._combined else dict(values)
            if self._dimensions:
                row[EMBEDDING] = rows.vectors[at]
            lines.append(orjson.dumps(row, default=str, option=_JSON | orjson.OPT_NON_STR_KEYS))
        self._out.write(b"".join(line + b"\n" for line in lines))

    def close(self) -> None: ...


class Npy:
    """A matrix; line i of the texts beside it is of row i."""

    whole_table: ClassVar = False
    beside: ClassVar[str | None] = "texts"

    def __init__(self, out: Out, about: About, beside: Out | None) -> None:
        assert beside is not None
        self._out, self._beside = out, beside
        shape = (about.rows, about.dimensions)
        header = io.BytesIO()
        np.lib.format.write_array_header_1_0(
            header, {"descr": "<f4", "fortran_order": False, "shape": shape}
        )
        out.write(header.getvalue())

    def write(self, rows: Rows) -> None:
        pairs = zip(rows.lines, rows.texts, strict=True)
        lines = [orjson.dumps({"line": line, "text": text}) + b"\n" for line, text in pairs]
        self._beside.write(b"".join(lines))
        self._out.write(rows.vectors.astype("<f4", copy=False).tobytes())  # [rows, d]

    def close(self) -> None: ...


class Parquet:
    """All columns, then `embedding` as FixedSizeList<float32>. What the file says of itself is in
    its metadata, under ``tunewright.``."""

    whole_table: ClassVar = True
    beside: ClassVar[str | None] = None

    def __init__(self, out: Out, about: About, beside: Out | None = None) -> None:
        arrow, parquet = pyarrow()
        self._arrow = arrow
        self._about = about
        self._flat = flat_schema(arrow, about)
        fields = [*self._flat]
        if about.combined:
            fields.append(arrow.field(COMBINED, arrow.string()))
        vectors: list[Any] = []
        if about.dimensions:
            vector = arrow.list_(arrow.float32(), about.dimensions)
            vectors = [arrow.field(EMBEDDING, vector)]
        said = {f"tunewright.{name}": value for name, value in about.said.items()}
        metadata = {
            **(self._flat.metadata or {}),
            **{k.encode(): v.encode() for k, v in said.items()},
        }
        self._schema = arrow.schema([*fields, *vectors], metadata)
        self._writer = parquet.ParquetWriter(
            ParquetSink(out),
            self._schema,
            use_dictionary=[one.name for one in fields],  # type: ignore[arg-type]
            compression=dict.fromkeys(_leaves(parquet, arrow.schema(fields)), "snappy")
            | ({f"{EMBEDDING}.list.element": "none"} if vectors else {}),
        )

    def write(self, rows: Rows) -> None:
        arrow = self._arrow
        if rows.batch is not None:
            columns = list(rows.batch.columns)
        else:
            columns = [
                arrow.array([_as(kind, values.get(name)) for values in rows.values], one.type)
                for one in self._flat
                for name, kind in [(one.name, self._about.types.get(one.name, "text"))]
            ]
        if self._about.combined:
            columns.append(arrow.array(rows.texts, arrow.string()))
        if self._about.dimensions:
            flat = arrow.array(rows.vectors.reshape(-1))
            columns.append(arrow.FixedSizeListArray.from_arrays(flat, self._about.dimensions))
        table = arrow.Table.from_arrays(columns, schema=self._schema)
        self._writer.write_table(table, row_group_size=max(1, len(rows.lines)))

    def close(self) -> None:
        self._writer.close()


class ParquetSink(io.RawIOBase):
    """What pyarrow writes to."""

    def __init__(self, out: Out) -> None:
        self._out = out

    def writable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._out.bytes

    def write(self, data: Any) -> int:
        self._out.write(bytes(data))
        return len(data)


def flat_schema(arrow: Any, about: About) -> Any:
    if about.schema is not None:
        return about.schema
    types = {
        "true or false": arrow.bool_(),
        "whole number": arrow.int64(),
        "large number": arrow.int64(),
        "number": arrow.float64(),
        "date": arrow.date32(),
        "time": arrow.timestamp("us"),
    }
    return arrow.schema(
        [(name, types.get(about.types.get(name, "text"), arrow.string())) for name in about.columns]
    )


def _leaves(parquet: Any, schema: Any) -> list[str]:
    """The paths of the columns as a Parquet file stores them: nested ones have several."""
    buffer = io.BytesIO()
    parquet.ParquetWriter(buffer, schema).close()
    stored = parquet.ParquetFile(buffer).schema
    return [stored.column(at).path for at in range(len(stored))]


def _as(kind: str, value: Any) -> Any:
    return written(value) if kind == "text" and value is not None else value


def _numbers(vector: Floats) -> bytes:
    return orjson.dumps(vector, option=_JSON)


def pyarrow() -> tuple[Any, Any]:
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError as error:
        raise MissingExtra("Writing .parquet files", "tables") from error
    return pyarrow, parquet


def rows_at_once(dimensions: int) -> int:
    """Of an output: the rows that are held and, in Parquet, the size of a row group."""
    return max(64, ROW_GROUP // (4 * dimensions))


WRITERS: dict[str, type[Csv | JsonLines | Npy | Parquet]] = {
    ".jsonl": JsonLines,
    ".npy": Npy,
    ".csv": Csv,
    ".parquet": Parquet,
}


def check_columns(columns: Container[str], ending: str, *, combined: bool) -> None:
    """Raises BadRequest where the output would have two columns of one name."""
    for name in (EMBEDDING, *([COMBINED] if combined else [])):
        if name in columns and ending != ".npy":
            raise BadRequest(
                f"The table has a column {shown(name)} already, and the output would have two. "
                "Rename or remove it, or write .npy, which has no columns.",
                param="output",
            )


def check_output(path: Path) -> None:
    """Raises BadRequest for a file that cannot be written here."""
    if path.suffix.lower() not in WRITERS:
        endings = ", ".join(WRITERS)
        raise BadRequest(f"{path}: expected a name ending in one of {endings}.", param="output")
    if path.suffix.lower() == ".parquet":
        pyarrow()
    if not path.absolute().parent.is_dir():
        raise BadRequest(f"There is no folder {path.absolute().parent}.", param="output")


def texts_beside(output: Path) -> Path:
    """Where the texts of a matrix are."""
    return output.with_name(f"{output.stem}.texts.jsonl")


def left_out_beside(output: Path) -> Path:
    """Where it is said which rows have no vector, and why."""
    return output.with_name(f"{output.name}.left_out.jsonl")
