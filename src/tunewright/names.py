"""What a name from outside may be, decided in one place: whatever becomes part of a path or of a
model's name has gone through one of these functions.
"""

import os
import re
import unicodedata
from pathlib import Path
from urllib.parse import quote

from tunewright.errors import BadRequest, Corrupt

_ID = re.compile(r"[A-Za-z0-9_-]{1,128}")
_MADE = re.compile(r"[a-z]+[-_][A-Za-z0-9]{24}")
_BASE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/-]{0,95}")
_ORGANISATION = re.compile(r"[a-z0-9][a-z0-9-]{0,31}")
LONGEST_FOREIGN = 200  # also in bytes; endings come to it, and file systems end at 255
_LONGEST_FILE = 255  # bytes, as file systems have it


def id(text: str) -> str:
    """An id as the name of a file or folder. Raises ValueError for any other text: ids are looked
    up in the catalog first, and those that are there are ours."""
    if not _ID.fullmatch(text):
        raise ValueError(f"not a name of a file of ours: {text!r}")
    return text


def is_made(text: str) -> bool:
    """Whether `records.record.new_id` made it, or may have: what is called otherwise in a folder
    of ours somebody has put there, and it is left alone."""
    return bool(_MADE.fullmatch(text))


def foreign(id: object) -> str:
    """What another server calls something, as a part of a path and of a URL's: nothing in it leads
    elsewhere, and none looks like a file that is being written. Raises BadRequest for what cannot
    be kept."""
    if isinstance(id, str) and 0 < len(id) <= LONGEST_FOREIGN and not id.startswith("."):
        found = quote(id, safe=":", errors="replace").replace(".tmp-", "%2Etmp-")
        if len(found) <= LONGEST_FOREIGN:
            return found
    raise BadRequest(f"An object is called {str(id)[:80]!r}, which cannot be kept.", param="id")


def base(text: str) -> str:
    """The name of a base: part of URLs and of its tuned models' names. Raises BadRequest."""
    parts = text.split("/")
    if "exports" in parts[1:]:
        raise BadRequest(
            f"'{text[:200]}' cannot be a model's name: 'exports' after a / means the exports of "
            "the model before it in addresses (/v1/models/MODEL/exports).",
            param="name",
        )
    if not _BASE.fullmatch(text) or any(part in ("", ".", "..") for part in parts):
        raise BadRequest(
            f"'{text[:200]}' cannot be a model's name: letters, digits and . _ / - only, at most "
            "96 characters, beginning with a letter or digit, and nothing empty between two /.",
            param="name",
        )
    return text


def folder(base: str) -> str:
    """The name of a base as the beginning of its folder's."""
    return base.replace("/", "--")


def organisation(text: str) -> str:
    """Raises BadRequest."""
    if not _ORGANISATION.fullmatch(text):
        raise BadRequest(
            f"'{text[:200]}' cannot be an organisation's name: a-z, 0-9 and - only, at most 32 "
            "characters, since it becomes part of the names of tuned models.",
            param="name",
        )
    return text


def suffix(text: str) -> str:
    """A suffix as it stands in a model's name: lower case, anything unusual becomes ``-``. Raises
    BadRequest where nothing is left of it."""
    part = re.sub(r"[^a-z0-9_.-]+", "-", text.lower()).strip("-.")
    if not part:
        raise BadRequest(
            "Invalid 'suffix': it needs at least one letter or digit.",
            param="suffix",
            code="invalid_value",
        )
    return part


def file(text: str) -> str:
    """What a file is called in a record. SDK command lines send the whole path: its last part, 255
    bytes at most, without control characters, which a terminal would obey."""
    last = os.path.basename(text.replace("\\", "/"))
    plain = "".join(letter for letter in last if unicodedata.category(letter) != "Cc")
    return plain.encode("utf-8", "replace")[:_LONGEST_FILE].decode("utf-8", "ignore") or "file"


def inside(root: Path, relative: str) -> Path:
    """The path that a record gives as `relative` to `root`. Raises Corrupt where it leads out."""
    path = root / relative
    if not relative or ".." in path.parts or not path.is_relative_to(root) or path == root:
        raise Corrupt(
            f"A record of the catalog names the path {relative[:200]!r}, which is not inside of "
            f"{root}. Nothing there was touched."
        )
    return path
