"""What kind of file it is: by how it begins and, among texts, by its name.

Names cannot be relied on: SDK 0.28 calls every upload ``file``.
"""

import re
import zipfile
from pathlib import Path, PurePath
from typing import Literal, TypeAlias

from tunewright.documents.decoding import is_binary
from tunewright.errors import UnreadableDocument

Kind: TypeAlias = Literal["text", "Markdown", "HTML", "JSON", "CSV", "PDF", "DOCX", "PPTX", "XLSX"]
HEAD = 4096
_READ = "Upload text, Markdown, HTML, JSON, CSV, source code, PDF, DOCX, PPTX or XLSX."
_SUFFIXES: dict[str, Kind] = {
    **dict.fromkeys((".md", ".markdown", ".mdown", ".mkd", ".mdx", ".qmd", ".rmd"), "Markdown"),
    **dict.fromkeys((".html", ".htm", ".xhtml"), "HTML"),
    **dict.fromkeys((".json", ".jsonl", ".ndjson", ".ipynb", ".geojson"), "JSON"),
    **dict.fromkeys((".csv", ".tsv"), "CSV"),
}
_PARTS: dict[str, Kind] = {"word/": "DOCX", "ppt/": "PPTX", "xl/": "XLSX"}
_PAGE = re.compile(
    rb"\s*(?:<\?xml[^>]{0,200}>\s*)?(?:<!--.{0,1000}?-->\s*)?<(?:!doctype html|html)\b",
    re.IGNORECASE | re.DOTALL,
)
_OLD_OFFICE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_SAVE_AS = "Open it and save it as .docx, .pptx, .xlsx or .pdf, and upload that."
# What is often uploaded and cannot be read: how it begins, what it is, what to do.
_OTHERS: tuple[tuple[bytes, str, str], ...] = (
    (b"{\\rtf", "a Rich Text document", _SAVE_AS),
    (b"\x1f\x8b", "a gzip archive", "Unpack it and upload the files in it."),
    (b"BZh", "a bzip2 archive", "Unpack it and upload the files in it."),
    (b"\xfd7zXZ", "an xz archive", "Unpack it and upload the files in it."),
    (b"7z\xbc\xaf\x27\x1c", "a 7-Zip archive", "Unpack it and upload the files in it."),
    (b"Rar!", "a RAR archive", "Unpack it and upload the files in it."),
    (b"\x89PNG", "a PNG image", "Upload its text, for example as OCR gives it."),
    (b"\xff\xd8\xff", "a JPEG image", "Upload its text, for example as OCR gives it."),
    (b"GIF8", "a GIF image", "Upload its text, for example as OCR gives it."),
    (b"II*\x00", "a TIFF image", "Upload its text, for example as OCR gives it."),
    (b"MM\x00*", "a TIFF image", "Upload its text, for example as OCR gives it."),
    (b"%!PS", "a PostScript document", "Convert it to PDF and upload that."),
    (b"PAR1", "a Parquet table", "Save it as .csv and upload that."),
    (b"SQLite format 3\x00", "an SQLite database", "Save its tables as .csv and upload those."),
    (b"\x7fELF", "a program", _READ),
    (b"MZ", "a program", _READ),
    (b"RIFF", "a sound, film or image", "Upload what is said or written in it, as text."),
    (b"\xff\xfb", "a sound recording", "Upload what is said in it, as text."),
    (b"ID3", "a sound recording", "Upload what is said in it, as text."),
    (b"OggS", "a sound or film recording", "Upload what is said in it, as text."),
)
_AN = {"HTML": "an HTML page", "XLSX": "an XLSX workbook", "PDF": "a PDF", "CSV": "a CSV table"}


def kind_of(path: Path, filename: str) -> Kind:
    """Raises UnreadableDocument for what is known and cannot be read. What is not known may still
    turn out to be no text."""
    with path.open("rb") as file:
        head = file.read(HEAD)
    if head.lstrip().startswith(b"%PDF-") or (b"%PDF-" in head[:1024] and is_binary(head)):
        return "PDF"
    if head.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        return _packed(path, filename)
    if head.startswith(_OLD_OFFICE):
        raise _old_office(path, filename)
    for start, what, remedy in _OTHERS:
        if head.startswith(start) and _surely(start, head):
            raise UnreadableDocument(
                f"{filename} is {what}, which cannot be read. {remedy}", code="unsupported_file"
            )
    if _PAGE.match(head.removeprefix(b"\xef\xbb\xbf")):
        return "HTML"
    return _SUFFIXES.get(PurePath(filename).suffix.lower(), "text")


def _surely(start: bytes, head: bytes) -> bool:
    """Texts begin with letters too: ``MZ`` or ``BZh`` alone prove nothing."""
    return len(start) > 4 or not start.isalnum() or b"\x00" in head


def _packed(path: Path, filename: str) -> Kind:
    """A zip archive with the parts of an office document. Only the archive's own list is read."""
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError, UnicodeError) as error:
        raise UnreadableDocument(
            f"{filename} is damaged: it begins as a zip archive (.docx, .pptx and .xlsx are such "
            f"archives) and is none ({error}). Save it again and upload that.",
            code="invalid_file",
        ) from error
    for part, kind in _PARTS.items():
        if "[Content_Types].xml" in names and any(name.startswith(part) for name in names):
            return kind
    raise UnreadableDocument(
        f"{filename} is a zip archive without a document of Office in it, which cannot be read. "
        "Unpack it and upload the files in it.",
        code="unsupported_file",
    )


def _old_office(path: Path, filename: str) -> UnreadableDocument:
    """Of before 2007; or a document with a password, which lies in such a container."""
    with path.open("rb") as file:
        encrypted = "EncryptedPackage".encode("utf-16-le") in file.read(2**20)
    if encrypted:
        return UnreadableDocument(
            f"{filename} is protected by a password. Save it without one and upload that.",
            code="invalid_file",
        )
    return UnreadableDocument(
        f"{filename} is an Office document of before 2007 (.doc, .xls or .ppt), which cannot be "
        f"read. {_SAVE_AS}",
        code="unsupported_file",
    )
