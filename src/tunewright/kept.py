"""What is costly to open, kept open for everybody who asks for it."""

import threading
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class Kept(Generic[T]):
    """What is costly to open and the same for everybody, opened once; at most `most` are kept,
    those that were used last. Who wants one that is there does not wait for another's opening."""

    def __init__(self, most: int | None = None) -> None:
        self._lock = threading.Lock()
        self._items: dict[str, _Once[T]] = {}
        self._most = most

    def get(self, key: str, make: Callable[[], T]) -> T:
        with self._lock:
            found = self._items.pop(key) if key in self._items else _Once[T]()
            self._items[key] = found  # the latest last
            while self._most and len(self._items) > self._most:
                del self._items[next(iter(self._items))]
        return found.get(make)


class _Once(Generic[T]):
    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._made: list[T] = []

    def get(self, make: Callable[[], T]) -> T:
        with self._lock:
            if not self._made:
                self._made.append(make())
            return self._made[0]
