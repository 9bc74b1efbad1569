"""Which texts an engine computes together: of like length, organisations by turns.

Padding is computed like tokens: 1,000 reviews in batches of 32 as they come are 2.5 times their
tokens, sorted by length 1.04. Duplicates within a request are computed once: in another row of a
batch the last bit of a vector may differ.
"""

from bisect import bisect_left, bisect_right
from collections import Counter, OrderedDict, deque
from collections.abc import Iterator, Sequence
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from tunewright.embedding.embedder import Embedder

Ids = tuple[int, ...]
Vectors = NDArray[np.float32]

AROUND = 2  # special tokens that engines put around a text
# What a batch costs beside its tokens, as a share of `batch_tokens`: of a transformer on a CPU some
# 10 tokens of 256 (one text of 16 takes 7.3 ms, each of four or more beside others 4.5).
_BATCH = 1 / 32
_LONG = 0.5  # seconds of a batch, with a model whose 512 tokens take some
_LEAST = 128  # tokens; with fewer, a transformer's products are slow


class Work:
    """The inputs of one request, until all are computed. `who`: whose it is."""

    def __init__(self, who: str, inputs: Sequence[Sequence[int]]) -> None:
        self.who = who
        self.inputs = len(inputs)
        self._places: dict[Ids, list[int]] = {}  # of each distinct input
        for place, ids in enumerate(inputs):
            self._places.setdefault(tuple(ids), []).append(place)
        self._waiting = sorted(self._places, key=len)
        self._computed = 0
        self._vectors: Vectors | None = None

    @property
    def waits(self) -> bool:
        """Whether some of it is in no batch yet."""
        return bool(self._waiting)

    @property
    def longest(self) -> int:
        return len(self._waiting[-1])

    @property
    def lengths(self) -> Iterator[int]:
        return map(len, self._waiting)

    def take(self, least: int, most: int, room: int) -> list[Ids]:
        """Up to `room` inputs of `least` to `most` tokens, the longest of them."""
        end = bisect_right(self._waiting, most, key=len)
        start = max(end - room, bisect_left(self._waiting, least, key=len))
        taken = self._waiting[start:end]
        del self._waiting[start:end]
        return taken

    def put(self, computed: Sequence[Ids], vectors: Vectors) -> Vectors | None:
        """Take the vectors of some inputs, [computed, d]; all of them, [inputs, d], when they are
        complete."""
        if self._vectors is None:
            self._vectors = np.empty((self.inputs, vectors.shape[1]), np.float32)
        places = [self._places[ids] for ids in computed]
        rows = np.repeat(np.arange(len(places)), list(map(len, places)))
        self._vectors[list(chain.from_iterable(places))] = vectors[rows]
        self._computed += len(computed)
        return self._vectors if self._computed == len(self._places) else None


Batch = list[tuple[Work, list[Ids]]]


class Queue:
    """Work that waits for one engine, which takes `most` tokens at once, padding counted.

    Each batch begins with the next organisation's next work, the longest input of it that waits;
    what room it leaves is for whatever is of like length.
    """

    def __init__(self, most: int) -> None:
        self._most = self._limit = most
        self._cost = most * _BATCH
        self._waiting: OrderedDict[str, deque[Work]] = OrderedDict()  # in the order of their turns
        self._lengths: Counter[int] = Counter()  # how many inputs of a length wait

    def __bool__(self) -> bool:
        return bool(self._waiting)

    def add(self, work: Work) -> None:
        self._waiting.setdefault(work.who, deque()).append(work)
        self._lengths.update(work.lengths)

    def remove(self, work: Work) -> None:
        """What nobody waits for any more, where it waits."""
        works = self._waiting.get(work.who, deque())
        if work in works:
            works.remove(work)
            self._lengths.subtract(work.lengths)
        if not works:
            self._waiting.pop(work.who, None)

    def take(self) -> Batch:
        """The next batch; an empty one where nothing waits."""
        if not self._waiting:
            return []
        first = self._turn()
        least, most = self._like(first.longest)
        room = max(1, self._most // (most + AROUND))
        batch: Batch = []
        for work in chain([first], *self._waiting.values()):
            if taken := work.take(least, most, room):
                batch.append((work, taken))
                room -= len(taken)
                self._lengths.subtract(map(len, taken))
            if not room:
                break
        self._drop_taken()
        return batch

    def _like(self, length: int) -> tuple[int, int]:
        """Which lengths go with this one. All that wait are divided, from the longest down, where
        their padding together would cost more than one batch more."""
        least = most = padding = 0
        for each in sorted(self._lengths, reverse=True):
            padding += self._lengths[each] * (most - each)
            if padding > self._cost or not most:
                if least <= length <= most:
                    break
                most, padding = each, 0
            least = each
        return least, most

    def took(self, batch: Batch, seconds: float) -> int:
        """Smaller batches where they take long: somebody waits for the end of each. Gives the
        tokens of this one."""
        lengths = [len(ids) + AROUND for _, taken in batch for ids in taken]
        tokens = len(lengths) * max(lengths)
        if seconds > _LONG:
            self._most = max(_LEAST, min(self._most, int(tokens * _LONG / seconds)))
        elif 2 * tokens > self._most:
            self._most = min(self._limit, self._most * 5 // 4)
        return tokens

    def _turn(self) -> Work:
        """The work whose turn it is, put behind the others of its organisation, and that one behind
        the other organisations."""
        who, works = self._waiting.popitem(last=False)
        works.rotate(-1)
        self._waiting[who] = works
        return works[-1]

    def _drop_taken(self) -> None:
        self._lengths = +self._lengths
        for who, works in list(self._waiting.items()):
            if left := deque(work for work in works if work.waits):
                self._waiting[who] = left
            else:
                del self._waiting[who]


def embedded(embedder: Embedder, inputs: Sequence[Sequence[int]]) -> Vectors:
    """Vectors [inputs, d] of one request alone, without a scheduler."""
    if not inputs:
        return embedder.embed_tokens([])
    work, queue = Work("", inputs), Queue(embedder.batch_tokens)
    queue.add(work)
    while True:
        [(_, ids)] = queue.take()
        vectors = work.put(ids, embedder.embed_tokens(ids))
        if vectors is not None:
            return vectors
