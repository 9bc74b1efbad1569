"""Files that are something else than JSON lines, recognised by how they begin."""

from pathlib import Path

from tunewright.dataset.problems import Fault

_HEAD = 64 * 1024
_CONVERT = "Write one JSON object a line and upload that."
_UTF8 = "Save it as UTF-8 (Python: open(path, 'w', encoding='utf-8'))."
_UNPACK = "Unpack it and upload the .jsonl file inside."
_SIGNATURES = [  # UTF-32 before UTF-16: its mark begins with UTF-16's
    (b"\xff\xfe\x00\x00", "UTF-32 text", _UTF8),
    (b"\x00\x00\xfe\xff", "UTF-32 text", _UTF8),
    (b"\xff\xfe", "UTF-16 text", _UTF8),
    (b"\xfe\xff", "UTF-16 text", _UTF8),
    (b"{\x00", "UTF-16 text", _UTF8),
    (b"\x00{", "UTF-16 text", _UTF8),
    (b"\x1f\x8b", "a gzip archive", _UNPACK),
    (b"BZh", "a bzip2 archive", _UNPACK),
    (b"\xfd7zXZ", "an xz archive", _UNPACK),
    (b"\x28\xb5\x2f\xfd", "a zstd archive", _UNPACK),
    (b"PK\x03\x04", "a zip archive (or an Office document)", _UNPACK),
    (b"PK\x05\x06", "an empty zip archive", _UNPACK),
    (b"%PDF", "a PDF document", _CONVERT),
    (
        b"PAR1",
        "a Parquet file",
        "Convert it: pandas.read_parquet(a).to_json(b, 'records', lines=True).",
    ),
]
_ARRAY = "Write one object a line: jq -c '.[]' file.json > file.jsonl"
_SPREAD = "Write each object on a single line: jq -c . file.json > file.jsonl"


def wrong_format(path: Path) -> Fault | None:
    """What the file is, where it is not JSON lines at all; None where its rows can be read."""
    with path.open("rb") as file:
        head = file.read(_HEAD)
    for signature, name, remedy in _SIGNATURES:
        if head.startswith(signature):
            return _fault(name, remedy)
    lines = [line.strip() for line in head.removeprefix(b"\xef\xbb\xbf").split(b"\n")]
    return _layout([line for line in lines if line])


def _layout(lines: list[bytes]) -> Fault | None:
    first = lines[0] if lines else b""
    if first.startswith(b"["):
        return _fault("a JSON array", _ARRAY)
    if first == b"{":
        return _fault("JSON spread over several lines", _SPREAD)
    if _table(lines):
        return _fault("a table (CSV or TSV)", _CONVERT)
    return None


def _table(lines: list[bytes]) -> bool:
    some = lines[:5]
    separated = bool(some) and any(all(mark in line for line in some) for mark in (b",", b"\t"))
    return separated and not any(line.startswith(b"{") for line in some)


def _fault(name: str, remedy: str) -> Fault:
    return Fault("$", "wrong_format", f"The file is {name}, not JSON lines.", remedy)
