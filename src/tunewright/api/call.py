"""A call is declared once, in the file of its resource: where it is, its name, what it takes and
gives, what it counts as, and what answers it. Routes, the gate's rules, the OpenAPI document and
the tables of `docs/` follow from that.
"""

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal, Protocol, TypeAlias

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from tunewright.api.acting import acting
from tunewright.api.bodies import read_json, read_query
from tunewright.api.crowd import answer, change, search
from tunewright.api.once import once
from tunewright.records import record
from tunewright.records.record import Record

Schema: TypeAlias = dict[str, Any]
JSON: Schema = {"type": "object"}
Handler: TypeAlias = Callable[[Request], Awaitable[Response]]
_CONVERTER = re.compile(r":\w+\}")


class Draft(Protocol):
    """What takes time before it is written to the catalog, in steps (`resources.job_drafts`)."""

    def seal(self) -> None: ...
    def publish(self) -> Record: ...
    def close(self) -> None: ...


@dataclass(frozen=True)
class Use:
    """Answers with the record of a use case of `acting`, which gets the parameters of the path, and
    by name the fields of the query or of the body."""

    how: Callable[[Request, Callable[[], Record]], Awaitable[Response]]
    use: Callable[..., Record]

    async def answer(self, request: Request, call: "Call") -> Response:
        given = await call.given(request)
        names = request.path_params.values()
        return await self.how(request, lambda: self.use(acting(request), *names, **given))


@dataclass(frozen=True)
class Drafting:
    """The same for a draft: `use` gets the body whole, for what is done before the transaction."""

    use: Callable[..., Draft]

    async def answer(self, request: Request, call: "Call") -> Response:
        body = await call.given(request)
        draft = self.use(acting(request), *request.path_params.values(), body)
        try:
            return await once(request, draft.publish, before=draft.seal)
        finally:
            await run_in_threadpool(draft.close)


reads = partial(Use, answer)
searches = partial(Use, search)
changes = partial(Use, change)
makes = partial(Use, once)
drafts = Drafting


@dataclass(frozen=True)
class Call:
    """One method of one path. `name` is what the official SDK calls it. `gives` is a record, a JSON
    schema, or None for bytes.

    run: what answers it: a use case (`reads`, `changes`, `makes` once, `drafts`) or a handler.
    takes: the JSON body.  form: the parts of a multipart body.  query: the query's fields.
    optional: required fields that may be left out, as the path gives them.
    empty: the body may be left out.  streams: server-sent events as well.  open: needs no key.
    counts: what it uses up of its organisation's rates, where it is a POST.
    media_type: of the bytes that it gives.
    """

    method: str
    path: str
    name: str
    summary: str
    gives: type[Record] | Schema | None
    run: Use | Drafting | Handler
    takes: type[record.Request] | None = None
    form: type[record.Request] | None = None
    query: type[record.Request] | None = None
    optional: tuple[str, ...] = ()
    empty: bool = False
    streams: bool = False
    open: bool = False
    counts: Literal["request", "tokens", "nothing"] = "request"
    media_type: str = "application/octet-stream"

    @property
    def described(self) -> str:
        """The path as documents write it: ``{id:path}``, for ids that hold a slash, is ``{id}``."""
        return _CONVERTER.sub("}", self.path)

    @property
    def route(self) -> Route:
        return Route(self.path, self.answer, methods=[self.method])

    async def answer(self, request: Request) -> Response:
        if isinstance(self.run, Use | Drafting):
            return await self.run.answer(request, self)
        return await self.run(request)

    async def given(self, request: Request) -> dict[str, Any]:
        """The fields of the query, or of the body."""
        if self.query:
            return read_query(request)
        return await read_json(request, empty=self.empty) if self.takes else {}
