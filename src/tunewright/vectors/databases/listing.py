"""Sorted ids of databases that have no order of their own."""

import threading
import time
from bisect import bisect_right
from collections.abc import Callable

_KEPT = 600.0  # seconds


class Listings:
    """The list is made when a first page is asked for, and kept for the pages after it: what others
    write meanwhile may be missing from these. What is written here makes the next one anew."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kept: dict[str, tuple[float, list[str]]] = {}

    def after(
        self, name: str, after: str | None, limit: int, ids: Callable[[], list[str]]
    ) -> list[str]:
        """The first `limit` ids after this one."""
        with self._lock:
            since, listed = self._kept.get(name, (0.0, None))
        if listed is None or after is None or time.monotonic() - since > _KEPT:
            listed = ids()
            with self._lock:
                self._kept[name] = time.monotonic(), listed
        start = 0 if after is None else bisect_right(listed, after)
        found = listed[start : start + limit]
        if start + limit >= len(listed):
            self.forget(name)  # this was the last page
        return found

    def forget(self, name: str) -> None:
        with self._lock:
            self._kept.pop(name, None)
