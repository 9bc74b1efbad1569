"""`copy`: a collection, from one place to another."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from tunewright.errors import BadRequest, TunewrightError
from tunewright.home import Home
from tunewright.settings import Settings
from tunewright.vectors.checking import checked_attributes, checked_ids, checked_vectors
from tunewright.vectors.copying.digests import Digest, Repeated
from tunewright.vectors.copying.ends import MOST_OF_A_PAGE, Destination, Source
from tunewright.vectors.copying.places import Places, Reading
from tunewright.vectors.copying.positions import Kept, Position, kept
from tunewright.vectors.copying.verifying import Neighbours, verified
from tunewright.vectors.filters import Filter, matches, parse
from tunewright.vectors.index import Metric, Rows


@dataclass(frozen=True)
class Copied:
    """`rows`: that the destination has now. `resumed`: of these, what an earlier run had written.
    `neighbours`: of a sample, what a search there finds; None of a file."""

    source: str
    destination: str
    rows: int
    dimensions: int
    metric: Metric
    resumed: int
    neighbours: Neighbours | None
    notes: tuple[str, ...] = ()


class Progress(Protocol):
    def __call__(self, what: str, done: int, total: int) -> None:
        """what: ``Checking``, ``Copying``, ``Verifying``. Rows, and how many there are."""


def quiet(what: str, done: int, total: int) -> None:
    pass


def copy(
    source: "str | Path | Source",
    destination: "str | Path | Destination",
    *,
    where: Filter | Mapping[str, Any] | None = None,
    metric: Metric | None = None,
    id: str | None = None,
    text: str | None = None,
    numbers: Sequence[str] = (),
    home: Path | str | None = None,
    progress: Progress = quiet,
) -> Copied:
    """Copy a collection: ids, vectors, attributes, dimensions and metric.

    Places are those of `open_index`, followed by ``#COLLECTION`` (``chroma:DIR#reviews``), or
    files: a table with vectors to read (Parquet, JSON lines, CSV: the column `embedding`), and
    ``.parquet`` to write. A destination without a name is called as the source is. Collections of
    Chroma, Qdrant and PostgreSQL that LangChain has made can be read too.

    All rows are read and checked before the first is written, copied some thousand at a time, and
    compared at the end. A call that was killed goes on when it is made again; `home` is where that
    is kept (by default, as for all else: ``~/.tunewright``).

    where: a filter, OpenAI's or a parsed one: only rows that match. metric: of a source that does
    not tell (cosine, where nobody says). id: the column of a file that has the ids; by default
    `id`, else rows are numbered. text: what the attribute with the text of foreign rows is called;
    by default `text`. numbers: columns of a file whose texts are numbers: what came from a CSV file
    has no types.

    Raises BadRequest where something cannot be copied, before anything is written, with what to do
    about it; JobFailed (code `copy_not_verified`) where the copy is not what it should be; and what
    the two indexes raise.
    """
    tree = where if isinstance(where, Filter | None) else parse(where, "where")
    reading = Reading(metric, id, text or "text", tuple(numbers))
    with Places() as places:
        origin = places.source(source, reading)
        target = places.destination(destination, origin.collection)
        if origin.label == target.label:
            raise BadRequest(f"{origin.label} is copied to itself. Name another destination.")
        what = {
            "source": origin.label,
            "destination": target.label,
            "where": repr(tree),
            "reading": repr(reading),
        }
        with kept(Home(Settings.read(home).home).copies, what) as found:
            return _Copying(origin, target, tree, found, progress).run()


class _Copying:
    def __init__(
        self,
        source: Source,
        destination: Destination,
        where: Filter | None,
        kept: Kept,
        progress: Progress,
    ) -> None:
        self._source, self._destination, self._where = source, destination, where
        self._kept, self._progress = kept, progress
        self._about = source.describe()
        self._total = source.rows()

    @property
    def _position(self) -> Position:
        return self._kept.position

    def run(self) -> Copied:
        self._continue()
        resumed = self._position.written.rows
        if self._position.checked is None:
            self._check()
        if not self._position.begun:
            self._position.begun = True  # before: whoever goes on knows that it is a copy of ours
            self._kept.save()
        self._destination.begin(self._about)
        self._copy()
        self._destination.finish(self._position.pages)
        neighbours = self._verified()
        self._kept.forget()
        return Copied(
            self._source.label,
            self._destination.label,
            self._position.written.rows,
            self._about.dimensions,
            self._about.metric,
            resumed,
            neighbours,
            tuple(self._source.notes()),
        )

    def _continue(self) -> None:
        """From where an earlier run has come to, if what it wrote is still there, and no more than
        it can have written."""
        position, there = self._position, self._destination.there()
        if there < position.written.rows or position.version != self._source.version:
            position.again()
            position.version = self._source.version
        if there and (not position.begun or there > position.most + MOST_OF_A_PAGE):
            raise BadRequest(
                f"{self._destination.label} has {there:,} rows already. Name a collection that is "
                "not there yet, or delete that one.",
                param="destination",
                code="destination_not_empty",
            )

    def _check(self) -> None:
        """All rows, before anything is written."""
        if why := self._destination.refusal(self._about):
            raise BadRequest(why)
        digest, repeated = Digest(), Repeated()
        read = 0
        for _, rows in self._source.pages(None):
            read += len(rows.ids)
            self._checked(rows, read)
            if self._source.repeats:
                repeated.add(rows.ids)
            chosen = self._chosen(rows)
            if why := self._destination.refusal(self._about, chosen):
                raise BadRequest(why)
            digest.add(chosen)
            self._position.sample.offer(chosen.ids, chosen.vectors)
            self._progress("Checking", read, self._total)
        if (again := repeated.first()) is not None:
            raise BadRequest(
                f"{self._source.label} has an id twice: that of row {again + 1} is that of an "
                "earlier row too. Give each row an id of its own, or leave out one of the two."
            )
        self._position.checked = digest
        self._kept.save()

    def _checked(self, rows: Rows, read: int) -> None:
        """What no index takes. Raises BadRequest, which names the page that has it."""
        try:
            checked_ids(rows.ids)
            checked_vectors(rows.vectors, self._about.dimensions, self._about.metric)
            checked_attributes(rows.attributes, len(rows.ids))
        except TunewrightError as error:
            first = read - len(rows.ids) + 1
            raise BadRequest(
                f"{self._source.label} cannot be copied. Of its rows {first:,} to {read:,}, "
                f"counted from 0: {error.message}"
            ) from None

    def _copy(self) -> None:
        position = self._position
        for mark, rows in self._source.pages(position.after):
            chosen = self._chosen(rows)
            if chosen.ids:
                self._destination.put(position.pages, chosen)
                position.pages += 1
                position.written.add(chosen)
                position.most = max(position.most, position.written.rows)
            position.after, position.read = mark, position.read + len(rows.ids)
            self._kept.save()
            self._progress("Copying", position.read, self._total)

    def _verified(self) -> Neighbours | None:
        position = self._position
        try:
            return verified(
                self._source,
                self._destination,
                self._about,
                position,
                self._where,
                lambda rows: self._progress("Verifying", rows, position.written.rows),
            )
        except TunewrightError as error:
            if error.code == "copy_not_verified":
                error.message += " The same command copies all rows again."
                position.again()
                self._kept.save()
            raise

    def _chosen(self, rows: Rows) -> Rows:
        """Those that the filter matches."""
        if self._where is None:
            return rows
        at = [n for n, one in enumerate(rows.attributes) if matches(self._where, one)]
        return Rows(
            [rows.ids[n] for n in at],
            rows.vectors[np.array(at, np.int64)],
            [rows.attributes[n] for n in at],
        )
