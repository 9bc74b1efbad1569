"""Does the index of a vector store have all that it should, and does it find it?"""

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

from tunewright.catalog.catalog import Shelf
from tunewright.chunks import place_of
from tunewright.errors import NotFound
from tunewright.records.store_verifications import StoreVerification
from tunewright.records.vector_store_files import VectorStoreFile
from tunewright.records.vector_stores import VectorStore
from tunewright.resources.store_contents import StoreContents
from tunewright.vectors.recall import Recall, measure

Progress = Callable[[int, int], None]  # rows read, and how many there are to read


def verified(
    shelf: Shelf, contents: StoreContents, store: VectorStore, queries: int, progress: Progress
) -> StoreVerification:
    """Reads every vector twice; files that are read into the store wait meanwhile. Raises Corrupt
    for a damaged index."""
    embedding, vectors = store.embedding, Counter[str]()

    def see(ids: Sequence[str]) -> None:
        vectors.update(place_of(id)[0] for id in ids)

    with contents.claimed(store.id):
        index, name = contents.index, embedding.collection_of(store.id)
        try:
            recall = measure(
                index, name, embedding.metric, queries=queries, see=see, progress=progress
            )
        except NotFound:  # nothing was ever read into it
            recall = None
        missing, surplus = _differences(shelf, contents, store.id, vectors)
    return StoreVerification(
        vector_store_id=store.id,
        vectors=vectors.total(),
        chunks_without_vector=missing,
        vectors_without_chunk=surplus,
        **_wire(recall),
    )


def _differences(
    shelf: Shelf, contents: StoreContents, store: str, vectors: Counter[str]
) -> tuple[int, int]:
    """(chunks without a vector, vectors without a chunk). Files that are being read have neither
    all of the one nor of the other, and are left out."""
    chunks = contents.chunks(store)
    files = {file.id: file.status for file in shelf.all(VectorStoreFile, subject=store)}
    missing = surplus = 0
    for id in files.keys() | vectors.keys():
        if files.get(id) != "in_progress":
            whole = len(chunks.ids(id)) if files.get(id) == "completed" else 0
            missing += max(0, whole - vectors[id])
            surplus += max(0, vectors[id] - whole)
    return missing, surplus


def _wire(recall: Recall | None) -> dict[str, Any]:
    if recall is None:
        return {}
    return {
        "queries": recall.queries,
        "k": recall.k,
        "recall": recall.value,
        "recall_low": recall.low,
        "recall_high": recall.high,
    }
