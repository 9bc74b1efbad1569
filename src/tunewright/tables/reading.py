"""A file to JSON values, line by line, in memory that does not grow with the file.

orjson alone is not strict enough: of duplicate keys it keeps the last, integers beyond 64 bits
become floats, and it takes a NUL that PostgreSQL cannot store. Those are refused here by hand.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import orjson

from tunewright.tables.problems import AS_TEXT, Fault, Faulty, shown, step

LONGEST_LINE = 16 * 2**20  # bytes
DEEPEST = 64
MOST_KEYS = 256
BOM = b"\xef\xbb\xbf"
_SKIP = 2**20
_NUL = b"\\u0000"  # a raw one is refused by orjson
_KEY = re.compile(rb'"\s*:')
# Possessive, and content to find no closing quote: linear on any text.
_STRUCTURE = re.compile(r'"(?:[^"\\]++|\\.)*+"?|[\[\]{}]', re.DOTALL)
_NOT_JSON = re.compile(r"(?<!\w)(NaN|-?Infinity)\b")


@dataclass(frozen=True, slots=True)
class Line:
    """A line of the file: blank, or faulty, or a JSON `value`. `number` counts from 1, `offset`
    is the byte of the file at which it begins."""

    number: int
    offset: int = 0
    value: Any = None
    fault: Fault | None = None
    blank: bool = False


def lines(path: Path) -> Iterator[Line]:
    """Every line of a file, none left out.

    Lines end at a line feed only: U+2028 or a lone carriage return inside a string is content.
    A byte order mark at the start, CRLF and a last line without its end are accepted.
    """
    with path.open("rb") as file:
        for number, (offset, raw) in enumerate(_raw_lines(file), 1):
            yield line_of(number, offset, raw)


def _raw_lines(file: BinaryIO) -> Iterator[tuple[int, bytes | None]]:
    """Where each line begins, and its bytes without its end; None for one too long to hold."""
    offset = len(BOM)
    if file.read(offset) != BOM:
        offset = file.seek(0)
    while raw := file.readline(LONGEST_LINE + 2):
        size = len(raw)
        body = raw.removesuffix(b"\n").removesuffix(b"\r")
        if len(body) <= LONGEST_LINE:
            yield offset, body
        else:
            while raw and not raw.endswith(b"\n"):
                raw = file.readline(_SKIP)
                size += len(raw)
            yield offset, None
        offset += size


def line_of(number: int, offset: int, raw: bytes | None) -> Line:
    """A line of these bytes, without its end; None for one that is too long to hold."""
    if raw is not None and len(raw) > LONGEST_LINE:
        raw = None
    if raw is not None and not raw.strip():
        return Line(number, offset, blank=True)
    try:
        return Line(number, offset, _value(raw))
    except Faulty as error:
        return Line(number, offset, fault=error.fault)


def _value(raw: bytes | None) -> Any:
    if raw is None:
        limit = f"{LONGEST_LINE // 2**20} MiB"
        raise _faulty("line_too_long", f"The line is longer than {limit}.", "Split the example.")
    text = _text(raw)
    value = _parsed(raw, text)
    known = -1 if _NUL in raw else _keys(value, 1)
    if known < 0:
        known = _inspect(value, "$", 1)
    if known < len(_KEY.findall(raw)):  # equal numbers prove that no key was dropped
        _refuse_duplicates(text)
    return value


def _keys(value: Any, depth: int) -> int:
    """How many keys there are, where nothing is to be refused; below 0 where something may be.

    The fast way for nearly all rows: `_inspect`, which knows the path, takes five times as long.
    """
    if depth > DEEPEST:
        return -1
    items, found = value, 0
    if type(value) is dict:
        if len(value) > MOST_KEYS:
            return -1
        items, found = value.values(), len(value)
    elif type(value) is not list:
        return 0 if isinstance(value, str | bool | None) else -1
    for item in items:
        if type(item) is str or item is None:
            continue
        if type(item) is int and -(2**63) <= item < 2**63:
            continue
        inner = _keys(item, depth + 1)
        if inner < 0:
            return -1
        found += inner
    return found


def _text(raw: bytes) -> str:
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise _faulty(
            "invalid_utf8",
            f"Byte {error.start + 1} of the line is not valid UTF-8.",
            "Save the file as UTF-8, if it is Latin-1 or Windows-1252; or else remove what is not.",
            byte=error.start,
        ) from error


def _parsed(raw: bytes, text: str) -> Any:
    try:
        return orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        if _deeper_than_allowed(text):  # orjson gives up at 1,024 levels
            raise _too_deep("$") from error
        near = shown(text[max(0, error.pos - 12) : error.pos + 12])
        what = f"Not valid JSON at character {error.pos + 1}, near {near}: {error.msg}."
        byte = len(text[: error.pos].encode())
        remedy = _json_remedy(text, error)
        raise _faulty("invalid_json", what, remedy, byte=byte, near=near) from error


def _deeper_than_allowed(text: str) -> bool:
    depth = 0
    for found in _STRUCTURE.finditer(text):
        depth += {"[": 1, "{": 1, "]": -1, "}": -1}.get(found[0], 0)
        if depth > DEEPEST:
            return True
    return False


def _json_remedy(text: str, error: orjson.JSONDecodeError) -> str:
    """What mends the text, by what stands where the parser stopped."""
    at = text[max(0, error.pos - 1) : error.pos + 9]
    if "surrogate" in error.msg:
        return "Remove the escape: it is half of a character, and no text can hold that."
    if found := _NOT_JSON.search(at):
        return f"JSON has no {found[1]}: leave it out, with its key."
    if "\0" in at[:2]:
        return "Remove the NUL characters."
    if at.startswith("\ufeff"):
        return "Remove the byte order mark at its beginning: two files were joined."
    if "number" in error.msg:
        return "Write the number as text, in quotes."
    if "trailing comma" in error.msg:
        return "Remove the comma: nothing follows it."
    if _two_values(text):
        if at.startswith("\r"):
            return "End each line with a line feed, not with a carriage return alone."
        return "Write each object on a line of its own."
    if "unexpected end" in error.msg:
        return "The row breaks off here: complete it, on this line, or remove it."
    return "Write the row anew with json.dumps, which quotes and escapes as JSON wants it."


def _two_values(text: str) -> bool:
    try:
        _, end = json.JSONDecoder().raw_decode(text.lstrip())
    except (ValueError, RecursionError):
        return False
    return text.lstrip()[end:].lstrip().startswith(("{", "["))


def _inspect(value: Any, path: str, depth: int) -> int:
    """Refuse what JSON allows and a training file must not hold; return how many keys there are."""
    if isinstance(value, str):
        if "\0" in value:
            raise _nul(path)
    elif isinstance(value, (int, float)):
        if not -(2**63) <= value < 2**63:
            what = "The number does not fit into 64 bits."
            raise _faulty("number_too_large", what, AS_TEXT, path)
    elif isinstance(value, (dict, list)):
        return _inspect_nested(value, path, depth)
    return 0


def _inspect_nested(value: dict[str, Any] | list[Any], path: str, depth: int) -> int:
    if depth > DEEPEST:
        raise _too_deep(path)
    if isinstance(value, list):
        return sum(_inspect(item, f"{path}[{at}]", depth + 1) for at, item in enumerate(value))
    if len(value) > MOST_KEYS:
        what = f"The object has {len(value):,} keys; at most {MOST_KEYS} are allowed."
        remedy = "Leave out those that the format does not name, or that are not needed."
        raise _faulty("too_many_keys", what, remedy, path)
    if any("\0" in key for key in value):
        raise _nul(path)
    inner = sum(_inspect(item, step(path, key), depth + 1) for key, item in value.items())
    return len(value) + inner


def _refuse_duplicates(text: str) -> None:
    def unique(pairs: list[tuple[str, Any]]) -> None:
        seen: set[str] = set()
        for key, _ in pairs:
            if key in seen:
                what = f"The key {shown(key)} stands twice in one object."
                raise _faulty("duplicate_key", what, "Keep one of the two.")
            seen.add(key)

    json.loads(text, object_pairs_hook=unique)


def _nul(path: str) -> Faulty:
    what = "The text holds a NUL character (\\u0000)."
    return _faulty("nul_character", what, "Remove it.", path)


def _too_deep(path: str) -> Faulty:
    what = f"The value is nested deeper than {DEEPEST} levels."
    remedy = "Write it flatter, as the format shows, or remove the row."
    return _faulty("too_deep", what, remedy, path[:120])


def _faulty(
    code: str, message: str, remedy: str, path: str = "$", *, byte: int = 0, near: str = ""
) -> Faulty:
    return Faulty(Fault(path, code, message, remedy, byte, near))
