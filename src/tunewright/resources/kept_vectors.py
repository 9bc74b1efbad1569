"""Vectors of tables that were embedded last, kept in the home: by model, fingerprint and texts."""

import hashlib
import io
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import orjson
from numpy.typing import NDArray

from tunewright import durable
from tunewright.home import Home

Floats = NDArray[np.float32]
_KEPT = 20  # tables


@dataclass
class Computed:
    """What a model makes of n texts. `vectors`: of those that have one, in their order, [kept, d].
    `left_out`: by the index of a text, why it has none. `tokens`, `unknown`: together."""

    vectors: Floats
    left_out: dict[int, str] = field(default_factory=dict)
    tokens: int = 0
    unknown: int = 0


def key(model: str, fingerprint: str, texts: Sequence[str]) -> str:
    """Of what a model makes of texts, whatever file they come from."""
    found = hashlib.sha256(f"{model}\0{fingerprint}".encode())
    for text in texts:
        data = text.encode("utf-8", "surrogatepass")
        found.update(len(data).to_bytes(8, "little") + data)
    return found.hexdigest()[:32]


def kept(home: Home, key: str, texts: int) -> Computed | None:
    """Where they were computed before."""
    try:
        vectors = np.load(home.embeddings / f"{key}.npy", allow_pickle=False)
        said = orjson.loads((home.embeddings / f"{key}.said").read_bytes())
        left_out = {int(at): str(why) for at, why in said["left_out"].items()}
        found = Computed(vectors, left_out, int(said["tokens"]), int(said["unknown"]))
    except (OSError, ValueError, EOFError, KeyError, TypeError, AttributeError):
        return None
    rows = texts - len(found.left_out)
    fits = vectors.ndim == 2 and len(vectors) == rows and vectors.dtype == np.float32
    return found if fits else None


def keep(home: Home, key: str, computed: Computed) -> Path:
    """Beside the newest others; older ones go."""
    path = home.embeddings / f"{key}.npy"
    said = {
        "left_out": {str(at): why for at, why in computed.left_out.items()},
        "tokens": computed.tokens,
        "unknown": computed.unknown,
    }
    durable.write_bytes(path.with_suffix(".said"), orjson.dumps(said))
    durable.write_bytes(path, _npy(computed.vectors))
    by_age = sorted(home.embeddings.glob("*.npy"), key=lambda each: each.stat().st_mtime)
    for old in by_age[:-_KEPT]:
        old.unlink(missing_ok=True)
        old.with_suffix(".said").unlink(missing_ok=True)
    return path


def _npy(vectors: Floats) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, vectors, allow_pickle=False)
    return buffer.getvalue()
