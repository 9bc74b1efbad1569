"""Chroma's collections as LangChain and others write them: id, vector, document, metadata."""

from bisect import bisect_right
from collections.abc import Iterator
from typing import Any, cast

import numpy as np

from tunewright.errors import NotFound
from tunewright.vectors.copying.ends import Mark, rows_of_a_page
from tunewright.vectors.copying.values import Values, with_text
from tunewright.vectors.databases.chroma import Chroma
from tunewright.vectors.databases.connected import Connected
from tunewright.vectors.index import Described, Metric, Rows

_SPACES: dict[str, Metric] = {"cosine": "cosine", "ip": "dot", "l2": "euclidean"}


def names(index: Connected) -> list[str]:
    return [own.name for own in _listed(index) if not _ours(own)]


def source(
    index: Connected, collection: str, metric: Metric | None, text: str
) -> "ChromaSource | None":
    for own in _listed(index):
        if own.name == collection and not _ours(own):
            return ChromaSource(index, collection, text)
    return None


def _client(index: Connected) -> Any:
    return cast("Chroma", index.database).client


def _listed(index: Connected) -> list[Any]:
    return index.call(lambda: _client(index).list_collections())


def _ours(own: Any) -> bool:
    return "dimensions" in (own.metadata or {}) and "metric" in own.metadata


class ChromaSource:
    """Its contract: `Source`. In the order of ids, which are listed once."""

    repeats = False
    version = ""

    def __init__(self, index: Connected, name: str, text: str) -> None:
        self.label, self.collection = f"{index.place}#{name}", name
        self._call, self._text, self._values = index.call, text, Values()
        own: Any = self._call(lambda: _client(index).get_collection(name, embedding_function=None))
        self._own = own

    def _get(self, **asked: Any) -> Any:
        return self._call(lambda: self._own.get(**asked))

    def describe(self) -> Described:
        found = self._get(limit=1, include=["embeddings"])["embeddings"]
        if not len(found):
            raise NotFound(f"{self.label} has no rows: there is nothing to copy.")
        space = (self._own.configuration.get("hnsw") or {}).get("space", "l2")
        return Described(len(found[0]), _SPACES[space])

    def rows(self) -> int:
        return self._call(self._own.count)

    def pages(self, after: Mark | None) -> Iterator[tuple[Mark, Rows]]:
        ids = sorted(self._get(include=[])["ids"])
        size = min(1000, rows_of_a_page(self.describe().dimensions))
        for start in range(bisect_right(ids, after or ""), len(ids), size):
            some = ids[start : start + size]
            page = self._get(ids=some, include=["embeddings", "documents", "metadatas"])
            if page["ids"]:
                yield some[-1], self._page(page)

    def _page(self, page: Any) -> Rows:
        by_id = np.argsort(np.array(page["ids"], object))
        attributes = [
            with_text(
                self._values.of(page["metadatas"][at] or {}), page["documents"][at], self._text
            )
            for at in by_id
        ]
        vectors = np.array(page["embeddings"], np.float32)[by_id]
        return Rows([page["ids"][at] for at in by_id], vectors, attributes)

    def notes(self) -> list[str]:
        return self._values.notes
