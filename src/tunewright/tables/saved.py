"""Vectors with their texts, read back from a file that `writers` wrote, and written at once."""

import itertools
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray

from tunewright import durable
from tunewright.errors import BadRequest
from tunewright.tables.cells import written
from tunewright.tables.sources import Source, open_source
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


def saved(path: Path, column: str | None = None) -> tuple[list[str], Floats] | None:
    """Texts [n] and vectors [n, d] of a file that has vectors; None for any other table.

    column: of the texts. By default the one that was embedded, where the file tells: ``combined``,
    ``text``, or by what a Parquet file says of itself.
    """
    if path.suffix.lower() == ".npy":
        return _matrix(path)
    source = open_source(path)
    first = next((row for row in source.rows if row.values), None)
    if first is None or EMBEDDING not in (first.values or {}):
        return None
    texts: list[str] = []
    vectors: list[Any] = []
    name = column or _texts_in(path, source, list(first.values or {}))
    for row in itertools.chain([first], source.rows):
        if row.values is None:
            continue
        if name not in row.values:
            raise BadRequest(missing(name, list(row.values)), param="column")
        texts.append(written(row.values[name]))
        vectors.append(_vector(path, row.line, row.values.get(EMBEDDING)))
    if len({len(vector) for vector in vectors}) > 1:
        raise BadRequest(f"{path.name}: its `embedding` is not of as many numbers in each row.")
    return texts, np.stack(vectors)


def _texts_in(path: Path, source: Source, names: list[str]) -> str:
    if COMBINED in names:
        return COMBINED
    if source.parquet is not None:
        said = source.parquet.schema_arrow.metadata or {}
        if (name := said.get(b"tunewright.columns", b"").decode()) in names:
            return name
    if "text" in names:
        return "text"
    there = ", ".join(name for name in names if name != EMBEDDING)
    raise BadRequest(
        f"Which column of {path.name} holds the texts? Name it with --column. It has: {there}.",
        param="column",
    )


def _vector(path: Path, line: int, value: Any) -> Floats:
    try:
        numbers = orjson.loads(value) if isinstance(value, str) else value
        vector = np.array(numbers, np.float32)
    except (ValueError, TypeError):
        vector = np.zeros((0, 0), np.float32)
    if vector.ndim != 1 or not len(vector):
        raise BadRequest(f"{path.name}, line {line}: its `embedding` is not a list of numbers.")
    return vector


def _matrix(path: Path) -> tuple[list[str], Floats]:
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
    found = [written((row.values or {}).get("text")) for row in open_source(texts).rows]
    if vectors.ndim != 2 or len(found) != len(vectors):
        raise BadRequest(f"{texts.name} and {path.name} are not of the same rows.")
    return found, vectors


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
