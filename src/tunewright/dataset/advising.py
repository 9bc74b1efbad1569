"""What to do with a file that is no training data yet, before anything is uploaded or made."""

from collections.abc import Callable
from pathlib import Path

from tunewright.dataset.formats import wrong_format
from tunewright.dataset.layouts import layout_of
from tunewright.dataset.remedies import PREPARE
from tunewright.errors import TunewrightError
from tunewright.tables.cells import text_of
from tunewright.tables.problems import Fault
from tunewright.tables.reading import lines
from tunewright.tables.sources import open_source

_NUMBERS = ("", "id", "index", "unnamed: 0")  # columns that say nothing


def advice(path: Path, suggest: Callable[..., str]) -> str | None:
    """Why a file cannot be trained on as it is, by its beginning, and the command that mends it;
    None where it may be. `suggest` makes the command of the options that it gets."""
    fault = wrong_format(path) or _first_row(path)
    if fault is None:
        return None
    return f"{fault.message} {fault.remedy.replace(PREPARE, suggest(**columns_of(path)))}"


def columns_of(path: Path) -> dict[str, str]:
    """The options that a preparation of the file needs: none where its rows are recognised by their
    own names, else two of its columns, for example."""
    try:
        source = open_source(path)
        row = next((row.values for row in source.rows if row.values), {})
    except (TunewrightError, OSError):
        return {}
    names = [str(name) for name, value in row.items() if text_of(value) is not None]
    names = [name for name in names if name.strip().lower() not in _NUMBERS]
    if layout_of(row) or "messages" in row or len(names) < 2:
        return {}
    return {"prompt": names[0], "completion": names[1]}


def _first_row(path: Path) -> Fault | None:
    for line in lines(path):
        if not line.blank:
            found = layout_of(line.value) if line.fault is None else None
            what = f"Its rows are in another layout: {found.name}." if found else ""
            return Fault("$", "other_layout", what, f"Convert it: {PREPARE}") if found else None
    return None
