"""PDF by pypdf: pure Python, so that a hostile file meets no C."""

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pypdf import PdfReader
from pypdf.errors import DependencyError, PyPdfError

from tunewright.documents.document import Draft
from tunewright.documents.limits import PAGES
from tunewright.errors import UnreadableDocument

_LIGATURES = str.maketrans(
    {"ﬀ": "ff", "ﬁ": "fi", "ﬂ": "fl", "ﬃ": "ffi", "ﬄ": "ffl", "ﬅ": "st", "ﬆ": "st"}
)  # which words are searched without
_AGAIN = "Print it to a new PDF and upload that."


def read(path: Path, name: str, draft: Draft) -> None:
    """Page by page; a page is a paragraph of its own at least."""
    logging.getLogger("pypdf").setLevel(logging.CRITICAL)  # a line for each fault that it mends
    reader = PdfReader(path)
    _unlock(reader, name)
    pages = len(reader.pages)
    if pages > PAGES:
        raise UnreadableDocument(
            f"{name} has {pages:,} pages; one file may have {PAGES:,}. Split it and upload the "
            "parts."
        )
    titles = _titles(reader)
    for number, page in enumerate(reader.pages, 1):
        draft.page(number)
        _say(_text(page, number, name).strip(), titles.get(number, ()), draft)
    if not draft.length:
        raise UnreadableDocument(
            f"{name} has no text: its pages are images, as scanned ones are. Let OCR add the text "
            "(ocrmypdf does that, for example) and upload the result."
        )


def _say(text: str, titles: Sequence[tuple[int, str]], draft: Draft) -> None:
    """A page's text; what is under a bookmark begins where its title stands, or at once."""
    said = 0
    for level, title in titles:
        at = max(said, text.find(title, said))
        draft.say(text[said:at])
        draft.heading(level, title)
        said = at
    if text:
        draft.say(text[said:] + "\n\n")


def _unlock(reader: PdfReader, name: str) -> None:
    """Many are encrypted with an empty password, against changes only."""
    if not reader.is_encrypted:
        return
    try:
        unlocked = bool(reader.decrypt(""))
    except DependencyError:
        raise UnreadableDocument(
            f"{name} is encrypted (AES). {_AGAIN} Or let this server's operator run "
            "pip install 'pypdf[crypto]', and upload it once more."
        ) from None
    if not unlocked:
        raise UnreadableDocument(
            f"{name} is protected by a password. Save it without one and upload that."
        )


def _text(page: Any, number: int, name: str) -> str:
    try:
        return page.extract_text().translate(_LIGATURES)
    except (MemoryError, RecursionError):
        raise
    except Exception as error:  # a damaged page: whatever the parser meets
        reason = " ".join(f"{type(error).__name__}: {error}".split())[:200]
        raise UnreadableDocument(
            f"{name}: page {number} cannot be read ({reason}). {_AGAIN}"
        ) from (error)


def _titles(reader: PdfReader) -> dict[int, list[tuple[int, str]]]:
    """Of each page that a bookmark points to: level and title. What is wrong with them harms
    nothing else."""
    found: dict[int, list[tuple[int, str]]] = {}
    try:
        _collect(reader, reader.outline, 1, found)
    except (PyPdfError, ArithmeticError, AttributeError, LookupError, TypeError, ValueError):
        return found
    return found


def _collect(reader: PdfReader, entries: Any, level: int, found: Any) -> None:
    for entry in entries:
        if isinstance(entry, list):
            _collect(reader, entry, level + 1, found)
        elif (number := reader.get_destination_page_number(entry)) is not None:
            found.setdefault(number + 1, []).append((level, str(entry.title)))
