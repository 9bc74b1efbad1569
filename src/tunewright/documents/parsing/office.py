"""What the three formats of Office have in common: zip archives of XML."""

import zipfile
from pathlib import Path

from tunewright.documents.limits import PARTS, UNPACKED, UNPACKED_XML
from tunewright.errors import UnreadableDocument


def check(path: Path, name: str) -> None:
    """Raises UnreadableDocument for an archive that would unpack to too much. What its list says
    holds: nothing more is unpacked of a part than that."""
    with zipfile.ZipFile(path) as archive:
        parts = archive.infolist()
    _bound(name, [part.file_size for part in parts], UNPACKED, "")
    xml = [part.file_size for part in parts if part.filename.endswith((".xml", ".rels"))]
    _bound(name, xml, UNPACKED_XML, " of XML")
    if any(part.flag_bits & 1 for part in parts):
        raise UnreadableDocument(f"{name} is encrypted. Save it without a password.")


def _bound(name: str, sizes: list[int], most: int, what: str) -> None:
    if sum(sizes) > most or len(sizes) > PARTS:
        raise UnreadableDocument(
            f"{name} unpacks to {sum(sizes) / 2**20:,.0f} MiB{what} in {len(sizes):,} parts; a "
            f"file may have {most // 2**20:,} MiB in {PARTS:,}. Split it and upload the parts."
        )
