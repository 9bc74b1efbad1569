"""Presentations by python-pptx: a slide is a page, its title the heading."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pptx import Presentation
from pptx.oxml import parse_xml

from tunewright.documents.document import Draft
from tunewright.documents.parsing import office

_A = "{http://schemas.openxmlformats.org/drawingml/2006/main}"
_P, _TEXT, _BREAK, _ROW, _CELL = (f"{_A}{tag}" for tag in ("p", "t", "br", "tr", "tc"))
_FALLBACK = "{http://schemas.openxmlformats.org/markup-compatibility/2006}Fallback"


def read(path: Path, name: str, draft: Draft) -> None:
    """Of each slide its shapes in their order, its diagrams and its notes."""
    office.check(path, name)
    for number, slide in enumerate(Presentation(str(path)).slides, 1):
        draft.page(number)
        title: Any = slide.shapes.title
        draft.heading(1, title.text_frame.text if title is not None else "")
        for text in _slide(slide):
            draft.say(text + "\n")
        draft.say("\n")


def _slide(slide: Any) -> Iterator[str]:
    yield from _lines(slide.element)
    for relation in slide.part.rels.values():
        if relation.reltype.endswith("/diagramData") and not relation.is_external:
            yield from _lines(parse_xml(relation.target_part.blob))
    if slide.has_notes_slide:
        frame = slide.notes_slide.notes_text_frame
        if frame is not None and frame.text.strip():
            yield f"\n{frame.text.strip()}"


def _lines(element: Any) -> Iterator[str]:
    """A line for each paragraph, and for each row of a table."""
    if element.tag == _ROW:
        cells = [" ".join(" ".join(_lines(cell)).split()) for cell in element.iter(_CELL)]
        if any(cells):
            yield " | ".join(cells)
    elif element.tag == _P:
        if text := "".join(map(_run, element.iter(_TEXT, _BREAK))).strip():
            yield text
    elif element.tag != _FALLBACK:
        for inner in element:
            yield from _lines(inner)


def _run(element: Any) -> str:
    return "\n" if element.tag == _BREAK else element.text or ""
