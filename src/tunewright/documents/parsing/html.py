"""HTML by lxml's parser, event by event: no tree is built, however deep a page is nested."""

import codecs
import re
from pathlib import Path

from lxml import etree  # pyright: ignore[reportAttributeAccessIssue]

from tunewright.documents.decoding import decoded
from tunewright.documents.document import MOST_TEXT, Draft, too_long

_CHARSET = re.compile(rb"<meta[^>]{1,200}charset\s*=\s*[\"']?([\w-]{1,40})", re.IGNORECASE)
_HEAD = 4096
_PIECE = 2**16
_UNSEEN = {"script", "style", "template", "noscript", "svg", "math", "object", "iframe"}
_BLOCKS = {
    *("address", "article", "aside", "blockquote", "body", "caption", "center", "dd", "details"),
    *("dialog", "div", "dl", "dt", "fieldset", "figcaption", "figure", "footer", "form", "header"),
    *("hr", "legend", "li", "main", "nav", "ol", "option", "p", "pre", "section", "select"),
    *("summary", "table", "tbody", "tfoot", "thead", "title", "tr", "ul"),
}
_APART = {"article", "blockquote", "p", "pre", "section", "table", "title", "ul", "ol", "dl"}
_CELLS = {"td", "th"}
_BLANKS = re.compile(r"\s+")


def read(path: Path, name: str, draft: Draft) -> None:
    """What a reader of the page would see, and its title."""
    if path.stat().st_size > 4 * MOST_TEXT:
        raise too_long(name)
    text = _decoded(path.read_bytes(), name).encode("utf-8", "replace")
    parser = etree.HTMLParser(target=_Page(draft), encoding="utf-8", huge_tree=True)
    for at in range(0, len(text), _PIECE):
        parser.feed(text[at : at + _PIECE])
    parser.close()


def _decoded(data: bytes, name: str) -> str:
    """As UTF-8 where it is, else as the page says."""
    said = _CHARSET.search(data[:_HEAD])
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        pass
    if said and not data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        try:
            return data.decode(said[1].decode(), "replace")
        except LookupError:  # no such encoding
            pass
    return decoded(data, name)


class _Page:
    """Takes the events. Blanks are one blank, and lines and blank lines lie between blocks."""

    def __init__(self, draft: Draft) -> None:
        self._draft = draft
        self._unseen = 0  # elements that are open and not seen
        self._kept = 0  # <pre> that are open
        self._gap = ""  # what lies before the next words
        self._heading: list[str] | None = None

    def start(self, tag: str, attributes: object) -> None:
        if tag in _UNSEEN:
            self._unseen += 1
        elif tag == "pre":
            self._kept += 1
        self._apart(tag)
        if level := _level(tag):
            self._flush(level)
            self._heading = []

    def end(self, tag: str) -> None:
        if tag in _UNSEEN:
            self._unseen = max(0, self._unseen - 1)
        elif tag == "pre":
            self._kept = max(0, self._kept - 1)
        if level := _level(tag):
            self._flush(level)
        self._apart(tag)

    def data(self, text: str) -> None:
        if self._unseen:
            return
        if self._heading is not None:
            self._heading.append(text)
        elif self._kept:
            self._say(text)
        else:
            words = _BLANKS.sub(" ", text)
            if words.startswith(" "):
                self._widen(" ")
            if bare := words.strip():
                self._say(bare)
            if words.endswith(" "):
                self._widen(" ")

    def comment(self, text: str) -> None:
        pass

    def close(self) -> None:
        self._flush(1)

    def _say(self, text: str) -> None:
        self._draft.say((self._gap if self._draft.length else self._gap.lstrip()) + text)
        self._gap = ""

    def _flush(self, level: int) -> None:
        """Say the heading that is open."""
        words = _BLANKS.sub(" ", "".join(self._heading or ())).strip()
        self._heading = None
        if words:
            self._draft.say(self._gap if self._draft.length else "")
            self._gap = ""
            self._draft.heading(level, words)
            self._say(words)
            self._widen("\n\n")

    def _apart(self, tag: str) -> None:
        if self._heading is not None:
            self._heading.append(" ")
        if tag in _APART or _level(tag):
            self._widen("\n\n")
        elif tag in _BLOCKS or tag == "br":
            self._widen("\n")
        elif tag in _CELLS:
            self._widen("\t")

    def _widen(self, gap: str) -> None:
        """The widest of all that were asked for since the last words."""
        order = ["", " ", "\t", "\n", "\n\n"]
        self._gap = max(self._gap, gap, key=order.index)


def _level(tag: str) -> int:
    """Of a heading; 0 of any other element."""
    return int(tag[1]) if len(tag) == 2 and tag[0] == "h" and tag[1] in "123456" else 0
