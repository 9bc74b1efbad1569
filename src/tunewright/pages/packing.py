"""Arrays and texts inside a page: gzipped, in base64, the same bytes for the same values."""

import gzip
import json
from base64 import b64encode
from collections.abc import Sequence
from typing import Any

from numpy.typing import NDArray

LONGEST = 4_000  # characters of a text that a page ever holds
_CUTS = (LONGEST, 2_000, 1_200, 800, 550, 400, 300, 220, 160, 120, 90, 70, 50, 30, 15)
_SAMPLE = 2_000  # texts by which a cut is chosen before it is tried


def packed(values: NDArray[Any]) -> dict[str, object]:
    """Whole numbers or float64, as the page's data.js reads them: little endian."""
    kind = _kind(values)
    return {"type": kind, "data": _packed(values.astype(f"<{kind}").tobytes())}


def packed_texts(texts: Sequence[str], room: int) -> tuple[str, int]:
    """The texts as a gzipped JSON list in base64, at most `room` characters of it, and the length
    at which they were cut for that (LONGEST: as good as none is cut)."""
    for cut in _CUTS[:-1]:
        every = max(1, len(texts) // _SAMPLE)
        if len(_texts(texts[::every], cut)) * every <= room * 1.05:
            data = _texts(texts, cut)
            if len(data) <= room:
                return data, cut
    return _texts(texts, _CUTS[-1]), _CUTS[-1]


def cut(text: str, most: int) -> str:
    return text if len(text) <= most else text[: most - 1].rstrip() + "…"


def _texts(texts: Sequence[str], most: int) -> str:
    listed = json.dumps([cut(text, most) for text in texts], ensure_ascii=False)
    return _packed(listed.encode("utf-8", "replace"))


def _packed(data: bytes) -> str:
    return b64encode(gzip.compress(data, 9, mtime=0)).decode()


def _kind(values: NDArray[Any]) -> str:
    if values.dtype.kind == "f":
        return "f8"
    most = int(values.max(initial=0))
    return "u1" if most < 2**8 else "u2" if most < 2**16 else "u4"
