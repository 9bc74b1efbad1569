"""LangChain's vector stores. Each takes filters of its own kind, which is what its user writes."""

import math
import uuid
from collections.abc import Sequence
from importlib import import_module
from typing import Any

from rivals import cannot, json_of

from tunewright.vectors.filters import EVERY, Filter


class Given:
    """An embedding model that gives a row's vector for its text, which is its id."""

    def __init__(self) -> None:
        self.vectors: dict[str, Any] = {}

    def embed_documents(self, texts: Sequence[str]) -> list[list[float]]:
        return [self.vectors.get(text, [1.0]) for text in texts]

    def embed_query(self, text: str) -> list[float]:
        return self.embed_documents([text])[0]


class Store:
    remove_where = None

    def __init__(self, store: Any, given: Given, metric: str, database: str) -> None:
        self._store, self._given, self._metric, self._database = store, given, metric, database

    def add(self, ids: Sequence[str], vectors: Any, attributes: Sequence[Any]) -> None:
        self._given.vectors = dict(zip(ids, vectors.tolist(), strict=True))
        if self._database == "milvus":  # its add is no upsert
            self.remove(ids)
            attributes = [{"metadata": dict(each)} for each in attributes]
        own = {"keys" if self._database == "redis" else "ids": self._ids(ids)}
        self._store.add_texts(list(ids), [dict(each) for each in attributes], **own)

    def _ids(self, ids: Sequence[str]) -> list[str]:
        if self._database == "qdrant":
            return [str(uuid.uuid5(uuid.NAMESPACE_OID, id)) for id in ids]
        return list(ids)

    def remove(self, ids: Sequence[str]) -> None:
        self._store.delete(ids=self._ids(ids))

    def nearest(self, query: Any, k: int, where: Filter | None) -> list[tuple[str, float]]:
        said = None if where in (None, EVERY) else FILTERS[self._database](json_of(where))
        name = "similarity_search_with_score_by_vector"
        if self._database == "chroma":
            name = "similarity_search_by_vector_with_relevance_scores"
        call = getattr(self._store, name)
        named = {"expr" if self._database == "milvus" else "filter": said} if said else {}
        found = call(query.tolist(), k=k, **named)
        return [(row.page_content, self._distance(score)) for row, score in found]

    def _distance(self, score: float) -> float:
        """Of what its database gives."""
        similar = self._database in ("qdrant", "milvus")
        if self._metric == "euclidean":
            squared = self._database in ("chroma", "milvus", "redis")
            return math.sqrt(max(score, 0)) if squared else score
        if self._metric == "dot" and self._database in ("chroma", "redis"):
            return score - 1
        return ((1 - score) if self._metric == "cosine" else -score) if similar else score

    def drop(self) -> None:
        store = self._store
        {
            "chroma": lambda: store.delete_collection(),
            "qdrant": lambda: store.client.delete_collection(store.collection_name),
            "milvus": lambda: store.client.drop_collection(store.collection_name),
            "postgresql": lambda: store.delete_collection(),
            "redis": lambda: store.index.delete(drop=True),
        }[self._database]()


def opened(place: str, name: str, dimensions: int, metric: str) -> Store:
    database, _, where = place.partition(":")
    given = Given()
    given.vectors = {"dimensions": [1.0] * dimensions}
    return Store(OPENED[database](where, name, dimensions, metric, given), given, metric, database)


def _chroma(where: str, name: str, _: int, metric: str, given: Given) -> Any:
    space = {"cosine": "cosine", "dot": "ip", "euclidean": "l2"}[metric]
    made = import_module("langchain_chroma").Chroma
    return made(name, given, where, collection_metadata={"hnsw:space": space})


CLIENTS: dict[str, Any] = {}


def _qdrant(where: str, name: str, dimensions: int, metric: str, given: Given) -> Any:
    library = import_module("qdrant_client")
    client = CLIENTS.setdefault(where, None) or library.QdrantClient(path=where)
    CLIENTS[where] = client
    distance = {"cosine": "Cosine", "dot": "Dot", "euclidean": "Euclid"}[metric]
    kept = library.models.VectorParams(size=dimensions, distance=distance)
    if not client.collection_exists(name):
        client.create_collection(name, vectors_config=kept)
    made = import_module("langchain_qdrant").QdrantVectorStore
    return made(client, name, given, distance=kept.distance, validate_collection_config=False)


def _milvus(where: str, name: str, _: int, metric: str, given: Given) -> Any:
    kind = {"cosine": "COSINE", "dot": "IP", "euclidean": "L2"}[metric]
    return import_module("langchain_milvus").Milvus(
        given,
        name,
        connection_args={"uri": f"{where}/rival.db"},
        index_params={"metric_type": kind, "index_type": "AUTOINDEX", "params": {}},
        consistency_level="Strong",
        metadata_schema={"metadata": {"dtype": import_module("pymilvus").DataType.JSON}},
    )


def _postgresql(where: str, name: str, _: int, metric: str, given: Given) -> Any:
    made = import_module("langchain_postgres").PGVector
    strategy = {"cosine": "cosine", "dot": "inner", "euclidean": "l2"}[metric]
    return made(
        given,
        connection=f"postgresql+psycopg:{where}",
        collection_name=name,
        distance_strategy=strategy,
    )


def _redis(where: str, name: str, _: int, metric: str, given: Given) -> Any:
    library = import_module("langchain_redis")
    kind = {"cosine": "COSINE", "dot": "IP", "euclidean": "L2"}[metric]
    schema = [{"name": "k", "type": "tag"}]
    config = library.RedisConfig(
        index_name=name, redis_url=f"redis:{where}", distance_metric=kind, metadata_schema=schema
    )
    return library.RedisVectorStore(given, config)


OPENED = {
    "chroma": _chroma,
    "qdrant": _qdrant,
    "milvus": _milvus,
    "postgresql": _postgresql,
    "redis": _redis,
}


def _dollars(said: Any) -> Any:
    """Of Chroma and PGVector."""
    if "filters" in said:
        return {f"${said['type']}": [_dollars(part) for part in said["filters"]]}
    return {said["key"]: {f"${said['type']}": said["value"]}}


def _conditions(said: Any) -> Any:
    models = import_module("qdrant_client").models
    if "filters" in said:
        parts = [_conditions(part) for part in said["filters"]]
        return models.Filter(**{"must" if said["type"] == "and" else "should": parts})
    key, op, value = f"metadata.{said['key']}", said["type"], said["value"]
    if op in ("gt", "gte", "lt", "lte"):
        if isinstance(value, str):
            cannot("texts are compared by their order")
        return models.Filter(must=[models.FieldCondition(key=key, range={op: value})])
    if isinstance(value, list):
        match = models.MatchAny(any=value)
    elif isinstance(value, float):
        condition = models.FieldCondition(key=key, range={"gte": value, "lte": value})
        return models.Filter(**{"must" if op == "eq" else "must_not": [condition]})
    else:
        match = models.MatchValue(value=value)
    condition = models.FieldCondition(key=key, match=match)
    return models.Filter(**{"must" if op in ("eq", "in") else "must_not": [condition]})


def _expression(said: Any) -> str:
    """As Milvus' documents write it."""
    if "filters" in said:
        return f" {said['type']} ".join(f"({_expression(part)})" for part in said["filters"])
    signs = {"eq": "==", "ne": "!=", "gt": ">", "gte": ">=", "lt": "<", "lte": "<="}
    sign = signs.get(said["type"]) or {"in": "in", "nin": "not in"}[said["type"]]
    return f"metadata[{said['key']!r}] {sign} {said['value']!r}"


def _tags(said: Any) -> Any:
    expressions = import_module("redisvl.query.filter")
    if "filters" in said:
        parts = [_tags(part) for part in said["filters"]]
        joined = parts[0]
        for part in parts[1:]:
            joined = joined & part if said["type"] == "and" else joined | part
        return joined
    values = said["value"] if isinstance(said["value"], list) else [said["value"]]
    if said["key"] != "k" or not all(isinstance(value, str) for value in values):
        cannot("a field is filtered by that was not declared, or has several types")
    if said["type"] not in ("eq", "ne", "in", "nin"):
        cannot("texts are compared by their order")
    tag = expressions.Tag("k")
    return tag == values if said["type"] in ("eq", "in") else tag != values


FILTERS: dict[str, Any] = {
    "chroma": _dollars,
    "postgresql": _dollars,
    "qdrant": _conditions,
    "milvus": _expression,
    "redis": _tags,
}
