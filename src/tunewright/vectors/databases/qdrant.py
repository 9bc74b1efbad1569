"""Qdrant: a server, ``qdrant+http://HOST:6333`` and ``qdrant+https://HOST``, whose key
QDRANT_API_KEY has; or ``qdrant:DIRECTORY``, the client's own mode without a server: Python that
compares every row, for some thousands of them, and one process at a time.

What a point has, and what Qdrant does not evaluate: `qdrant_points`. What a server finds among many
rows is approximate (HNSW).
"""

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from importlib import import_module
from pathlib import Path
from typing import Any, cast

from tunewright.errors import BadRequest, NotFound, TunewrightError
from tunewright.vectors.databases import qdrant_points as points
from tunewright.vectors.databases import slots
from tunewright.vectors.databases.connected import Connected
from tunewright.vectors.databases.database import Collection, Database, Found, Limits, Page
from tunewright.vectors.databases.place import Place, place_of
from tunewright.vectors.databases.units import units
from tunewright.vectors.filters import Comparison, Filter
from tunewright.vectors.index import Floats, Metric

_PAGE = 1000


def open_index(url: str) -> Connected:
    place = place_of(url)
    return Connected(place, Qdrant(place))


class Qdrant(Database):
    limits = Limits(queries=100)
    _made: Any = None

    def __init__(self, place: Place) -> None:
        self._place, self._library = place, cast("Any", import_module("qdrant_client"))
        self._models = self._library.models
        self._conditions = points.Conditions(self._models, self._models.Range)
        if place.local:
            self.limits = replace(self.limits, seconds=None)
        self._making = threading.Lock()

    @property
    def client(self) -> Any:
        with self._making:
            if self._made is None:
                self._made = self._make()
            return self._made

    def _make(self) -> Any:
        if self._place.local:
            directory = str(Path(self._place.path).expanduser().resolve())
            return _Shared.of(directory, self._library.QdrantClient)
        return self._library.QdrantClient(
            url=self._place.http,
            port=self._place.port or (443 if self._place.transport == "https" else 6333),
            api_key=self._place.secret("QDRANT_API_KEY") or None,
            timeout=int(self.limits.seconds or 0) or None,
            check_compatibility=False,
        )

    def collection(self, name: str) -> Collection | None:
        if not self.client.collection_exists(name):
            return None
        vectors = self.client.get_collection(name).config.params.vectors
        named = [
            metric for metric in points.DISTANCES if isinstance(vectors, dict) and metric in vectors
        ]
        if not named:
            raise BadRequest(
                f"The collection '{name}' of Qdrant was made by another program. Copy it to one "
                "of ours (tunewright vectors copy), or give ours another name."
            )
        return Collection(name, vectors[named[0]].size, cast("Metric", named[0]))

    def names(self) -> Iterator[str]:
        for found in self.client.get_collections().collections:
            vectors = self.client.get_collection(found.name).config.params.vectors
            if isinstance(vectors, dict) and points.DISTANCES.keys() & vectors.keys():
                yield found.name

    def create(self, name: str, dimensions: int, metric: Metric) -> None:
        kept = self._models.VectorParams(
            size=dimensions, distance=self._models.Distance(points.DISTANCES[metric])
        )
        try:
            self.client.create_collection(name, vectors_config={metric: kept})
        except Exception:
            if self.collection(name) is None:  # else another process has just made it
                raise

    def drop(self, collection: Collection) -> None:
        self.client.delete_collection(collection.name)

    def put(
        self,
        collection: Collection,
        ids: Sequence[str],
        vectors: Floats,
        attributes: Sequence[Mapping[str, Any]],
    ) -> None:
        named, kept, payloads = points.laid(collection.metric, ids, vectors, attributes)
        batch = self._models.Batch(ids=named, vectors={collection.metric: kept}, payloads=payloads)
        self.client.upsert(collection.name, batch, wait=True)

    def remove(self, collection: Collection, ids: Sequence[str]) -> None:
        chosen = self._models.PointIdsList(points=[slots.uuid_of(id) for id in ids])
        self.client.delete(collection.name, chosen, wait=True)

    def remove_where(self, collection: Collection, where: Filter) -> bool:
        chosen = self._models.FilterSelector(
            filter=self._conditions.of(where) or self._models.Filter()
        )
        self.client.delete(collection.name, chosen, wait=True)
        return True

    def fetch(self, collection: Collection, ids: Sequence[str]) -> Page:
        asked = [slots.uuid_of(id) for id in ids]
        found = self.client.retrieve(
            collection.name, asked, with_payload=True, with_vectors=[collection.metric]
        )
        return points.page(found, collection, vectors=True, attributes=True)

    def search(
        self, collection: Collection, queries: Floats, n: int, where: Filter, attributes: bool
    ) -> list[Found]:
        asked = [
            self._models.QueryRequest(
                query=query,
                using=collection.metric,
                filter=self._conditions.of(where),
                limit=n,
                with_payload=[points.ID, points.ATTRIBUTES] if attributes else [points.ID],
            )
            for query in units(queries, collection.metric)[0].tolist()
        ]
        found = self.client.query_batch_points(collection.name, asked)
        return [points.found(each.points, collection.metric, attributes) for each in found]

    def count(self, collection: Collection, where: Filter) -> int:
        return self.client.count(collection.name, self._conditions.of(where), exact=True).count

    def pages(
        self, collection: Collection, where: Filter, *, vectors: bool, attributes: bool
    ) -> Iterator[Page]:
        after, first = None, True
        fields = [points.ID] + [points.ATTRIBUTES] * attributes + [points.VECTOR] * vectors
        while first or after is not None:
            found, after = self.client.scroll(
                collection.name,
                self._conditions.of(where),
                limit=_PAGE,
                offset=after,
                with_payload=fields,
                with_vectors=[collection.metric] if vectors else False,
            )
            first = False
            yield points.page(found, collection, vectors=vectors, attributes=attributes)

    def expresses(self, comparison: Comparison) -> bool:
        return points.expresses(comparison)

    def error_of(self, error: Exception) -> TunewrightError | None:
        unknown = isinstance(error, ValueError) and str(error).endswith("not found")
        if unknown or getattr(error, "status_code", None) == 404:
            return NotFound("The collection is not there any more.")
        return None

    def close(self) -> None:
        if self._made is not None:
            self._made.close()


@dataclass
class _Shared:
    """One client of a directory, for all of this process: a second one would be refused. Its calls
    are made one at a time, for it does not expect threads."""

    client: Any
    directory: str
    users: int = 0
    lock: threading.RLock = field(default_factory=threading.RLock)

    @classmethod
    def of(cls, directory: str, make: Callable[..., Any]) -> "_Shared":
        with _OPENING:
            if directory not in _OPEN:
                client = make(path=directory, force_disable_check_same_thread=True)
                _OPEN[directory] = cls(client, directory)
            _OPEN[directory].users += 1
            return _OPEN[directory]

    def __getattr__(self, name: str) -> Callable[..., Any]:
        call = getattr(self.client, name)

        def alone(*given: Any, **named: Any) -> Any:
            with self.lock:
                return call(*given, **named)

        return alone

    def close(self) -> None:
        with _OPENING:
            self.users -= 1
            if not self.users:
                del _OPEN[self.directory]
                self.client.close()


_OPEN: dict[str, _Shared] = {}
_OPENING = threading.Lock()
