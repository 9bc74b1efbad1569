"""The chunks of one vector store: their texts by id, and by words (BM25).

SQLite in WAL mode with synchronous=FULL: what was written when a call returns is on the disk, and a
killed process leaves a call whole or absent. What is removed is out of every answer at once, and
out of the file when `wipe` has gone through.
"""

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from tunewright.chunks.chunk import Chunk, chunk_id, place_of
from tunewright.chunks.database import Database
from tunewright.chunks.words import expression, spaced

_COLUMNS = 'file, number, text, tokens, "start", "end", page, heading'
_ROWS = 128  # of a query read at once
_PAGES = 256  # of FTS5's index merged in one transaction, for which other writers wait


class Reading(NamedTuple):
    """A file that is being taken in, or was. `reading`: names that one time of reading it. `most`:
    its chunks are the numbers below this one, those that are in the index but not here yet too."""

    file: str
    reading: str
    most: int

    @property
    def ids(self) -> list[str]:
        return [chunk_id(self.file, number) for number in range(self.most)]


class ChunkStore:
    """A file's `begin` comes before its chunks; nothing is made before the first one. Raises
    Corrupt for a damaged file, StorageFull where nothing of a call could be written, and
    Unavailable where others keep it busy."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._database = Database(path)

    def put(self, chunks: Sequence[Chunk]) -> None:
        """All of them or none. One of the same file and number is replaced."""
        with self._database.writing() as connection:
            for chunk in chunks:
                _remove(connection, chunk.file, chunk.number)
                slot = connection.execute(
                    f"INSERT INTO chunks ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                    (
                        chunk.file,
                        chunk.number,
                        chunk.text,
                        chunk.tokens,
                        chunk.start,
                        chunk.end,
                        chunk.page,
                        chunk.heading,
                    ),
                ).lastrowid
                connection.execute(
                    "INSERT INTO words (rowid, text) VALUES (?, ?)", (slot, spaced(chunk.text))
                )

    def begin(self, readings: Sequence[Reading]) -> None:
        """Before anything of these files is kept anywhere: so that it is known of what is left of
        one, should this process be killed."""
        with self._database.writing() as connection:
            connection.executemany(
                "INSERT INTO readings VALUES (?, ?, ?) ON CONFLICT (file) DO UPDATE "
                "SET reading = excluded.reading, most = max(most, excluded.most)",
                [(each.file, each.reading, each.most) for each in readings],
            )

    def begun(self, file: str) -> Reading | None:
        with self._database.reading() as connection:
            if connection is None:
                return None
            query = "SELECT file, reading, most FROM readings WHERE file = ?"
            row = connection.execute(query, (file,)).fetchone()
        return Reading(*row) if row else None

    def remove(self, file: str) -> None:
        """All that is known of a file. Call `wipe` afterwards."""
        if self.begun(file) is None:
            return
        with self._database.writing() as connection:
            for number in _numbers(connection, file):
                _remove(connection, file, number)
            connection.execute("DELETE FROM readings WHERE file = ?", (file,))

    def wipe(self) -> bool:
        """Make what was removed leave the file too; False where a reader is in the way, and then it
        has to be called again. Nothing is done where nothing was removed since.

        secure_delete overwrites rows. A word that is deleted from FTS5 stays in the segment that
        it was added to, until that is merged with the one that says it is deleted; so all are
        merged into one, some pages at a time. (SQLite 3.40 has no secure-delete of FTS5's own.)
        """
        with self._database.reading() as connection:
            if connection is None:
                return True
            (last,) = connection.execute("SELECT max(id) FROM removals").fetchone()
        if last is not None:
            self._merge()
            with self._database.writing() as connection:
                connection.execute("DELETE FROM removals WHERE id <= ?", (last,))
        return self._database.empty_log()

    def _merge(self) -> None:
        """A negative number of pages begins a merge of everything, the same one positive goes on
        with it; it is done when that changes no row beside FTS5's own record."""
        pages, changed = -_PAGES, 2
        while changed >= 2:
            with self._database.writing() as connection:
                before = connection.total_changes
                connection.execute("INSERT INTO words (words, rank) VALUES ('merge', ?)", (pages,))
                changed = connection.total_changes - before
            pages = _PAGES

    def texts(self, ids: Sequence[str]) -> dict[str, Chunk]:
        """Those that are there, by id."""
        with self._database.reading() as connection:
            if connection is None:
                return {}
            query = f"SELECT {_COLUMNS} FROM chunks WHERE file = ? AND number = ?"
            rows = (connection.execute(query, place_of(id)).fetchone() for id in ids)
            found = [Chunk(*row) for row in rows if row is not None]
        return {chunk.id: chunk for chunk in found}

    def of(self, file: str) -> list[Chunk]:
        """The chunks of a file, in order."""
        query = f"SELECT {_COLUMNS} FROM chunks WHERE file = ? ORDER BY number"
        with self._database.reading() as connection:
            rows = connection.execute(query, (file,)).fetchall() if connection else []
        return [Chunk(*row) for row in rows]

    def ids(self, file: str) -> list[str]:
        """Of the chunks of a file, in order."""
        with self._database.reading() as connection:
            numbers = _numbers(connection, file) if connection else []
        return [chunk_id(file, number) for number in numbers]

    def files(self) -> list[str]:
        with self._database.reading() as connection:
            query = "SELECT file FROM readings ORDER BY file"
            rows = connection.execute(query).fetchall() if connection else []
        return [file for (file,) in rows]

    def words(
        self, query: str, k: int, wanted: Callable[[set[str]], set[str]]
    ) -> list[tuple[str, float]]:
        """(id, score) of the k best chunks for the words of a query by BM25, best first, higher is
        better. Chunks with none of the words are not among them.

        wanted: of some files, which are meant; asked of each file once.

        BM25 with k1 = 1.2 and b = 0.75, over all chunks of the store; English words by their stem
        (Porter), letters without their accents, no stop words.
        """
        asked = expression(query)
        with self._database.reading() as connection:
            if connection is None or asked is None:
                return []
            return list(_best(connection, asked, k, wanted))

    def close(self) -> None:
        self._database.close()


def _numbers(connection: sqlite3.Connection, file: str) -> list[int]:
    rows = connection.execute("SELECT number FROM chunks WHERE file = ? ORDER BY number", (file,))
    return [number for (number,) in rows]


def _remove(connection: sqlite3.Connection, file: str, number: int) -> None:
    found = connection.execute(
        "SELECT slot, text FROM chunks WHERE file = ? AND number = ?", (file, number)
    ).fetchone()
    if found is None:
        return
    slot, text = found
    connection.execute(
        "INSERT INTO words (words, rowid, text) VALUES ('delete', ?, ?)", (slot, spaced(text))
    )
    connection.execute("DELETE FROM chunks WHERE slot = ?", (slot,))
    connection.execute("INSERT INTO removals DEFAULT VALUES")


def _best(
    connection: sqlite3.Connection, asked: str, k: int, wanted: Callable[[set[str]], set[str]]
) -> Iterator[tuple[str, float]]:
    """SQLite ranks all that match before it gives the first: who is not wanted costs little."""
    rows = connection.execute(
        "SELECT file, number, rank FROM words JOIN chunks ON slot = words.rowid "
        "WHERE words MATCH ? ORDER BY rank, slot",
        (asked,),
    )
    known: set[str] = set()
    meant: set[str] = set()
    while some := rows.fetchmany(max(k, _ROWS)):
        new = {file for file, _, _ in some} - known
        known |= new
        meant |= wanted(new) if new else new
        for file, number, rank in some:
            if file in meant:
                yield chunk_id(file, number), -rank
                k -= 1
            if k <= 0:
                return
