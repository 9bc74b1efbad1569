"""One table through one model: texts read, vectors computed batch by batch, the output written."""

import itertools
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tunewright import durable
from tunewright.embedding.distinct import Distinct, Found
from tunewright.embedding.embedder import Embedder
from tunewright.errors import BadRequest
from tunewright.records.tables import TableProgress
from tunewright.resources.table_plans import Partial, Plan
from tunewright.stepwise import batches
from tunewright.tables.columns import types_of
from tunewright.tables.problems import Refused
from tunewright.tables.sources import Source, open_source
from tunewright.tables.texts import HALF, Texts
from tunewright.tables.writers import (
    WRITERS,
    About,
    Rows,
    Writer,
    check_columns,
    left_out_beside,
    rows_at_once,
    texts_beside,
)

CHARACTERS = 512  # of a row of a batch, on average at most
Floats = NDArray[np.float32]


class TableText(NamedTuple):
    """Of one row: `text` is empty where `reason` says why there is none."""

    line: int
    text: str = ""
    reason: str = ""
    values: dict[str, Any] | None = None


@dataclass(frozen=True)
class EmbeddedRow:
    """A row of a table with its vector, [d]; or `reason`, why it has none."""

    line: int
    values: dict[str, Any]
    text: str
    vector: Floats | None
    reason: str = ""


class TableRun:
    def __init__(
        self,
        table: Path,
        texts: Texts,
        plan: Plan,
        embedder: Embedder,
        spend: Callable[[int], None],
    ) -> None:
        """spend: hears of the tokens of each batch, and may wait."""
        self.plan = plan
        self._table = table
        self._stamp = stamp(table)
        self._texts = texts
        self._embedder = embedder
        self._spend = spend

    def embed(self, partial: Partial) -> Iterator[TableProgress]:
        """Compute what is not computed yet, a batch a step. Raises BadRequest where no row has a
        vector in the end."""
        source = self._open(only=self._texts.columns)
        rows = texts_of(source, self._texts)
        distinct = self._distinct(partial.vector)
        self._skip(rows, partial, distinct)
        yield partial.progress
        for batch in self._batches(rows):
            if source.columns is None:
                self._check(batch)
            found, left_out = self._embed(batch, distinct)
            done = _added(partial.progress, len(batch), found, len(left_out), source.share())
            partial.add(found.vectors, left_out, done)
            yield done
        if not partial.progress.embedded:
            _, why = next(partial.lines_left_out(), (0, "it has no rows"))
            durable.remove(partial.path)
            raise BadRequest(
                f"{self._table.name} has no row with a text of which {self.plan.model} knows a "
                f"token. Of the first row: {why}.",
                param="file",
            )

    def stream(self) -> Iterator[EmbeddedRow]:
        """Every row in its order, with its vector."""
        distinct = self._distinct(None)
        for batch in self._batches(texts_of(self._open(), self._texts)):
            found, left_out = self._embed(batch, distinct)
            vectors = iter(found.vectors)
            for row in batch:
                why = left_out.get(row.line, "")
                vector = None if why else next(vectors)
                yield EmbeddedRow(row.line, row.values or {}, row.text, vector, why)

    def write(self, partial: Partial) -> Iterator[TableProgress]:
        """Write the output, with what belongs beside it, into `partial.ready`."""
        output, progress, writing = partial.output, partial.progress, partial.path / "writing"
        durable.remove(writing)
        durable.make_directory(writing)
        kind = WRITERS[self.plan.ending]
        with ExitStack() as stack:
            out = stack.enter_context(durable.Upload(writing / output.name))
            texts = (
                stack.enter_context(durable.Upload(writing / texts_beside(output).name))
                if kind.beside
                else None
            )
            writer = kind(out, self._about(kind, partial), texts)
            written = 0
            for rows in self._kept(partial, writer):
                writer.write(rows)
                written += len(rows.lines)
                share = written / max(1, progress.embedded)
                yield progress.model_copy(update={"writing": True, "share": share})
            writer.close()
            self.check_unchanged()
            for upload in (out, texts):
                if upload is not None:
                    upload.commit()
        if progress.left_out:
            durable.copy(partial.left_out_path, writing / left_out_beside(output).name)
        durable.move(writing, partial.ready)

    def check_unchanged(self) -> None:
        """Raises BadRequest where the table was written to meanwhile."""
        if stamp(self._table) != self._stamp:
            raise BadRequest(
                f"{self._table.name} changed while it was read. Begin anew with --overwrite "
                "(overwrite=True).",
                param="file",
            )

    def _check(self, batch: list[TableText]) -> None:
        """Before anything of it is computed: a table whose rows name their own columns shows a
        wrong one at any row."""
        for row in batch:
            if row.values is not None:
                check_columns(row.values, self.plan.ending, combined=self._texts.combined)

    def _open(self, only: Sequence[str] | None = None) -> Source:
        return open_source(self._table, self.plan.sheet, only)

    def _distinct(self, fetch: Callable[[int], Floats] | None) -> Distinct:
        allow = self.plan.unknown == "allow"
        return Distinct(self._embedder, fetch, self.plan.prompt, allow_unknown=allow)

    def _batches(self, rows: Iterator[TableText]) -> Iterator[list[TableText]]:
        """Cut by the table alone, so that a run that goes on computes the same batches."""
        most = self.plan.batch
        return batches(rows, most * CHARACTERS, most, size=lambda row: len(row.text))

    def _embed(self, batch: list[TableText], distinct: Distinct) -> tuple[Found, dict[int, str]]:
        """What the batch gave, and by line why a row has no vector."""
        told = [row for row in batch if not row.reason]
        found = distinct.embed([row.text for row in told])
        self._spend(found.tokens)
        without = {told[at].line: why for at, why in found.left_out.items()}
        without |= {row.line: row.reason for row in batch if row.reason}
        return found, dict(sorted(without.items()))

    def _skip(self, rows: Iterator[TableText], partial: Partial, distinct: Distinct) -> None:
        """Past what an earlier run has done, remembering its texts as that run did."""
        done = itertools.islice(rows, partial.progress.rows)
        kept = _without(done, partial)
        while batch := list(itertools.islice(kept, self.plan.batch)):
            distinct.skip([row.text for row in batch])

    def _about(self, kind: Any, partial: Partial) -> About:
        source = self._open()
        schema = source.parquet.schema_arrow if source.parquet is not None else None
        types: dict[str, str] = {}
        columns = source.columns
        if kind.whole_table and schema is None and (columns is None or source.typed):
            types = types_of(row.values for row in _without(source.rows, partial) if row.values)
            columns = list(types) if columns is None else columns
        return About(
            columns or (),
            self.plan.dimensions,
            partial.progress.embedded,
            self._texts.combined,
            types,
            schema,
            self._said(),
        )

    def _said(self) -> dict[str, str]:
        said = {
            "model": self.plan.model,
            "fingerprint": self.plan.fingerprint,
            "precision": self.plan.precision,
            "columns": ",".join(self.plan.columns),
            "template": self.plan.template or "",
        }
        return {name: value for name, value in said.items() if value}

    def _kept(self, partial: Partial, writer: Writer) -> Iterator[Rows]:
        """The rows that have a vector, with it, some at a time."""
        source, most = self._open(), rows_at_once(self.plan.dimensions)
        texts = self._texts.combined or self.plan.ending == ".npy"
        if source.parquet is not None and self.plan.ending == ".parquet":
            found = _batches_of(source, most, partial)
        else:
            found = _lists_of(source, most, partial)
        at = 0
        for lines, values, batch in found:
            said = values
            if texts and batch is not None:
                said = batch.select(list(self._texts.columns)).to_pylist()
            told = [self._texts.of(row) for row in said] if texts else []
            yield Rows(lines, values, told, partial.some(at, len(lines)), batch)
            at += len(lines)


def stamp(path: Path) -> list[int]:
    """Changes with every write to a file."""
    found = path.stat()
    return [found.st_size, found.st_mtime_ns]


def texts_of(source: Source, texts: Texts) -> Iterator[TableText]:
    plain = None if texts.combined or source.packed else texts.columns[0]
    for row in source.rows:
        if row.values is None:
            yield TableText(row.line, reason=row.fault)
            continue
        if plain is not None:  # the quick way for nearly all rows
            cell = row.values.get(plain)
            if type(cell) is str and cell.isascii() and cell and not cell.isspace():
                yield TableText(row.line, cell, "", row.values)
                continue
        try:
            text = texts.of(row.values)
        except Refused as why:
            yield TableText(row.line, reason=str(why), values=row.values)
            continue
        if (text.isascii() or not HALF.search(text)) and not (source.packed and _half(row.values)):
            yield TableText(row.line, text, values=row.values)
        else:
            yield TableText(row.line, reason="it is not UTF-8", values=row.values)


def _half(values: dict[str, Any]) -> bool:
    """Whether another cell is not UTF-8. What is not packed was looked through before."""
    return any(isinstance(cell, str) and HALF.search(cell) for cell in values.values())


def _added(
    progress: TableProgress, rows: int, found: Found, left_out: int, share: float
) -> TableProgress:
    return TableProgress(
        share=share,
        rows=progress.rows + rows,
        embedded=progress.embedded + len(found.vectors),
        left_out=progress.left_out + left_out,
        computed=progress.computed + found.computed,
        tokens=progress.tokens + found.tokens,
        unknown=progress.unknown + found.unknown,
        chunked=progress.chunked + found.chunked,
        truncated=progress.truncated + found.truncated,
    )


def _without(rows: Iterator[Any], partial: Partial) -> Iterator[Any]:
    """Rows but for those that were left out; both come in the order of their lines."""
    left_out = partial.lines_left_out()
    next_out, _ = next(left_out, (-1, ""))
    for row in rows:
        if row.line == next_out:
            next_out, _ = next(left_out, (-1, ""))
        else:
            yield row


def _lists_of(source: Source, most: int, partial: Partial) -> Iterator[tuple[Any, Any, None]]:
    rows = _without(source.rows, partial)
    while some := list(itertools.islice(rows, most)):
        yield [row.line for row in some], [row.values for row in some], None


def _batches_of(source: Source, most: int, partial: Partial) -> Iterator[tuple[Any, Any, Any]]:
    """The same as pyarrow's batches: their columns are not converted."""
    start = 1
    left_out = partial.lines_left_out()
    next_out, _ = next(left_out, (-1, ""))
    for batch in source.parquet.iter_batches(batch_size=most):
        keep: list[int] = []
        for at in range(batch.num_rows):
            if start + at == next_out:
                next_out, _ = next(left_out, (-1, ""))
            else:
                keep.append(at)
        lines = [start + at for at in keep]
        start += batch.num_rows
        if keep:
            yield lines, (), batch if len(keep) == batch.num_rows else batch.take(keep)
