"""A model's weights for elsewhere: asked for here, written by the worker (`work.export`)."""

import importlib.util
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from tunewright import durable
from tunewright.artefacts import Artefacts, export_place
from tunewright.catalog.catalog import Shelf
from tunewright.errors import BadRequest, MissingExtra, NotFound, QuotaExceeded
from tunewright.records.exports import OPEN, Export, ExportEvent, ExportRequest
from tunewright.records.models import Weights
from tunewright.records.pages import Deleted, Page, PageRequest
from tunewright.records.record import now
from tunewright.resources.models import Models
from tunewright.resources.progress import Progress
from tunewright.resources.removals import Removals
from tunewright.resources.tarring import tar, tar_size
from tunewright.tasks import Tasks
from tunewright.usage import Quota

KEPT_SECONDS = 7 * 24 * 3600
"""How long an export is kept for being downloaded."""
MOST_KEPT = 16
"""Exports of an organisation that wait, run or can be downloaded: each may be as large as its
base."""
_KINDS = ("chat", "completion", "embedding")


class Exports:
    """Every call raises NotFound for a model that the caller's organisation does not have, in the
    words of a model that there is not."""

    def __init__(
        self,
        shelf: Shelf,
        models: Models,
        tasks: Tasks,
        artefacts: Artefacts,
        removals: Removals,
        quota: Quota,
    ) -> None:
        self._shelf = shelf
        self.progress = Progress(shelf, Export, ExportEvent, OPEN, "export")
        self._models = models
        self._tasks = tasks
        self._artefacts = artefacts
        self._removals = removals
        self._quota = quota

    def create(self, model: str, /, **given: Any) -> Export:
        """Have the worker write the weights of `model`: a base, a tuned model or a checkpoint.
        `given`: the fields of `ExportRequest`.

        Raises BadRequest where such a model cannot be written so, QuotaExceeded where the
        organisation has MOST_KEPT, or no byte left. How many bytes it takes is known when it is
        written: then it fails if they are too many.
        """
        self._quota.admit()
        request: ExportRequest = ExportRequest.parse(given)
        if importlib.util.find_spec("torch") is None:
            raise MissingExtra("An export", "train")
        with self._shelf.catalog.transaction():
            weights = self._models.weights(model, _KINDS)
            _refuse_unfit(model, weights, request)
            self._refuse_more()
            self._quota.check_disk(1)
            made = Export(
                model=weights.id,
                base=weights.base,
                base_fingerprint=weights.base_fingerprint,
                to=request.to,
                dtype=request.resolved_dtype(),
                adapter=request.adapter,
            )
            self._shelf.put(made, subject=weights.id)
            self.progress.say(made.id, "created", f"Created export: {made.id}")
            self._tasks.enqueue("export", made.id, self._shelf.organisation)
        return made

    def _refuse_more(self) -> None:
        held = (*OPEN, "succeeded")
        if sum(export.status in held for export in self._shelf.all(Export)) >= MOST_KEPT:
            raise QuotaExceeded(
                f"Your organization may have {MOST_KEPT} exports at a time. Delete one that you "
                "have downloaded: DELETE /v1/models/MODEL/exports/EXPORT."
            )

    def list(self, model: str, /, **given: Any) -> Page[Export]:
        """Newest first. `given`: the fields of `PageRequest`."""
        query: PageRequest = PageRequest.parse(given)
        name = self._models.weights(model, _KINDS).id
        return self._shelf.page(Export, after=query.after, limit=query.limit, subject=name)

    def retrieve(self, model: str, id: str) -> Export:
        found = self.find(id)
        if found.model != self._models.weights(model, _KINDS).id:
            raise _no_such(id)
        return found

    def find(self, id: str) -> Export:
        """The same, whatever model it is of. Raises NotFound."""
        if found := self._shelf.get(Export, id):
            return found
        raise _no_such(id)

    def events(self, model: str, id: str, /, **given: Any) -> Page[ExportEvent]:
        """Newest first. `given`: the fields of `PageRequest`."""
        self.retrieve(model, id)
        return self.progress.page(id, given)

    def cancel(self, model: str, id: str) -> Export:
        """End one that has not ended: nothing of it stays but the record."""
        with self._shelf.catalog.transaction():
            export = self.retrieve(model, id)
            if export.status not in OPEN:
                raise BadRequest(
                    f"The export has ended already: {id} is {export.status}.",
                    param="export_id",
                    code="invalid_export_status",
                )
            self._tasks.cancel(id)
            self.progress.say(id, "cancelled", "The export was cancelled")
            return self.progress.move(id, status="cancelled", finished_at=now())

    def delete(self, model: str, id: str) -> Deleted:
        """Forget an export, with its files; one that has not ended is cancelled."""
        self.retrieve(model, id)
        self._forget(id)
        return Deleted(id=id, object="model.export")

    def content(self, model: str, id: str) -> tuple[int, Iterator[bytes]]:
        """The files as a tar archive, in one folder: its bytes, and their number."""
        folder = self._folder(self.retrieve(model, id))
        return tar_size(folder), tar(folder)

    def follow(self, id: str, *, seconds: float = 0.3) -> Iterator[ExportEvent]:
        """Every event, oldest first, as they happen, until it has ended."""
        return self.progress.follow(lambda: self.find(id), id, seconds=seconds)

    def wait(self, id: str) -> Export:
        """The export, once it has ended."""
        for _ in self.follow(id):
            pass
        return self.find(id)

    def save(self, id: str, directory: Path | str) -> Path:
        """Copy the files of an export into `directory`, which appears whole or not at all; it may
        exist if it is empty. Raises BadRequest where something is in it, and for an export that
        has not succeeded."""
        target = Path(directory).expanduser().absolute()
        refuse_occupied(target)
        durable.copy_tree(self._folder(self.find(id)), target)
        return target

    def export(
        self,
        model: str,
        directory: Path | str,
        *,
        say: Callable[[ExportEvent], None] = lambda _: None,
        **given: Any,
    ) -> Export:
        """Write the weights of `model` into `directory`, and wait until they are there. `given`:
        the fields of `ExportRequest`. Needs a worker, of this process or of a server. Nothing of
        it stays in the home.

        Raises BadRequest as `create` and `save` do, and where it ends in vain.
        """
        refuse_occupied(Path(directory).expanduser().absolute())
        made = self.create(model, **given)
        try:
            for event in self.follow(made.id):
                say(event)
            self.save(made.id, directory)
            return self.find(made.id)
        finally:
            self._forget(made.id)

    def sweep(self) -> None:
        """Delete those whose time is over."""
        for export in self._shelf.all(Export):
            if export.expires_at is not None and export.expires_at <= now():
                self._forget(export.id)

    def _forget(self, id: str) -> None:
        with self._shelf.catalog.transaction():
            self._removals.order_export(id)
        self._removals.carry_out("remove-export", id)

    def _folder(self, export: Export) -> Path:
        if export.status == "succeeded":
            return self._artefacts.path(export_place(export.id))
        raise BadRequest(
            export.error.message if export.error else f"{export.id} is {export.status}.",
            param="export_id",
            code=export.error.code if export.error else "invalid_export_status",
        )


def refuse_occupied(directory: Path) -> None:
    """Raises BadRequest where `directory` is there and is no empty folder."""
    if directory.is_dir() and not any(directory.iterdir()):
        return
    if directory.exists() or directory.is_symlink():
        what = "is not empty" if directory.is_dir() else "is not a folder"
        raise BadRequest(
            f"{directory} {what}. Nothing was written: name a folder that does not exist yet.",
            param="directory",
        )


def _refuse_unfit(model: str, weights: Weights, request: ExportRequest) -> None:
    if weights.kind == "embedding":
        raise BadRequest(
            f"The model `{model}` is an embedding model. Chat and completion models can be "
            "exported.",
            param="model",
            code="model_kind",
        )
    if (request.to == "peft" or request.adapter) and weights.adaptation != "lora":
        why = "is a base" if weights.adaptation == "none" else "was tuned in all its weights"
        raise BadRequest(
            f"The model `{model}` {why}, so it has no adapter. "
            + ("Leave 'adapter' out." if request.adapter else "Export it with 'to': 'merged'."),
            param="adapter" if request.adapter else "to",
            code="no_adapter",
        )


def _no_such(id: str) -> NotFound:
    return NotFound(f"There is no export '{id}' of this model.", param="export_id")
