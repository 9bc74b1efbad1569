"""The kinds of task, one row each. A new kind is a file in `work/` and its row here."""

from dataclasses import dataclass
from typing import Literal, TypeAlias

Lane: TypeAlias = Literal["cpu", "train", "batch", "table", "ingest", "export", "tidy"]
LANES: tuple[Lane, ...] = ("cpu", "train", "batch", "table", "ingest", "export", "tidy")


@dataclass(frozen=True)
class Kind:
    """name: what its tasks are stored under, so it stays.

    work: ``module:class``, an `Assignment` (`work.assignment`), imported on use; its `run` does the
    task, and its `fail` says what becomes of the subject where the task is given up.
    lane: tasks of one lane are done one at a time.
    priority: which of an organisation's own tasks in the lane is done first: the lowest.
    attempts: so often in a row may it be begun without getting any further; then it is given up.
    None: it is tried until it is done.
    """

    name: str
    work: str
    lane: Lane
    priority: int = 0
    attempts: int | None = 3


KINDS = {
    kind.name: kind
    for kind in (
        Kind("check", "tunewright.work.check:CheckFiles", "cpu"),
        Kind("fine-tune", "tunewright.work.fine_tune:FineTune", "train"),
        Kind("batch-check", "tunewright.work.batch_check:CheckBatch", "cpu"),
        Kind("batch", "tunewright.work.batch:RunBatch", "batch"),
        Kind("batch-end", "tunewright.work.batch:RunBatch", "batch", priority=-1),
        Kind("embed-table", "tunewright.work.embed_table:EmbedTable", "table"),
        Kind("ingest", "tunewright.work.ingest:Ingest", "ingest"),
        Kind("reembed", "tunewright.work.reembed:Reembed", "ingest", priority=1),
        Kind("export", "tunewright.work.export:WriteExport", "export"),
        Kind("verify", "tunewright.work.verify:Verify", "tidy", priority=1),
        Kind("remove-file", "tunewright.work.remove:Remove", "tidy", attempts=None),
        Kind("remove-job", "tunewright.work.remove:Remove", "tidy", attempts=None),
        Kind("remove-weights", "tunewright.work.remove:Remove", "tidy", attempts=None),
        Kind("remove-export", "tunewright.work.remove:Remove", "tidy", attempts=None),
        Kind("remove-vectors", "tunewright.work.remove:Remove", "tidy", attempts=None),
        Kind("remove-store", "tunewright.work.remove:Remove", "tidy", attempts=None),
        Kind("remove-collections", "tunewright.work.remove:Remove", "tidy", attempts=None),
        Kind("attributes", "tunewright.work.remove:Remove", "tidy", attempts=None),
        Kind("scrub", "tunewright.work.scrub:Scrub", "tidy", priority=2, attempts=None),
    )
}
