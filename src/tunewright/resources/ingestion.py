"""What becomes of a file in a vector store: its text, chunks of that, and their vectors.

Everything that is written can be written again: ids follow from the file and the chunk's number.
The order makes it safe to be killed anywhere: first the chunk store notes what may come (`begin`),
then the vectors go into the index, then the texts into the chunk store, and at last the record says
that the file is there, which alone makes it found. Who goes on after a crash, in the same reading,
embeds only what has no text in the chunk store yet.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

from tunewright import documents
from tunewright.blobs.blobs import Blobs
from tunewright.catalog.catalog import Shelf
from tunewright.chunks import Chunk, Reading
from tunewright.embedding.batching import Vectors
from tunewright.embedding.embedder import Embedder
from tunewright.errors import NotFound
from tunewright.faults import fault
from tunewright.records.files import File
from tunewright.records.vector_store_files import Attributes, VectorStoreFile
from tunewright.records.vector_stores import VectorStore
from tunewright.resources.store_contents import StoreContents, alike
from tunewright.resources.store_models import StoreModels, Submit, Texts

Portion: TypeAlias = "Sequence[tuple[Intake, list[Chunk]]]"
"""Of some files the next chunks."""
FLOAT = 4  # bytes of a number of a vector


@dataclass
class Intake:
    """A file that was read. `reading`: names that one time. `done`: so many of its chunks are
    kept."""

    file: VectorStoreFile
    reading: str
    chunks: list[Chunk]
    done: int = 0
    begun: bool = False
    described: Attributes | None = None
    """What its chunks have in the index; None where they may have several."""

    @property
    def left(self) -> list[Chunk]:
        return self.chunks[self.done :]

    def bytes(self, dimensions: int) -> int:
        texts = sum(len(chunk.text.encode()) for chunk in self.chunks)
        return texts + len(self.chunks) * dimensions * FLOAT


class Ingestion:
    def __init__(
        self,
        shelf: Shelf,
        blobs: Blobs,
        contents: StoreContents,
        models: StoreModels,
        submit: Submit,
    ) -> None:
        self._shelf = shelf
        self._blobs = blobs
        self._contents = contents
        self._submit = submit
        self.models = models

    def uploaded(self, file: VectorStoreFile) -> File | None:
        return self._shelf.get(File, file.id)

    def read(
        self, file: VectorStoreFile, uploaded: File | None, embedder: Embedder, reading: str
    ) -> Intake:
        """Raises UnreadableDocument with the reason for `last_error`, NotFound where the file was
        deleted."""
        path = self._blobs.path(file.id)
        if uploaded is None or not path.is_file():
            raise NotFound(f"No such File object: {file.id}", param="file_id")
        document = documents.read_document(path, uploaded.filename)
        sizes = file.chunking_strategy.static
        found = documents.chunks_of(
            document, embedder, sizes.max_chunk_size_tokens, sizes.chunk_overlap_tokens
        )
        chunks = [
            Chunk(
                file=file.id,
                number=number,
                text=each.text,
                tokens=each.tokens,
                start=each.start,
                end=each.end,
                page=each.page,
                heading=each.heading,
            )
            for number, each in enumerate(found)
        ]
        return Intake(file, reading, chunks)

    def begin(self, store: str, intakes: Sequence[Intake]) -> None:
        """Note what may come of these files. What another reading has left of one goes; what this
        one has left counts as done. The store has to be claimed."""
        chunks = self._contents.chunks(store)
        new = [intake for intake in intakes if not intake.begun]
        for intake in new:
            before = chunks.begun(intake.file.id)
            if before and before.reading != intake.reading:
                self._contents.remove(store, intake.file.id)
            elif before:
                intake.done = _alike(chunks.of(intake.file.id), intake.chunks)
        if new:
            chunks.begin([Reading(i.file.id, i.reading, len(i.chunks)) for i in new])
        for intake in new:
            intake.begun = True
        fault("ingest.begun")

    def embedded(self, embedder: Embedder, portion: Portion) -> tuple[Vectors, int]:
        """The vectors [chunks, d] of these, and how many tokens that took. Takes seconds, so the
        store is not claimed meanwhile."""
        texts = Texts(embedder, [c.text for _, those in portion for c in those], "document")
        vectors = texts.embedded(self._submit)
        fault("ingest.embedded")
        return vectors, texts.tokens

    def still_begun(self, store: str, intake: Intake) -> bool:
        """Whether nobody has begun to read the file anew, or removed it."""
        found = self._contents.chunks(store).begun(intake.file.id)
        return found is not None and found.reading == intake.reading

    def keep(self, store: VectorStore, portion: Portion, vectors: Vectors) -> None:
        """Keep the next chunks of these files with their vectors. The store has to be claimed, the
        files begun."""
        chunks = [chunk for _, those in portion for chunk in those]
        if not chunks:
            return
        attributes = [intake.file.attributes for intake, those in portion for _ in those]
        index, name = self._contents.index, store.embedding.collection_of(store.id)
        index.create(name, store.embedding.dimensions, store.embedding.metric)
        index.upsert(name, [chunk.id for chunk in chunks], vectors, attributes)
        fault("ingest.indexed")
        self._contents.chunks(store.id).put(chunks)
        for intake, those in portion:
            same = not intake.done or alike(intake.described, intake.file.attributes)
            intake.described = intake.file.attributes if same else None
            intake.done += len(those)
        fault("ingest.kept")

    def describe(self, store: str, intakes: Sequence[Intake]) -> None:
        """Those whose attributes were changed while they were read get the same for all chunks.
        The store has to be claimed."""
        for intake in intakes:
            if not alike(intake.described, intake.file.attributes):
                self._contents.describe(store, intake.file.id, intake.file.attributes)


def _alike(kept: Sequence[Chunk], chunks: Sequence[Chunk]) -> int:
    """How many of the first chunks are kept as they are."""
    pairs = zip(kept, chunks, strict=False)
    return next((at for at, (a, b) in enumerate(pairs) if a != b), min(len(kept), len(chunks)))
