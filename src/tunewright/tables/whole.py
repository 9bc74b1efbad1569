"""A table whole, its cells as text: for commands that need every row of it."""

import re
from pathlib import Path

from tunewright import suggestions
from tunewright.errors import BadRequest
from tunewright.tables.cells import written
from tunewright.tables.sources import EMPTY, open_source
from tunewright.wording import counted

_HALF = re.compile("[\ud800-\udfff]")  # what bytes that are not UTF-8 are read as
_NAMED = 5  # bad rows that a message tells of


def read_rows(path: Path) -> list[dict[str, str]]:
    """The rows of a table, as column -> text; empty rows are passed over.

    Raises what `open_source` raises, and BadRequest where any row is bad: how many are, and what is
    wrong with the first of them.
    """
    return _rows(path)


def _rows(path: Path) -> list[dict[str, str]]:
    rows: list[dict[str, str]] = []
    bad: list[str] = []
    remedy = "Repair or remove them."
    for row in open_source(path).rows:
        if row.values is not None:
            named = {name: written(value) for name, value in row.values.items()}
            rows.append(named)
            if _HALF.search("".join(named.values())):
                bad.append(f"line {row.line}: It is not UTF-8.")
                remedy = ""
        elif row.fault != EMPTY:
            bad.append(f"line {row.line}: {row.fault}")
    if bad:
        more = f" And {len(bad) - _NAMED:,} more." if len(bad) > _NAMED else ""
        said = f"{path.name} has {counted(len(bad), 'bad row')}; {' '.join(bad[:_NAMED])}{more}"
        raise BadRequest(f"{said} {remedy or suggestions.recoded(path)}")
    return rows
