"""A model's weights for elsewhere: a child process writes and proves them, this parent records.

The files lie in a temporary directory until they are proven. So whatever ends an export before,
nothing of it is ever seen.
"""

import contextlib
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

from tunewright import children, durable
from tunewright.artefacts import export_place
from tunewright.errors import JobFailed, NotFound, QuotaExceeded, StorageFull
from tunewright.exporting.recipe import Recipe
from tunewright.exporting.report import Compared, Failed, parsed
from tunewright.records.exports import Export, ExportedFile, ExportEvent, Parity
from tunewright.records.models import Weights
from tunewright.records.record import now
from tunewright.resources.exports import KEPT_SECONDS
from tunewright.resources.progress import Moved, Progress
from tunewright.tasks import LostLease
from tunewright.wording import counted
from tunewright.work.assignment import OnRecord
from tunewright.work.card import base_of, card, licence_of
from tunewright.work.export_rows import rows_of
from tunewright.work.heartbeat import Heartbeat

_OUT_OF_MEMORY = (
    "The system ended the export because memory ran out. Try again when no job runs, or give the "
    "server more memory."
)


class _Stopping(Exception):
    """The worker stops: the export begins anew when there is one again."""


class WriteExport(OnRecord):
    """Begins anew after a crash. Given up, the export fails."""

    called = "The export"

    def run(self) -> None:
        export = self._begin()
        try:
            self._write(export)
        except _Stopping:
            self.give_back()
        except (LostLease, Moved, JobFailed):  # Moved: cancelled, or its model was deleted
            self.tw.artefacts.remove(self._place)
            raise
        except StorageFull as full:
            raise JobFailed(full.message, code=full.code) from full

    @property
    def progress(self) -> Progress[Export, ExportEvent]:
        return self.acting.exports.progress

    @property
    def _place(self) -> str:
        return export_place(self.task.subject)

    def _begin(self) -> Export:
        with self.tw.catalog.transaction():
            self.tw.tasks.guard(self.task)
            export = self.progress.move(self.task.subject, status="running")
            self.progress.say(export.id, "started", "Export started")
        self.tw.artefacts.remove(self._place)
        durable.sweep(self.tw.home.exports)
        return export

    def _write(self, export: Export) -> None:
        weights, artefacts = self._weights(export), self.tw.artefacts
        whole = artefacts.staging(self._place)
        with durable.directory(whole, {"model": export.model, "to": export.to}) as filling:
            compared = self._carry_out(self._recipe(export, weights, filling))
            if compared.failure:
                raise JobFailed(
                    f"The files that were written are not the model that is served: "
                    f"{compared.failure}. They were removed.",
                    code="parity_failed",
                )
            parity = Parity(**{k: v for k, v in asdict(compared).items() if k != "failure"})
            said = card(self.acting, export, weights, parity)
            durable.write_bytes(filling / "README.md", said.encode())
        artefacts.publish(whole, self._place)
        self._succeed(export, parity)

    def _weights(self, export: Export) -> Weights:
        try:
            weights = self.acting.models.weights(export.model, ("chat", "completion"))
        except NotFound as error:
            raise JobFailed(error.message, code=error.code, param=error.param) from error
        if weights.base_fingerprint == export.base_fingerprint:
            return weights
        raise JobFailed(
            f"Another base is called {export.model} by now. Export it again.", code="model_changed"
        )

    def _recipe(self, export: Export, weights: Weights, directory: Path) -> Recipe:
        models = self.acting.models
        adapter = models.adapter(weights)
        return Recipe(
            start=self.tw.artefacts.path(weights.base_directory).resolve(),
            weights=models.directory(weights).resolve(),
            adapter=adapter.resolve() if adapter else None,
            directory=directory.resolve(),
            name=export.model,
            base_name=weights.base,
            licence=licence_of(weights.base, base_of(models, weights)),
            kind=weights.kind,  # pyright: ignore[reportArgumentType]
            rendering=weights.rendering,
            moves_system=self.tw.settings.system_role == "move",
            to=export.to,
            dtype=export.dtype,
            only_adapter=export.adapter,
            rows=rows_of(self.acting, self.tw.renderer(weights, models), weights),
        )

    def _carry_out(self, recipe: Recipe) -> Compared:
        kills = children.kills_for_memory()
        with children.running(["-m", "tunewright.exporting"], stdout=children.PIPE) as child:
            heartbeat = Heartbeat(self.tw.tasks, self.task, self.stopping, child.kill)
            with heartbeat:
                compared = self._follow(child, recipe)
                code = child.wait()
            if heartbeat.lost:
                raise LostLease(f"{self.task.subject} is wanted no longer")
            if compared is None and self.stopping.is_set():
                raise _Stopping
            if compared is None and children.kills_for_memory() > kills:
                raise JobFailed(_OUT_OF_MEMORY, code="out_of_memory")
            if compared is None:
                raise ChildProcessError(f"{self.task.subject}: the export ended with {code}")
            return compared

    def _follow(self, child: children.Process, recipe: Recipe) -> Compared | None:
        """None where the child ended before its time."""
        assert child.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            child.stdin.write(recipe.model_dump_json().encode() + b"\n")
            child.stdin.flush()
        for said in parsed(child.stdout or ()):
            if isinstance(said, Failed):
                raise JobFailed(said.message, code=said.code)
            if isinstance(said, Compared):
                return said
            self.say(said.name, said.message)
        return None

    def _succeed(self, export: Export, parity: Parity) -> None:
        files = list(_files(self.tw.artefacts.path(self._place)))
        size = sum(file.bytes for file in files)
        with self.tw.catalog.transaction():
            self._refuse_too_much(size)
            self.tw.tasks.finish(self.task)
            ended = now()
            self.progress.move(
                export.id,
                status="succeeded",
                finished_at=ended,
                expires_at=ended + KEPT_SECONDS,
                bytes=size,
                files=files,
                parity=parity,
            )
            self.progress.say(export.id, "compared", _proof(parity), data=parity.wire())
            self.progress.say(
                export.id,
                "succeeded",
                f"Export done: {counted(len(files), 'file')}, {size:,} bytes",
            )

    def _refuse_too_much(self, size: int) -> None:
        try:
            self.acting.quota.check_disk(size)
        except QuotaExceeded as error:
            raise JobFailed(error.message, code=error.code) from error


def _files(directory: Path) -> Iterator[ExportedFile]:
    for name, entry in durable.manifest(directory)["files"].items():
        yield ExportedFile(name=name, bytes=entry["bytes"], sha256=entry["sha256"])


def _proof(parity: Parity) -> str:
    kept = "" if parity.kept is None else f"; {parity.kept:.1%} of what tuning changed is in them"
    return (
        f"The files are the model: on {counted(parity.rows, 'row')} no log-probability differs by "
        f"more than {parity.difference:.1g} (allowed: {parity.tolerance:.1g}), root mean square "
        f"{parity.spread:.1g}{kept}"
    )
