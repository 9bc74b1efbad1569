"""Vectors with their texts, read back from a file that `writers` wrote, and written at once."""

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray

from tunewright import durable
from tunewright.errors import BadRequest
from tunewright.tables.cells import written
from tunewright.tables.sources import Source, SourceRow, open_source
from tunewright.tables.texts import missing
from tunewright.tables.writers import (
    COMBINED,
    EMBEDDING,
    WRITERS,
    About,
    Rows,
    rows_at_once,
    texts_beside,
)

Floats = NDArray[np.float32]
_SAID = b"tunewright."  # of a Parquet file, what is said of its vectors


@dataclass
class Saved:
    """Rows that have a vector, [n, d]: `lines` and `texts`, [n]. `left_out`: why a row has none, by
    its line. `values`: by line, the other columns of every row. `said`: what the file says of
    itself (model, fingerprint, columns ...); Parquet files only. `column`: of the texts."""

    lines: list[int] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)
    vectors: Floats = field(default_factory=lambda: np.zeros((0, 0), np.float32))
    left_out: dict[int, str] = field(default_factory=dict)
    values: dict[int, dict[str, Any]] = field(default_factory=dict)
    said: dict[str, str] = field(default_factory=dict)
    column: str = "text"


def saved(path: Path, column: str | None = None, sheet: str | None = None) -> Saved | None:
    """What is in a file that has vectors; None for any other table.

    column: of the texts. By default the one that was embedded, where the file tells: ``combined``,
    ``text``, or by what a Parquet file says of itself. A row whose vector cannot be used (none,
    NaN, of length 0) is left out. Raises BadRequest where no row has a vector, and where they are
    not of as many numbers in each row.
    """
    if path.suffix.lower() == ".npy":
        return _matrix(path)
    source = open_source(path, sheet)
    first = next((row for row in source.rows if row.values), None)
    if first is None or EMBEDDING not in (first.values or {}):
        return None
    said = _said(source)
    name = column or _texts_in(path, said, list(first.values or {}))
    return _read(path, name, said, _pairs(path, first, source))


def said_of(path: Path) -> dict[str, str]:
    """What a file says of the vectors in it: `model`, `fingerprint` ...; nothing of other tables.
    Raises BadRequest for a file that is no table."""
    return {} if path.suffix.lower() == ".npy" else _said(open_source(path))


def _pairs(path: Path, first: SourceRow, source: Source) -> Iterator[tuple[SourceRow, Any]]:
    """Each row without its vector, and that."""
    if source.parquet is None:
        for row in itertools.chain([first], source.rows):
            yield row, (row.values or {}).pop(EMBEDDING, None)
        return
    others = [name for name in source.columns or () if name != EMBEDDING]
    yield from zip(open_source(path, only=others).rows, _column(source.parquet), strict=False)


def _column(parquet: Any) -> Iterator[Any]:
    """The vectors of a Parquet file, as arrays where they are stored as such: 40 times as fast."""
    for batch in parquet.iter_batches(batch_size=4096, columns=[EMBEDDING]):
        column = batch.column(0)
        plain = hasattr(column.type, "list_size") and not column.null_count
        if plain and not column.flatten().null_count:
            flat = column.flatten().to_numpy(zero_copy_only=False)
            yield from flat.astype(np.float32).reshape(len(column), -1)  # [rows, d]
        else:
            yield from column.to_pylist()


def _read(
    path: Path, name: str, said: dict[str, str], pairs: Iterator[tuple[SourceRow, Any]]
) -> Saved:
    found = Saved(said=said, column=name)
    vectors: list[Floats] = []
    for row, value in pairs:
        if row.values is None:
            found.left_out[row.line] = row.fault
            continue
        if name not in row.values:
            raise BadRequest(missing(name, list(row.values)), param="column")
        found.values[row.line] = row.values
        vector, why = _vector(value)
        if vector is None:
            found.left_out[row.line] = why
            continue
        found.lines.append(row.line)
        found.texts.append(written(row.values[name]))
        vectors.append(vector)
    if not vectors:
        line, why = next(iter(found.left_out.items()))
        raise BadRequest(f"{path.name} has no row with a vector. Line {line}: {why}.")
    if len({len(vector) for vector in vectors}) > 1:
        raise BadRequest(f"{path.name}: its `embedding` is not of as many numbers in each row.")
    found.vectors = np.stack(vectors)
    return found


def _said(source: Source) -> dict[str, str]:
    metadata = source.parquet.schema_arrow.metadata if source.parquet is not None else None
    return {
        name.removeprefix(_SAID).decode(): value.decode()
        for name, value in (metadata or {}).items()
        if name.startswith(_SAID)
    }


def _texts_in(path: Path, said: dict[str, str], names: list[str]) -> str:
    if COMBINED in names:
        return COMBINED
    if (name := said.get("columns", "")) in names:
        return name
    if "text" in names:
        return "text"
    there = ", ".join(name for name in names if name != EMBEDDING)
    raise BadRequest(
        f"Which column of {path.name} holds the texts? Name it with --column. It has: {there}.",
        param="column",
    )


def _vector(value: Any) -> tuple[Floats | None, str]:
    """Or why there is none."""
    if value is None or (isinstance(value, str) and not value.strip()):
        return None, "its `embedding` is empty"
    try:
        numbers = orjson.loads(value) if isinstance(value, str) else value
        vector = np.asarray(numbers, np.float32)
    except (ValueError, TypeError):
        vector = np.zeros((0, 0), np.float32)
    if vector.ndim != 1 or not len(vector):
        return None, "its `embedding` is not a list of numbers"
    return (None, why) if (why := _unusable(vector)) else (vector, "")


def _unusable(vector: Floats) -> str:
    if not np.isfinite(vector).all():
        return "its `embedding` holds NaN or infinity"
    return "" if vector.any() else "its `embedding` is all zeros, which points nowhere"


def _matrix(path: Path) -> Saved:
    if not path.is_file():
        raise BadRequest(f"There is no file {path}.")
    try:
        vectors = np.load(path, allow_pickle=False).astype(np.float32)
    except (OSError, ValueError, EOFError) as error:
        raise BadRequest(f"{path} is not a matrix of numbers: {error}") from None
    texts = texts_beside(path)
    if not texts.is_file():
        raise BadRequest(
            f"{texts.name}, which holds the texts of {path.name}, is not beside it. Without them "
            "there is nothing to show: save as .jsonl, which holds both."
        )
    rows = [row.values or {} for row in open_source(texts).rows]
    if vectors.ndim != 2 or len(rows) != len(vectors):
        raise BadRequest(f"{texts.name} and {path.name} are not of the same rows.")
    named = [
        SourceRow(int(row.get("line", at)), {"text": written(row.get("text"))})
        for at, row in enumerate(rows, start=1)
    ]
    return _read(path, "text", {}, zip(named, vectors, strict=True))


def save(path: Path, texts: Sequence[str], vectors: Floats) -> None:
    """Write texts, as column ``text``, with their vectors [n, d]."""
    kind = WRITERS[path.suffix.lower()]
    about = About(["text"], vectors.shape[1], len(texts), combined=False)
    with durable.Upload(path) as out, durable.Upload(texts_beside(path)) as beside:
        writer = kind(out, about, beside if kind.beside else None)
        most = rows_at_once(vectors.shape[1])
        for at in range(0, len(texts), most):
            some = texts[at : at + most]
            lines = range(at + 1, at + 1 + len(some))
            values = [{"text": text} for text in some]
            writer.write(Rows(lines, values, some, vectors[at : at + most]))
        writer.close()
        if kind.beside:
            beside.commit()
        out.commit()
