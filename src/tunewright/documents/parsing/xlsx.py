"""Workbooks by openpyxl, row by row: each row with the names of its columns, where it has them."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from openpyxl import load_workbook

from tunewright.documents.document import Draft
from tunewright.documents.parsing import office
from tunewright.documents.parsing.rows import Rows
from tunewright.tables.cells import written


def read(path: Path, name: str, draft: Draft) -> None:
    """A sheet is a section under its name. A formula counts as the value that was saved with it."""
    office.check(path, name)
    with path.open("rb") as file:  # a path without .xlsx it does not open
        book = load_workbook(file, read_only=True, data_only=True)
        for sheet in book.worksheets:  # without those that are charts
            sheet.reset_dimensions()  # which may say a million rows of nothing
            rows = Rows(draft, sheet.title)
            for cells in _cells(sheet):
                rows.say(cells)


def _cells(sheet: Any) -> Iterator[Sequence[str]]:
    for row in sheet.iter_rows(values_only=True):
        cells = [written(value) for value in row]
        while cells and not cells[-1].strip():
            cells.pop()
        if cells:
            yield cells
