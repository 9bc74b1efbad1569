"""What many commands do alike: list records, change one, follow one to its end."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, TypeVar

from tunewright.cli.terminal import notes, print_json, print_table, say
from tunewright.errors import JobFailed

if TYPE_CHECKING:
    from tunewright.app import Tunewright
    from tunewright.records.pages import Page
    from tunewright.records.record import Record

R = TypeVar("R", bound="Record")
Row = Sequence[object]
LINE_SECONDS = 10.0  # between two lines of progress, where there is no terminal


def list_records(
    home: Path | None,
    page: Callable[["Tunewright"], "Page[R]"],
    columns: Sequence[str],
    row: Callable[["Tunewright", R], Row],
    *,
    json: bool,
) -> None:
    from tunewright.cli.opening import records

    with records(home) as tw:
        found = page(tw)
        rows = [] if json else [row(tw, one) for one in found.data]
    print_json(found.wire()) if json else print_table(columns, rows)


def change_record(
    home: Path | None,
    change: Callable[["Tunewright"], "Record"],
    said: str = "{id} is {status}.",
    *,
    json: bool,
) -> None:
    """`said`: what has become of the record, with the names of its fields in braces."""
    from tunewright.cli.opening import records

    with records(home) as tw:
        wire = change(tw).wire()
    print_json(wire) if json else say(said.format_map(wire))


@contextmanager
def following(
    home: Path | None, retrieve: Callable[["Tunewright"], "Record"], open: Sequence[str]
) -> Iterator["Tunewright"]:
    """The platform, with a worker where the record has not ended and no server runs."""
    from tunewright.cli.opening import records, running

    with records(home) as tw:
        ended = getattr(retrieve(tw), "status") not in open  # noqa: B009
    with records(home) if ended else running(home) as tw:
        yield tw


def must_be(status: str, record: "Record") -> None:
    """Raises JobFailed, with the record's own error where it has one, for one that ended
    otherwise."""
    wire = record.wire()
    error = wire.get("error") or wire.get("last_error")
    if error:
        raise JobFailed(error["message"], code=error["code"])
    if wire["status"] != status:
        raise JobFailed(f"{wire['id']} is {wire['status']}.")


class Show(Protocol):
    def __call__(self, what: str, done: float, total: float | None, said: str) -> None:
        """`done` of `total` (None: not known yet), and what else there is to say."""


@contextmanager
def bar(*, left: bool = False) -> Iterator[Show]:
    """Shows how far something is: a bar on a terminal, elsewhere a line now and then, for a log.

    left: say how long it will take, too.
    """
    if not notes.is_terminal:
        yield _Lines()
        return
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[said]}"))
    more = (TimeRemainingColumn(),) if left else ()
    with Progress(*columns, *more, console=notes, transient=True) as progress:
        task = progress.add_task("", total=None, said="")

        def show(what: str, done: float, total: float | None, said: str) -> None:
            progress.update(task, description=what, completed=done, total=total, said=said)

        yield show


class _Lines:
    def __init__(self) -> None:
        self._last = time.monotonic()

    def __call__(self, what: str, done: float, total: float | None, said: str) -> None:
        if time.monotonic() - self._last >= LINE_SECONDS:
            self._last = time.monotonic()
            notes.print(f"{what}: {said}" if said else what, markup=False, soft_wrap=True)
