"""Vectors of tables that were searched last, kept in the home."""

import hashlib
import io
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from tunewright import durable

if TYPE_CHECKING:
    from tunewright.home import Home

Floats = NDArray[np.float32]
_KEPT = 20  # tables


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


def _npy(vectors: Floats) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, vectors, allow_pickle=False)
    return buffer.getvalue()
