"""Arrays and texts inside a page: gzipped, in base64, the same bytes for the same values."""

import gzip
import json
from base64 import b64encode
from bisect import bisect_right
from collections.abc import Sequence
from typing import Any

from numpy.typing import NDArray

LONGEST = 4_000  # characters of a text that a page ever holds
_CUTS = tuple(round(LONGEST * 0.87**step) for step in range(41))[::-1]  # from 13
_SAMPLE = 2_000  # texts by which a cut is chosen before it is tried


def packed(values: NDArray[Any]) -> dict[str, object]:
    """Whole numbers or float64, as the page's data.js reads them: little endian."""
    kind = _kind(values)
    return {"type": kind, "data": _packed(values.astype(f"<{kind}").tobytes())}


def packed_texts(texts: Sequence[str], room: int) -> tuple[str, int]:
    """The texts as a gzipped JSON list in base64, at most `room` characters of it, and the length
    at which they were cut for that (LONGEST: as good as none is cut)."""
    every = max(1, len(texts) // _SAMPLE)
    few = texts[::every]
    place = bisect_right(_CUTS, room, key=lambda most: len(_texts(few, most)) * every)
    for most in _CUTS[max(place - 1, 1) : 0 : -1]:
        data = _texts(texts, most)
        if len(data) <= room:
            return data, most
    return _texts(texts, _CUTS[0]), _CUTS[0]


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
