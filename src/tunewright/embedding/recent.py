"""Which texts were embedded lately: a table of hashes in memory that never grows."""

import hashlib
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

SLOTS = 1 << 20  # 24 bytes each


class Recent:
    """Finds what was computed for the same text. A text's hash (128 bits) has one slot; a newer
    text takes it over. What is remembered depends on the texts and their order alone, so it is
    the same when they are read again."""

    def __init__(self, slots: int = SLOTS) -> None:
        # Filled, not only reserved: memory is taken now and does not grow later.
        self._keys = np.full((slots, 2), 0, np.uint64)
        self._places = np.full(slots, -1, np.int64)

    def find(self, keys: NDArray[np.uint64]) -> NDArray[np.int64]:
        """keys [n, 2] -> the place of each, [n]; -1 for one that is not remembered."""
        slots = self._slots(keys)
        known = (self._keys[slots] == keys).all(axis=1)
        return np.where(known, self._places[slots], -1)

    def remember(self, keys: NDArray[np.uint64], places: NDArray[np.int64]) -> None:
        """keys [n, 2], places [n]."""
        slots = self._slots(keys)
        # One by one in their order where two meet: numpy does not say which of them would stay.
        last = dict(zip(slots.tolist(), range(len(slots)), strict=True))
        kept = np.fromiter(last.values(), np.intp, len(last))
        self._keys[slots[kept]] = keys[kept]
        self._places[slots[kept]] = places[kept]

    def _slots(self, keys: NDArray[np.uint64]) -> NDArray[np.intp]:
        return (keys[:, 0] % np.uint64(len(self._places))).astype(np.intp)


def keys_of(texts: Sequence[str]) -> NDArray[np.uint64]:
    """[texts, 2]: 128 bits of each text's BLAKE2b."""
    digests = [
        hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()
        for text in texts
    ]
    return np.frombuffer(b"".join(digests), np.uint64).reshape(len(texts), 2)
