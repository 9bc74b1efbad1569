"""Qdrant Edge, ``qdrant-edge:DIRECTORY``: the engine of Qdrant's server in this process (Rust),
without a server, and one process at a time.

A collection is a folder, with a shard of the engine and what it was made with. What a point has,
and what the engine does not evaluate: `qdrant_points`. Its graph is left out: each row that matches
is compared, so what is found is exact. A write is on the disk when it returns.
"""

import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from importlib import import_module
from pathlib import Path
from typing import Any, cast

from tunewright import durable
from tunewright.errors import BadRequest, Corrupt, NotFound, TunewrightError, Unavailable
from tunewright.vectors.databases import qdrant_points as points
from tunewright.vectors.databases import slots
from tunewright.vectors.databases.connected import Connected
from tunewright.vectors.databases.database import Collection, Database, Found, Limits, Page
from tunewright.vectors.databases.place import Place, place_of
from tunewright.vectors.databases.units import units
from tunewright.vectors.filters import EVERY, Comparison, Filter
from tunewright.vectors.index import Floats, Metric

_PAGE = 1000
_MADE, _SHARD = "collection.json", "shard"
_CLOSED = "is not initialized"  # what a shard says that another thread has closed


def open_index(url: str) -> Connected:
    place = place_of(url)
    if not place.local:
        raise BadRequest(
            f"Qdrant Edge has no server: a place is qdrant-edge:DIRECTORY. For the server at "
            f"{place.host}: qdrant+http://{place.host}:6333."
        )
    return Connected(place, QdrantEdge(place))


class QdrantEdge(Database):
    limits = Limits(queries=100, seconds=None, short_is_all=True)

    def __init__(self, place: Place) -> None:
        self._engine = cast("Any", import_module("qdrant_edge"))
        self._conditions = points.Conditions(self._engine, self._engine.RangeFloat)
        self._directory = Path(place.path).expanduser().resolve()
        self._opening, self._opened = threading.Lock(), cast("_Folder | None", None)

    @property
    def _folder(self) -> "_Folder":
        with self._opening:
            if self._opened is None:
                self._opened = _Folder.of(self._directory, self._engine)
            return self._opened

    def collection(self, name: str) -> Collection | None:
        return self._folder.collection(name)

    def names(self) -> Iterator[str]:
        yield from self._folder.names()

    def create(self, name: str, dimensions: int, metric: Metric) -> None:
        self._folder.create(name, dimensions, metric)

    def drop(self, collection: Collection) -> None:
        self._folder.drop(collection.name)

    def put(
        self,
        collection: Collection,
        ids: Sequence[str],
        vectors: Floats,
        attributes: Sequence[Mapping[str, Any]],
    ) -> None:
        named, kept, payloads = points.laid(collection.metric, ids, vectors, attributes)
        rows = [
            self._engine.Point(id, {collection.metric: vector}, _numbered(payload))
            for id, vector, payload in zip(named, kept, payloads, strict=True)
        ]
        self._update(collection, self._engine.UpdateOperation.upsert_points(rows))

    def remove(self, collection: Collection, ids: Sequence[str]) -> None:
        named = [slots.uuid_of(id) for id in ids]
        self._update(collection, self._engine.UpdateOperation.delete_points(named))

    def remove_where(self, collection: Collection, where: Filter) -> bool:
        if where == EVERY:
            return False
        chosen = self._conditions.of(where)
        self._update(collection, self._engine.UpdateOperation.delete_points_by_filter(chosen))
        return True

    def _update(self, collection: Collection, operation: Any) -> None:
        """The operation is in the engine's log as a whole: a killed process leaves all or nothing
        of it. Only `flush` waits for the disk."""
        shard = self._folder.shard(collection)
        with durable.named_full_disk(self._directory / collection.name):
            shard.update(operation)
            shard.flush()

    def fetch(self, collection: Collection, ids: Sequence[str]) -> Page:
        asked = [slots.uuid_of(id) for id in ids]
        found = self._folder.shard(collection).retrieve(asked, True, [collection.metric])
        return points.page(found, collection, vectors=True, attributes=True)

    def search(
        self, collection: Collection, queries: Floats, n: int, where: Filter, attributes: bool
    ) -> list[Found]:
        asked = [
            self._engine.QueryRequest(
                limit=n,
                query=self._engine.Query.Nearest(query, using=collection.metric),
                filter=self._conditions.of(where),
                with_payload=[points.ID, points.ATTRIBUTES] if attributes else [points.ID],
            )
            for query in units(queries, collection.metric)[0].tolist()
        ]
        batch = self._engine.QueryBatchRequest(asked)
        found = self._folder.shard(collection).query_batch(batch)
        return [points.found(each, collection.metric, attributes) for each in found]

    def count(self, collection: Collection, where: Filter) -> int:
        asked = self._engine.CountRequest(exact=True, filter=self._conditions.of(where))
        return self._folder.shard(collection).count(asked)

    def pages(
        self, collection: Collection, where: Filter, *, vectors: bool, attributes: bool
    ) -> Iterator[Page]:
        after, first = None, True
        fields = [points.ID] + [points.ATTRIBUTES] * attributes + [points.VECTOR] * vectors
        while first or after is not None:
            asked = self._engine.ScrollRequest(
                offset=after,
                limit=_PAGE,
                filter=self._conditions.of(where),
                with_payload=fields,
                with_vector=[collection.metric] if vectors else False,
            )
            found, after = self._folder.shard(collection).scroll(asked)
            first = False
            yield points.page(found, collection, vectors=vectors, attributes=attributes)

    def expresses(self, comparison: Comparison) -> bool:
        return points.expresses(comparison)

    def error_of(self, error: Exception) -> TunewrightError | None:
        return _gone() if _CLOSED in str(error) else None

    def close(self) -> None:
        if self._opened is not None:
            self._opened.leave()


class _Folder:
    """A directory with collections, one for all of this process: the engine refuses a shard that is
    open already. Its shards serve any number of threads."""

    def __init__(self, directory: Path, engine: Any) -> None:
        self._directory, self._engine = directory, engine
        self._users = 0
        self._held = ExitStack()
        self._lock = threading.RLock()
        self._shards: dict[str, tuple[Collection, Any]] = {}

    @classmethod
    def of(cls, directory: Path, engine: Any) -> "_Folder":
        """Raises Unavailable where another process has it."""
        with _OPENING:
            if directory not in _OPEN:
                made = cls(durable.make_directory(directory), engine)
                if not made._held.enter_context(durable.only_one(directory)):
                    made._held.close()
                    raise Unavailable(
                        f"{directory} is open in another process, and Qdrant Edge is for one at a "
                        "time. End that one, or run Qdrant's server (qdrant+http://HOST:6333)."
                    )
                durable.sweep(directory)
                _OPEN[directory] = made
            _OPEN[directory]._users += 1
            return _OPEN[directory]

    def leave(self) -> None:
        with _OPENING:
            self._users -= 1
            if not self._users:
                del _OPEN[self._directory]
                for _, shard in self._shards.values():
                    shard.close()
                self._held.close()

    def names(self) -> list[str]:
        return [made.parent.name for made in self._directory.glob(f"*/{_MADE}")]

    def create(self, name: str, dimensions: int, metric: Metric) -> None:
        config = self._engine.EdgeConfig(
            vectors={
                metric: self._engine.EdgeVectorParams(
                    dimensions, getattr(self._engine.Distance, points.DISTANCES[metric])
                )
            },
            optimizers=self._engine.EdgeOptimizersConfig(
                indexing_threshold=0,  # no graph
                default_segment_number=1,
            ),
        )
        target = self._directory / name
        with self._lock, durable.scratch(target) as beside:
            made = beside / name
            shard = durable.make_directory(made / _SHARD)
            self._engine.EdgeShard.create(str(shard), config).close()
            durable.write_json(made / _MADE, {"dimensions": dimensions, "metric": metric})
            durable.move_unless_there(made, target)

    def drop(self, name: str) -> None:
        with self._lock:
            _, shard = self._shards.pop(name, (None, None))
            if shard is not None:
                shard.close()
            durable.remove(self._directory / name)

    def collection(self, name: str) -> Collection | None:
        with self._lock:
            if name not in self._shards:
                made = self._directory / name / _MADE
                if not made.is_file():
                    return None
                said = durable.read_json(made)
                found = Collection(name, said["dimensions"], said["metric"])
                self._shards[name] = found, self._load(name)
            return self._shards[name][0]

    def _load(self, name: str) -> Any:
        """Without the room that rows have left which are not there any more."""
        folder = self._directory / name / _SHARD
        try:
            shard = self._engine.EdgeShard.load(str(folder))
        except Exception as error:
            raise Corrupt(
                f"Qdrant Edge cannot open {folder}: {error}. Take it from a copy, or drop the "
                "collection and make it anew."
            ) from error
        shard.optimize()
        return shard

    def shard(self, collection: Collection) -> Any:
        """Raises NotFound where there is none any more, or one with other vectors."""
        with self._lock:
            if self.collection(collection.name) != collection:
                raise _gone()
            return self._shards[collection.name][1]


def _numbered(payload: Mapping[str, Any]) -> dict[str, Any]:
    """`MatchValue(True)` of the Python package (0.9.0) looks for the number 1, and for no true. A
    field of truths has nothing else, so that they may be 0 and 1."""
    return {key: int(each) if isinstance(each, bool) else each for key, each in payload.items()}


_OPEN: dict[Path, _Folder] = {}
_OPENING = threading.Lock()


def _gone() -> NotFound:
    return NotFound("The collection is not there any more.")
