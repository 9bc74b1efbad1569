"""Rows in: CSV, TSV and JSONL, one at a time, with the place of whatever is wrong."""

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import orjson

from tunewright.errors import BadRequest

_DELIMITERS = {".csv": ",", ".tsv": "\t"}


def read_rows(path: Path) -> Iterator[dict[str, str]]:
    """The rows of a table as column -> text. The ending says which kind of file it is.

    Raises BadRequest for another ending, for bytes that are not UTF-8, and for a row whose columns
    are not those of the header, naming the line.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            if path.suffix == ".jsonl":
                yield from _jsonl(path, file)
            elif path.suffix in _DELIMITERS:
                yield from _delimited(path, file, _DELIMITERS[path.suffix])
            else:
                raise BadRequest(f"{path.name}: expected a .csv, .tsv or .jsonl file.")
    except UnicodeDecodeError as error:
        raise BadRequest(f"{path.name} is not UTF-8 (byte {error.start}).") from None
    except FileNotFoundError:
        raise BadRequest(f"There is no file {path}.") from None


def read_column(path: Path, column: str) -> list[str]:
    """One column of a table. Raises BadRequest naming the columns that there are."""
    values: list[str] = []
    for row in read_rows(path):
        if column not in row:
            raise BadRequest(
                f"{path.name} has no column '{column}'. It has: {', '.join(row)}.", param=column
            )
        values.append(row[column])
    return values


def _delimited(path: Path, file: IO[str], delimiter: str) -> Iterator[dict[str, str]]:
    reader = csv.DictReader(file, delimiter=delimiter, strict=True)
    try:
        for row in reader:
            if None in row or None in row.values():
                raise BadRequest(
                    f"{path.name}, line {reader.line_num}: expected "
                    f"{len(reader.fieldnames or [])} columns."
                )
            yield row
    except csv.Error as error:
        raise BadRequest(f"{path.name}, line {reader.line_num}: {error}.") from None


def _jsonl(path: Path, file: IO[str]) -> Iterator[dict[str, str]]:
    for number, line in enumerate(file, start=1):
        if not line.strip():
            continue
        try:
            row = orjson.loads(line)
        except orjson.JSONDecodeError as error:
            raise BadRequest(f"{path.name}, line {number}: {error}.") from None
        if not isinstance(row, dict):
            raise BadRequest(f"{path.name}, line {number}: expected a JSON object.")
        yield {key: value if isinstance(value, str) else str(value) for key, value in row.items()}
