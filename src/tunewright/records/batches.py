"""A batch: many requests in one file, answered in their own time into another."""

from typing import ClassVar, Literal, get_args

from pydantic import Field

from tunewright.records.files import ExpiresAfter
from tunewright.records.jobs import Metadata
from tunewright.records.record import Record, Request, new_id, now

# A new one needs its row in `work.batch_endpoints`.
BatchEndpoint = Literal["/v1/chat/completions", "/v1/completions", "/v1/embeddings"]
BatchStatus = Literal[
    "validating",
    "failed",
    "in_progress",
    "finalizing",
    "completed",
    "expired",
    "cancelling",
    "cancelled",
]
ENDED: tuple[BatchStatus, ...] = ("completed", "failed", "expired", "cancelled")
OPEN: tuple[BatchStatus, ...] = tuple(s for s in get_args(BatchStatus) if s not in ENDED)

MOST_REQUESTS = 50_000
MOST_INPUTS = 50_000  # texts to embed, of all requests together
WINDOW_SECONDS = 24 * 3600


class BatchRequest(Request):
    """output_expires_after: when the files with the answers delete themselves; the time runs from
    when they were made. Not given: never."""

    input_file_id: str
    endpoint: BatchEndpoint
    completion_window: Literal["24h"]
    metadata: Metadata | None = None
    output_expires_after: ExpiresAfter | None = None


class BatchError(Record):
    """line: of the input file, from 1. param: the field of that line."""

    code: str
    message: str
    param: str | None = None
    line: int | None = None


class BatchErrors(Record):
    object: Literal["list"] = "list"
    data: list[BatchError]


class RequestCounts(Record):
    """Of those that were answered, the good and the bad. What the end of a batch cut off is in
    neither: it is `total` less both."""

    total: int = 0
    completed: int = 0
    failed: int = 0


class InputTokens(Record):
    cached_tokens: int = 0


class OutputTokens(Record):
    reasoning_tokens: int = 0


class BatchUsage(Record):
    input_tokens: int = 0
    input_tokens_details: InputTokens = InputTokens()
    output_tokens: int = 0
    output_tokens_details: OutputTokens = OutputTokens()
    total_tokens: int = 0


class Batch(Record):
    """`model`: the one of its requests, once they have been read. `request_counts` and `usage`
    grow while it runs. `output_expires_after` is left out where it was not given."""

    table: ClassVar = "batches"
    searched: ClassVar = ("status", "input_file_id")

    id: str = Field(default_factory=lambda: new_id("batch_"))
    object: Literal["batch"] = "batch"
    endpoint: BatchEndpoint
    model: str | None = None
    errors: BatchErrors | None = None
    input_file_id: str
    completion_window: Literal["24h"] = "24h"
    status: BatchStatus = "validating"
    output_file_id: str | None = None
    error_file_id: str | None = None
    created_at: int = Field(default_factory=now)
    in_progress_at: int | None = None
    expires_at: int
    finalizing_at: int | None = None
    completed_at: int | None = None
    failed_at: int | None = None
    expired_at: int | None = None
    cancelling_at: int | None = None
    cancelled_at: int | None = None
    request_counts: RequestCounts = RequestCounts()
    usage: BatchUsage = BatchUsage()
    metadata: Metadata | None = None
    output_expires_after: ExpiresAfter | None = Field(
        default=None, exclude_if=lambda it: it is None
    )
