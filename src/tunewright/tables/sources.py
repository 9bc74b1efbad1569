"""Rows of a table, whatever kind of file it is: good ones and bad ones, none left out."""

import csv
import itertools
import os
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from json import JSONDecoder
from pathlib import Path
from typing import Any, NamedTuple, TextIO, TypeAlias

import orjson

from tunewright.errors import BadRequest, MissingExtra
from tunewright.tables.formats import ARRAY, HEAD, PARQUET, SPREAD, TABLE, ZIP, layout
from tunewright.tables.problems import kind, shown
from tunewright.tables.reading import BOM, Line, lines
from tunewright.tables.unpacking import plain

_SPACE = re.compile(r"[ \t\r\n,]*")
_LONGEST_CELL = 2**24  # characters; the csv module's own limit is 128 KiB


class SourceRow(NamedTuple):
    """`line` counts from 1: the line at which the row begins; of a sheet, its row; in Parquet and
    in a JSON array, its position. Either `values` by column, or `fault` says what is wrong."""

    line: int
    values: dict[str, Any] | None = None
    fault: str = ""


@dataclass(frozen=True, slots=True)
class Source:
    """`columns` is None where each row names its own (JSON). `share`: which part of the file has
    been read, 0 to 1, roughly. `typed`: cells may be something else than text. `parquet`: the file,
    where it is one. `packed`: it was unpacked, or recoded."""

    columns: Sequence[str] | None
    rows: Iterator[SourceRow]
    share: Callable[[], float]
    typed: bool = True
    parquet: Any = None
    packed: bool = False


def open_source(path: Path, sheet: str | None = None, only: Sequence[str] | None = None) -> Source:
    """The rows of a .csv, .tsv, .xlsx, .parquet, .json or .jsonl file, read as they are asked for;
    a .json file, an array of objects, is held in memory whole. What a file is shows how it begins,
    whatever its ending; what is packed (gzip, bzip2, xz, zip) or UTF-16 is unpacked first.

    only: the columns that are needed, where the kind of file allows to leave out the others; those
    that it does not have count for nothing.

    Raises BadRequest where the file as a whole is not what it seems to be, MissingExtra where the
    reader of its kind is not installed.
    """
    if not path.is_file():
        raise BadRequest(f"There is no file {path}.")
    with path.open("rb") as file:
        head = file.read(HEAD)
    with ExitStack() as keeping:
        if inside := plain(path, head, keeping):
            source = open_source(inside, sheet, only)
            rows = _kept(source.rows, keeping.pop_all())
            return replace(source, rows=rows, packed=True)
    reader = _reader(path, head)
    if sheet is not None and reader is not _sheet:
        raise BadRequest(f"{path.name} has no sheets; only .xlsx files have.", param="sheet")
    if reader is _parquet:
        return _parquet(path, only)
    return _sheet(path, sheet) if reader is _sheet else reader(path)


def _kept(rows: Iterator[SourceRow], keeping: ExitStack) -> Iterator[SourceRow]:
    with keeping:
        yield from rows


def _reader(path: Path, head: bytes) -> "_Reader":
    suffix = path.suffix.lower()
    if head.startswith(ZIP) or suffix == ".xlsx":
        return _sheet
    if head.startswith(PARQUET) or suffix == ".parquet":
        return _parquet
    if suffix in (".csv", ".tsv"):
        return _delimited
    seen = layout(head)
    if seen in _LAYOUTS:
        return _LAYOUTS[seen]
    if suffix not in (".json", ".jsonl") and head.lstrip()[:1] not in (b"{", b"[", b'"'):
        endings = ".csv, .tsv, .xlsx, .parquet, .json, .jsonl"
        raise BadRequest(f"{path.name}: expected a file that ends in one of {endings}.")
    return _jsonl


def _delimited(path: Path) -> Source:
    with path.open("rb") as file:
        first = file.readline(_LONGEST_CELL)
    file = path.open(encoding="utf-8-sig", errors="surrogateescape", newline="")
    records = _records(file, _delimiter(path, first))
    _, names, fault = next(records, (1, [], "it is empty"))
    if fault or not any(names):
        raise BadRequest(f"{path.name} has no line of column names: {fault or 'it is blank'}.")
    columns, size = _named(path, names), path.stat().st_size or 1
    width = len(names)
    rows = (
        SourceRow(line, dict(zip(names, cells, strict=True)))
        if len(cells) == width and any(cells)
        else _unfit(line, cells, fault, names)
        for line, cells, fault in records
    )

    def share() -> float:
        return 1.0 if file.closed else os.lseek(file.fileno(), 0, os.SEEK_CUR) / size

    return Source(columns, rows, share, typed=False)


def _delimiter(path: Path, first: bytes) -> str:
    """Where a comma is the decimal mark, spreadsheets write semicolons into .csv files."""
    if path.suffix.lower() == ".tsv" or (b"\t" in first and b"," not in first):
        return "\t"
    return ";" if b";" in first and b"," not in first else ","


def _records(file: TextIO, delimiter: str) -> Iterator[tuple[int, list[str], str]]:
    """Line, cells and fault. Bytes that are not UTF-8 come through as lone surrogates, so that they
    cost their row and not the file."""
    csv.field_size_limit(_LONGEST_CELL)
    with file:
        reader = csv.reader(file, delimiter=delimiter, strict=True)
        while True:
            line = reader.line_num + 1
            try:
                yield line, next(reader), ""
            except StopIteration:
                return
            except csv.Error as error:
                yield line, [], f"not valid CSV ({error})"


def _unfit(line: int, cells: list[str], fault: str, names: Sequence[str]) -> SourceRow:
    if fault:
        return SourceRow(line, fault=f"The row is {fault}.")
    if not any(cells):
        return SourceRow(line, fault=EMPTY)
    what = f"The row has {len(cells)} columns, the first line has {len(names)}."
    return SourceRow(line, fault=what)


def _named(path: Path, names: Sequence[Any]) -> Sequence[str]:
    for name in names:
        if name is not None and names.count(name) > 1:
            raise BadRequest(f"{path.name} has two columns named {shown(str(name))}. Rename one.")
    return [str(name) for name in names if name is not None]


def _sheet(path: Path, sheet: str | None = None) -> Source:
    """A formula counts as the value that was saved with it."""
    from openpyxl import load_workbook

    with ExitStack() as keeping:
        # As a file: openpyxl refuses a path that does not end in .xlsx.
        file = keeping.enter_context(path.open("rb"))
        try:
            book = load_workbook(file, read_only=True, data_only=True)
        except Exception as error:  # of many kinds, by what is broken: zip, XML, a missing part
            raise BadRequest(f"{path.name} cannot be read as .xlsx: {error}") from error
        sheets = {one.title: one for one in book.worksheets}  # without those that are charts
        if not sheets or (sheet is not None and sheet not in sheets):
            what = f"{path.name} has no sheet {shown(sheet or 'of cells')}."
            raise BadRequest(f"{what} It has: {', '.join(sheets)}.", param="sheet")
        chosen = sheets[sheet or next(iter(sheets))]
        rows = _whole(path, chosen.iter_rows(values_only=True))
        names = list(next(rows, ()))
        columns = _named(path, names)
        kept = _kept(_sheet_rows(rows, names), keeping.pop_all())
    return _of_known(columns, kept, chosen.max_row or 1)


def _of_known(
    columns: Sequence[str] | None, rows: Iterator[SourceRow], total: int, parquet: Any = None
) -> Source:
    """A source of about `total` lines."""
    read = 0

    def following() -> Iterator[SourceRow]:
        nonlocal read
        for row in rows:
            read = row.line
            yield row

    return Source(columns, following(), lambda: read / max(1, total), parquet=parquet)


def _whole(path: Path, items: Iterator[Any]) -> Iterator[Any]:
    """A damaged file may open well and fail later, with errors of many kinds."""
    try:
        yield from items
    except Exception as error:
        raise BadRequest(f"{path.name} is damaged: {error}") from error


def _sheet_rows(rows: Iterator[Sequence[Any]], names: list[Any]) -> Iterator[SourceRow]:
    for line, cells in enumerate(rows, start=2):
        if all(cell is None or cell == "" for cell in cells):
            yield SourceRow(line, fault=EMPTY)
        else:
            named = itertools.zip_longest(names, cells[: len(names)])
            yield SourceRow(line, {name: cell for name, cell in named if name is not None})


def _parquet(path: Path, only: Sequence[str] | None = None) -> Source:
    try:
        from pyarrow import ArrowException
        from pyarrow.parquet import ParquetFile
    except ImportError as error:
        raise MissingExtra("Reading .parquet files", "tables") from error
    try:
        file = ParquetFile(path)
    except ArrowException as error:
        raise BadRequest(f"{path.name} cannot be read as Parquet: {error}") from error
    names = _named(path, file.schema_arrow.names)
    wanted = None if only is None else [name for name in names if name in only]
    read = _whole(path, file.iter_batches(batch_size=1024, columns=wanted))
    batches = (batch.to_pylist() for batch in read)
    rows = enumerate(itertools.chain.from_iterable(batches), start=1)
    found = (SourceRow(line, row) for line, row in rows)
    return _of_known(names, found, file.metadata.num_rows, file)


def _array(path: Path) -> Source:
    try:
        value = orjson.loads(path.read_bytes().removeprefix(BOM))
    except orjson.JSONDecodeError as error:
        raise BadRequest(f"{path.name} is not valid JSON: {error}.") from None
    return _of_known(None, itertools.starmap(_of_object, enumerate(value, start=1)), len(value))


def _spread(path: Path) -> Source:
    """One object after the other, each over several lines; held in memory whole."""
    try:
        text = path.read_bytes().removeprefix(BOM).decode()
    except UnicodeDecodeError as error:
        raise BadRequest(f"{path.name} is not UTF-8: byte {error.start + 1} is wrong.") from None
    rows = itertools.starmap(_of_object, enumerate(_values(path, text), start=1))
    return Source(None, rows, lambda: 0.0)


def _values(path: Path, text: str) -> Iterator[Any]:
    decoder, at = JSONDecoder(), 0
    while rest := _SPACE.match(text, at):
        at = rest.end()
        if at == len(text):
            return
        try:
            value, end = decoder.raw_decode(text, at)
        except (ValueError, RecursionError) as error:
            raise BadRequest(f"{path.name} is not valid JSON: {error}.") from None
        yield value
        at = end


def _jsonl(path: Path) -> Source:
    at, size = 0, path.stat().st_size or 1

    def rows() -> Iterator[SourceRow]:
        nonlocal at
        for line in lines(path):
            at = line.offset
            yield _of_line(line)

    return Source(None, rows(), lambda: at / size)


def _of_line(line: Line) -> SourceRow:
    if line.blank:
        return SourceRow(line.number, fault=EMPTY)
    if line.fault:
        return SourceRow(line.number, fault=f"{line.fault.message} {line.fault.remedy}")
    return _of_object(line.number, line.value)


def _of_object(line: int, value: Any) -> SourceRow:
    if isinstance(value, str) and (inner := unpacked(value)) is not None:
        value = inner
    if isinstance(value, list):
        value = {"messages": value}
    if isinstance(value, dict):
        return SourceRow(line, value)
    return SourceRow(line, fault=f"The row is {kind(value)}, not an object.")


def unpacked(text: str) -> Any:
    """The value in JSON text that was written as JSON text again, however often; else None."""
    try:
        value = orjson.loads(text) if text.lstrip()[:1] in ("{", "[", '"') else None
    except orjson.JSONDecodeError:
        return None
    return unpacked(value) if isinstance(value, str) else value


EMPTY = "The row is empty."
_Reader: TypeAlias = Callable[[Path], Source]
_LAYOUTS: dict[str, _Reader] = {ARRAY: _array, SPREAD: _spread, TABLE: _delimited}
