"""The texts of a vector store through another model, into a second collection of its index.

What was done before a crash is read from that collection: ids follow from the chunks. Files come
and go meanwhile; at the end, with the store claimed, both have the same chunks.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from tunewright.catalog.catalog import Shelf
from tunewright.chunks import Chunk, place_of
from tunewright.embedding.batching import Vectors
from tunewright.embedding.embedder import Embedder
from tunewright.errors import NotFound
from tunewright.faults import fault
from tunewright.records.reembeddings import Reembedding
from tunewright.records.vector_store_files import Attributes, VectorStoreFile, attached
from tunewright.records.vector_stores import VectorStore
from tunewright.resources.store_contents import StoreContents, alike
from tunewright.resources.store_models import StoreModels, Submit, Texts

AT_ONCE = 64  # chunks embedded by one call
READ = 1000  # rows of the index at once


class EmbeddingAnew:
    def __init__(
        self, shelf: Shelf, contents: StoreContents, models: StoreModels, submit: Submit
    ) -> None:
        self._shelf = shelf
        self._contents = contents
        self._models = models
        self._submit = submit

    def prepare(self, found: Reembedding) -> None:
        """Before the first step: what lies there is of another one that was not to be."""
        store, embedding = found.vector_store_id, found.embedding
        name = embedding.collection_of(store)
        with self._contents.claimed(store):
            self._contents.drop_collection(store, name)
            self._contents.index.create(name, embedding.dimensions, embedding.metric)

    def open(self, found: Reembedding) -> "Anew":
        """Raises BadRequest where the new model is another one by now."""
        store = self._shelf.get(VectorStore, found.vector_store_id)
        if store is None:
            raise NotFound(f"{found.vector_store_id} is gone.", param="vector_store_id")
        embedder = self._models.open(store, found.embedding)
        return Anew(self._shelf, self._contents, embedder, self._submit, found)


class Anew:
    """`done`: ids that have their new vector."""

    def __init__(
        self,
        shelf: Shelf,
        contents: StoreContents,
        embedder: Embedder,
        submit: Submit,
        found: Reembedding,
    ) -> None:
        self._shelf = shelf
        self._contents = contents
        self._embedder = embedder
        self._submit = submit
        self._store = found.vector_store_id
        self._name = found.embedding.collection_of(self._store)
        self._attributes: dict[str, Attributes | None] = {}  # by file; None: they differ
        self._readings = self._current()
        self.done = set(self._read())

    def chunks(self) -> int:
        """How many the store has now."""
        of = self._contents.chunks(self._store)
        return sum(len(of.ids(file)) for file in of.files())

    def steps(self) -> Iterator[int]:
        """The tokens of each call of the model, until all texts that were there have a vector.
        What becomes of the store meanwhile is left to `complete`."""
        for ids in self._missing():
            chunks = self._texts(ids)
            texts = self._texts_of(chunks)
            vectors = texts.embedded(self._submit)  # [chunks, d]
            fault("reembed.embedded")
            with self._contents.claimed(self._store):
                now = self._contents.chunks(self._store).texts([chunk.id for chunk in chunks])
                same = [at for at, chunk in enumerate(chunks) if now.get(chunk.id) == chunk]
                self._keep([chunks[at] for at in same], vectors[same])
            fault("reembed.kept")
            yield texts.tokens

    @contextmanager
    def complete(self) -> Iterator[dict[str, int]]:
        """The store is claimed for the block, and both collections have the same chunks, with the
        attributes that their files have now. Gives how many chunks each file has."""
        with self._contents.claimed(self._store):
            for ids in self._missing():
                chunks = self._texts(ids)
                self._keep(chunks, self._texts_of(chunks).embedded(self._submit))
            of = self._contents.chunks(self._store)
            there = {file: of.ids(file) for file in of.files()}
            gone = self.done.difference(*there.values())
            if gone:
                self._contents.index.delete(self._name, ids=sorted(gone))
            self._describe(there)
            fault("reembed.complete")
            yield {file: len(ids) for file, ids in there.items()}

    def _read(self) -> Iterator[str]:
        """What is there from before a crash."""
        after = None
        while True:
            rows = self._contents.index.read(self._name, after, READ)
            for id, attributes in zip(rows.ids, rows.attributes, strict=True):
                self._note(place_of(id)[0], attributes)
                yield id
            if len(rows.ids) < READ:
                return
            after = rows.ids[-1]

    def _current(self) -> dict[str, str]:
        """Of each file, which reading of it the chunks are of."""
        of = self._contents.chunks(self._store)
        return {file: each.reading for file in of.files() if (each := of.begun(file))}

    def _note(self, file: str, attributes: Attributes) -> None:
        if not alike(self._attributes.setdefault(file, attributes), attributes):
            self._attributes[file] = None

    def _missing(self) -> Iterator[list[str]]:
        of = self._contents.chunks(self._store)
        batch: list[str] = []
        for file, reading in self._current().items():
            if self._readings.setdefault(file, reading) != reading:  # it was read anew
                self.done.difference_update([id for id in self.done if place_of(id)[0] == file])
                self._readings[file] = reading
            for id in of.ids(file):
                if id not in self.done:
                    batch.append(id)
                if len(batch) == AT_ONCE:
                    yield batch
                    batch = []
        if batch:
            yield batch

    def _texts(self, ids: Sequence[str]) -> list[Chunk]:
        return list(self._contents.chunks(self._store).texts(ids).values())

    def _texts_of(self, chunks: Sequence[Chunk]) -> Texts:
        return Texts(self._embedder, [chunk.text for chunk in chunks], "document")

    def _keep(self, chunks: Sequence[Chunk], vectors: Vectors) -> None:
        """vectors: [chunks, d]"""
        files = {chunk.file: self._file(chunk.file) for chunk in chunks}
        attributes = [files[chunk.file] for chunk in chunks]
        if chunks:
            ids = [chunk.id for chunk in chunks]
            self._contents.index.upsert(self._name, ids, vectors, attributes)
            self.done.update(ids)
        for file, given in files.items():
            self._note(file, given)

    def _file(self, id: str) -> Attributes:
        found = self._shelf.get(VectorStoreFile, attached(self._store, id))
        return found.attributes if found else {}

    def _describe(self, there: dict[str, list[str]]) -> None:
        for file, ids in there.items():
            now = self._file(file)
            if ids and not alike(self._attributes.get(file), now):
                self._contents.index.upsert(self._name, ids, None, [now] * len(ids))
