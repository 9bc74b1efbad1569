"""Which texts were embedded lately: a table of hashes in memory that never grows."""

import hashlib
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

SLOTS = 1 << 20  # 24 bytes each
_WAYS = 4  # slots of one set


class Recent:
    """Finds what was computed for the same text. By its hash (128 bits) a text belongs to a set of
    four slots, where the newest takes the place of the oldest. What is remembered depends on the
    texts and their order alone, so it is the same when they are read again, in other pieces."""

    def __init__(self, slots: int = SLOTS) -> None:
        sets = max(1, slots // _WAYS)
        # Filled, not only reserved: memory is taken now and does not grow later.
        self._keys = np.full((sets, _WAYS, 2), 0, np.uint64)
        self._places = np.full((sets, _WAYS), -1, np.int64)
        self._oldest = np.full(sets, 0, np.intp)

    def find(self, keys: NDArray[np.uint64]) -> NDArray[np.int64]:
        """keys [n, 2] -> the place of each, [n]; -1 for one that is not remembered."""
        return self._found(self._sets(keys), keys)[0]

    def remember(self, keys: NDArray[np.uint64], places: NDArray[np.int64]) -> None:
        """keys [n, 2], places [n]."""
        sets = self._sets(keys)
        for at in _rounds(sets):  # of each set one key at a time, in their order
            here, own = sets[at], keys[at]
            known, way = self._found(here, own)
            way = np.where(known >= 0, way, self._oldest[here])
            self._keys[here, way] = own
            self._places[here, way] = places[at]
            new = here[known < 0]
            self._oldest[new] = (self._oldest[new] + 1) % _WAYS

    def _found(
        self, sets: NDArray[np.intp], keys: NDArray[np.uint64]
    ) -> tuple[NDArray[np.int64], NDArray[np.intp]]:
        """Of each key the place, or -1, and the slot of its set that holds it."""
        same = (self._keys[sets] == keys[:, None]).all(axis=2)  # [n, ways]
        way = same.argmax(axis=1)
        rows = np.arange(len(keys))
        return np.where(same[rows, way], self._places[sets, way], -1), way

    def _sets(self, keys: NDArray[np.uint64]) -> NDArray[np.intp]:
        return (keys[:, 0] % np.uint64(len(self._places))).astype(np.intp)


def _rounds(sets: NDArray[np.intp]) -> Iterator[NDArray[np.intp]]:
    """Indices such that no set is twice in a round, and those of a set come in their order."""
    order = np.argsort(sets, kind="stable")
    ordered = sets[order]
    starts = np.r_[True, ordered[1:] != ordered[:-1]] if len(sets) else np.zeros(0, bool)
    first = np.maximum.accumulate(np.where(starts, np.arange(len(sets)), 0))
    rank = np.arange(len(sets)) - first
    for turn in range(int(rank.max(initial=-1)) + 1):
        yield order[rank == turn]


def keys_of(texts: Sequence[str]) -> NDArray[np.uint64]:
    """[texts, 2]: 128 bits of each text's BLAKE2b."""
    digests = [
        hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()
        for text in texts
    ]
    return np.frombuffer(b"".join(digests), np.uint64).reshape(len(texts), 2)
