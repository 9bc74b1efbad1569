"""Word documents by python-docx, which opens them and knows their styles. Text is taken from the
XML: its own lists of runs leave out what stands in content controls, text boxes and notes."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from docx import Document
from docx.oxml import parse_xml
from docx.oxml.ns import qn

from tunewright.documents.document import Draft
from tunewright.documents.parsing import office

_P, _TABLE, _ROW, _CELL, _TEXT = (qn(f"w:{tag}") for tag in ("p", "tbl", "tr", "tc", "t"))
_STYLE, _VALUE, _LEVEL = (qn(f"w:{tag}") for tag in ("pStyle", "val", "outlineLvl"))
_SAID = {
    **{qn(f"w:{tag}"): "\n" for tag in ("br", "cr")},
    qn("w:tab"): "\t",
    qn("w:noBreakHyphen"): "-",
}
# Of a text box Word keeps a second copy for older programs.
_FALLBACK = "{http://schemas.openxmlformats.org/markup-compatibility/2006}Fallback"
_NOTES = re.compile(r"/(footnotes|endnotes|header|footer)$")
_HEADING = re.compile(r"(?i)heading ([1-9])$")


def read(path: Path, name: str, draft: Draft) -> None:
    """Paragraphs, tables row by row, then notes, headers and footers."""
    office.check(path, name)
    document = Document(str(path))
    levels = _levels(document)
    for level, text in _blocks(document.element.body, levels):
        if level:
            draft.heading(level, text)
        draft.say(text + "\n\n")
    said: set[str] = set()
    for relation in document.part.rels.values():
        if _NOTES.search(relation.reltype) and not relation.is_external:
            for _, text in _blocks(parse_xml(relation.target_part.blob), {}):
                if text not in said:  # headers are there several times
                    said.add(text)
                    draft.say(text + "\n\n")


def _levels(document: Any) -> dict[str, int]:
    """Of each style that is one of headings: its level."""
    found: dict[str, int] = {}
    for style in document.styles:
        known = _HEADING.match(style.name or "")
        outline = next(style.element.iter(_LEVEL), None)
        if known:
            found[style.style_id] = int(known[1])
        elif (style.name or "") == "Title":
            found[style.style_id] = 1
        elif outline is not None and outline.get(_VALUE, "9") < "9":
            found[style.style_id] = int(outline.get(_VALUE)) + 1
    return found


def _blocks(parent: Any, levels: dict[str, int]) -> Iterator[tuple[int, str]]:
    """(level of a heading, or 0; text), in the document's order, none blank."""
    for element in parent:
        if element.tag == _P:
            if text := _said(element).strip():
                yield _level(element, levels), text
        elif element.tag == _TABLE:
            if rows := "\n".join(filter(None, map(_row, element.iter(_ROW)))):
                yield 0, rows
        elif isinstance(element.tag, str):  # content controls, insertions
            yield from _blocks(element, levels)


def _level(paragraph: Any, levels: dict[str, int]) -> int:
    style = next(paragraph.iter(_STYLE), None)
    return 0 if style is None else levels.get(style.get(_VALUE), 0)


def _row(row: Any) -> str:
    cells = (" ".join(_said(cell).split()) for cell in row if cell.tag == _CELL)
    text = " | ".join(cells)
    return text if text.strip(" |") else ""


def _said(element: Any) -> str:
    """The text of a paragraph or a cell, with what stands in boxes in it."""
    return "".join(_runs(element)).removeprefix("\n")


def _runs(element: Any) -> Iterator[str]:
    if element.tag == _FALLBACK:
        return
    if element.tag == _TEXT:
        yield element.text or ""
    elif element.tag == _P:
        yield "\n"
    yield _SAID.get(element.tag, "")
    for inner in element:
        yield from _runs(inner)
