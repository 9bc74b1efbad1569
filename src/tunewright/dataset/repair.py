"""A repaired copy of a training file, and a log of every change.

What is changed, and nothing else: a byte order mark, CRLF and a missing last line end; blank lines;
rows that are the same JSON value as an earlier one; rows that are in the validation file too. All
other lines, bad ones among them, are copied byte for byte.
"""

import hashlib
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson

from tunewright.dataset.formats import wrong_format
from tunewright.durable import Upload
from tunewright.errors import BadRequest
from tunewright.tables.reading import BOM, LONGEST_LINE, lines

CHANGES = {
    "bom_removed": "byte order mark removed",
    "blank_line_dropped": "blank lines dropped",
    "duplicate_dropped": "exact duplicates dropped",
    "leak_dropped": "rows dropped that are in the validation file too",
    "line_end_changed": "line ends changed from CRLF to LF",
    "line_end_added": "last line end added",
}


@dataclass
class Repair:
    """How many lines were read and kept, and the changes by their name in `CHANGES`."""

    log: Path
    lines: int = 0
    kept: int = 0
    changes: Counter[str] = field(default_factory=Counter)


def repair(path: Path, out: Path, validation: Path | None = None) -> Repair:
    """Write `out` and, beside it, ``out.changes.jsonl``: one line a change.

    Both appear whole or not at all. Memory grows by some 150 bytes a row. Raises BadRequest where
    one of them exists already, or `path` is not JSON lines.
    """
    done = Repair(out.with_name(f"{out.name}.changes.jsonl"))
    _refuse(path, out, done.log)
    held_out = dict(_keys(validation)) if validation else {}
    with ExitStack() as stack:
        copy, log = (stack.enter_context(Upload(target)) for target in (out, done.log))
        for line, change in _repaired(path, held_out, done):
            log.write(change)
            copy.write(line)
        log.commit()
        copy.commit()
    return done


def _refuse(path: Path, out: Path, log: Path) -> None:
    for target in (out, log):
        if target.exists():
            raise BadRequest(f"{target} exists already. Nothing is overwritten: name another file.")
    if fault := wrong_format(path):
        raise BadRequest(f"{path}: {fault.message} {fault.remedy}", param="training_file")


def _repaired(
    path: Path, held_out: dict[bytes, int], done: Repair
) -> Iterator[tuple[bytes, bytes]]:
    """Each line as it is to be, empty where it goes, with the log of its changes."""
    seen: dict[bytes, int] = {}
    with path.open("rb") as file:
        while raw := file.readline(LONGEST_LINE + 2):
            done.lines += 1
            if len(raw) > LONGEST_LINE:
                limit = f"{LONGEST_LINE // 2**20} MiB"
                raise BadRequest(f"Line {done.lines} is longer than {limit}: split it first.")
            line, changes = _line(raw, done.lines, seen, held_out)
            done.kept += bool(line)
            done.changes.update(str(change["change"]) for change in changes)
            told = [orjson.dumps({"line": done.lines, **change}) + b"\n" for change in changes]
            yield line, b"".join(told)


def _line(
    raw: bytes, number: int, seen: dict[bytes, int], held_out: dict[bytes, int]
) -> tuple[bytes, list[dict[str, object]]]:
    changes: list[dict[str, object]] = []
    if number == 1 and raw.startswith(BOM):
        raw = raw.removeprefix(BOM)
        changes.append({"change": "bom_removed"})
    if not raw.strip():
        return b"", [*changes, {"change": "blank_line_dropped"}]
    if (key := _key(raw)) is not None:
        if key in held_out:
            return b"", [*changes, {"change": "leak_dropped", "of": held_out[key]}]
        if key in seen:
            return b"", [*changes, {"change": "duplicate_dropped", "of": seen[key]}]
        seen[key] = number
    if raw.endswith(b"\r\n"):
        raw = raw.removesuffix(b"\r\n") + b"\n"
        changes.append({"change": "line_end_changed"})
    elif not raw.endswith(b"\n"):
        raw += b"\n"
        changes.append({"change": "line_end_added"})
    return raw, changes


def _key(raw: bytes) -> bytes | None:
    try:
        return _digest(orjson.loads(raw))
    except orjson.JSONDecodeError:
        return None


def _keys(path: Path) -> Iterator[tuple[bytes, int]]:
    for line in lines(path):
        if not line.blank and not line.fault:
            yield _digest(line.value), line.number


def _digest(value: Any) -> bytes:
    dumped = orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
    return hashlib.blake2b(dumped, digest_size=16).digest()
