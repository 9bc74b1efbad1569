"""A table written once more, with columns added."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from tunewright import durable
from tunewright.errors import BadRequest
from tunewright.tables.columns import types_of
from tunewright.tables.problems import shown
from tunewright.tables.writers import EMBEDDING, WRITERS, About, Rows, check_output

_ENDINGS = (".csv", ".jsonl", ".parquet")
_AT_ONCE = 4096  # rows
_AS_IT_IS = "as it is"  # of a Parquet file, whose schema tells


def check_added(output: Path, table: Path, *, overwrite: bool) -> None:
    """Raises BadRequest for an output that cannot be written, before anything is computed."""
    if output.suffix.lower() not in _ENDINGS:
        endings = ", ".join(_ENDINGS)
        raise BadRequest(f"{output}: expected a name ending in one of {endings}.", param="output")
    check_output(output)
    if output.exists() and table.exists() and output.samefile(table):
        raise BadRequest(f"{output} is the table itself. Name another output.", param="output")
    if output.exists() and not overwrite:
        raise BadRequest(
            f"{output} exists already. Name another output, or replace it with --overwrite "
            "(overwrite=True).",
            param="output",
            code="output_exists",
        )


def check_names(columns: Sequence[str], added: Iterable[str]) -> None:
    """Raises BadRequest where the output would have two columns of one name."""
    for name in added:
        if name in columns:
            raise BadRequest(
                f"The table has a column {shown(name)} already, and the output would have two. "
                "Rename or remove it.",
                param="output",
            )


def write_added(
    output: Path,
    rows: Sequence[Mapping[str, Any]],
    added: Mapping[str, Sequence[Any]],
    schema: Any = None,
) -> None:
    """`rows` with the columns `added`, of which each has a value (None: nothing) for every row.
    What vectors they had is left out. schema: of the Parquet file that the rows are from."""
    columns = list(dict.fromkeys(name for row in rows for name in row if name != EMBEDDING))
    check_names(columns, added)
    values = [
        {**row, **{name: column[at] for name, column in added.items()}}
        for at, row in enumerate(rows)
    ]
    types = types_of(values)
    whole = None
    if schema is not None and output.suffix.lower() == ".parquet":
        whole = _with(schema, {name: types.get(name, "text") for name in added})
        types |= dict.fromkeys(columns, _AS_IT_IS)
    about = About([*columns, *added], 0, len(values), combined=False, types=types, schema=whole)
    with durable.Upload(output) as out:
        writer = WRITERS[output.suffix.lower()](out, about, None)
        for start in range(0, len(values), _AT_ONCE):
            some = values[start : start + _AT_ONCE]
            nothing = np.zeros((len(some), 0), np.float32)
            writer.write(Rows(range(len(some)), some, [""] * len(some), nothing))
        writer.close()
        out.commit()


def _with(schema: Any, types: Mapping[str, str]) -> Any:
    """A Parquet file's own schema without its vectors and what it says of them, and more fields."""
    from tunewright.tables.writers import flat_schema, pyarrow

    arrow, _ = pyarrow()
    kept = [field for field in schema if field.name != EMBEDDING]
    metadata = {
        name: value
        for name, value in (schema.metadata or {}).items()
        if not name.startswith(b"tunewright.")
    }
    more = flat_schema(arrow, About(list(types), 0, 0, combined=False, types=dict(types)))
    return arrow.schema([*kept, *more], metadata)
