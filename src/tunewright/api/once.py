"""A request that is repeated has one effect, and its repetition gets the first one's answer.

Two kinds of repetition are known. The SDKs 1.x to 3.x send a POST again when the reply was lost,
with ``x-stainless-retry-count`` above 0 and no key: then the same organisation, API key, path and
body within 10 minutes are the same request. And a client may name its request with
``Idempotency-Key``, by Stripe's rules: kept for 24 hours; with another body it is refused.

Used by the routes that make or change what lasts. Not by chat, completions and embeddings: they
leave nothing behind, and a stream cannot be given twice. Not where a key is made: its answer holds
a secret, which is kept nowhere.
"""

import asyncio
import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from weakref import WeakValueDictionary

import orjson
from starlette.requests import Request
from starlette.responses import Response

from tunewright.api.acting import acting
from tunewright.api.crowd import lanes
from tunewright.api.responses import error_response, record_response
from tunewright.api.turns import in_turn
from tunewright.catalog.catalog import Catalog
from tunewright.catalog.replies import Replies, Reply
from tunewright.errors import BadRequest, TunewrightError
from tunewright.faults import fault
from tunewright.records.record import Record

RETRY_SECONDS = 600.0
KEY_SECONDS = 24 * 3600.0
MAX_KEY = 255


async def once(
    request: Request, effect: Callable[[], Record], *, before: Callable[[], None] | None = None
) -> Response:
    """Answer with the record of `effect`, or with the answer that an earlier attempt got.

    Call it when the body has been read. `effect` runs inside a transaction, together with the
    keeping of its answer; slow work that writes no record goes into `before`.
    """
    return await request.app.state.once.answer(request, effect, before)


class Once:
    """What is kept of answers, and what is in progress. One process serves a home, so the latter
    needs no record: it ends with the process, as does the work."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog
        self._replies = Replies(catalog)
        self._running: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def answer(
        self, request: Request, effect: Callable[[], Record], before: Callable[[], None] | None
    ) -> Response:
        attempt = _Attempt.of(request)
        lock = self._running.setdefault(attempt.id, asyncio.Lock()) if attempt else asyncio.Lock()
        async with lock:
            if before:
                call = partial(self._prepare, attempt, before)
                if answered := await in_turn(request, lanes(request).storing, call):
                    return answered
            call = partial(self._answer, attempt, effect)
            return await in_turn(request, lanes(request).writing, call)

    def _prepare(self, attempt: "_Attempt | None", before: Callable[[], None]) -> Response | None:
        """The answer, where there is one already."""
        if kept := self._kept(attempt):
            return kept
        try:
            before()
        except TunewrightError as error:
            return self._refused(attempt, error)
        return None

    def _answer(self, attempt: "_Attempt | None", effect: Callable[[], Record]) -> Response:
        if kept := self._kept(attempt):
            return kept
        try:
            with self._catalog.transaction():
                record = effect()
                if attempt:
                    about = getattr(record, "kept_as", None)
                    self._keep(attempt, 200, record.model_dump_json(), about)
            fault("reply.kept")
            return record_response(record)
        except TunewrightError as error:
            return self._refused(attempt, error)

    def _kept(self, attempt: "_Attempt | None") -> Response | None:
        if attempt is None or not attempt.may_repeat:
            return None
        kept = self._replies.get(attempt.organisation, attempt.id, attempt.seconds)
        return _replayed(attempt, kept) if kept else None

    def _refused(self, attempt: "_Attempt | None", error: TunewrightError) -> Response:
        if attempt and attempt.named and error.status < 500 and error.status != 429:
            self._keep(attempt, error.status, orjson.dumps(error.body()).decode(), None)
        return error_response(error)

    def _keep(self, attempt: "_Attempt", status: int, body: str, subject: str | None) -> None:
        reply = Reply(attempt.request, status, body, subject)
        self._replies.put(attempt.organisation, attempt.id, reply, attempt.seconds)


@dataclass(frozen=True)
class _Attempt:
    """One of perhaps several attempts at the same request, told from others by `id`.

    `request`: the sha256 of the body. `named`: by Idempotency-Key. `may_repeat`: an answer may be
    there already; false for an SDK's first attempt, as two equal requests are no repetition.
    """

    organisation: str
    id: str
    request: str
    named: bool
    may_repeat: bool

    @property
    def seconds(self) -> float:
        return KEY_SECONDS if self.named else RETRY_SECONDS

    @classmethod
    def of(cls, request: Request) -> "_Attempt | None":
        """None for a request that says neither which one it is nor which attempt."""
        key = request.headers.get("idempotency-key")
        count = request.headers.get("x-stainless-retry-count", "")
        organisation = acting(request).caller.organisation
        body = getattr(request.state, "body_sha256", "")
        where = [organisation, request.method, request.url.path, request.url.query]
        if key is not None:
            return cls(organisation, _sha256("key", *where, _checked(key)), body, True, True)
        if not count.isdecimal():
            return None
        who = request.headers.get("authorization", "")
        id = _sha256("retry", *where, who, body)
        return cls(organisation, id, body, False, count.strip("0") != "")


def _replayed(attempt: _Attempt, kept: Reply) -> Response:
    if kept.request != attempt.request:
        raise BadRequest(
            "This Idempotency-Key was used for a request with another body. Use a new key for a "
            "new request; only a repetition keeps the key.",
            param="Idempotency-Key",
            code="idempotency_key_reused",
        )
    headers = {"idempotent-replayed": "true"}
    return Response(kept.body, kept.status, headers, media_type="application/json")


def _checked(key: str) -> str:
    if 0 < len(key) <= MAX_KEY:
        return key
    raise BadRequest(
        f"An Idempotency-Key has 1 to {MAX_KEY} characters; this one has {len(key)}.",
        param="Idempotency-Key",
        code="invalid_idempotency_key",
    )


def _sha256(*parts: str) -> str:
    return hashlib.sha256(orjson.dumps(parts)).hexdigest()
