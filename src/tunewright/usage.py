"""What an organisation may use: requests and tokens a minute, open jobs, bytes of files.

Every limit is off unless the operator sets it, and holds for each organisation by itself. Rates
are buckets in memory, which fill steadily and are full after a restart. What a request costs in
tokens is known only when it has run: so the most that it can cost is taken before, and what it did
not use is given back. Where less is left than that, all of it is taken: such a request may use
more than was left, and then the organisation waits, never longer than two minutes.
"""

import threading
import time
from collections import Counter
from collections.abc import Callable

from tunewright.catalog.catalog import Catalog
from tunewright.errors import Busy, QuotaExceeded, TokensExceeded
from tunewright.records.files import File
from tunewright.records.jobs import OPEN, Job
from tunewright.records.uploads import Upload, UploadPart
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
        """A debt is as large as the limit at most."""
        self._level = min(self.limit, max(-self.limit, self.level() - amount))

    def seconds_until(self, level: float) -> float:
        return max(0.0, (level - self.level()) * 60 / self.limit)


class Usage:
    def __init__(self, catalog: Catalog, settings: Settings, size: Callable[[str], int]) -> None:
        """`size`: of a stored blob, in bytes, by its id; 0 of none."""
        self._catalog = catalog
        self._settings = settings
        self._size = size
        self._arriving: Counter[str] = Counter()
        rates = {
            "requests": settings.requests_per_minute,
            "tokens": settings.tokens_per_minute,
        }
        self._rates = {what: limit for what, limit in rates.items() if limit}
        self._lock = threading.Lock()
        self._buckets: dict[str, dict[str, Bucket]] = {}

    def admit(self, organisation: str, *, tokens: bool = False) -> None:
        """Count one request; `tokens`: one that will need some. Raises Busy or TokensExceeded,
        saying when to come back."""
        with self._lock:
            buckets = self._of(organisation)
            if tokens and (bucket := buckets.get("tokens")):
                _need(bucket, "tokens", 1)
            if bucket := buckets.get("requests"):
                _need(bucket, "requests", 1)
                bucket.take(1)

    def reserve(self, organisation: str, least: int, most: int | None = None) -> int:
        """Take the tokens of a request that needs `least` and can use up to `most`; how many were
        taken. From any thread.

        Raises TokensExceeded where `least` are not there, saying when they will be.
        """
        with self._lock:
            bucket = self._of(organisation).get("tokens")
            if bucket is None:
                return 0
            if least > bucket.limit:
                raise TokensExceeded(
                    f"Request too large for tokens a minute: limit {bucket.limit}, requested "
                    f"{least}. Send fewer at a time.",
                    retry=False,
                )
            _need(bucket, "tokens", max(1, least))
            taken = max(least, min(most or least, int(bucket.level())))
            bucket.take(taken)
            return taken

    def spend(self, organisation: str, tokens: int) -> None:
        """Count tokens beyond those that were reserved; fewer than none are given back."""
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
        if most is not None and (used := self._used(organisation)) + more > most:
            raise _disk_full(most, used, more)

    def check_part(self, organisation: str, upload: Upload, size: int) -> None:
        """The same for one more part of an upload, whose announced bytes are counted already."""
        if self._settings.disk_bytes is not None:
            announced = max(0, upload.bytes - self._came(organisation)[upload.id])
            self.check_disk(organisation, max(0, size - announced))

    def arrival(self, organisation: str, announced: int = 0) -> "Arrival":
        """For bytes that are being written and are no file yet; close it when they are, or are
        gone. `announced`: so many are counted already."""
        most = self._settings.disk_bytes
        used = 0 if most is None else self._used(organisation) - announced
        return Arrival(self._arriving, self._lock, organisation, used, most)

    def _used(self, organisation: str) -> int:
        """Bytes of all files, and of the uploads that are to become some: those announced, or
        those that have come, where these are more."""
        shelf = self._catalog.shelf(organisation)
        files = sum(file.bytes for file in shelf.all(File))
        pending = shelf.all(Upload, where={"status": "pending"})
        came = self._came(organisation) if pending else Counter[str]()
        return files + sum(max(upload.bytes, came[upload.id]) for upload in pending)

    def _came(self, organisation: str) -> Counter[str]:
        """Bytes of the parts that are there, by upload."""
        came: Counter[str] = Counter()
        for part in self._catalog.shelf(organisation).all(UploadPart):
            came[part.upload_id] += self._size(part.id)
        return came

    def _of(self, organisation: str) -> dict[str, Bucket]:
        if organisation not in self._buckets:
            self._buckets[organisation] = {w: Bucket(limit) for w, limit in self._rates.items()}
        return self._buckets[organisation]


class Arrival:
    def __init__(
        self,
        arriving: Counter[str],
        lock: threading.Lock,
        organisation: str,
        used: int,
        most: int | None,
    ) -> None:
        """`arriving`: what all arrivals together hold, by organisation, guarded by `lock`."""
        self._arriving = arriving
        self._lock = lock
        self._organisation = organisation
        self._used = used
        self._most = most
        self._held = 0

    def more(self, size: int) -> None:
        """Raises QuotaExceeded where so many more bytes are too many."""
        with self._lock:
            self._held += size
            self._arriving[self._organisation] += size
            together = self._arriving[self._organisation]
        if self._most is not None and self._used + together > self._most:
            raise _disk_full(self._most, self._used, together)

    def close(self) -> None:
        with self._lock:
            self._arriving[self._organisation] -= self._held
            self._held = 0


def _disk_full(most: int, used: int, more: int) -> QuotaExceeded:
    return QuotaExceeded(
        f"Your organization's files may have {most} bytes together; they have {used}, and this one "
        f"{more}. Delete files that you no longer need.",
        param="file",
    )


def _need(bucket: Bucket, what: str, level: int) -> None:
    if bucket.level() >= level:
        return
    wait = bucket.seconds_until(level)
    error = TokensExceeded if what == "tokens" else Busy
    raise error(
        f"Rate limit reached for {what} a minute: limit {bucket.limit}. Please try again in "
        f"{duration(wait)}.",
        retry_after=wait,
    )


def duration(seconds: float) -> str:
    """``12ms``, ``1.5s``, ``1m30s``, ``4h28m0s``: as OpenAI's headers write it."""
    if seconds < 1:
        return f"{round(seconds * 1000)}ms"
    if seconds < 59.995:
        return f"{round(seconds, 2):g}s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}h{minutes}m{rest}s" if hours else f"{minutes}m{rest}s"
