"""One piece of a file's text."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Chunk:
    """`number`: from 0, in the order of the file. `start`, `end`: its bytes in the text of the
    file, in UTF-8; neighbours may overlap. `tokens`: of the store's embedding model."""

    file: str
    number: int
    text: str
    tokens: int
    start: int
    end: int
    page: int | None = None
    heading: str | None = None

    @property
    def id(self) -> str:
        return chunk_id(self.file, self.number)


def chunk_id(file: str, number: int) -> str:
    """The same each time a file is taken in: what is written twice is there once."""
    return f"{file}-{number:06}"


def place_of(id: str) -> tuple[str, int]:
    """(file, number) of a chunk's id. Raises ValueError for any other text."""
    file, _, number = id.rpartition("-")
    return file, int(number)
