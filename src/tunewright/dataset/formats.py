"""Files that are something else than JSON lines, recognised by how they begin."""

from pathlib import Path

from tunewright.dataset.remedies import PREPARE
from tunewright.tables.formats import BZIP2, ENCODINGS, GZIP, HEAD, PARQUET, XZ, ZIP, layout
from tunewright.tables.problems import Fault

_CONVERT = f"Convert it: {PREPARE}"
_UNPACK = f"Unpack it: {PREPARE}"
_BY_HAND = "Write one JSON object a line, as the documents of the format show, and use that."
_SIGNATURES = [
    *((mark, f"{encoding[:6].upper()} text", _CONVERT) for mark, encoding in ENCODINGS),
    (GZIP, "a gzip archive", _UNPACK),
    (BZIP2, "a bzip2 archive", _UNPACK),
    (XZ, "an xz archive", _UNPACK),
    (b"\x28\xb5\x2f\xfd", "a zstd archive", "Unpack it with zstd -d and use what is inside."),
    (ZIP, "a zip archive or an Excel workbook", _UNPACK),
    (b"PK\x05\x06", "an empty zip archive", _BY_HAND),
    (
        b"\x1e",
        "a JSON text sequence (RFC 7464)",
        "Remove its separators: tr -d '\\036' < OLD > NEW",
    ),
    (b"%PDF", "a PDF document", _BY_HAND),
    (PARQUET, "a Parquet file", _CONVERT),
]


def wrong_format(path: Path) -> Fault | None:
    """What the file is, where it is not JSON lines at all; None where its rows can be read."""
    with path.open("rb") as file:
        head = file.read(HEAD)
    for signature, name, remedy in _SIGNATURES:
        if head.startswith(signature):
            return _fault(name, remedy)
    name = layout(head)
    return _fault(name, _CONVERT) if name else None


def _fault(name: str, remedy: str) -> Fault:
    return Fault("$", "wrong_format", f"The file is {name}, not JSON lines.", remedy)
