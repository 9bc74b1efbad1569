"""A few thousand vectors without a database: a collection is a JSON file, replaced as a whole."""

from contextlib import contextmanager
from pathlib import Path

import numpy as np

from tunewright import durable, names
from tunewright.errors import BadRequest, NotFound, Unavailable
from tunewright.vectors import checking
from tunewright.vectors.exact import nearest
from tunewright.vectors.filters import matches
from tunewright.vectors.index import Described, Rows


class JsonIndex:
    def __init__(self, place):  # json:DIRECTORY
        self.folder = durable.make_directory(Path(place.partition(":")[2]))

    def create(self, name, dimensions, metric="cosine"):
        with durable.alone(self.folder):
            if not self._path(name).exists():
                durable.write_json(self._path(name), {"is": [dimensions, metric], "rows": {}})
        if self._read(name)["is"] != [dimensions, metric]:
            raise BadRequest(f"The collection '{name}' has other dimensions or another metric.")

    def describe(self, name):
        return Described(*self._read(name)["is"])

    def collections(self):
        return sorted(path.stem for path in self.folder.glob("*.json"))

    def refusal(self, dimensions, metric, rows=None):
        return None

    def drop(self, name):
        durable.remove(self._path(name))

    def upsert(self, name, ids, vectors, attributes):
        checking.checked_ids(ids)
        new = checking.checked_attributes(attributes, len(ids))
        with self._changed(name) as (rows, dimensions, metric):
            if vectors is None and (absent := [id for id in ids if id not in rows]):
                raise NotFound(f"There is no vector '{absent[0]}'.")
            kept = np.array([rows[id][0] for id in ids]) if vectors is None else vectors
            if len(ids) or len(kept):
                kept = checking.checked_vectors(kept, dimensions, metric)
            rows |= dict(zip(ids, zip(kept.tolist(), new, strict=True), strict=True))

    def delete(self, name, *, ids=None, where=None):
        checking.one_of(ids, where)
        with self._changed(name) as (rows, *_):
            for id in matching(rows, where) if ids is None else ids:
                rows.pop(id, None)

    def search(self, name, queries, k, where=None):
        checking.checked_k(k)
        there = self._read(name)
        (dimensions, metric), rows = there["is"], there["rows"]
        queries = checking.checked_vectors(queries, dimensions, metric, "queries")
        ids = matching(rows, where)
        return nearest(metric, queries, ids, stacked([rows[id] for id in ids], dimensions), k)

    def count(self, name, where=None):
        return len(matching(self._read(name)["rows"], where))

    def read(self, name, after=None, limit=1000):
        there = self._read(name)
        ids = [id for id in matching(there["rows"], None) if id > (after or "")][:limit]
        rows = [there["rows"][id] for id in ids]
        return Rows(ids, stacked(rows, there["is"][0]), [attributes for _, attributes in rows])

    def fetch(self, name, ids):
        checking.checked_ids(ids)
        there = self._read(name)
        found = sorted({id for id in ids if id in there["rows"]})
        rows = [there["rows"][id] for id in found]
        return Rows(found, stacked(rows, there["is"][0]), [attributes for _, attributes in rows])

    def close(self):
        self.folder = None

    def _path(self, name):
        if self.folder is None:
            raise Unavailable("The index has been closed.")
        return self.folder / f"{names.id(name)}.json"

    def _read(self, name):
        if not self._path(name).exists():
            raise NotFound(f"There is no collection '{name}'.")
        return durable.read_json(self._path(name))

    @contextmanager
    def _changed(self, name):
        with durable.alone(self.folder):
            there = self._read(name)
            yield there["rows"], *there["is"]
            durable.write_json(self._path(name), there)


def matching(rows, where):
    return sorted(id for id in rows if where is None or matches(where, rows[id][1]))


def stacked(rows, dimensions):
    return np.array([vector for vector, _ in rows], np.float32).reshape(-1, dimensions)
