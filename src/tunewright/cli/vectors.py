"""Vectors with their texts: kept in the home, written to files, read back to be searched."""

import csv
import hashlib
import io
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from tunewright import durable
from tunewright.errors import BadRequest, MissingExtra

if TYPE_CHECKING:
    from tunewright.home import Home

Floats = NDArray[np.float32]
_KEPT = 20  # tables
Write: TypeAlias = Callable[[Path, Sequence[str], Floats], None]


def key(model: str, fingerprint: str, texts: Sequence[str]) -> str:
    """Of what a model makes of texts, whatever file they come from."""
    found = hashlib.sha256(f"{model}\0{fingerprint}".encode())
    for text in texts:
        data = text.encode("utf-8", "surrogatepass")
        found.update(len(data).to_bytes(8, "little") + data)
    return found.hexdigest()[:32]


def kept(home: "Home", key: str, rows: int) -> Floats | None:
    """float32 [rows, dimensions], where they were computed before."""
    try:
        found = np.load(home.embeddings / f"{key}.npy", allow_pickle=False)
    except (OSError, ValueError, EOFError):
        return None
    return found if found.ndim == 2 and len(found) == rows and found.dtype == np.float32 else None


def keep(home: "Home", key: str, vectors: Floats) -> Path:
    """Beside the newest others; older ones go."""
    path = home.embeddings / f"{key}.npy"
    durable.write_bytes(path, _npy(vectors))
    by_age = sorted(home.embeddings.glob("*.npy"), key=lambda each: each.stat().st_mtime)
    for old in by_age[:-_KEPT]:
        old.unlink(missing_ok=True)
    return path


def writer(path: Path) -> Write:
    """How to write a file of this ending. Raises BadRequest, before anything is computed."""
    found = _WRITERS.get(path.suffix.lower())
    if found is None:
        endings = ", ".join(_WRITERS)
        raise BadRequest(f"{path}: expected a name ending in one of {endings}.", param="output")
    if path.suffix.lower() == ".parquet":
        _pyarrow()
    if not path.absolute().parent.is_dir():
        raise BadRequest(f"There is no folder {path.absolute().parent}.", param="output")
    return found


def saved(path: Path) -> tuple[list[str], Floats] | None:
    """Texts and vectors of a file that `writer` wrote; None for any other table."""
    if path.suffix.lower() == ".npy":
        return _saved_matrix(path)
    from tunewright.tables.sources import open_source

    rows = [row.values for row in open_source(path).rows if row.values]
    if not rows or not all({"text", "embedding"} <= row.keys() for row in rows):
        return None
    try:
        vectors = np.array([_numbers(row["embedding"]) for row in rows], np.float32)
    except (ValueError, TypeError):
        raise BadRequest(
            f"{path.name}: its `embedding` is not of as many numbers in each row."
        ) from None
    if vectors.ndim != 2:
        raise BadRequest(f"{path.name}: its `embedding` holds no lists of numbers.")
    return [str(row["text"]) for row in rows], vectors


def _numbers(value: Any) -> Any:
    import orjson

    return orjson.loads(value) if isinstance(value, str) else value


def _saved_matrix(path: Path) -> tuple[list[str], Floats]:
    from tunewright.tables.whole import read_column

    if not path.is_file():
        raise BadRequest(f"There is no file {path}.")
    try:
        vectors = np.load(path, allow_pickle=False).astype(np.float32)
    except (OSError, ValueError, EOFError) as error:
        raise BadRequest(f"{path} is not a matrix of numbers: {error}") from None
    beside = _texts_of(path)
    if not beside.is_file():
        raise BadRequest(
            f"{beside.name}, which holds the texts of {path.name}, is not beside it. Without them "
            "there is nothing to show: save as .jsonl, which holds both."
        )
    texts = [text for _, text in read_column(beside, "text")]
    if vectors.ndim != 2 or len(texts) != len(vectors):
        raise BadRequest(f"{beside.name} and {path.name} are not of the same rows.")
    return texts, vectors


def _texts_of(path: Path) -> Path:
    return path.with_name(f"{path.stem}.texts.jsonl")


def _npy(vectors: Floats) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, vectors, allow_pickle=False)
    return buffer.getvalue()


def _write_npy(path: Path, texts: Sequence[str], vectors: Floats) -> None:
    durable.write_bytes(path, _npy(vectors))
    durable.write_bytes(_texts_of(path), _lines({"text": text} for text in texts))


def _write_jsonl(path: Path, texts: Sequence[str], vectors: Floats) -> None:
    pairs = zip(texts, vectors, strict=True)
    rows = ({"text": text, "embedding": vector.tolist()} for text, vector in pairs)
    durable.write_bytes(path, _lines(rows))


def _lines(rows: Any) -> bytes:
    import orjson

    return b"".join(orjson.dumps(row) + b"\n" for row in rows)


def _write_csv(path: Path, texts: Sequence[str], vectors: Floats) -> None:
    import orjson

    buffer = io.StringIO(newline="")
    table = csv.writer(buffer)
    table.writerow(["text", "embedding"])
    for text, vector in zip(texts, vectors, strict=True):
        table.writerow([text, orjson.dumps(vector.tolist()).decode()])
    durable.write_bytes(path, buffer.getvalue().encode())


def _write_parquet(path: Path, texts: Sequence[str], vectors: Floats) -> None:
    arrow, parquet = _pyarrow()
    flat = arrow.array(vectors.reshape(-1))
    column = arrow.FixedSizeListArray.from_arrays(flat, vectors.shape[1])
    buffer = io.BytesIO()
    parquet.write_table(arrow.table({"text": list(texts), "embedding": column}), buffer)
    durable.write_bytes(path, buffer.getvalue())


def _pyarrow() -> tuple[Any, Any]:
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError as error:
        raise MissingExtra("Writing .parquet files", "tables") from error
    return pyarrow, parquet


_WRITERS: dict[str, Write] = {
    ".jsonl": _write_jsonl,
    ".npy": _write_npy,
    ".csv": _write_csv,
    ".parquet": _write_parquet,
}
