"""How large and deep a JSON text is, told from its bytes, before anything is built of it.

A parser makes an object of every three bytes: 29 MB of keys or of empty lists take seconds in
which it holds the interpreter's lock, and gigabytes. numpy lets go of the lock, and looks at a
mebibyte in some ten milliseconds.
"""

import re
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tunewright.stepwise import Steps

PIECE = 1 << 20
_KEY = re.compile(rb'\s*"([A-Za-z0-9_]{1,64})"\s*:')
_QUOTE, _BACKSLASH, _COMMA = 34, 92, 44
_OPENS, _CLOSES = (91, 123), (93, 125)


class TooMany(Exception):
    """More values than are taken. `param`: the key of the outermost object that holds them."""

    def __init__(self, param: str | None) -> None:
        super().__init__(param)
        self.param = param


class TooDeep(Exception):
    pass


def scan(text: bytes | bytearray, most: int, depth: int) -> Steps[None]:
    """By steps. Raises TooMany for more than `most` values, TooDeep for more than `depth` levels.

    Counted are commas and opening brackets outside of strings: as many as there are values, or
    more. What is no JSON is counted somehow; it is for the parser to refuse it.
    """
    whole = np.frombuffer(text, np.uint8)
    found = _Scan(most, depth)
    for start in range(0, len(whole), PIECE):
        found.take(whole[start : start + PIECE], start)
        if found.deep:
            raise TooDeep
        if found.many:
            key = _KEY.match(whole[found.key : found.key + 128].tobytes())
            raise TooMany(key[1].decode() if key else None)
        yield


class _Scan:
    """What is known after a piece: `key` is the place after the last comma of the outermost
    object, where the key begins that holds what follows."""

    def __init__(self, most: int, depth: int) -> None:
        self._most = most
        self._deepest = depth
        self._count = 0
        self._depth = 0
        self._inside = 0  # 1 within a string
        self._backslashes = 0  # at the end of the last piece
        self.key = 0
        self.many = False
        self.deep = False

    def take(self, piece: NDArray[np.uint8], start: int) -> None:
        quotes = self._quotes(piece)
        strings = np.cumsum(quotes, dtype=np.uint8) + np.uint8(self._inside) & 1
        self._inside = int(strings[-1])
        marks = (piece == _COMMA) | np.isin(piece, (*_OPENS, *_CLOSES))
        places = np.flatnonzero(marks & (strings == 0))
        kinds = piece[places]
        opens = np.isin(kinds, _OPENS)
        closes = np.isin(kinds, _CLOSES)
        depths = self._depth + np.cumsum(opens.astype(np.int32) - closes)
        counts = self._count + np.cumsum(~closes)
        self._keep(places + start, opens, depths, counts, ~closes)

    def _keep(
        self,
        places: NDArray[Any],
        opens: NDArray[np.bool_],
        depths: NDArray[Any],
        counts: NDArray[Any],
        begins: NDArray[np.bool_],
    ) -> None:
        if not len(places):
            return
        over = int(np.searchsorted(counts, self._most, side="right"))
        self.many = over < len(counts)
        self.deep = int(depths.max()) > self._deepest
        keys = places[:over][(depths[:over] == 1) & begins[:over]]
        if len(keys):
            self.key = int(keys[-1]) + 1
        self._count, self._depth = int(counts[-1]), int(depths[-1])

    def _quotes(self, piece: NDArray[np.uint8]) -> NDArray[np.bool_]:
        """The quotes that begin or end a string: those behind an even number of backslashes."""
        quotes = piece == _QUOTE
        slashes = piece == _BACKSLASH
        before = self._backslashes
        if not before and not slashes.any():
            return quotes
        at = np.arange(len(piece), dtype=np.int32)
        last_other = np.maximum.accumulate(np.where(slashes, np.int32(-1), at))
        # Backslashes that stand just before each byte, those of the piece before it included.
        others = np.concatenate(([np.int32(-1)], last_other[:-1]))
        run = at - 1 - others + np.where(others < 0, before, 0)
        self._backslashes = int(
            len(piece) - 1 - last_other[-1] + (before if last_other[-1] < 0 else 0)
        )
        return quotes & (run % 2 == 0)
