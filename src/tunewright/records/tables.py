"""What becomes of a table whose texts are embedded."""

from typing import ClassVar, Literal

from pydantic import Field

from tunewright.records.events import RecordEvent
from tunewright.records.jobs import JobError
from tunewright.records.record import Record, new_id, now

Status = Literal["queued", "running", "succeeded", "failed", "cancelled"]
OPEN: tuple[Status, ...] = ("queued", "running")


class TableProgress(Record):
    """So far. `share`: which part of the table is read, 0 to 1. `rows` were read: `embedded` have a
    vector, `left_out` have none. `computed`: texts whose vector was not one of an equal text;
    `tokens` are of these, and `unknown` of them the model cannot read; `chunked` of the texts are
    longer than it reads at once, and their vector is the mean of their parts'; of the `truncated`
    it is that of their beginning. `writing`: all is computed, and the output is written."""

    share: float = 0.0
    rows: int = 0
    embedded: int = 0
    left_out: int = 0
    computed: int = 0
    tokens: int = 0
    unknown: int = 0
    chunked: int = 0
    truncated: int = 0
    writing: bool = False


class EmbeddedTable(Record):
    """`left_out`: how many rows have no vector; each is in the file `left_out_file`, with its line
    and the reason (None: there are none). `before`: it was complete already, and nothing was done.
    The counts are those of `TableProgress`."""

    output: str
    model: str
    fingerprint: str
    dimensions: int
    rows: int
    embedded: int
    left_out: int
    computed: int
    tokens: int
    unknown: int
    chunked: int
    truncated: int
    left_out_file: str | None = None
    before: bool = False


class QueuedTable(Record):
    """A table that the worker embeds. `file` and `output` are absolute paths of its machine;
    `result` is there when it has succeeded."""

    table: ClassVar = "tables"

    id: str = Field(default_factory=lambda: new_id("table-"))
    object: Literal["embedding.table"] = "embedding.table"
    created_at: int = Field(default_factory=now)
    file: str
    output: str
    model: str
    column: str | None = None
    template: str | None = None
    sheet: str | None = None
    prompt_name: str | None = None
    overwrite: bool = False
    status: Status = "queued"
    progress: TableProgress = TableProgress()
    error: JobError | None = None
    finished_at: int | None = None
    result: EmbeddedTable | None = None


class TableEvent(RecordEvent):
    """`data`: of one about how far it is, the `TableProgress`."""

    table: ClassVar = "table_events"
    prefix: ClassVar = "tbevent-"

    object: Literal["embedding.table.event"] = "embedding.table.event"
