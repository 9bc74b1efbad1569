"""A queue in which organisations take turns: who asks for much does not stand before everybody."""

from collections import deque
from collections.abc import Callable, Iterator
from typing import Generic, TypeVar

T = TypeVar("T")


class Turns(Generic[T]):
    """First come, first served within an organisation; a turn each among those that wait."""

    def __init__(self) -> None:
        self._queues: dict[str, deque[T]] = {}  # in the order of their turns; none is empty

    def __bool__(self) -> bool:
        return bool(self._queues)

    def __len__(self) -> int:
        return sum(map(len, self._queues.values()))

    def __iter__(self) -> Iterator[T]:
        for items in self._queues.values():
            yield from items

    def add(self, organisation: str, item: T) -> None:
        self._queues.setdefault(organisation, deque()).append(item)

    def next(self, may: Callable[[T], bool] = lambda _: True) -> T | None:
        """The oldest item of the first organisation where it `may` go on. The organisation is
        behind the others now; the item stays until it is removed."""
        for organisation, items in self._queues.items():
            if may(items[0]):
                self._queues[organisation] = self._queues.pop(organisation)
                return items[0]
        return None

    def remove(self, organisation: str, item: T) -> bool:
        """Whether it was there."""
        items = self._queues.get(organisation, deque[T]())
        for at, found in enumerate(items):
            if found is item:
                del items[at]
                if not items:
                    del self._queues[organisation]
                return True
        return False
