"""Every error that a user can meet, as OpenAI's error body.

    TunewrightError               500 server_error
    ├── BadRequest                400 invalid_request_error
    │   └── Unsupported           400 a parameter that we know and do not offer (yet)
    ├── Unauthorized              401 invalid_request_error, code invalid_api_key
    ├── Forbidden                 403 invalid_request_error
    ├── NotFound                  404 invalid_request_error
    ├── MethodNotAllowed          405 invalid_request_error
    ├── RequestTimeout            408 invalid_request_error: the client was too slow
    ├── PayloadTooLarge           413 invalid_request_error
    ├── UnsupportedMediaType      415 invalid_request_error
    ├── Misdirected               421 invalid_request_error: the Host is none of ours
    ├── Busy                      429 requests, code rate_limit_exceeded
    │   ├── TokensExceeded        429 tokens, code rate_limit_exceeded
    │   └── QuotaExceeded         429 insufficient_quota
    ├── Unavailable               503 server_error
    │   ├── NotRunning            503 what would do it is not there now: nothing was begun
    │   ├── MissingExtra          503 names the pip command that brings what is missing
    │   └── BrokenPackage         503 what another package adds (an engine, say) cannot be used
    ├── StorageFull               507 server_error, code storage_full
    ├── Corrupt                   500 server_error: a file is not what its manifest says
    ├── JobFailed                 never sent as an answer: becomes `error` of a failed job
    └── UnreadableDocument        the same: becomes `last_error` of a file of a vector store

Each class knows its HTTP status and OpenAI's `type`; `message`, `param` and `code` are given
where it is raised. Faces hold no table of their own. 409 is absent on purpose: SDK 0.28.1 repeats
a completion for ever on it and 1.x-3.x retry it.
"""

from typing import ClassVar


class TunewrightError(Exception):
    status: ClassVar[int] = 500
    type: ClassVar[str] = "server_error"
    default_code: ClassVar[str | None] = None
    retry: bool | None = None  # what x-should-retry tells the SDK; None: by the status

    retry_after: float | None = None  # seconds until a repetition may succeed

    def __init__(self, message: str, *, param: str | None = None, code: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.param = param
        self.code = code or self.default_code

    def body(self) -> dict[str, dict[str, str | None]]:
        """The wire form: ``{"error": {"message", "type", "param", "code"}}``."""
        return {
            "error": {
                "message": self.message,
                "type": self.type,
                "param": self.param,
                "code": self.code,
            }
        }


class BadRequest(TunewrightError):
    status = 400
    type = "invalid_request_error"
    retry = False


class Unsupported(BadRequest):
    default_code = "unsupported_parameter"


class Unauthorized(TunewrightError):
    status = 401
    type = "invalid_request_error"
    retry = False


class Forbidden(TunewrightError):
    status = 403
    type = "invalid_request_error"
    retry = False


class NotFound(TunewrightError):
    status = 404
    type = "invalid_request_error"
    retry = False


class MethodNotAllowed(TunewrightError):
    status = 405
    type = "invalid_request_error"
    retry = False


class RequestTimeout(TunewrightError):
    status = 408
    type = "invalid_request_error"


class PayloadTooLarge(TunewrightError):
    status = 413
    type = "invalid_request_error"
    retry = False


class UnsupportedMediaType(TunewrightError):
    status = 415
    type = "invalid_request_error"
    retry = False


class Misdirected(TunewrightError):
    status = 421
    type = "invalid_request_error"
    retry = False


class Busy(TunewrightError):
    status = 429
    type = "requests"
    default_code = "rate_limit_exceeded"
    retry_after = 1.0

    def __init__(
        self,
        message: str,
        *,
        retry_after: float | None = None,
        param: str | None = None,
        code: str | None = None,
        retry: bool | None = None,
    ) -> None:
        super().__init__(message, param=param, code=code)
        if retry_after is not None:
            self.retry_after = retry_after
        if retry is not None:
            self.retry = retry


class TokensExceeded(Busy):
    type = "tokens"


class QuotaExceeded(Busy):
    type = "insufficient_quota"
    default_code = "insufficient_quota"
    retry = False


class Unavailable(TunewrightError):
    status = 503
    retry_after = 1.0


class NotRunning(Unavailable):
    pass


class MissingExtra(Unavailable):
    default_code = "missing_extra"
    retry = False

    def __init__(self, what: str, extra: str) -> None:
        super().__init__(f"{what} needs the extra '{extra}': pip install 'tunewright[{extra}]'")


class BrokenPackage(Unavailable):
    default_code = "broken_package"
    retry = False


class StorageFull(TunewrightError):
    status = 507
    default_code = "storage_full"
    retry = False


class Corrupt(TunewrightError):
    default_code = "model_corrupt"
    retry = False


class JobFailed(TunewrightError):
    """A job's end: `code`, `message` and `param` become the job's `error` object."""


class UnreadableDocument(TunewrightError):
    """A file that gives no text. `code` is OpenAI's: unsupported_file where files of its kind are
    not read, invalid_file where this one cannot be, server_error where it is no fault of its own.
    """

    default_code = "invalid_file"
    retry = False
