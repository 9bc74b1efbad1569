"""What kind of file a table is, by how it begins."""

import orjson

HEAD = 64 * 1024
BOM = b"\xef\xbb\xbf"
PARQUET, ZIP = b"PAR1", b"PK\x03\x04"
GZIP, BZIP2, XZ = b"\x1f\x8b", b"BZh", b"\xfd7zXZ"
# UTF-32 before UTF-16: its mark begins with UTF-16's
ENCODINGS = [
    (b"\xff\xfe\x00\x00", "utf-32"),
    (b"\x00\x00\xfe\xff", "utf-32"),
    (b"\xff\xfe", "utf-16"),
    (b"\xfe\xff", "utf-16"),
    (b"{\x00", "utf-16-le"),
    (b"\x00{", "utf-16-be"),
]

ARRAY, SPREAD, TABLE = "a JSON array", "JSON spread over several lines", "a table (CSV or TSV)"


def layout(head: bytes) -> str | None:
    """What a text is that begins so, where it is not JSON lines."""
    lines = [line.strip() for line in head.removeprefix(BOM).split(b"\n")]
    lines = [line for line in lines if line]
    first = lines[0] if lines else b""
    if first.startswith(b"["):
        return None if _lists(lines) else ARRAY
    if first == b"{":
        return SPREAD
    return TABLE if _table(lines) else None


def _lists(lines: list[bytes]) -> bool:
    """Whether each line is a conversation: a list of its own."""
    return len(lines) > 1 and isinstance(_value(lines[0]), list)


def _table(lines: list[bytes]) -> bool:
    some = lines[:5]
    separated = bool(some) and any(all(mark in line for line in some) for mark in (b",", b"\t"))
    return separated and not any(line.startswith(b"{") or _quoted_json(line) for line in some)


def _quoted_json(line: bytes) -> bool:
    """JSON text written as JSON text: no cell of a table, though it has quotes and commas."""
    value = _value(line)
    return isinstance(value, str) and value.lstrip()[:1] in ("{", "[", '"')


def _value(line: bytes) -> object:
    try:
        return orjson.loads(line)
    except orjson.JSONDecodeError:
        return None
