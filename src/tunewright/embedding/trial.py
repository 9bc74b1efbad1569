"""Tries an embedding model: ``python -m tunewright.embedding.trial DIR``, in a limited child.

Its engine may be somebody else's: what the contract promises of every vector is looked at, for a
few texts, before the model is anybody's.
"""

import json
import sys
from dataclasses import asdict
from pathlib import Path

import numpy as np

from tunewright.embedding import open_embedder
from tunewright.embedding.embedder import Declared
from tunewright.errors import TunewrightError

TEXTS = ["The cat sat on the mat.", "", "\u6771\u4eac \U0001f9ff \x00", "word " * 3000]


def trial(directory: Path) -> Declared:
    """What it declares. Raises Corrupt or BrokenPackage as `open_embedder` does; ValueError for
    vectors that are not as `Embedder` promises."""
    embedder = open_embedder(directory, verify=False)
    texts = TEXTS[:-1] if embedder.declared.long_inputs == "error" else TEXTS
    found = embedder.embed(texts)
    vectors, shape = found.vectors, (len(texts), embedder.declared.dimensions)
    if vectors.dtype != np.float32 or vectors.shape != shape:
        raise ValueError(f"its vectors are {vectors.dtype} {vectors.shape}, not float32 {shape}")
    if not np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5):  # also where one is NaN
        raise ValueError("its vectors are not of length 1")
    if list(found.tokens) != [len(ids) for ids in embedder.tokenize(texts)]:
        raise ValueError("`embed` counts other tokens than `tokenize` gives")
    alone = np.concatenate([embedder.embed([text]).vectors for text in texts])
    if not np.allclose(alone, vectors, atol=1e-3):
        raise ValueError("a text alone has another vector than beside others")
    return embedder.declared


if __name__ == "__main__":
    try:
        sys.stdout.write(json.dumps(asdict(trial(Path(sys.argv[1])))) + "\n")
    except TunewrightError as error:
        sys.exit(" ".join(error.message.split()))
    except Exception as error:  # somebody else's engine: whatever it raises
        sys.exit(" ".join(f"{type(error).__name__}: {error}".split())[:500])
