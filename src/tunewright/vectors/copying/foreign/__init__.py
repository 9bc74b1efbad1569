"""Collections of a database that other programs have made, above all LangChain: read only."""

from importlib import import_module
from typing import Any

from tunewright.vectors.copying.ends import Source
from tunewright.vectors.databases.connected import Connected
from tunewright.vectors.index import Metric

READERS = {"chroma": "chroma", "qdrant": "qdrant", "postgresql": "postgresql"}


def foreign(index: Connected, collection: str, metric: Metric | None, text: str) -> Source | None:
    """A collection of this name that is not ours. None where there is none, or no reader."""
    reader = _reader(index)
    return reader.source(index, collection, metric, text) if reader else None


def foreign_names(index: Connected) -> list[str]:
    reader = _reader(index)
    return sorted(reader.names(index)) if reader else []


def _reader(index: Connected) -> Any:
    name = type(index.database).__module__.rpartition(".")[2]
    if name not in READERS:
        return None
    return import_module(f"tunewright.vectors.copying.foreign.{READERS[name]}")
