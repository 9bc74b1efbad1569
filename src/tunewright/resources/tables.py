"""Tables that the worker embeds: asked for here, done by `work.embed_table`.

Paths of files are given and written by their name, so this is for whoever has the machine: the
library and the command line. Nothing of it is offered over HTTP.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tunewright.catalog.catalog import Shelf
from tunewright.errors import BadRequest, NotFound
from tunewright.records.pages import Deleted, Page, PageRequest
from tunewright.records.record import now
from tunewright.records.tables import OPEN, QueuedTable, TableEvent, TableProgress
from tunewright.resources.embedding_tables import MODEL, EmbeddingTables
from tunewright.resources.progress import Progress, changes
from tunewright.tasks import Tasks
from tunewright.usage import Quota


class Tables:
    """Every call that takes an id raises NotFound for one that the organisation does not have."""

    def __init__(
        self, shelf: Shelf, embedding: EmbeddingTables, tasks: Tasks, quota: Quota
    ) -> None:
        self._shelf = shelf
        self.progress = Progress(shelf, QueuedTable, TableEvent, OPEN, "table")
        self._embedding = embedding
        self._tasks = tasks
        self._quota = quota

    def create(
        self,
        file: Path | str,
        output: Path | str,
        *,
        column: str | None = None,
        template: str | None = None,
        model: str = MODEL,
        sheet: str | None = None,
        prompt_name: str | None = None,
        overwrite: bool = False,
    ) -> QueuedTable:
        """Have the worker embed a table: as `EmbeddingTables.table`, and refused like that."""
        self._quota.admit()
        table, target = self._embedding.check(
            file,
            output,
            column=column,
            template=template,
            model=model,
            sheet=sheet,
            prompt_name=prompt_name,
            overwrite=overwrite,
        )
        made = QueuedTable(
            file=str(table),
            output=str(target),
            column=column,
            template=template,
            model=model,
            sheet=sheet,
            prompt_name=prompt_name,
            overwrite=overwrite,
        )
        with self._shelf.catalog.transaction():
            rest = (one for one in self._shelf.all(QueuedTable) if one.status in OPEN)
            if same := next((one for one in rest if one.output == made.output), None):
                raise BadRequest(
                    f"{same.id} is to write {same.output}, and is {same.status}. Follow it, or "
                    "cancel it first.",
                    param="output",
                    code="output_exists",
                )
            self._shelf.put(made)
            self.progress.say(made.id, "created", f"Created table: {made.id}")
            self._tasks.enqueue("embed-table", made.id, self._shelf.organisation)
        return made

    def list(self, /, **given: Any) -> Page[QueuedTable]:
        """Newest first. `given`: the fields of `PageRequest`."""
        query: PageRequest = PageRequest.parse(given)
        return self._shelf.page(QueuedTable, after=query.after, limit=query.limit)

    def retrieve(self, id: str) -> QueuedTable:
        if found := self._shelf.get(QueuedTable, id):
            return found
        raise NotFound(f"There is no table {id}.", param="table_id", code="table_not_found")

    def events(self, id: str, /, **given: Any) -> Page[TableEvent]:
        """Newest first. `given`: the fields of `PageRequest`."""
        self.retrieve(id)
        return self.progress.page(id, given)

    def cancel(self, id: str) -> QueuedTable:
        """End one that has not ended. What was computed stays beside the output: the same table
        asked for again goes on from there."""
        with self._shelf.catalog.transaction():
            table = self.retrieve(id)
            if table.status not in OPEN:
                raise BadRequest(
                    f"The table has ended already: {id} is {table.status}.",
                    param="table_id",
                    code="invalid_table_status",
                )
            self._tasks.cancel(id)
            self.progress.say(id, "cancelled", "The table was cancelled")
            return self.progress.move(id, status="cancelled", finished_at=now())

    def delete(self, id: str) -> Deleted:
        """Forget one that has ended; its output stays."""
        with self._shelf.catalog.transaction():
            if (table := self.retrieve(id)).status in OPEN:
                raise BadRequest(
                    f"{id} is {table.status}. Cancel it first.",
                    param="table_id",
                    code="invalid_table_status",
                )
            self._shelf.clear(TableEvent, id)
            self._shelf.delete(QueuedTable, id)
        return Deleted(id=id, object="embedding.table")

    def follow(self, id: str, *, seconds: float = 0.3) -> Iterator[QueuedTable]:
        """The table each time that it has got further, until it has ended."""
        return changes(lambda: self.retrieve(id), OPEN, seconds=seconds)

    def wait(self, id: str) -> QueuedTable:
        """The table, once it has ended."""
        *_, last = self.follow(id)
        return last

    def tell(self, id: str, progress: TableProgress) -> None:
        """How far it is: in the record each time, as an event at each tenth."""
        self.progress.move(id, progress=progress)
        tenth = int(progress.share * 10)
        what = "written" if progress.writing else "read"
        said = f"{progress.embedded:,} texts, {tenth * 10} % of the table {what}"
        if tenth or progress.rows:
            self.progress.say(id, f"{what}-{tenth}", said, data=progress.wire())
