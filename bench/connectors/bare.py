"""The official clients by themselves, as their own documents have them used: rows of a vector and
three attributes, the ten nearest with the language asked for, ids and distances back."""

import uuid
from collections.abc import Sequence
from importlib import import_module
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
NAME = "bare_rows"


class Chroma:
    def __init__(self, url: str) -> None:
        chromadb = import_module("chromadb")
        settings = chromadb.Settings(anonymized_telemetry=False)
        scheme, _, rest = url.partition(":")
        if scheme == "chroma":
            self._client = chromadb.PersistentClient(rest, settings)
        else:
            host, _, port = rest.strip("/").partition(":")
            self._client = chromadb.HttpClient(host=host, port=int(port), settings=settings)

    def create(self, dimensions: int) -> None:
        self._rows = self._client.get_or_create_collection(
            NAME, configuration={"hnsw": {"space": "cosine"}}, embedding_function=None
        )

    def upsert(self, ids: Sequence[str], vectors: Floats, attributes: Sequence[Any]) -> None:
        self._rows.upsert(ids=list(ids), embeddings=vectors, metadatas=list(attributes))

    def search(self, queries: Floats, lang: str | None) -> Any:
        return self._rows.query(
            query_embeddings=queries,
            n_results=10,
            where=lang and {"lang": lang},
            include=["distances"],
        )


class Milvus:
    def __init__(self, url: str) -> None:
        path = url.partition(":")[2].replace("milvus.db", "bare.db")
        self._client = import_module("pymilvus").MilvusClient(path)

    def create(self, dimensions: int) -> None:
        kinds = import_module("pymilvus").DataType
        schema = self._client.create_schema(auto_id=False, enable_dynamic_field=False)
        schema.add_field("id", kinds.VARCHAR, is_primary=True, max_length=128)
        schema.add_field("vector", kinds.FLOAT_VECTOR, dim=dimensions)
        schema.add_field("attributes", kinds.JSON)
        index = self._client.prepare_index_params()
        index.add_index("vector", index_type="AUTOINDEX", metric_type="COSINE")
        self._client.create_collection(
            NAME, schema=schema, index_params=index, consistency_level="Strong"
        )

    def upsert(self, ids: Sequence[str], vectors: Floats, attributes: Sequence[Any]) -> None:
        rows = [
            {"id": id, "vector": vector, "attributes": each}
            for id, vector, each in zip(ids, vectors, attributes, strict=True)
        ]
        self._client.upsert(NAME, rows)

    def search(self, queries: Floats, lang: str | None) -> Any:
        where = f'attributes["lang"] == "{lang}"' if lang else ""
        return self._client.search(NAME, data=list(queries), limit=10, filter=where)


class Qdrant:
    def __init__(self, url: str) -> None:
        self._library = import_module("qdrant_client")
        self._client = self._library.QdrantClient(path=url.partition(":")[2] + "-bare")

    def create(self, dimensions: int) -> None:
        models = self._library.models
        kept = models.VectorParams(size=dimensions, distance=models.Distance.COSINE)
        self._client.create_collection(NAME, vectors_config=kept)

    def upsert(self, ids: Sequence[str], vectors: Floats, attributes: Sequence[Any]) -> None:
        points = self._library.models.Batch(
            ids=[str(uuid.uuid5(uuid.NAMESPACE_OID, id)) for id in ids],
            vectors=vectors.tolist(),
            payloads=[{"id": id, **each} for id, each in zip(ids, attributes, strict=True)],
        )
        self._client.upsert(NAME, points, wait=True)

    def search(self, queries: Floats, lang: str | None) -> Any:
        models = self._library.models
        where = None
        if lang:
            equal = models.FieldCondition(key="lang", match=models.MatchValue(value=lang))
            where = models.Filter(must=[equal])
        asked = [
            models.QueryRequest(query=query, filter=where, limit=10, with_payload=["id"])
            for query in queries.tolist()
        ]
        return self._client.query_batch_points(NAME, asked)


class PostgreSQL:
    """Vectors as pgvector's own package sends them: in its binary form."""

    def __init__(self, url: str) -> None:
        psycopg = import_module("psycopg")
        self._at = psycopg.connect(url, autocommit=True)

    def create(self, dimensions: int) -> None:
        self._at.execute("CREATE EXTENSION IF NOT EXISTS vector")
        self._at.execute(
            f"CREATE TABLE {NAME} (id text PRIMARY KEY, vector vector({dimensions}), "
            "attributes jsonb)"
        )
        self._at.execute(f"CREATE INDEX ON {NAME} USING hnsw (vector vector_cosine_ops)")
        self._at.execute(f"CREATE INDEX ON {NAME} USING gin (attributes jsonb_path_ops)")
        info = import_module("psycopg.types").TypeInfo.fetch(self._at, "vector")
        adapt = import_module("psycopg.adapt")

        class Dumper(adapt.Dumper):
            oid = info.oid
            format = import_module("psycopg").pq.Format.BINARY

            def dump(self, obj: Any) -> bytes:
                return len(obj).to_bytes(2, "big") + b"\0\0" + obj.astype(">f4").tobytes()

        self._at.adapters.register_dumper(np.ndarray, Dumper)

    def upsert(self, ids: Sequence[str], vectors: Floats, attributes: Sequence[Any]) -> None:
        packed = import_module("psycopg.types.json").Jsonb
        rows = [
            (id, vector, packed(each))
            for id, vector, each in zip(ids, vectors, attributes, strict=True)
        ]
        with self._at.transaction(), self._at.cursor() as cursor:
            cursor.executemany(
                f"INSERT INTO {NAME} VALUES (%s, %b, %s) ON CONFLICT (id) DO UPDATE SET "
                "vector = excluded.vector, attributes = excluded.attributes",
                rows,
            )

    def search(self, queries: Floats, lang: str | None) -> Any:
        asked = (
            f"SELECT id, vector <=> %(q)b FROM {NAME} WHERE attributes @> %(w)s::jsonb "
            "ORDER BY vector <=> %(q)b LIMIT 10"
        )
        where = f'{{"lang": "{lang}"}}' if lang else "{}"
        return [self._at.execute(asked, {"q": query, "w": where}).fetchall() for query in queries]


class Redis:
    def __init__(self, url: str) -> None:
        self._client = import_module("redis").Redis.from_url(url, protocol=2)
        self._index = self._client.ft(NAME)

    def create(self, dimensions: int) -> None:
        field = import_module("redis.commands.search.field")
        of = import_module("redis.commands.search.index_definition")
        kind = {"TYPE": "FLOAT32", "DIM": dimensions, "DISTANCE_METRIC": "COSINE"}
        self._index.create_index(
            [field.TagField("lang"), field.VectorField("vector", "FLAT", kind)],
            definition=of.IndexDefinition(prefix=[f"{NAME}:"], index_type=of.IndexType.HASH),
        )

    def upsert(self, ids: Sequence[str], vectors: Floats, attributes: Sequence[Any]) -> None:
        with self._client.pipeline(transaction=True) as together:
            for id, vector, each in zip(ids, vectors, attributes, strict=True):
                fields = {"vector": vector.tobytes(), **each}
                together.hset(f"{NAME}:{id}", mapping=fields)
            together.execute()

    def search(self, queries: Floats, lang: str | None) -> Any:
        Query = import_module("redis.commands.search.query").Query
        where = f"@lang:{{{lang}}}" if lang else "*"
        asked = Query(f"({where})=>[KNN 10 @vector $q AS d]").return_fields("d").sort_by("d")
        asked = asked.paging(0, 10).dialect(2)
        return [self._index.search(asked, {"q": query.tobytes()}).docs for query in queries]


BARE = {
    "chroma": Chroma,
    "chroma-server": Chroma,
    "milvus": Milvus,
    "qdrant": Qdrant,
    "postgresql": PostgreSQL,
    "redis": Redis,
}
