"""A vector store whose index was compared with what it is of."""

from typing import Literal

from tunewright.records.record import Record


class StoreVerification(Record):
    """`vectors`: how many the index has. `chunks_without_vector`: of files that are completed; 0 in
    a whole store. `vectors_without_chunk`: left over from files that went; no search shows them.

    recall: of the `k` nearest vectors to each of `queries` stored vectors, the share that a search
    finds; from `recall_low` to `recall_high` with 95 % confidence. Null where there are too few
    vectors to tell.
    """

    object: Literal["vector_store.verification"] = "vector_store.verification"
    vector_store_id: str
    vectors: int
    chunks_without_vector: int
    vectors_without_chunk: int
    queries: int = 0
    k: int = 0
    recall: float | None = None
    recall_low: float | None = None
    recall_high: float | None = None
