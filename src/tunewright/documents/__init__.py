"""Text out of files of many kinds, and chunks of it that an embedding model can read.

`read_document` gives a `Document`: its text, and where pages and headings begin. `chunks_of` cuts
that into `Chunk`s by the model's own tokens. Nothing here knows vectors, stores or tasks.
"""

from tunewright.documents.chunking import Chunk, chunks_of
from tunewright.documents.document import Document, Mark
from tunewright.documents.reading import read_document
from tunewright.errors import UnreadableDocument

__all__ = ["Chunk", "Document", "Mark", "UnreadableDocument", "chunks_of", "read_document"]
