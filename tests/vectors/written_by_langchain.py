"""``.sdk/langchain/bin/python tests/vectors/written_by_langchain.py LAYOUT PLACE``: a collection
that LangChain itself writes, and what it finds there, as JSON.

The vector of a text follows from its letters, so that the same question can be asked elsewhere.
"""

import hashlib
import json
import sys
from typing import Any

import numpy as np
from langchain_core.embeddings import Embeddings  # pyright: ignore[reportMissingImports]

ROWS, DIMENSIONS, K = 300, 16, 10
QUERIES = ["a question", "another one", "text 7"]


class Letters(Embeddings):
    def embed_query(self, text: str) -> list[float]:
        seed = int.from_bytes(hashlib.sha256(text.encode()).digest()[:8])
        return np.random.default_rng(seed).normal(size=DIMENSIONS).astype(np.float32).tolist()

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        return [self.embed_query(text) for text in texts]


def chroma(place: str) -> Any:
    from langchain_chroma import Chroma  # pyright: ignore[reportMissingImports]

    return Chroma("notes", Letters(), persist_directory=place)


def qdrant(place: str) -> Any:
    from langchain_qdrant import QdrantVectorStore  # pyright: ignore[reportMissingImports]

    more = {"path": place, "collection_name": "notes"}
    QdrantVectorStore.from_texts(["gone"], Letters(), ids=["0" * 32], **more).delete(["0" * 32])
    return QdrantVectorStore.from_existing_collection(embedding=Letters(), **more)


def pgvector(place: str) -> Any:
    """All collections in two tables."""
    from langchain_postgres import PGVector  # pyright: ignore[reportMissingImports]

    other = PGVector(Letters(), connection=place, collection_name="others")
    other.add_texts(["of another collection"])
    return PGVector(Letters(), connection=place, collection_name="my notes")


def pgvectorstore(place: str) -> Any:
    """A collection a table."""
    from langchain_postgres import (  # pyright: ignore[reportMissingImports]
        Column,
        PGEngine,
        PGVectorStore,
    )

    engine = PGEngine.from_connection_string(place)
    columns = [Column("stars", "INTEGER"), Column("written", "DATE")]
    engine.init_vectorstore_table("Notes", DIMENSIONS, metadata_columns=columns)
    named = ["stars", "written"]
    return PGVectorStore.create_sync(engine, Letters(), "Notes", metadata_columns=named)


def main(layout: str, place: str) -> None:
    store = {
        "chroma": chroma,
        "qdrant": qdrant,
        "pgvector": pgvector,
        "pgvectorstore": pgvectorstore,
    }[layout](place)
    texts = [f"text {n}" for n in range(ROWS)]
    said = [{"stars": n % 5, "lang": ["en", "de"][n % 2], "good": n % 3 == 0} for n in range(ROWS)]
    if layout == "pgvectorstore":
        said = [{**one, "written": f"2024-05-{n % 28 + 1:02}"} for n, one in enumerate(said)]
    store.add_texts(texts, said, ids=[f"{n:08x}-0000-4000-8000-000000000000" for n in range(ROWS)])
    only = {"stars": {"$eq": 4}} if layout.startswith("pg") else {"stars": 4}
    if layout == "qdrant":
        from qdrant_client import models  # pyright: ignore[reportMissingImports]

        match = models.MatchValue(value=4)
        only = models.Filter(must=[models.FieldCondition(key="metadata.stars", match=match)])
    found = [
        [[document.page_content for document in store.similarity_search(query, K, **more)]
         for more in ({}, {"filter": only})]
        for query in QUERIES
    ]  # fmt: skip
    questions = Letters().embed_documents(QUERIES)
    sys.stdout.write(json.dumps({"vectors": questions, "found": found}))


if __name__ == "__main__":
    main(*sys.argv[1:])
