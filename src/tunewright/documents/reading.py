"""A file to a `Document`, whatever kind of file it is."""

import re
import signal
from pathlib import Path, PurePath
from tempfile import TemporaryFile
from typing import Any, BinaryIO

import orjson

from tunewright import children
from tunewright.documents.decoding import decoded
from tunewright.documents.document import MOST_TEXT, Document, Draft, Mark, too_long
from tunewright.documents.kinds import Kind, kind_of
from tunewright.documents.limits import CPU_SECONDS, WALL_SECONDS
from tunewright.documents.markdown import read_markdown
from tunewright.errors import UnreadableDocument

_LONGEST_NAME = 100  # characters of it in a message
_HERE: tuple[Kind, ...] = ("text", "Markdown", "JSON")  # they need no parser
# Also one that is taken as it is: a quotation mark, a backslash, a slash.
_ESCAPE = re.compile(r"\\(?:u([0-9a-fA-F]{4})(?:\\u([dD][c-fC-F][0-9a-fA-F]{2}))?|.)", re.DOTALL)
_TOO_SLOW = (
    "{name} took too long to be read: more than {seconds} seconds. Split it and upload the parts."
)


def read_document(path: Path, filename: str) -> Document:
    """The text of a file, and its pages and headings. filename: as it was uploaded; it counts where
    the bytes do not say what they are.

    Text, Markdown and JSON are read here and now, all else in a child process with limits. Raises
    UnreadableDocument with OpenAI's code and a sentence that says what is wrong and what to do.
    """
    name = _shown(filename)
    kind = kind_of(path, name)
    return _plain(path, name, kind) if kind in _HERE else _parsed(path, name, kind)


def _parsed(path: Path, name: str, kind: Kind) -> Document:
    command = ["-W", "ignore", "-m", "tunewright.documents.parsing", kind, str(path), name]
    with TemporaryFile(prefix="tunewright-") as out:
        # Its standard input stays open as long as this process lives.
        with children.running(command, stdout=out.fileno()) as child:
            try:
                code = child.wait(WALL_SECONDS)
            except children.StillRunning:
                message = _TOO_SLOW.format(name=name, seconds=WALL_SECONDS)
                raise UnreadableDocument(message, code="server_error") from None
        if code:
            raise _ended(name, code)
        return _said(kind, out)


def _said(kind: Kind, out: BinaryIO) -> Document:
    out.seek(0)
    said: dict[str, Any] = orjson.loads(out.readline())
    if "message" in said:
        raise UnreadableDocument(said["message"], code=said["code"])
    return Document(kind, out.read().decode(), [Mark(*mark) for mark in said["marks"]])


def _ended(name: str, code: int) -> UnreadableDocument:
    """By the exit status of a child that could not say itself what it met."""
    if code == -signal.SIGXCPU:
        return UnreadableDocument(_TOO_SLOW.format(name=name, seconds=CPU_SECONDS))
    if code == -signal.SIGKILL:
        return UnreadableDocument(
            f"{name} could not be read: the system ended the process that read it, perhaps for "
            "want of memory. Add it again when the machine has more of it free.",
            code="server_error",
        )
    if code > 0:  # a fault of ours, which its log tells
        return UnreadableDocument(
            f"{name} could not be read: what reads it failed. The server's log says why.",
            code="server_error",
        )
    return UnreadableDocument(
        f"{name} could not be read: what reads it was ended by signal {-code}. The file may be "
        "damaged: open it in the program that made it, save it again and upload that."
    )


def _plain(path: Path, name: str, kind: Kind) -> Document:
    """Text as it is, but for escapes in JSON. A character takes up to four bytes."""
    if path.stat().st_size > 4 * MOST_TEXT:
        raise too_long(name)
    draft = Draft(kind, name)
    text = decoded(path.read_bytes(), name).replace("\r\n", "\n")
    if kind == "Markdown":
        read_markdown(text, draft)
    else:
        draft.say(_ESCAPE.sub(_spelled, text) if kind == "JSON" else text)
    return draft.document()


def _spelled(escape: re.Match[str]) -> str:
    """``\\u6771`` as the character that it stands for, so that words can be found; what is ASCII,
    or half a character, stays."""
    if escape[1] is None:
        return escape[0]
    both = escape[1] + (escape[2] or "")
    try:
        text = bytes.fromhex(both).decode("utf-16-be")
    except UnicodeDecodeError:
        return escape[0]
    return text if text > "\x9f" else escape[0]


def _shown(filename: str) -> str:
    name = "".join(each if each.isprintable() else "?" for each in PurePath(filename).name)
    return name if len(name) <= _LONGEST_NAME else name[: _LONGEST_NAME - 1] + "…"
