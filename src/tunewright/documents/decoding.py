"""Bytes to text, whatever encoding they are in: by their mark, as UTF-8, else by how they look."""

import codecs
import re

from tunewright.errors import UnreadableDocument

# UTF-32 before UTF-16: its mark begins with UTF-16's
_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_HEAD = 64 * 1024
_CONTROL = re.compile(rb"[\x00-\x08\x0e-\x1a\x1c-\x1f\x7f]")
_UNLIKELY = re.compile("[\x00-\x08\x0e-\x1a\x1c-\x1f\x7f\ue000-\uf8ff\ufffd-\uffff]")
_STRANGE = 0.02  # of the first bytes: with more control characters it is no text
_EVERY_OTHER = 0.3  # of bytes that are zero at odd or even places: UTF-16 of a Latin script


def decoded(data: bytes, name: str) -> str:
    """Raises UnreadableDocument for what is no text. Where most of it is UTF-8, what is not becomes
    U+FFFD; else it is read as Windows-1252, of which Latin-1 is a part."""
    mark, encoding = _wide(data[:_HEAD])
    if encoding:
        text = data[len(mark) :].decode(encoding, "replace")
        if len(_UNLIKELY.findall(text, 0, _HEAD)) <= _STRANGE * min(len(text), _HEAD):
            return text
        raise _no_text(name)
    if is_binary(data[:_HEAD]):
        raise _no_text(name)
    try:
        return data.decode()
    except UnicodeDecodeError:
        return _nearly(data)


def _wide(head: bytes) -> tuple[bytes, str | None]:
    """(the mark, the encoding that it says), also of UTF-16 without one."""
    marked = ((mark, encoding) for mark, encoding in _MARKS if head.startswith(mark))
    return next(marked, (b"", _without_mark(head)))


def _no_text(name: str) -> UnreadableDocument:
    return UnreadableDocument(
        f"{name} is not text: it has bytes that no text has. Upload text, Markdown, HTML, JSON, "
        "CSV, source code, PDF, DOCX, PPTX or XLSX.",
        code="unsupported_file",
    )


def is_binary(head: bytes) -> bool:
    return len(_CONTROL.findall(head)) > _STRANGE * len(head)


def _without_mark(head: bytes) -> str | None:
    """UTF-16 that does not say so: in Latin scripts every other byte is zero."""
    half = len(head) // 2
    if half < 2:
        return None
    even, odd = head[0::2].count(0) / half, head[1::2].count(0) / half
    if odd > _EVERY_OTHER and even < odd / 10:
        return "utf-16-le"
    return "utf-16-be" if even > _EVERY_OTHER and odd < even / 10 else None


def _nearly(data: bytes) -> str:
    text = data.decode("utf-8", "replace")
    wrong = text.count("�")
    beyond = len(data) - len(data.translate(None, bytes(range(0x80, 0x100))))  # bytes of it
    # What is read right beyond ASCII takes two bytes or more a character, what is wrong one.
    return text if beyond - wrong > 2 * wrong else data.decode("cp1252", "replace")
