"""The text of a vector store's chunks, and which of them hold the words of a query.

chunk       one piece of a file's text
words       texts and queries as words
store       `chunks.db` of one vector store
database    how that file is opened, and what can go wrong
"""

from tunewright.chunks.chunk import Chunk, chunk_id, place_of
from tunewright.chunks.store import ChunkStore, Reading

__all__ = ["Chunk", "ChunkStore", "Reading", "chunk_id", "place_of"]
