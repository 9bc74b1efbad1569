"""The chunks of a vector store as rows that can be copied elsewhere: `vectors.copying.Source`."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from tunewright.catalog.catalog import Shelf
from tunewright.chunks import ChunkStore
from tunewright.errors import BadRequest
from tunewright.records.files import File
from tunewright.records.vector_stores import VectorStore
from tunewright.resources.store_contents import StoreContents
from tunewright.vectors.copying import OfIndex
from tunewright.vectors.index import Described, Rows

FILE, NAME = "file_id", "filename"


class StoreRows:
    """A row is a chunk: its id, its vector, and as attributes those of its file, the file's id and
    name, and the text. Chunks of files that are being read are left out."""

    repeats = False
    version = ""

    def __init__(
        self, shelf: Shelf, contents: StoreContents, store: VectorStore, text: str
    ) -> None:
        """text: what the attribute with the text is called."""
        self.label = f"store:{store.id}"
        self.collection = store.id
        self._text, self._shelf = text, shelf
        self._chunks: ChunkStore = contents.chunks(store.id)
        name = store.embedding.collection_of(store.id)
        self._rows = OfIndex(contents.index, self.label, name)
        self._names: dict[str, str] = {}

    def describe(self) -> Described:
        return self._rows.describe()

    def rows(self) -> int:
        return sum(len(rows.ids) for _, rows in self.pages(None))

    def pages(self, after: Any) -> Iterator[tuple[Any, Rows]]:
        for mark, rows in self._rows.pages(after):
            chunks = self._chunks.texts(rows.ids)
            at = [n for n, id in enumerate(rows.ids) if id in chunks]
            ids = [rows.ids[n] for n in at]
            said = [
                self._attributes(rows.attributes[n], chunks[id].file, chunks[id].text)
                for n, id in zip(at, ids, strict=True)
            ]
            yield mark, Rows(ids, rows.vectors[np.array(at, np.int64)], said)

    def _attributes(self, of_file: dict[str, Any], file: str, text: str) -> dict[str, Any]:
        more = {FILE: file, NAME: self._name(file), self._text: text}
        if both := of_file.keys() & more.keys():
            raise BadRequest(
                f"Files of {self.label} have the attribute '{min(both)}', which is what the copy "
                "calls the file's id, its name or the text. Rename it; the text has another name "
                "by --text NAME (text='NAME')."
            )
        return {**of_file, **more}

    def _name(self, file: str) -> str:
        if file not in self._names:
            found = self._shelf.get(File, file)
            self._names[file] = found.filename if found else file
        return self._names[file]

    def notes(self) -> list[str]:
        return []
