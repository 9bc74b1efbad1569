"""An upload, streamed straight to the file system where it will stay.

Starlette's own form parser would write the whole file into the temporary directory first, which
may be another and smaller disk. Here the part flows into a `Draft`, hashed and counted, with flat
memory; a form that ends badly leaves nothing.
"""

import hashlib
import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol
from urllib.parse import unquote_to_bytes

import orjson
from python_multipart.exceptions import MultipartParseError
from python_multipart.multipart import MultipartParser, parse_options_header
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request

from tunewright.api.crowd import Visit, in_uploads_turn
from tunewright.errors import BadRequest, Unsupported
from tunewright.records.record import Record

MAX_FIELD = 64 * 1024
MAX_BOUNDARY = 70  # RFC 2046
BATCH = 1024 * 1024
_CODED_NAME = re.compile(rb";\s*filename\*=(utf-8|iso-8859-1)'[^']*'([^;\"\s]+)", re.IGNORECASE)
_ENCODED = (b"base64", b"quoted-printable")  # which HTTP knows not, and some writers of mail do


class Draft(Protocol):
    """What takes the bytes: `resources.files.Draft` and the like. `seal` gets the filename, the
    text of each field that the form's shape requires, then the option, if given."""

    @property
    def sha256(self) -> str: ...

    def write(self, data: bytes) -> None: ...

    @property
    def seal(self) -> Callable[..., Any]: ...

    def publish(self, record: Any, /) -> None: ...

    def close(self) -> None: ...


@dataclass(frozen=True)
class Shape:
    """The fields of a form: one with bytes, the others short texts. All are required, but for
    those of the `option`, an object whose members are fields named ``option[member]``."""

    data: str
    texts: tuple[str, ...] = ()
    option: tuple[str, ...] = ()

    def knows(self, name: str) -> bool:
        return name in (self.data, *self.texts, *self.option)


FILE = Shape("file", ("purpose",), ("expires_after[anchor]", "expires_after[seconds]"))
PART = Shape("data")


@asynccontextmanager
async def receive(
    request: Request,
    draft: Callable[[], Draft],
    shape: Shape = FILE,
) -> AsyncIterator["Form"]:
    """Read a multipart form with the fields of `shape`, in any order.

    What is not published inside the block is gone after it. Raises BadRequest for a form that is
    malformed or lacks a field, Unsupported for other fields.
    """
    form = Form(_boundary(request, shape), draft, shape)
    try:
        batch, visit = bytearray(), Visit.of(request)
        async for piece in request.stream():
            visit.hold(len(piece))  # a thousand that begin and wait are a gigabyte
            batch += piece
            if len(batch) >= BATCH:
                await in_uploads_turn(request, partial(form.write, bytes(batch)))
                visit.release(len(batch))
                batch.clear()
        await in_uploads_turn(request, partial(form.write, bytes(batch)))
        # The SDKs take a new boundary for each attempt: what was sent is told by its parts.
        request.state.body_sha256 = form.digest()
        yield form
    except ClientDisconnect:
        raise BadRequest("The client left before its upload was complete.") from None
    finally:
        await run_in_threadpool(form.close)


def _boundary(request: Request, shape: Shape) -> bytes:
    kind, options = parse_options_header(request.headers.get("content-type", ""))
    if kind != b"multipart/form-data" or not options.get(b"boundary"):
        fields = " and ".join(f"'{name}'" for name in (*shape.texts, shape.data))
        raise BadRequest(f"An upload must be a multipart/form-data request with {fields}.")
    if len(options[b"boundary"]) > MAX_BOUNDARY:
        raise BadRequest(f"The boundary of the form is longer than {MAX_BOUNDARY} characters.")
    return options[b"boundary"]


class Form:
    """A form that was read: `seal` makes its bytes last, `publish` shows what they became."""

    def __init__(self, boundary: bytes, draft: Callable[[], Draft], shape: Shape) -> None:
        self._shape = shape
        self._make_draft = draft
        self._draft: Draft | None = None
        self._record: Record | None = None
        self._complete = False
        self._filename = ""
        self._fields: dict[str, bytearray] = {}
        self._name = ""
        self._headers: dict[bytes, bytes] = {}
        self._header = (bytearray(), bytearray())
        self._parser = MultipartParser(
            boundary,
            {
                "on_part_begin": self._part_begin,
                "on_part_data": self._part_data,
                "on_header_field": lambda data, start, end: self._header[0].extend(data[start:end]),
                "on_header_value": lambda data, start, end: self._header[1].extend(data[start:end]),
                "on_header_end": self._header_end,
                "on_headers_finished": self._headers_finished,
                "on_end": self._end,
            },
        )

    def write(self, data: bytes) -> None:
        try:
            self._parser.write(data)
        except MultipartParseError as error:
            raise BadRequest(f"The form is not valid multipart/form-data: {error}") from None

    def digest(self) -> str:
        """The sha256 of what was sent, whatever the boundary. Raises BadRequest if it is no whole
        form."""
        draft = self._whole()
        told = [
            self._filename,
            draft.sha256,
            *sorted((n, f.hex()) for n, f in self._fields.items()),
        ]
        return hashlib.sha256(orjson.dumps(told)).hexdigest()

    def seal(self) -> None:
        """Sync the bytes, which takes its time with a large file."""
        draft = self._whole()
        texts = {name: _text(field, name) for name, field in self._fields.items()}
        given = [texts.pop(name) for name in self._shape.texts]
        self._record = draft.seal(self._filename, *given, *([_nested(texts)] if texts else []))

    def publish(self) -> Record:
        assert self._record is not None
        self._whole().publish(self._record)
        return self._record

    def close(self) -> None:
        if self._draft is not None:
            self._draft.close()

    def _whole(self) -> Draft:
        if not self._complete:
            raise BadRequest("The form ends before its closing boundary.")
        if self._draft is None:
            raise _missing(self._shape.data)
        for name in self._shape.texts:
            if name not in self._fields:
                raise _missing(name)
        return self._draft

    def _part_begin(self) -> None:
        self._headers.clear()
        self._header = (bytearray(), bytearray())

    def _header_end(self) -> None:
        field, value = self._header
        self._headers[bytes(field).lower()] = bytes(value)
        self._header = (bytearray(), bytearray())

    def _headers_finished(self) -> None:
        disposition = self._headers.get(b"content-disposition", b"")
        _, options = parse_options_header(disposition)
        self._name = _text(options.get(b"name", b""), "name")
        if not self._name:
            raise BadRequest("A part of the form has no name in its Content-Disposition.")
        if self._headers.get(b"content-transfer-encoding", b"").lower() in _ENCODED:
            raise BadRequest(f"'{self._name}' is encoded. Send its bytes as they are.")
        if not self._shape.knows(self._name):
            raise Unsupported(
                f"Unsupported parameter: '{self._name}' is not supported by this server.",
                param=self._name,
            )
        if self._name in self._fields or (self._name == self._shape.data and self._draft):
            raise BadRequest(f"'{self._name}' was given twice.", param=self._name)
        if self._name == self._shape.data:
            self._filename = _filename(disposition, options)
            self._draft = self._make_draft()
        else:
            self._fields[self._name] = bytearray()

    def _part_data(self, data: bytes, start: int, end: int) -> None:
        if self._name == self._shape.data and self._draft:
            self._draft.write(data[start:end])
            return
        field = self._fields[self._name]
        field += data[start:end]
        if len(field) > MAX_FIELD:
            raise BadRequest(f"'{self._name}' is too long.", param=self._name)

    def _end(self) -> None:
        self._complete = True


def _missing(name: str) -> BadRequest:
    return BadRequest(
        f"Missing required parameter: '{name}'.", param=name, code="missing_required_parameter"
    )


def _nested(texts: dict[str, str]) -> dict[str, str | int]:
    """``expires_after[seconds]``: "3600" as a JSON body would have it: seconds: 3600."""
    return {
        name.partition("[")[2].removesuffix("]"): int(text)
        if text.isascii() and text.isdecimal() and len(text) < 12
        else text
        for name, text in texts.items()
    }


def _filename(disposition: bytes, options: dict[bytes, bytes]) -> str:
    """`filename*` is how urllib3 1, so SDK 0.28, writes a name that is not ASCII, and the parser
    leaves it out: the character set, a language, and the name in its bytes."""
    if coded := _CODED_NAME.search(disposition):
        return unquote_to_bytes(coded[2]).decode(coded[1].decode(), "replace")
    return _text(options.get(b"filename", b"file"), "filename")


def _text(value: Any, name: str) -> str:
    try:
        return bytes(value).decode("utf-8")
    except UnicodeDecodeError:
        raise BadRequest(f"'{name}' is not valid UTF-8.", param=name) from None
