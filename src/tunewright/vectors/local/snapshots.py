"""A collection's rows at one sequence as files (`segments`), listed in `rows.json`: disposable.

With it a large collection is there after a moment: what was committed since is read from the store,
which is the truth. Files are never changed; a row that was deleted goes when its file is written
anew without it. A list belongs to the history of its store by a token that the store knows too: a
backup of the store that was put in its place finds files of another history, and uses none.
"""

import hashlib
import logging
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import orjson

from tunewright import durable
from tunewright.errors import Corrupt
from tunewright.faults import fault
from tunewright.vectors.local import files, rows, segments
from tunewright.vectors.local.rows import Part
from tunewright.vectors.local.segments import Damaged
from tunewright.vectors.local.store import Store
from tunewright.vectors.local.view import Mask, View

log = logging.getLogger(__name__)

_FORMAT = 1


@dataclass(frozen=True)
class Listed:
    """What `rows.json` says. files: name and crc32 of the header, in the order of slots."""

    sequence: int
    token: str
    files: tuple[tuple[str, int], ...]


@dataclass(frozen=True)
class Found:
    view: View
    token: str


def due(view: View) -> bool:
    """Whether something is to be written: a full part is in memory only, or a file has rows that
    were deleted."""
    return any(
        (len(part) >= rows.PART and part.file is None)
        or (part.file is not None and live is not None)
        for part, live in zip(view.parts, view.live, strict=True)
    )


def write(folder: Path, store: Store, view: View) -> None:
    """The snapshot of a view, by one process at a time. Parts whose files need no change keep them;
    the rows that came last stay in the store alone."""
    written: list[tuple[str, int]] = []
    before = listed(folder)
    known = dict(before.files) if before else {}
    for group in _groups(view):
        part, live = group[0]
        if len(group) == 1 and live is None and part.file in known:
            written.append((part.file, known[part.file]))
        elif any(live is None or live.any() for _, live in group):
            written.append(segments.write(folder, group))
    token = secrets.token_hex(16)
    with store.writing() as writing:
        # The list that is there holds until the next one is: nothing that it needs is forgotten.
        writing.begin_snapshot(token, before.token if before else "")
        writing.forget(before.sequence if before else 0)
    fault("vectors.listing")
    _put(folder, Listed(view.sequence, token, tuple(written)))
    fault("vectors.listed")
    sweep(folder)


def _groups(view: View) -> list[list[tuple[Part, Mask | None]]]:
    """What goes into one file: a full part, one that has a file, or small neighbours together."""
    groups: list[list[tuple[Part, Mask | None]]] = []
    sizes: list[int] = []
    for part, live in zip(view.parts, view.live, strict=True):
        if part.file is None and len(part) < rows.PART:
            continue
        size = len(part) if live is None else int(np.count_nonzero(live))
        if sizes and sizes[-1] + size <= rows.PART // 2:
            groups[-1].append((part, live))
            sizes[-1] += size
        else:
            groups.append([(part, live)])
            sizes.append(size)
    return groups


def _put(folder: Path, listed: Listed) -> None:
    said = {
        "format": _FORMAT,
        "sequence": listed.sequence,
        "token": listed.token,
        "files": [{"name": name, "crc32": crc32} for name, crc32 in listed.files],
    }
    durable.write_json(folder / files.LIST, {**said, "sha256": _sha256(said)})


def _sha256(said: dict[str, Any]) -> str:
    return hashlib.sha256(orjson.dumps(said, option=orjson.OPT_SORT_KEYS)).hexdigest()


def listed(folder: Path) -> Listed | None:
    """None where there is none, or none that can be used."""
    try:
        said = durable.read_json(folder / files.LIST)
        if said.pop("sha256") != _sha256(said) or said["format"] != _FORMAT:
            raise ValueError("its checksum is another")
        found = tuple((str(file["name"]), int(file["crc32"])) for file in said["files"])
        return Listed(said["sequence"], said["token"], found)
    except FileNotFoundError:
        return None
    except (OSError, Corrupt, ValueError, KeyError, TypeError, AttributeError) as error:
        _tell(folder, str(error))
        return None


def sequence(folder: Path) -> int | None:
    """How far the files reach; None where there are none that can be used."""
    found = listed(folder)
    return found.sequence if found else None


def read(folder: Path, store: Store, known: Sequence[Part] = ()) -> Found | None:
    """The view that lies there, and None where there is none: then the store tells everything.
    known: parts that are open already."""
    found = listed(folder)
    if found is None:
        return None
    with store.reading() as reading:
        belongs = reading.knows_snapshot(found.token) and reading.forgotten <= found.sequence
    if not belongs:
        return None
    there = {part.file: part for part in known}
    try:
        parts = tuple(
            there.get(name) or segments.read(folder, name, crc) for name, crc in found.files
        )
        if any(part.vectors.shape[1] != store.dimensions for part in parts):
            raise Damaged("vectors of another length")
    except Damaged as error:
        # Another process may have written the next one meanwhile, and removed the files of this.
        if listed(folder) != found:
            return read(folder, store, known)
        _tell(folder, str(error))
        return None
    live = (None,) * len(parts)
    view = View(found.sequence, store.dimensions, store.metric, parts, live)
    return Found(view, found.token)


def _tell(folder: Path, found: str) -> None:
    log.warning(
        "the files beside %s are damaged (%s): they are not used, and written anew from it.",
        folder / files.STORE,
        found,
    )


def sweep(folder: Path) -> None:
    """Remove the files that are not listed."""
    found = listed(folder)
    names = {name for name, _ in found.files} if found else set()
    for path in files.segments(folder):
        if path.name not in names:
            durable.remove(path)
