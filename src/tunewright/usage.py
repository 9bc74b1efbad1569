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

from tunewright.catalog.catalog import Catalog, Shelf
from tunewright.errors import Busy, QuotaExceeded, TokensExceeded
from tunewright.records.batches import OPEN as OPEN_BATCH
from tunewright.records.batches import Batch
from tunewright.records.exports import Export
from tunewright.records.files import File
from tunewright.records.jobs import OPEN, Job
from tunewright.records.uploads import Upload, UploadPart
from tunewright.records.vector_stores import VectorStore
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


class _Used:
    """What an organisation uses now, whichever of its requests and threads asks."""

    def __init__(self, rates: dict[str, int]) -> None:
        self.lock = threading.Lock()
        self.buckets = {what: Bucket(limit) for what, limit in rates.items()}
        self.arriving = 0  # bytes that are being written and are no file yet


class Usage:
    """Of one process: a server, or whoever uses the library, counts for itself."""

    def __init__(self, catalog: Catalog, settings: Settings, size: Callable[[str], int]) -> None:
        """`size`: of a stored blob, in bytes, by its id; 0 of none."""
        self._catalog = catalog
        self._settings = settings
        self._size = size
        rates = {
            "requests": settings.requests_per_minute,
            "tokens": settings.tokens_per_minute,
        }
        self._rates = {what: limit for what, limit in rates.items() if limit}
        self._lock = threading.Lock()
        self._used: dict[str, _Used] = {}

    def of(self, organisation: str, *, admitted: bool = False) -> "Quota":
        """`admitted`: whoever asks has counted the request already, as the API does at its door,
        before it reads a body."""
        with self._lock:
            used = self._used.setdefault(organisation, _Used(self._rates))
        shelf = self._catalog.shelf(organisation)
        return Quota(shelf, self._settings, self._size, used, admitted=admitted)


class Quota:
    """What one organisation may use. Every use case asks it, whoever calls the use case."""

    def __init__(
        self,
        shelf: Shelf,
        settings: Settings,
        size: Callable[[str], int],
        used: _Used,
        *,
        admitted: bool,
    ) -> None:
        self._shelf = shelf
        self._settings = settings
        self._size = size
        self._used = used
        self._admitted = admitted

    def admit(self, *, tokens: bool = False) -> None:
        """Count one request; `tokens`: one that will need some. Raises Busy or TokensExceeded,
        saying when to come back."""
        if self._admitted:
            return
        with self._used.lock:
            if tokens and (bucket := self._used.buckets.get("tokens")):
                _need(bucket, "tokens", 1)
            if bucket := self._used.buckets.get("requests"):
                _need(bucket, "requests", 1)
                bucket.take(1)

    def reserve(self, least: int, most: int | None = None) -> int:
        """Take the tokens of a request that needs `least` and can use up to `most`; how many were
        taken. From any thread.

        Raises TokensExceeded where `least` are not there, saying when they will be.
        """
        with self._used.lock:
            bucket = self._used.buckets.get("tokens")
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

    def spend(self, tokens: int) -> None:
        """Count tokens beyond those that were reserved; fewer than none are given back."""
        with self._used.lock:
            if bucket := self._used.buckets.get("tokens"):
                bucket.take(tokens)

    def headers(self) -> dict[str, str]:
        """OpenAI's ``x-ratelimit-*`` for the rates that are limited."""
        found: dict[str, str] = {}
        with self._used.lock:
            for what, bucket in self._used.buckets.items():
                found[f"x-ratelimit-limit-{what}"] = str(bucket.limit)
                found[f"x-ratelimit-remaining-{what}"] = str(max(0, int(bucket.level())))
                wait = bucket.seconds_until(bucket.limit)
                found[f"x-ratelimit-reset-{what}"] = duration(wait)
        return found

    def check_jobs(self) -> None:
        """Raises where one more job is too many. Call it in the transaction that adds the job."""
        most, queue = self._settings.concurrent_jobs, self._settings.queued_jobs
        if most is None and queue is None:
            return
        open_ = {status: len(self._shelf.all(Job, where={"status": status})) for status in OPEN}
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

    def check_batches(self) -> None:
        """Raises Busy where one more batch is too many. Call it in the transaction that adds it."""
        most = self._settings.concurrent_batches
        if most is None:
            return
        open_ = sum(len(self._shelf.all(Batch, where={"status": status})) for status in OPEN_BATCH)
        if open_ >= most:
            raise Busy(
                f"Your organization may have {most} batches that have not ended, and has {open_}. "
                "Wait for one to end, or cancel one.",
                retry_after=60.0,
            )

    def check_disk(self, more: int) -> None:
        """Raises QuotaExceeded where `more` bytes of files or of an export are too many. Call it in
        the transaction that adds them."""
        most = self._settings.disk_bytes
        if most is not None and (stored := self._stored()) + more > most:
            raise _disk_full(most, stored, more)

    def check_part(self, upload: Upload, size: int) -> None:
        """The same for one more part of an upload, whose announced bytes are counted already."""
        if self._settings.disk_bytes is not None:
            announced = max(0, upload.bytes - self._came()[upload.id])
            self.check_disk(max(0, size - announced))

    def arrival(self, announced: int = 0) -> "Arrival":
        """For bytes that are being written and are no file yet; close it when they are, or are
        gone. `announced`: so many are counted already."""
        most = self._settings.disk_bytes
        stored = 0 if most is None else self._stored() - announced
        return Arrival(self._used, stored, most)

    def _stored(self) -> int:
        """Bytes of all files, exports and vector stores, and of the uploads that are to become
        files: those announced, or those that have come, where these are more."""
        files = sum(file.bytes for file in self._shelf.all(File))
        files += sum(export.bytes or 0 for export in self._shelf.all(Export))
        files += sum(store.usage_bytes for store in self._shelf.all(VectorStore))
        pending = self._shelf.all(Upload, where={"status": "pending"})
        came = self._came() if pending else Counter[str]()
        return files + sum(max(upload.bytes, came[upload.id]) for upload in pending)

    def _came(self) -> Counter[str]:
        """Bytes of the parts that are there, by upload."""
        came: Counter[str] = Counter()
        for part in self._shelf.all(UploadPart):
            came[part.upload_id] += self._size(part.id)
        return came


class Arrival:
    def __init__(self, used: _Used, stored: int, most: int | None) -> None:
        self._used = used
        self._stored = stored
        self._most = most
        self._held = 0

    def more(self, size: int) -> None:
        """Raises QuotaExceeded where so many more bytes are too many."""
        with self._used.lock:
            self._held += size
            self._used.arriving += size
            together = self._used.arriving
        if self._most is not None and self._stored + together > self._most:
            raise _disk_full(self._most, self._stored, together)

    def close(self) -> None:
        with self._used.lock:
            self._used.arriving -= self._held
            self._held = 0


def _disk_full(most: int, used: int, more: int) -> QuotaExceeded:
    return QuotaExceeded(
        f"Your organization's files, exports and vector stores may have {most} bytes together; "
        f"they have {used}, "
        f"and this one {more}. Delete those that you no longer need.",
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
