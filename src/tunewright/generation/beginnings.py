"""Keys and values of prompts that were read before, for prompts with the same prefix.

Chats of one application open with the same system prompt, and each turn of a conversation with the
turns before it. What an organisation's prompts left is used for its own prompts only: how soon an
answer comes would tell others what was asked.
"""

from collections import OrderedDict
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from transformers import DynamicCache

from tunewright.generation.generator import ModelSpec
from tunewright.generation.row import Row
from tunewright.generation.states import copied, row_of, size

BYTES = 1 << 28  # of keys and values, for all prompts of a base
_OF_ONE = 4  # organisations have at least so many parts of it
_EACH = 16  # prompts of one organisation and model: each is compared
_WORTH = 32  # tokens; fewer save less than the copying costs
_GRID = 8  # tokens: prompts that share a little more than their system prompt still share a pass

_Of: TypeAlias = tuple[str, ModelSpec]


@dataclass(eq=False)
class Beginning:
    """A prompt that was read: its ids [time], and a row's keys and values [1, heads, time, size]
    a layer."""

    ids: NDArray[np.int64]
    cache: DynamicCache
    bytes: int


@dataclass(frozen=True)
class Known:
    """The first `length` tokens of a prompt, which `beginning` holds."""

    beginning: Beginning
    length: int

    def cache(self) -> DynamicCache:
        """Of one row; it copies nothing, and what is added to it goes elsewhere."""
        return row_of(self.beginning.cache, 0, self.length)


class Beginnings:
    """Of one base; the least recently used ones make room."""

    def __init__(self) -> None:
        self._kept: OrderedDict[_Of, list[Beginning]] = OrderedDict()

    def find(self, row: Row) -> Known | None:
        """The longest beginning of the row's prompt that is known; at least its last token, from
        which the answer follows, is not."""
        of = _of(row)
        if of is None or len(row.ids) <= _WORTH or row.reports_prompt or of not in self._kept:
            return None
        ids = np.array(row.ids[: row.due - 1])
        found = [Known(each, _common(each.ids, ids) // _GRID * _GRID) for each in self._kept[of]]
        best = max(found, key=lambda known: known.length)
        return best if best.length >= _WORTH else None

    def keep(self, row: Row, cache: DynamicCache, known: Known | None, *, own: bool) -> None:
        """Keep what was read of a prompt, unless it is hardly more than what was `known`. own:
        whether `cache` holds this row only, so that nothing need be copied."""
        of = _of(row)
        if of is None or row.made or row.due - (known.length if known else 0) < _WORTH:
            return
        first = row_of(cache, 0, row.due) if own else copied(cache)
        self._kept.setdefault(of, []).append(
            Beginning(np.array(row.ids[: row.due]), first, size(first))
        )
        self._kept.move_to_end(of)
        del self._kept[of][:-_EACH]
        self._make_room(of[0])

    def used(self, row: Row, known: Known) -> None:
        """It stays longer than others."""
        of = _of(row)
        if of is not None and known.beginning in (some := self._kept.get(of, [])):
            some.remove(known.beginning)
            some.append(known.beginning)
            self._kept.move_to_end(of)

    def forget(self, model: ModelSpec) -> None:
        for of in [of for of in self._kept if of[1] == model]:
            del self._kept[of]

    def _make_room(self, organisation: str) -> None:
        while self._bytes(organisation) > BYTES // _OF_ONE:
            self._drop(next(of for of in self._kept if of[0] == organisation))
        while self._bytes() > BYTES:
            self._drop(next(iter(self._kept)))

    def _bytes(self, organisation: str | None = None) -> int:
        wanted = (of for of in self._kept if organisation in (None, of[0]))
        return sum(each.bytes for of in wanted for each in self._kept[of])

    def _drop(self, of: _Of) -> None:
        self._kept[of].pop(0)
        if not self._kept[of]:
            del self._kept[of]


def _of(row: Row) -> _Of | None:
    """None for a row of no organisation: whose it may be is not known."""
    return (row.organisation, row.request.model) if row.organisation else None


def _common(one: NDArray[np.int64], other: NDArray[np.int64]) -> int:
    length = min(len(one), len(other))
    differing = np.flatnonzero(one[:length] != other[:length])
    return int(differing[0]) if len(differing) else length
