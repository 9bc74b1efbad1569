"""A file to a `Document`, whatever kind of file it is."""

from pathlib import Path, PurePath

from tunewright.documents.decoding import decoded
from tunewright.documents.document import MOST_TEXT, Document, Draft, too_long
from tunewright.documents.kinds import Kind, kind_of
from tunewright.documents.markdown import read_markdown

_LONGEST_NAME = 100  # characters of it in a message


def read_document(path: Path, filename: str) -> Document:
    """The text of a file, and its pages and headings. filename: as it was uploaded; it counts where
    the bytes do not say what they are.

    Text and Markdown are read here and now. Raises UnreadableDocument with OpenAI's code and a
    sentence that says what is wrong and what to do.
    """
    name = _shown(filename)
    kind = kind_of(path, name)
    return _plain(path, name, kind)


def _plain(path: Path, name: str, kind: Kind) -> Document:
    """Text as it is. A character takes up to four bytes."""
    if path.stat().st_size > 4 * MOST_TEXT:
        raise too_long(name)
    draft = Draft(kind, name)
    text = decoded(path.read_bytes(), name).replace("\r\n", "\n")
    if kind == "Markdown":
        read_markdown(text, draft)
    else:
        draft.say(text)
    return draft.document()


def _shown(filename: str) -> str:
    name = "".join(each if each.isprintable() else "?" for each in PurePath(filename).name)
    return name if len(name) <= _LONGEST_NAME else name[: _LONGEST_NAME - 1] + "…"
