"""What an organisation may use: requests and tokens a minute, open jobs, bytes of files.

Every limit is off unless the operator sets it, and holds for each organisation by itself. Rates
are buckets in memory, which fill steadily and are full after a restart. What a request costs in
tokens is known only when it has run: the tokens of a bucket may go below zero, and then the
organisation waits until they are above it again.
"""

import threading
import time
from collections.abc import Callable

from tunewright.catalog.catalog import Catalog
from tunewright.errors import Busy, QuotaExceeded, TokensExceeded
from tunewright.records.files import File
from tunewright.records.jobs import OPEN, Job
from tunewright.settings import Settings


class Bucket:
    """`limit` units a minute, all of which may be used at once. `clock` gives seconds."""

    def __init__(self, limit: int, clock: Callable[[], float] = time.monotonic) -> None:
        self.limit = limit
        self._clock = clock
        self._level = float(limit)
        self._at = clock()

    def level(self) -> float:
        now = self._clock()
        self._level = min(self.limit, self._level + (now - self._at) * self.limit / 60)
        self._at = now
        return self._level

    def take(self, amount: float) -> None:
        self._level = self.level() - amount

    def seconds_until(self, level: float) -> float:
        return max(0.0, (level - self.level()) * 60 / self.limit)


class Usage:
    def __init__(self, catalog: Catalog, settings: Settings) -> None:
        self._catalog = catalog
        self._settings = settings
        rates = {
            "requests": settings.requests_per_minute,
            "tokens": settings.tokens_per_minute,
        }
        self._rates = {what: limit for what, limit in rates.items() if limit}
        self._lock = threading.Lock()
        self._buckets: dict[str, dict[str, Bucket]] = {}

    def admit(self, organisation: str) -> None:
        """Count one request. Raises Busy or TokensExceeded, saying when to come back."""
        with self._lock:
            buckets = self._of(organisation)
            for what, error in (("tokens", TokensExceeded), ("requests", Busy)):
                bucket = buckets.get(what)
                if bucket and bucket.level() < 1:
                    wait = bucket.seconds_until(1)
                    raise error(
                        f"Rate limit reached for {what} a minute: limit {bucket.limit}. Please try "
                        f"again in {duration(wait)}.",
                        retry_after=wait,
                    )
            if "requests" in buckets:
                buckets["requests"].take(1)

    def spend(self, organisation: str, tokens: int) -> None:
        """Count tokens that were read or written. From any thread."""
        with self._lock:
            bucket = self._of(organisation).get("tokens")
            if bucket:
                bucket.take(tokens)

    def headers(self, organisation: str) -> dict[str, str]:
        """OpenAI's ``x-ratelimit-*`` for the rates that are limited."""
        found: dict[str, str] = {}
        with self._lock:
            for what, bucket in self._of(organisation).items():
                found[f"x-ratelimit-limit-{what}"] = str(bucket.limit)
                found[f"x-ratelimit-remaining-{what}"] = str(max(0, int(bucket.level())))
                wait = bucket.seconds_until(bucket.limit)
                found[f"x-ratelimit-reset-{what}"] = duration(wait)
        return found

    def check_jobs(self, organisation: str) -> None:
        """Raises where one more job is too many. Call it in the transaction that adds the job."""
        most, queue = self._settings.concurrent_jobs, self._settings.queued_jobs
        if most is None and queue is None:
            return
        shelf = self._catalog.shelf(organisation)
        open_ = {status: len(shelf.all(Job, where={"status": status})) for status in OPEN}
        running = open_.pop("running")
        pending = sum(open_.values())
        if most is not None and running + pending >= most:
            raise Busy(
                "This fine-tune request has been rate-limited. Your organization has reached the "
                f"maximum of {most} active requests ({running} running, {pending} pending).",
                retry_after=60.0,
            )
        if queue is not None and pending >= queue:
            raise QuotaExceeded(
                f"Your organization may have {queue} jobs waiting, and has {pending}. Wait for one "
                "to run, or cancel one."
            )

    def check_disk(self, organisation: str, more: int) -> None:
        """Raises QuotaExceeded where `more` bytes of files are too many."""
        most = self._settings.disk_bytes
        if most is None:
            return
        used = sum(file.bytes for file in self._catalog.shelf(organisation).all(File))
        if used + more > most:
            raise QuotaExceeded(
                f"Your organization's files may have {most} bytes together; they have {used}, and "
                f"this one {more}. Delete files that you no longer need.",
                param="file",
            )

    def _of(self, organisation: str) -> dict[str, Bucket]:
        if organisation not in self._buckets:
            self._buckets[organisation] = {w: Bucket(limit) for w, limit in self._rates.items()}
        return self._buckets[organisation]


def duration(seconds: float) -> str:
    """``12ms``, ``1.5s``, ``1m30s``: as OpenAI's headers write it."""
    if seconds < 1:
        return f"{round(seconds * 1000)}ms"
    minutes, rest = divmod(round(seconds, 2), 60)
    return f"{int(minutes)}m{round(rest)}s" if minutes else f"{rest:g}s"
