"""The lines of a batch's files: requests in, answers and errors out."""

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Annotated, Any, Literal, TypeAlias

import orjson
from pydantic import StringConstraints

from tunewright.errors import BadRequest
from tunewright.records.batches import (
    MOST_INPUTS,
    MOST_REQUESTS,
    Batch,
    BatchEndpoint,
    BatchError,
)
from tunewright.records.record import Request
from tunewright.tables.problems import Fault
from tunewright.tables.reading import Line, lines
from tunewright.work.batch_endpoints import ENDPOINTS

MOST_ERRORS = 50  # that are listed; the others are counted
_READ = 100  # lines between two looks at the clock
_GROUP_INPUTS = 2048  # as many as one request may have: their vectors are in memory together


class _Line(Request):
    custom_id: Annotated[str, StringConstraints(min_length=1)]
    method: Literal["POST"]
    url: str
    body: dict[str, Any]


@dataclass(frozen=True)
class Asked:
    """One request of a file. number: of its line, from 1."""

    number: int
    custom_id: str
    body: dict[str, Any]


Group: TypeAlias = list[Asked]
"""Requests that are answered together."""


@dataclass(frozen=True)
class Answered:
    """What became of one: the line of the output file, or of the error file where it `failed`, and
    the tokens that it took."""

    number: int
    line: bytes
    failed: bool = False
    read: int = 0
    written: int = 0


class Checking:
    """Reads the whole file of a batch, a while at a time."""

    def __init__(self, path: Path, endpoint: BatchEndpoint) -> None:
        self.errors: list[BatchError] = []
        self.total = 0
        self.model: str | None = None
        self.model_line = 0
        self._more = 0
        self._inputs = 0
        self._endpoint: BatchEndpoint = endpoint
        self._seen: dict[str, int] = {}
        self._lines = lines(path)

    def go_on(self, stop: Callable[[], bool]) -> bool:
        """Whether the end was reached before `stop` said that it is enough for now."""
        while some := list(islice(self._lines, _READ)):
            for line in some:
                if not line.blank:
                    self._take(line)
                if self.total > MOST_REQUESTS:
                    self._end("too_many_tasks", f"more than {MOST_REQUESTS:,} requests")
                    return True
            if stop():
                return False
        if not self.total:
            self._add(BatchError(code="empty_file", message="The file holds no requests."))
        if self._inputs > MOST_INPUTS:
            self._end("too_many_inputs", f"{self._inputs:,} texts to embed")
        self._tell_of_more()
        return True

    def fail(self, code: str | None, message: str) -> None:
        """The model cannot answer them."""
        found = BatchError(
            code=code or "invalid_value", message=message, param="body.model", line=self.model_line
        )
        self._add(found)

    def _end(self, code: str, much: str) -> None:
        said = (
            f"The file holds {much}; a batch may have {MOST_REQUESTS:,}. Make several batches of "
            "it."
        )
        self.errors.insert(0, BatchError(code=code, message=said))

    def _take(self, line: Line) -> None:
        self.total += 1
        if line.fault is not None:
            return self._add(_unreadable(line.number, line.fault))
        try:
            self._check(line.number, line.value)
        except BadRequest as error:
            self._add(
                BatchError(
                    code=error.code or "invalid_request",
                    message=error.message,
                    param=error.param,
                    line=line.number,
                )
            )
        return None

    def _check(self, number: int, value: Any) -> None:
        if not isinstance(value, dict):
            raise BadRequest("Each line must be a JSON object.", code="invalid_json_line")
        asked: _Line = _Line.parse(value)
        first = self._seen.setdefault(asked.custom_id, number)
        if first != number:
            raise BadRequest(
                f"The custom_id of this line stands in line {first} too. Each must be its own, or "
                "answers could not be told apart.",
                param="custom_id",
                code="duplicate_custom_id",
            )
        if asked.url != self._endpoint:
            raise BadRequest(
                f"The 'url' of this line is not the endpoint of the batch, {self._endpoint}.",
                param="url",
                code="url_mismatch",
            )
        self._check_body(number, asked.body)

    def _check_body(self, number: int, body: dict[str, Any]) -> None:
        if body.get("stream"):
            raise BadRequest(
                "A batch cannot stream: leave 'stream' out.",
                param="body.stream",
                code="invalid_value",
            )
        model = body.get("model")
        if not isinstance(model, str) or not model:
            raise BadRequest(
                "Missing required parameter: 'body.model'.",
                param="body.model",
                code="missing_required_parameter",
            )
        if self.model is None:
            self.model, self.model_line = model, number
        elif model != self.model:
            raise BadRequest(
                f"The model of this line is not that of line {self.model_line}. All requests of a "
                "batch have one model: make a batch for each.",
                param="body.model",
                code="model_mismatch",
            )
        self._inputs += ENDPOINTS[self._endpoint].inputs(body)

    def _add(self, error: BatchError) -> None:
        if len(self.errors) < MOST_ERRORS:
            self.errors.append(error)
        else:
            self._more += 1

    def _tell_of_more(self) -> None:
        if self._more:
            said = f"{self._more:,} more lines are wrong. The first {MOST_ERRORS} are listed."
            self.errors.append(BatchError(code="too_many_errors", message=said))


def _unreadable(number: int, fault: Fault) -> BatchError:
    """Without what stands there: the record lasts longer than the file."""
    near = f", near {fault.excerpt}" if fault.excerpt else ""
    what = fault.message.replace(near, "") if near else fault.message
    return BatchError(code="invalid_json_line", message=f"{what} {fault.remedy}", line=number)


def requests(path: Path) -> Iterator[Asked]:
    """Of a file that was checked."""
    for line in lines(path):
        if not line.blank:
            value = line.value
            yield Asked(line.number, value["custom_id"], value["body"])


def groups(path: Path, endpoint: BatchEndpoint) -> Iterator[Group]:
    """The same, in groups that are the same whenever the file is read."""
    how = ENDPOINTS[endpoint]
    group, inputs = list[Asked](), 0
    for asked in requests(path):
        more = how.inputs(asked.body)
        if group and (len(group) >= how.group or inputs + more > _GROUP_INPUTS):
            yield group
            group, inputs = [], 0
        group.append(asked)
        inputs += more
    if group:
        yield group


def file_id(batch: Batch, what: str) -> str:
    return f"file-{hashlib.sha256(f'{batch.id}/{what}'.encode()).hexdigest()[:24]}"


@dataclass(frozen=True)
class Naming:
    """Ids and times of a batch's answers follow from the batch and the line, so that a request
    which is answered again, after a crash, has the same ones."""

    batch: Batch

    def digest(self, number: int, what: str) -> str:
        text = f"{self.batch.id}/{number}/{what}"
        return hashlib.sha256(text.encode()).hexdigest()

    def seed(self, number: int) -> int:
        """For a request that names none: it is answered with the same draws when it is answered
        again."""
        return int(self.digest(number, "seed")[:12], 16)

    def good(self, asked: Asked, body: dict[str, Any]) -> bytes:
        named = dict(body)
        if isinstance(body.get("id"), str):
            prefix = body["id"].partition("-")[0]
            named["id"] = f"{prefix}-{self.digest(asked.number, 'answer')[:24]}"
        if "created" in body:
            named["created"] = self.batch.created_at
        for index, choice in enumerate(body.get("choices", ())):
            for place, call in enumerate(choice.get("message", {}).get("tool_calls") or ()):
                digest = self.digest(asked.number, f"call-{index}-{place}")
                call["id"] = f"call_{digest[:24]}"
        return self._line(asked, self._response(asked, 200, named), None)

    def refused(self, asked: Asked, status: int, body: dict[str, Any]) -> bytes:
        return self._line(asked, self._response(asked, status, body), None)

    def unasked(self, asked: Asked, code: str, message: str) -> bytes:
        return self._line(asked, None, {"code": code, "message": message})

    def _response(self, asked: Asked, status: int, body: dict[str, Any]) -> dict[str, Any]:
        request = f"req_{self.digest(asked.number, 'request')[:32]}"
        return {"status_code": status, "request_id": request, "body": body}

    def _line(
        self, asked: Asked, response: dict[str, Any] | None, error: dict[str, Any] | None
    ) -> bytes:
        return orjson.dumps(
            {
                "id": f"batch_req_{self.digest(asked.number, 'line')[:24]}",
                "custom_id": asked.custom_id,
                "response": response,
                "error": error,
            },
            option=orjson.OPT_SERIALIZE_NUMPY,
        )
