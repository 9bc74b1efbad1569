"""`tunewright embed --file TABLE --output OUT`: shows how far it is, and what it came to."""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tunewright.cli.terminal import duration, note, print_json
from tunewright.cli.verbs import bar

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from tunewright.app import Tunewright
    from tunewright.cli.embed import Asked
    from tunewright.records.tables import EmbeddedTable, TableProgress

_NAMED = 10  # rows that are left out and named


def has_vectors(file: Path, sheet: str | None) -> bool:
    """Whether the file is one that --output wrote."""
    from tunewright.tables.sources import open_source
    from tunewright.tables.writers import EMBEDDING

    if file.suffix.lower() == ".npy":
        return True
    first = next((row for row in open_source(file, sheet).rows if row.values), None)
    return first is not None and EMBEDDING in (first.values or {})


def check(output: Path, *, overwrite: bool) -> None:
    """Raises BadRequest, before anything is computed, for an output that cannot be written."""
    from tunewright.errors import BadRequest
    from tunewright.tables.writers import check_output

    check_output(output)
    if output.exists() and not overwrite:
        raise BadRequest(
            f"{output} exists already. Name another output, or replace it with --overwrite.",
            param="output",
            code="output_exists",
        )


def save(output: Path, texts: Sequence[str], vectors: "NDArray[np.float32]") -> None:
    from tunewright.tables.saved import save as write_all

    write_all(output, texts, vectors)


def write(tw: "Tunewright", asked: "Asked", output: Path, *, overwrite: bool, json: bool) -> None:
    with shown() as say:
        done = tw.embeddings.table(
            asked.file or "",
            output,
            column=asked.column,
            template=asked.template,
            model=asked.model,
            sheet=asked.sheet,
            prompt_name=asked.prompt_name,
            overwrite=overwrite,
            say=say,
        )
    if json:
        return print_json(done.wire())
    report(done)
    return None


def queue(tw: "Tunewright", asked: "Asked", output: Path, *, overwrite: bool, json: bool) -> None:
    from tunewright.cli.tables import watch
    from tunewright.cli.terminal import program

    made = tw.tables.create(
        asked.file or "",
        output,
        column=asked.column,
        template=asked.template,
        model=asked.model,
        sheet=asked.sheet,
        prompt_name=asked.prompt_name,
        overwrite=overwrite,
    )
    note(f"{made.id}: it goes on without this command. {program()} tables follow {made.id}")
    watch(tw, made.id, json=json)


def report(done: "EmbeddedTable") -> None:
    what = "text" if done.embedded == 1 else "texts"
    tokens = ", complete already: nothing was computed" if done.before else ""
    tokens = tokens or f", {done.tokens:,} tokens"
    note(f"{done.embedded:,} {what}{tokens}, {done.dimensions} dimensions, in {done.output}")
    if not done.before and (equal := done.embedded - done.computed):
        note(f"{equal:,} of them are equal to another one and were not computed again")
    if done.chunked:
        note(f"{done.chunked:,} longer than the model reads at once: the mean of their parts")
    if done.truncated:
        note(f"{done.truncated:,} longer than the model reads at once: only their beginning")
    if done.unknown:
        note(
            f"The model does not know {done.unknown:,} of {done.tokens:,} tokens: it cannot tell "
            "other languages and emoji apart. A multilingual embedding model can."
        )
    if done.left_out_file:
        _left_out(Path(done.left_out_file), done.left_out)


def _left_out(path: Path, count: int) -> None:
    import itertools

    from tunewright.tables.sources import open_source

    rows = (row.values or {} for row in open_source(path).rows) if path.is_file() else iter(())
    for row in itertools.islice(rows, _NAMED):
        note(f"left out: line {row['line']}: {row['reason']}")
    if count > _NAMED:
        note(f"left out: {count - _NAMED:,} more, all in {path}")


@contextmanager
def shown() -> Iterator[Any]:
    speed = Speed()
    with bar() as show:

        def say(now: "TableProgress") -> None:
            show("Writing" if now.writing else "Embedding", now.share, 1.0, speed.of(now))

        yield say


class Speed:
    """Of this run, from its first report on: that tells what an earlier one has done."""

    def __init__(self) -> None:
        self._first: TableProgress | None = None
        self._began = time.monotonic()

    def of(self, now: "TableProgress") -> str:
        """``81,920 texts, 4,100 texts/s, 402,000 tokens/s, 1:12 left``"""
        if self._first is None:
            self._first, self._began = now, time.monotonic()
        if now.writing:
            return f"{now.share:.0%}"
        first = self._first
        seconds = max(1e-3, time.monotonic() - self._began)
        said = [
            f"{now.embedded + now.left_out:,} texts",
            f"{(now.rows - first.rows) / seconds:,.0f} texts/s",
            f"{(now.tokens - first.tokens) / seconds:,.0f} tokens/s",
        ]
        if (gone := now.share - first.share) > 0:
            said.append(f"{duration(seconds * (1 - now.share) / gone)} left")
        return ", ".join(said)
