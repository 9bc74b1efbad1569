"""The rivals of `bench/vectors`, each in a process of its own, without Tunewright beside it.

    python rival_engines.py NAME CACHE COUNT

The graphs of all have 16 neighbours a row and 200 candidates when they are built, so that they
differ by what is made of the same graph; LanceDB's is its own form (one partition, no codes).
"""

import ctypes
import os
from pathlib import Path

import asked
import numpy as np
from asked import Data, Engine, K

NEIGHBOURS, CANDIDATES = 16, 200


class Faiss(Engine):
    """By itself: no ids, no attributes, nothing durable. Filters are bitmaps made beforehand."""

    keeps = False

    def made(self, dimensions: int):
        import faiss

        index = faiss.IndexHNSWFlat(dimensions, NEIGHBOURS, faiss.METRIC_INNER_PRODUCT)
        index.hnsw.efConstruction = CANDIDATES
        return index

    def build(self, data: Data, folder: Path) -> None:
        import faiss

        faiss.omp_set_num_threads(2)
        index = self.made(data.rows.shape[1])
        if not index.is_trained:
            index.train(np.array(data.rows[:: len(data.rows) // 10_000]))
        for _, rows in data.parts(10_000):
            index.add(rows)
        faiss.write_index(index, str(folder / "index.faiss"))

    def open(self, data: Data, folder: Path) -> None:
        import faiss

        faiss.omp_set_num_threads(1)
        self.index = faiss.read_index(str(folder / "index.faiss"))
        self.selectors, self.bits = {}, []
        for name, values in (("tenth", data.tenth), ("hundredth", data.hundredth)):
            for value in range(values.max() + 1):
                bits = np.packbits(values == value, bitorder="little")
                self.bits.append(bits)
                self.selectors[name, value] = faiss.IDSelectorBitmap(bits)

    def parameters(self, width, selector):
        import faiss

        return faiss.SearchParametersHNSW(efSearch=width, sel=selector)

    def search(self, queries, width, where):
        found = self.parameters(width, self.selectors[where] if where else None)
        ids = self.index.search(queries, K, params=found)[1].tolist()
        return [[id for id in each if id >= 0] for each in ids]


class FaissFlat(Faiss):
    widths = (0,)

    def made(self, dimensions):
        import faiss

        return faiss.IndexFlatIP(dimensions)

    def parameters(self, width, selector):
        import faiss

        return faiss.SearchParameters(sel=selector)


class FaissInt8(FaissFlat):
    """The scan alone reads a quarter; the width's rows are then compared as float32."""

    widths = (10, 20, 40, 80)

    def made(self, dimensions):
        import faiss

        kind = faiss.ScalarQuantizer.QT_8bit
        return faiss.IndexScalarQuantizer(dimensions, kind, faiss.METRIC_INNER_PRODUCT)

    def open(self, data, folder):
        super().open(data, folder)
        self.rows = data.rows

    def search(self, queries, width, where):
        chosen = self.parameters(width, self.selectors[where] if where else None)
        ids = self.index.search(queries, width, params=chosen)[1]  # [m, width]
        near = np.einsum("mwd,md->mw", self.rows[ids], queries)
        best = np.argsort(-near, axis=1)[:, :K]
        return np.take_along_axis(ids, best, 1).tolist()


class Hnswlib(Engine):
    """By itself, and its filters call Python for each row that is looked at: left out."""

    keeps = filters = False

    def build(self, data, folder):
        import hnswlib

        index = hnswlib.Index("ip", data.rows.shape[1])
        index.init_index(len(data.rows), M=NEIGHBOURS, ef_construction=CANDIDATES)
        index.set_num_threads(2)
        for ids, rows in data.parts(10_000):
            index.add_items(rows, np.arange(ids.start, ids.stop))
        index.save_index(str(folder / "index.hnsw"))

    def open(self, data, folder):
        import hnswlib

        self.index = hnswlib.Index("ip", data.rows.shape[1])
        self.index.load_index(str(folder / "index.hnsw"))
        self.index.set_num_threads(1)

    def search(self, queries, width, where):
        self.index.set_ef(width)
        return self.index.knn_query(queries, K)[0].tolist()


class Chroma(Engine):
    """In the process. How wide it searches is kept with the collection, so each width is set by
    opening it anew; the time of that is not counted."""

    widths = (64, 100, 200, 400, 800, 1600)

    def _client(self, folder):
        import chromadb

        settings = chromadb.Settings(anonymized_telemetry=False)
        return chromadb.PersistentClient(str(folder), settings)

    def _made(self, folder, **more):
        hnsw = {"space": "cosine", "max_neighbors": NEIGHBOURS, "ef_construction": CANDIDATES}
        return self._client(folder).create_collection(
            "bench", configuration={"hnsw": hnsw | more}, embedding_function=None
        )

    def build(self, data, folder):
        self.collection = self._made(folder, batch_size=5_000, sync_threshold=20_000)
        for ids, rows in data.parts(5_000):
            self._add(ids, rows, data)

    def _add(self, ids, rows, data):
        self.collection.add(ids=[str(i) for i in ids], embeddings=rows, metadatas=data.said(ids))

    def open(self, data, folder):
        self.folder, self.width = folder, None
        self.collection = self._client(folder).get_collection("bench", embedding_function=None)

    def search(self, queries, width, where):
        if width != self.width:
            self.collection.modify(configuration={"hnsw": {"ef_search": width}})
            self.width = width
        chosen = {where[0]: {"$eq": where[1]}} if where else None
        found = self.collection.query(
            query_embeddings=queries, n_results=K, where=chosen, include=["distances"]
        )
        return [[int(id) for id in ids] for ids in found["ids"]]

    def start(self, data, folder):
        self.collection = self._made(folder)

    def insert(self, ids, data):
        self._add(ids, data.block(ids), data)


class Lance(Engine):
    """One graph over float32 rows, attributes in bitmap indexes; what is added after that is a
    fragment of its own until `optimize`."""

    widths = (16, 32, 64, 128, 192, 256, 384, 512, 1024)

    def _rows(self, ids, rows, data):
        import pyarrow

        flat = pyarrow.array(np.ascontiguousarray(rows).reshape(-1))
        vectors = pyarrow.FixedSizeListArray.from_arrays(flat, rows.shape[1])
        said = data.said(ids)
        values = [pyarrow.array(np.arange(ids.start, ids.stop)), vectors]
        values += [
            pyarrow.array([each[name] for each in said], pyarrow.int64())
            for name in ("tenth", "hundredth")
        ]
        return pyarrow.table(values, ["id", "vector", "tenth", "hundredth"])

    def build(self, data, folder):
        import lancedb
        from lancedb.index import Bitmap, HnswFlat

        first = next(data.parts(50_000))
        table = lancedb.connect(folder).create_table("bench", self._rows(*first, data))
        for ids, rows in data.parts(50_000):
            if ids.start:
                table.add(self._rows(ids, rows, data))
        table.create_index(
            "vector",
            config=HnswFlat(
                distance_type="cosine",
                num_partitions=1,
                m=2 * NEIGHBOURS,  # at its lowest level: elsewhere that is twice the number
                ef_construction=CANDIDATES,
            ),
        )
        for name in ("tenth", "hundredth"):
            table.create_index(name, config=Bitmap())

    def open(self, data, folder):
        import lancedb

        self.table = lancedb.connect(folder).open_table("bench")

    def search(self, queries, width, where):
        asked = self.table.search(queries[0] if len(queries) == 1 else queries)
        asked = asked.distance_type("cosine").limit(K).nprobes(1).ef(width)
        if where:
            asked = asked.where(f"{where[0]} = {where[1]}", prefilter=True)
        found = asked.select(["id", "_distance"]).to_arrow()
        ids = found["id"].to_pylist()
        if len(queries) == 1:
            return [ids]
        by_query: list[list[int]] = [[] for _ in queries]
        for query, id in zip(found["query_index"].to_pylist(), ids, strict=True):
            by_query[query].append(id)
        return by_query

    def start(self, data, folder):
        import lancedb

        empty = self._rows(range(0), np.array(data.rows[:0]), data)
        self.table = lancedb.connect(folder).create_table("bench", schema=empty.schema)

    def insert(self, ids, data):
        self.table.add(self._rows(ids, data.block(ids), data))


class LanceSynced(Lance):
    """Of inserts only: as above it does not wait for the disk, so here its user does, by syncfs."""

    def insert(self, ids, data):
        super().insert(ids, data)
        place = os.open(self.folder, os.O_RDONLY)
        if ctypes.CDLL(None).syncfs(place):
            raise OSError("syncfs")
        os.close(place)

    def start(self, data, folder):
        super().start(data, folder)
        self.folder = folder


class Zvec(Engine):
    """Its index is built by `optimize`. A call takes one query: 100 in one call are 100 calls."""

    batches = False

    def _made(self, data, folder):
        import zvec

        kind, inverted = zvec.DataType, zvec.InvertIndexParam()
        schema = zvec.CollectionSchema(
            name="bench",
            fields=[
                zvec.FieldSchema(each, kind.INT64, index_param=inverted)
                for each in ("tenth", "hundredth")
            ],
            vectors=zvec.VectorSchema(
                "vector",
                kind.VECTOR_FP32,
                data.rows.shape[1],
                zvec.HnswIndexParam(zvec.MetricType.COSINE, NEIGHBOURS, CANDIDATES),
            ),
        )
        self.collection = zvec.create_and_open(str(folder / "bench"), schema)

    def _docs(self, ids, rows, data):
        import zvec

        return [
            zvec.Doc(id=str(id), vectors={"vector": row}, fields=fields)
            for id, row, fields in zip(ids, rows.tolist(), data.said(ids), strict=True)
        ]

    def build(self, data, folder):
        import zvec

        zvec.init(query_threads=1, optimize_threads=2)
        self._made(data, folder)
        for ids, rows in data.parts(1_000):
            self._add(ids, rows, data)
        self.collection.flush()
        self.collection.optimize(zvec.OptimizeOption(2))

    def _add(self, ids, rows, data):
        for status in self.collection.insert(self._docs(ids, rows, data)):
            if not status.ok():
                raise RuntimeError(str(status))

    def open(self, data, folder):
        import zvec

        zvec.init(query_threads=1, optimize_threads=1)
        self.collection = zvec.open(str(folder / "bench"))

    def search(self, queries, width, where):
        import zvec

        found = self.collection.query(
            zvec.Query("vector", vector=queries[0], param=zvec.HnswQueryParam(ef=width)),
            topk=K,
            filter=where and f"{where[0]} = {where[1]}",
            output_fields=[],
        )
        return [[int(each.id) for each in found]]

    def start(self, data, folder):
        self._made(data, folder)

    def insert(self, ids, data):
        self._add(ids, data.block(ids), data)


class Milvus(Engine):
    """Milvus Lite: the graph is faiss'."""

    def _made(self, data, folder):
        from pymilvus import DataType, MilvusClient

        self.client = MilvusClient(str(folder / "bench.db"))
        schema = self.client.create_schema(auto_id=False)
        schema.add_field("id", DataType.INT64, is_primary=True)
        schema.add_field("vector", DataType.FLOAT_VECTOR, dim=data.rows.shape[1])
        for name in ("tenth", "hundredth"):
            schema.add_field(name, DataType.INT64)
        index = self.client.prepare_index_params()
        index.add_index(
            field_name="vector",
            index_type="HNSW",
            metric_type="COSINE",
            params={"M": NEIGHBOURS, "efConstruction": CANDIDATES},
        )
        self.client.create_collection("bench", schema=schema, index_params=index)

    def build(self, data, folder):
        self._made(data, folder)
        for ids, rows in data.parts(5_000):
            self._add(ids, rows, data)
        self.client.flush("bench")
        self.client.load_collection("bench")
        self.search(data.queries[:1], 64, None)
        self.client.close()

    def _add(self, ids, rows, data):
        said = data.said(ids)
        rows = [
            {"id": id, "vector": row} | each for id, row, each in zip(ids, rows, said, strict=True)
        ]
        self.client.insert("bench", rows)

    def open(self, data, folder):
        from pymilvus import MilvusClient

        self.client = MilvusClient(str(folder / "bench.db"))
        self.client.load_collection("bench")

    def search(self, queries, width, where):
        found = self.client.search(
            "bench",
            data=list(queries),
            limit=K,
            filter=f"{where[0]} == {where[1]}" if where else "",
            search_params={"metric_type": "COSINE", "params": {"ef": width}},
        )
        return [[hit["id"] for hit in hits] for hits in found]

    def start(self, data, folder):
        self._made(data, folder)

    def insert(self, ids, data):
        self._add(ids, data.block(ids), data)


class QdrantEdge(Engine):
    """Qdrant's engine in the process: one segment, payload indexes, the graph built by
    `optimize`."""

    widths = (16, 32, 64, 96, 128, 192, 256, 384, 512)

    def _made(self, data, folder):
        import qdrant_edge as q

        config = q.EdgeConfig(
            vectors=q.EdgeVectorParams(data.rows.shape[1], q.Distance.Cosine),
            hnsw_config=q.HnswIndexConfig(NEIGHBOURS, CANDIDATES, full_scan_threshold=10_000),
            optimizers=q.EdgeOptimizersConfig(default_segment_number=1),
            max_search_threads=1,
        )
        folder.mkdir(exist_ok=True)
        self.shard = q.EdgeShard.create(str(folder), config)
        for name in ("tenth", "hundredth"):
            self.shard.update(
                q.UpdateOperation.create_field_index(name, q.PayloadSchemaType.Integer)
            )

    def build(self, data, folder):
        self._made(data, folder)
        for ids, rows in data.parts(1_000):
            self._add(ids, rows, data)
        while self.shard.optimize():
            pass
        self.shard.flush()
        self.shard.close()

    def _add(self, ids, rows, data):
        import qdrant_edge as q

        said = data.said(ids)
        points = [q.Point(i, v, s) for i, v, s in zip(ids, rows.tolist(), said, strict=True)]
        self.shard.update(q.UpdateOperation.upsert_points(points))

    def open(self, data, folder):
        import qdrant_edge as q

        self.shard = q.EdgeShard.load(str(folder))

    def _request(self, query, width, where):
        import qdrant_edge as q

        must = where and [q.FieldCondition(where[0], match=q.MatchValue(where[1]))]
        return q.QueryRequest(
            limit=K,
            query=q.Query.Nearest(query.tolist()),
            filter=must and q.Filter(must=must),
            params=q.SearchParams(hnsw_ef=width),
        )

    def search(self, queries, width, where):
        import qdrant_edge as q

        if len(queries) == 1:
            return [[hit.id for hit in self.shard.query(self._request(queries[0], width, where))]]
        requests = [self._request(query, width, where) for query in queries]
        found = self.shard.query_batch(q.QueryBatchRequest(requests))
        return [[hit.id for hit in hits] for hits in found]

    def start(self, data, folder):
        self._made(data, folder)

    def insert(self, ids, data):
        self._add(ids, data.block(ids), data)


ENGINES = {
    "chromadb": Chroma,
    "lancedb": Lance,
    "lancedb_synced": LanceSynced,
    "zvec": Zvec,
    "milvus_lite": Milvus,
    "qdrant_edge": QdrantEdge,
    "faiss_hnsw": Faiss,
    "faiss_flat": FaissFlat,
    "faiss_int8": FaissInt8,
    "hnswlib": Hnswlib,
}

if __name__ == "__main__":
    asked.serve(ENGINES)
