"""LlamaIndex's vector stores, whose filters are the same for all."""

import math
import uuid
from collections.abc import Sequence
from importlib import import_module
from typing import Any

from rivals import cannot, json_of

from tunewright.vectors.filters import EVERY, Filter

SIGNS = {"eq": "==", "ne": "!=", "gt": ">", "gte": ">=", "lt": "<", "lte": "<="}
FROM = "llama_index.vector_stores"


def _types() -> Any:
    return import_module("llama_index.core.vector_stores.types")


def _filters(said: Any) -> Any:
    types = _types()
    if "filters" in said:
        parts = [_filters(part) for part in said["filters"]]
        return types.MetadataFilters(filters=parts, condition=said["type"])
    if isinstance(said["value"], bool) or (
        isinstance(said["value"], list) and any(isinstance(one, bool) for one in said["value"])
    ):
        cannot("booleans in a filter: its type has texts and numbers")
    operator = SIGNS.get(said["type"], said["type"])
    return types.MetadataFilter(key=said["key"], value=said["value"], operator=operator)


def _said(where: Filter | None) -> Any:
    if where in (None, EVERY):
        return None
    found = _filters(json_of(where))
    whole = isinstance(found, _types().MetadataFilters)
    return found if whole else _types().MetadataFilters(filters=[found])


class Store:
    def __init__(self, store: Any, metric: str, database: str) -> None:
        self._store, self._metric, self._database = store, metric, database

    def add(self, ids: Sequence[str], vectors: Any, attributes: Sequence[Any]) -> None:
        node = import_module("llama_index.core.schema").TextNode
        if self._database != "chroma":  # their add is no upsert
            self.remove(ids)
        rows = zip(self._ids(ids), ids, vectors.tolist(), attributes, strict=True)
        self._store.add(
            [
                node(id_=own, text=id, embedding=row, metadata=dict(each))
                for own, id, row, each in rows
            ]
        )

    def _ids(self, ids: Sequence[str]) -> list[str]:
        if self._database == "qdrant":
            return [str(uuid.uuid5(uuid.NAMESPACE_OID, id)) for id in ids]
        return list(ids)

    def remove(self, ids: Sequence[str]) -> None:
        self._store.delete_nodes(node_ids=self._ids(ids))

    def remove_where(self, where: Filter) -> None:
        self._store.delete_nodes(filters=_said(where))

    def nearest(self, query: Any, k: int, where: Filter | None) -> list[tuple[str, float]]:
        asked = _types().VectorStoreQuery(
            query_embedding=query.tolist(), similarity_top_k=k, filters=_said(where)
        )
        found = self._store.query(asked)
        return [
            (node.get_content(metadata_mode="none"), self._distance(score))
            for node, score in zip(found.nodes or (), found.similarities or (), strict=True)
        ]

    def _distance(self, score: float) -> float:
        """Of the similarity that each makes of what its database gives."""
        if self._database == "chroma":
            away = -math.log(score) if score else math.inf
            away = away - 1 if self._metric == "dot" else away
            return math.sqrt(max(away, 0)) if self._metric == "euclidean" else away
        if self._metric == "euclidean":
            return score if self._database == "qdrant" else math.sqrt(max(score, 0))
        return 1 - score if self._metric == "cosine" else -score

    def drop(self) -> None:
        self._store.clear()


def opened(place: str, name: str, dimensions: int, metric: str) -> Store:
    database, _, where = place.partition(":")
    return Store(OPENED[database](where, name, dimensions, metric), metric, database)


CLIENTS: dict[str, Any] = {}


def _chroma(where: str, name: str, _: int, metric: str) -> Any:
    space = {"cosine": "cosine", "dot": "ip", "euclidean": "l2"}[metric]
    client = import_module("chromadb").PersistentClient(where)
    made = client.get_or_create_collection(name, metadata={"hnsw:space": space})
    return import_module(f"{FROM}.chroma").ChromaVectorStore(chroma_collection=made)


def _qdrant(where: str, name: str, dimensions: int, metric: str) -> Any:
    library = import_module("qdrant_client")
    if where not in CLIENTS:
        CLIENTS[where] = library.QdrantClient(path=where)
    distance = {"cosine": "Cosine", "dot": "Dot", "euclidean": "Euclid"}[metric]
    kept = library.models.VectorParams(size=dimensions, distance=distance)
    made = import_module(f"{FROM}.qdrant").QdrantVectorStore
    if not CLIENTS[where].collection_exists(name):  # else made by the first rows
        CLIENTS[where].create_collection(name, vectors_config=kept)
    return made(name, client=CLIENTS[where], dense_config=kept)


def _milvus(where: str, name: str, dimensions: int, metric: str) -> Any:
    kind = {"cosine": "COSINE", "dot": "IP", "euclidean": "L2"}[metric]
    return import_module(f"{FROM}.milvus").MilvusVectorStore(
        uri=f"{where}/rival.db",
        collection_name=name,
        dim=dimensions,
        similarity_metric=kind,
        consistency_level="Strong",
        use_async_client=False,
    )


def _postgresql(where: str, name: str, dimensions: int, metric: str) -> Any:
    if metric != "cosine":
        cannot("a metric is chosen")
    return import_module(f"{FROM}.postgres").PGVectorStore.from_params(
        connection_string=f"postgresql+psycopg2:{where}",
        async_connection_string=f"postgresql+asyncpg:{where}",
        table_name=name,
        embed_dim=dimensions,
        use_jsonb=True,
    )


def _redis(where: str, name: str, dimensions: int, metric: str) -> Any:
    kind = {"cosine": "cosine", "dot": "ip", "euclidean": "l2"}[metric]
    vector = {"dims": dimensions, "algorithm": "flat", "distance_metric": kind}
    schema = import_module("redisvl.schema").IndexSchema.from_dict(
        {
            "index": {"name": name, "prefix": name, "key_separator": ":"},
            "fields": [
                {"name": "id", "type": "tag"},
                {"name": "doc_id", "type": "tag"},
                {"name": "text", "type": "text"},
                {"name": "k", "type": "tag"},
                {"name": "vector", "type": "vector", "attrs": vector},
            ],
        }
    )
    made = import_module(f"{FROM}.redis").RedisVectorStore
    return made(schema=schema, redis_url=f"redis:{where}")


OPENED = {
    "chroma": _chroma,
    "qdrant": _qdrant,
    "milvus": _milvus,
    "postgresql": _postgresql,
    "redis": _redis,
}
