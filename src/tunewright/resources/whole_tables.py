"""A table that fits into memory, with its vectors: computed, kept from before, or its own."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tunewright.errors import BadRequest
from tunewright.home import Home
from tunewright.resources import kept_vectors
from tunewright.resources.embedding_tables import EmbeddingTables
from tunewright.resources.kept_vectors import Computed
from tunewright.resources.models import Models
from tunewright.tables.saved import saved
from tunewright.tables.texts import Texts

Floats = NDArray[np.float32]
Progress = Callable[[float], None]


def quiet(share: float) -> None:
    """Nobody hears how far it is."""


@dataclass
class WholeTable:
    """`lines`, `texts` and `vectors` [n, d] are of the rows that have a vector; `left_out` says
    why another has none, by its line. `values`: by line, the columns of every row that could be
    read, without its vector.

    `columns`: of the texts. `said`: what a file with vectors says of itself. `tokens`, `unknown`:
    together; 0 of saved vectors. `before`: nothing was computed. `kept`: where the vectors were put
    for the next time.
    """

    lines: list[int] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)
    vectors: Floats = field(default_factory=lambda: np.zeros((0, 0), np.float32))
    left_out: dict[int, str] = field(default_factory=dict)
    values: dict[int, dict[str, Any]] = field(default_factory=dict)
    said: dict[str, str] | None = None
    columns: tuple[str, ...] = ()
    tokens: int = 0
    unknown: int = 0
    before: bool = False
    kept: Path | None = None


class WholeTables:
    def __init__(self, models: Models, tables: EmbeddingTables, home: Home) -> None:
        self._models = models
        self._tables = tables
        self._home = home

    def read(
        self,
        file: Path,
        model: str,
        *,
        column: str | None = None,
        template: str | None = None,
        sheet: str | None = None,
        prompt_name: str | None = None,
        progress: Progress = quiet,
    ) -> WholeTable:
        """A table whose texts are embedded by `model`, unless that was done before; or a file that
        has vectors, which are used as they are.

        progress: hears of the share of the texts that has its vectors. Raises BadRequest for a
        table, a column or a template that cannot be, and where no row has a vector in the end.
        """
        if (found := self.with_vectors(file, column, sheet)) is not None:
            return found
        read = list(self._tables.texts(file, column=column, template=template, sheet=sheet))
        table = WholeTable(
            left_out={row.line: row.reason for row in read if row.reason},
            values={row.line: row.values for row in read if row.values is not None},
            columns=Texts.read(column, template, None).columns,
        )
        rows = [(row.line, row.text) for row in read if not row.reason]
        self._embed(table, rows, model, prompt_name, progress)
        if not table.texts:
            raise _nothing(file, model, table)
        return table

    def with_vectors(
        self, file: Path, column: str | None = None, sheet: str | None = None
    ) -> WholeTable | None:
        """None for a table that has no vectors of its own."""
        found = saved(file, column, sheet)
        if found is None:
            return None
        of_rows = (found.lines, found.texts, found.vectors, found.left_out, found.values)
        return WholeTable(*of_rows, found.said, (found.column,), before=True)

    def of_texts(
        self,
        texts: Sequence[str],
        model: str,
        prompt_name: str | None = None,
        progress: Progress = quiet,
    ) -> WholeTable:
        """Texts that are in no file; their lines count from 1. None of them is kept."""
        table = WholeTable()
        rows = list(enumerate(texts, start=1))
        _add(table, rows, self._computed(texts, model, prompt_name, progress))
        return table

    def _embed(
        self,
        table: WholeTable,
        rows: Sequence[tuple[int, str]],
        model: str,
        prompt_name: str | None,
        progress: Progress,
    ) -> None:
        weights = self._models.weights(model, ("embedding",))
        texts = [text for _, text in rows]
        policy = self._tables.unknown_text
        key = kept_vectors.key(
            "\0".join([weights.id, prompt_name or "", policy]), weights.base_fingerprint, texts
        )
        if found := kept_vectors.kept(self._home, key, len(texts)):
            table.before = True
        else:
            found = self._computed(texts, model, prompt_name, progress)
            if texts:
                table.kept = kept_vectors.keep(self._home, key, found)
        _add(table, rows, found)

    def _computed(
        self, texts: Sequence[str], model: str, prompt_name: str | None, progress: Progress
    ) -> Computed:
        whole = Computed(np.zeros((0, 0), np.float32))
        parts: list[Floats] = []
        for start, found in self._tables.embedded(texts, model, prompt_name):
            whole.left_out |= {start + at: why for at, why in found.left_out.items()}
            whole.tokens += found.tokens
            whole.unknown += found.unknown
            parts.append(found.vectors)
            done = start + len(found.vectors) + len(found.left_out)
            progress(done / len(texts))
        if parts := [part for part in parts if len(part)]:
            whole.vectors = np.concatenate(parts)
        return whole


def _add(table: WholeTable, rows: Sequence[tuple[int, str]], found: Computed) -> None:
    for at, (line, text) in enumerate(rows):
        if at in found.left_out:
            table.left_out[line] = found.left_out[at]
        else:
            table.lines.append(line)
            table.texts.append(text)
    table.left_out = dict(sorted(table.left_out.items()))
    table.vectors = found.vectors
    table.tokens, table.unknown = found.tokens, found.unknown


def _nothing(file: Path, model: str, table: WholeTable) -> BadRequest:
    if not table.left_out:
        return BadRequest(f"{file} has no rows.")
    line, why = next(iter(table.left_out.items()))
    return BadRequest(
        f"{file} has no row with a text of which {model} knows a token. Line {line}: {why}."
    )
