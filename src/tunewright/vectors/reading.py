"""The attributes of rows whose ids are known: what a search found, for instance."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Protocol, runtime_checkable

from tunewright.vectors.index import VectorIndex

_LAST = "\U0010ffff"  # of all characters


@runtime_checkable
class _ById(Protocol):
    """An index that can be asked for rows by their ids."""

    def attributes(self, name: str, ids: Sequence[str]) -> Mapping[str, Mapping[str, Any]]: ...


def attributes_of(
    index: VectorIndex, name: str, ids: Sequence[str]
) -> dict[str, Mapping[str, Any]]:
    """By id; an id that has gone meanwhile is missing."""
    if isinstance(index, _ById):
        return dict(index.attributes(name, ids))
    return dict(_read(index, name, ids))


def _read(
    index: VectorIndex, name: str, ids: Sequence[str]
) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """By pages of rows in the order of their ids: one is the first behind what comes before it."""
    for id in ids:
        rows = index.read(name, _before(id), 1)
        while rows.ids and rows.ids[0] < id:
            rows = index.read(name, rows.ids[0], 1)
        if rows.ids and rows.ids[0] == id:
            yield id, rows.attributes[0]


def _before(id: str) -> str:
    """A text before `id` in the order of code points, with next to none in between."""
    last = ord(id[-1])
    if last == 0:
        return id[:-1]
    before = 0xD7FF if last == 0xE000 else last - 1  # surrogates lie there, which no text has
    return id[:-1] + chr(before) + _LAST
