"""The server's log says what an embedding model could not read: once a minute for each model."""

import logging
import threading
import time
from dataclasses import dataclass, field

log = logging.getLogger(__name__)
EVERY = 60.0  # seconds


@dataclass
class _Since:
    """What was not read since the log last said so."""

    said: float | None = None
    requests: int = 0
    unknown: int = 0
    tokens: int = 0


@dataclass
class Unread:
    of: dict[str, _Since] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def take(self, base: str, unknown: int, tokens: int, now: float) -> _Since | None:
        with self.lock:
            since = self.of.setdefault(base, _Since())
            since.requests += 1
            since.unknown += unknown
            since.tokens += tokens
            if since.said is not None and now - since.said < EVERY:
                return None
            self.of[base] = _Since(now)
            return since


_unread = Unread()


def notice(model: str, base: str, unknown: int, tokens: int) -> None:
    """A request to `model`, which `base` answers, had so many unknown tokens among its `tokens`."""
    since = _unread.take(base, unknown, tokens, time.monotonic())
    if since is not None:
        log.warning(
            "%s (asked for as %s) does not know %d of %d tokens in %d requests to embed: texts of "
            "other languages, and emoji, become alike. A multilingual model reads them.",
            base,
            model[:100],
            since.unknown,
            since.tokens,
            since.requests,
        )
