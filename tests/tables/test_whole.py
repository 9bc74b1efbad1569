"""Tables for commands that need every row."""

import json
from pathlib import Path

import openpyxl
import pytest

from tunewright.errors import BadRequest
from tunewright.tables.whole import read_rows


@pytest.mark.parametrize("kind", ["csv", "tsv", "json", "jsonl", "xlsx", "blob"])
def test_cells_are_text_whatever_kind_of_file_they_are_in(tmp_path: Path, kind: str) -> None:
    """blob: a workbook that is not called one, as an upload lies on the disk."""
    path = tmp_path / f"t.{kind}"
    rows = [{"name": "Zoë", "stars": 5}, {"name": "so\nsaid", "stars": 4}]
    if kind in ("xlsx", "blob"):
        book = openpyxl.Workbook()
        sheet = book.create_sheet("rows", 0)
        for row in (["name", "stars"], *(list(row.values()) for row in rows)):
            sheet.append(row)
        book.save(path)
    elif kind.startswith("json"):
        lines = [json.dumps(row) for row in rows]
        path.write_text("[" + ",".join(lines) + "]" if kind == "json" else "\n\n".join(lines))
    else:
        mark = "\t" if kind == "tsv" else ","
        path.write_text(f'\ufeffname{mark}stars\nZoë{mark}5\n\n"so\nsaid"{mark}4\n', "utf-8")
    assert read_rows(path) == [{"name": "Zoë", "stars": "5"}, {"name": "so\nsaid", "stars": "4"}]


def test_all_bad_rows_are_told_at_once(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_bytes(b"a,b\n1,2\n3\n4,5\n6,7,8\n")
    with pytest.raises(BadRequest, match=r"2 bad rows; line 3: .* line 5: .* first line has 2"):
        read_rows(path)
    path.write_bytes(b"a,b\n" + b"3\n" * 7)
    with pytest.raises(BadRequest, match=r"7 bad rows; .* And 2 more"):
        read_rows(path)
    with pytest.raises(BadRequest, match="no file"):
        read_rows(tmp_path / "none.csv")
