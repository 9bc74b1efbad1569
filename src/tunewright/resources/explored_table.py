"""A table with a vector of each row: what it holds, by its rows, and as a file once more."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tunewright import suggestions
from tunewright.analysis.classes import Rule
from tunewright.errors import BadRequest, MissingExtra
from tunewright.suggestions import Value
from tunewright.tables.added import write_added
from tunewright.tables.cells import number_of, written
from tunewright.tables.sources import open_source
from tunewright.tables.texts import missing

Floats = NDArray[np.float32]
_OF_EXTRA = {"sklearn", "scipy", "openTSNE", "bm25s", "threadpoolctl", "joblib"}


@dataclass(frozen=True, eq=False)
class ExploredTable:
    """A table whose rows have vectors: `lines`, `texts` and `vectors` [n, d], of length 1, are of
    these rows, in the table's order. `rows` counts from 0 in all that the methods give.

    `values`: by line, the columns of every row that could be read; `left_out`: by line, why a row
    has no vector. `columns`: of the whole table. `label`, `number`, `user`, `item`: which of them
    has what; `text_columns` have the texts. `model`, `fingerprint`: of the vectors; None where
    nobody knows. `notes`: what is worth knowing of how it was read. `given`, `options`: the table
    as it was named, and what was said of it, so that a command does the same again. `embedded`:
    texts to be searched for, into vectors [m, d] of the same model; raises BadRequest where there
    is none.
    """

    path: Path
    lines: Sequence[int]
    texts: Sequence[str]
    vectors: Floats
    values: Mapping[int, Mapping[str, Any]]
    left_out: Mapping[int, str]
    columns: Sequence[str]
    embedded: Callable[[Sequence[str]], Floats]
    model: str | None = None
    fingerprint: str | None = None
    label: str | None = None
    number: str | None = None
    user: str | None = None
    item: str | None = None
    sheet: str | None = None
    before: bool = False
    notes: tuple[str, ...] = field(default=())
    text_columns: Sequence[str] = ()
    given: str = ""
    options: Mapping[str, str | None] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return self.path.name

    def __len__(self) -> int:
        return len(self.lines)

    def cells(self, column: str) -> list[Any]:
        """What the rows have in a column, as the table has it; None for nothing. Raises BadRequest
        for a column that the table does not have, naming near ones."""
        if column not in self.columns:
            raise BadRequest(missing(column, self.columns), param="column")
        return [_cell(self.values[line].get(column)) for line in self.lines]

    def labels(self, column: str | None = None) -> list[str | None]:
        """Of the label column, or another one: texts as they are written, None for nothing. Two
        classes of a number are labels too: ``Score >= 4 against <= 2``."""
        name = self._asked(column, "label")
        if rule := rule_of(name, self.columns):
            return rule.labels(self.numbers(rule.column).tolist())
        return [None if cell is None else written(cell).strip() for cell in self.cells(name)]

    def numbers(self, column: str | None = None) -> NDArray[np.float64]:
        """Of the number column, or another one, [n]: NaN where a row has no number. A number that
        is written as text is one. Raises BadRequest where no row has a number."""
        name = self._asked(column, "number")
        cells = self.cells(name)
        numbers = [number_of(cell) for cell in cells]
        found = np.array([math.nan if each is None else each for each in numbers])  # [n]
        if np.isnan(found).all():
            at = next((at for at, cell in enumerate(cells) if cell is not None), None)
            said = "is empty" if at is None else f"holds {written(cells[at])[:40]!r}"
            line = self.lines[at or 0]
            raise BadRequest(
                f"The column {name!r} has no number: line {line} {said}. Name another column.",
                param="number",
            )
        return found

    def rows_of(self, lines: Sequence[int]) -> list[int]:
        """The places of these lines of the table. Raises BadRequest for one that has no vector."""
        at = {line: row for row, line in enumerate(self.lines)}
        for line in lines:
            if line not in at:
                why = self.left_out.get(line, "the table has no row that begins there")
                raise BadRequest(f"Line {line} cannot be used: {why}.", param="like")
        return [at[line] for line in lines]

    def mask(self, where: Mapping[str, Any] | None) -> NDArray[np.bool_] | None:
        """Bool [n], the rows that a filter means; None without one."""
        if where is None:
            return None
        from tunewright.resources.table_filters import mask_of

        return mask_of(where, [self.values[line] for line in self.lines], self.columns)

    def command(self, use: str, **more: Value) -> str:
        """A command that does `use` with this table."""
        return suggestions.command("explore", use, self.given, **self.options, **more)

    def write(self, output: Path | str, added: Mapping[str, Sequence[Any]]) -> None:
        """The table as a file (.csv, .jsonl or .parquet), without vectors, with columns `added`: of
        each a value for every one of the n rows. Rows without a vector are there too, with nothing
        in them."""
        place = {line: at for at, line in enumerate(self.lines)}
        places = [place.get(line) for line in self.values]
        columns = {
            name: [None if at is None else _plain(column[at]) for at in places]
            for name, column in added.items()
        }
        source = open_source(self.path, self.sheet) if self.path.suffix != ".npy" else None
        schema = source.parquet.schema_arrow if source and source.parquet else None
        write_added(Path(output), list(self.values.values()), columns, schema)

    def _asked(self, column: str | None, what: str) -> str:
        name = column or getattr(self, what)
        if name is None:
            raise BadRequest(f"Name the column to use: --{what} COLUMN.", param=what)
        return name

    def _same_model(self, other: "ExploredTable") -> None:
        prints = self.fingerprint, other.fingerprint
        if None not in prints and prints[0] != prints[1]:
            raise BadRequest(
                f"The vectors of {self.name} are of {self.model}, those of {other.name} of "
                f"{other.model}: distances between them mean nothing. Embed both with one model.",
                param="reference",
            )


def rule_of(label: str, columns: Sequence[str]) -> Rule | None:
    """What `labels` takes for two classes of a number; None for the name of a column. Raises
    BadRequest where there is no such column."""
    rule = None if label in columns else Rule.parse(label)
    name = label if rule is None else rule.column
    if name not in columns:
        raise BadRequest(missing(name, columns), param="label")
    return rule


@contextmanager
def working(what: str) -> Iterator[None]:
    """One computation of `analysis`: by one thread, so that it gives the same bits everywhere.
    Raises MissingExtra where a library that it needs is not installed, BadRequest for what cannot
    be computed of this table."""
    from tunewright.analysis.threads import one_thread

    try:
        with one_thread():
            yield
    except ModuleNotFoundError as error:
        if (error.name or "").split(".")[0] not in _OF_EXTRA:
            raise
        raise MissingExtra(what, "explore") from error
    except ValueError as error:
        raise BadRequest(str(error)) from error


def _cell(value: Any) -> Any:
    nothing = value is None or (isinstance(value, float) and math.isnan(value))
    return None if nothing or (isinstance(value, str) and not value.strip()) else value


def _plain(value: Any) -> Any:
    """Of numpy's kinds of value, Python's own."""
    return value.item() if isinstance(value, np.generic) else value
