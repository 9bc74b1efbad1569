"""Vectors by id, nearest to a vector. Importing this package imports no index."""

from pathlib import Path

from tunewright.registry import Registry
from tunewright.vectors.index import VectorIndex

# name of a place -> its module, which is called as the extra that brings its client
DATABASES: dict[str, str] = {
    "chroma": "chroma",
    "milvus": "milvus",
    "pinecone": "pinecone",
    "qdrant": "qdrant",
    "qdrant-edge": "qdrant_edge",
    "zilliz": "milvus",
    "typesense": "typesense",
    "weaviate": "weaviate",
    "postgresql": "postgresql",
    "postgres": "postgresql",
    "redis": "redis",
    "rediss": "redis",
}

INDEXES = Registry(
    "vector index",
    "tunewright.vectors",
    {
        "local": "tunewright.vectors.local:open_local",
        **{name: f"tunewright.vectors.databases.{of}:open_index" for name, of in DATABASES.items()},
    },
    extras=DATABASES,
    protocol=VectorIndex,
)


def open_index(place: str | Path) -> VectorIndex:
    """The index at `place`: ``NAME:...`` or ``NAME+...``, of which NAME chooses it and which it is
    made of as a whole, such as ``local:DIRECTORY``. A path without a name is a local one.

    Raises BadRequest where no package here has such an index; BrokenPackage where that of another
    package cannot be used; MissingExtra where the library that it needs is absent; and what the
    index itself raises of a place that is not there.
    """
    if isinstance(place, Path) or ":" not in place:
        place = f"local:{place}"
    return INDEXES.make(name_of(place), place)


def name_of(place: str) -> str:
    """Which index a place is of: ``chroma`` of ``chroma+http://127.0.0.1:8000``; ``local`` of a
    path, and of nothing."""
    return place.partition(":")[0].partition("+")[0] if ":" in place else "local"
