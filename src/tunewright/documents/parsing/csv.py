"""CSV and TSV as `tables` reads them, each row with the names of its columns; what is no table with
such names stays as it is."""

from pathlib import Path, PurePath
from tempfile import TemporaryDirectory

from tunewright.documents.decoding import decoded
from tunewright.documents.document import MOST_TEXT, Draft, too_long
from tunewright.documents.parsing.rows import Rows
from tunewright.errors import BadRequest
from tunewright.tables.cells import written
from tunewright.tables.sources import EMPTY, open_source


def read(path: Path, name: str, draft: Draft) -> None:
    if path.stat().st_size > 4 * MOST_TEXT:
        raise too_long(name)
    text = decoded(path.read_bytes(), name)
    if (found := _rows(text, PurePath(name).suffix)) is None:
        draft.say(text.replace("\r\n", "\n"))
        return
    names, cells = found
    rows = Rows(draft, names=names)
    draft.say(" | ".join(names) + "\n")
    for row in cells:
        rows.say(row)


def _rows(text: str, suffix: str) -> tuple[list[str], list[list[str]]] | None:
    """Names and rows; None where a row is not of as many cells as the first one, or names are
    there twice."""
    with TemporaryDirectory(prefix="tunewright-") as folder:
        copy = (Path(folder) / "table").with_suffix(suffix)
        copy.write_bytes(text.encode("utf-8", "replace"))
        try:
            source = open_source(copy)
            names = list(source.columns or ())
            rows: list[list[str]] = []
            for row in source.rows:
                if row.values is not None:
                    rows.append([written(value) for value in row.values.values()])
                elif row.fault != EMPTY:
                    return None
        except BadRequest:
            return None
    return names, rows
