"""A database in memory that can do as little as a database may: what is completed for it must make
it mean the same as any other.

It gives seven hits at most, in any order where they are equally far, forgets some while there are
others, knows neither `ne` nor the order of texts, has float32 scores, and lists rows in no order.
"""

import random
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from tunewright.vectors.databases.connected import Connected
from tunewright.vectors.databases.database import Collection, Database, Found, Limits, Page
from tunewright.vectors.databases.nearest import measured
from tunewright.vectors.databases.place import place_of
from tunewright.vectors.filters import Comparison, Filter, matches
from tunewright.vectors.index import Floats, Metric

Row = tuple[Any, Mapping[str, Any]]
SERVERS: dict[str, dict[str, tuple[Collection, dict[str, Row]]]] = defaultdict(dict)


class Poor(Database):
    limits = Limits(
        rows=9, ids=5, nearest=40, queries=3, metrics=("cosine", "dot"), seconds=30, size=2000
    )

    def __init__(self, path: str) -> None:
        self._all = SERVERS[path]
        self._chance = random.Random(path)

    def expresses(self, comparison: Comparison) -> bool:
        return comparison.op in ("eq", "in", "gt") and "string" not in comparison.kinds[1:]

    def collection(self, name: str) -> Collection | None:
        return self._all[name][0] if name in self._all else None

    def names(self) -> Iterator[str]:
        yield from self._all

    def create(self, name: str, dimensions: int, metric: Metric) -> None:
        self._all[name] = Collection(name, dimensions, metric), {}

    def drop(self, collection: Collection) -> None:
        self._all.pop(collection.name, None)

    def _rows(self, collection: Collection, where: Filter) -> list[tuple[str, Row]]:
        found = [one for one in self._all[collection.name][1].items() if matches(where, one[1][1])]
        self._chance.shuffle(found)
        return found

    def put(
        self,
        collection: Collection,
        ids: Sequence[str],
        vectors: Floats,
        attributes: Sequence[Mapping[str, Any]],
    ) -> None:
        assert 0 < len(ids) == len(set(ids)) <= self.limits.rows
        rows = zip(ids, zip(vectors, attributes, strict=True), strict=True)
        self._all[collection.name] = collection, {**self._all[collection.name][1], **dict(rows)}

    def remove(self, collection: Collection, ids: Sequence[str]) -> None:
        assert 0 < len(ids) <= self.limits.ids
        for id in ids:
            self._all[collection.name][1].pop(id, None)

    def fetch(self, collection: Collection, ids: Sequence[str]) -> Page:
        assert 0 < len(ids) <= self.limits.ids
        rows = self._all[collection.name][1]
        return _page([(id, rows[id]) for id in reversed(ids) if id in rows], collection)

    def search(
        self, collection: Collection, queries: Floats, n: int, where: Filter, attributes: bool
    ) -> list[Found]:
        assert 0 < len(queries) <= self.limits.queries
        assert n <= self.limits.nearest
        assert collection.metric in self.limits.metrics
        found: list[Found] = []
        for query in queries:
            page = _page(self._rows(collection, where), collection)
            assert page.vectors is not None
            away = measured(collection.metric, query[None], page.vectors)[0]
            away += 1e-7 * np.array([self._chance.random() for _ in away])
            near = np.argsort(away, kind="stable")[:n]
            if self._chance.random() < 0.1:  # an approximate index that has lost its way
                near = near[: len(near) // 2]
            attributes_of = page.attributes or []
            found.append(
                Found(
                    [page.ids[at] for at in near],
                    away[near],
                    [attributes_of[at] for at in near] if attributes else None,
                )
            )
        return found

    def count(self, collection: Collection, where: Filter) -> int:
        return len(self._rows(collection, where))

    def pages(
        self, collection: Collection, where: Filter, *, vectors: bool, attributes: bool
    ) -> Iterator[Page]:
        rows = self._rows(collection, where)
        for start in range(0, len(rows), 13):
            page = _page(rows[start : start + 13], collection)
            yield Page(
                page.ids, page.vectors if vectors else None, page.attributes if attributes else None
            )

    def close(self) -> None:
        pass


def _page(rows: Sequence[tuple[str, Row]], collection: Collection) -> Page:
    vectors = np.array([row[0] for _, row in rows], np.float32)
    return Page(
        [id for id, _ in rows],
        vectors.reshape(len(rows), collection.dimensions),
        [row[1] for _, row in rows],
    )


def open_poor(url: str) -> Connected:
    return Connected(place_of(url), Poor(url))
