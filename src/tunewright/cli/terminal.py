"""What the commands share: the options that many have, and how things look on a terminal."""

import datetime
import io
import json
import os
import shlex
import shutil
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment
from rich.table import Table
from rich.text import Text

from tunewright.cli.plain import in_json, line, plain

_NAMED = 10  # rows that are left out and named
HomeOption = Annotated[
    Path | None,
    typer.Option(
        "--home",
        metavar="DIR",
        help="The folder where everything is kept. Not given: $TUNEWRIGHT_HOME, or ~/.tunewright.",
        show_default=False,
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON, as the API gives it.")]
LimitOption = Annotated[int, typer.Option(min=1, help="How many to show at most, newest first.")]


class _Plain(Console):
    """Whatever is printed may hold what others wrote: names, messages, rows of data."""

    def render(
        self, renderable: RenderableType, options: ConsoleOptions | None = None
    ) -> Iterable[Segment]:
        for segment in super().render(renderable, options):
            control = segment.control
            yield segment if control else Segment(plain(segment.text), segment.style)


screen = _Plain(highlight=False)
notes = _Plain(stderr=True, highlight=False)  # progress and hints: never in a pipe's data


def say(*parts: str) -> None:
    """Plain text as it is: no markup (ids hold brackets), no wrapping (lines are copied)."""
    screen.print(Text(plain("".join(parts))), soft_wrap=True)


def note(said: str) -> None:
    """Beside the data, for reading: on the standard error, not wrapped."""
    notes.print(said, markup=False, soft_wrap=True)


def note_left_out(left_out: Mapping[int, str]) -> None:
    """Rows of a table, by line, and why each is left out; the first ones only."""
    for line_, why in list(left_out.items())[:_NAMED]:
        note(f"left out: line {line_}: {why}")
    if len(left_out) > _NAMED:
        note(f"left out: {len(left_out) - _NAMED:,} more")


def complain(said: str) -> None:
    """What went wrong, for reading; the command goes on."""
    screen.print(Text(plain(said).rstrip(), "red"), soft_wrap=True)


def program() -> str:
    """What the user's own shell calls this installation by, in commands to be copied.

    After `make demo` that is `.venv/bin/tunewright`: nothing has put it on the PATH.
    """
    script = Path(sys.executable).with_name("tunewright")
    found = shutil.which("tunewright")
    if found and Path(found) == script:
        return "tunewright"
    if not os.access(script, os.X_OK):
        return f"{shlex.quote(sys.executable)} -m tunewright"
    near = os.path.relpath(script)
    return shlex.quote(str(script) if near.startswith("..") else near)


def print_json(value: Any) -> None:
    coded = (sys.stdout.encoding or "").lower() not in ("utf-8", "utf8")
    typer.echo(in_json(json.dumps(value, ensure_ascii=coded, indent=2)))


def print_table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """A column whose name starts with ``>`` is flush right."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in columns:
        # A terminal folds what is too long; nothing is cut off, for ids are there to be copied.
        table.add_column(
            name.removeprefix(">"),
            justify="right" if name.startswith(">") else "left",
            overflow="fold",
        )
    for row in rows:
        table.add_row(*(Text("" if cell is None else line(str(cell))) for cell in row))
    if screen.is_terminal:
        screen.print(table)
        return
    wide = _Plain(file=io.StringIO(), width=10_000)  # a pipe has no width to fit: a row, a line
    with wide.capture() as printed:
        wide.print(table)
    typer.echo("\n".join(row.rstrip() for row in printed.get().split("\n")).rstrip("\n"))


def moment(unix: int | None) -> str:
    """Local time to the second."""
    if unix is None:
        return ""
    return datetime.datetime.fromtimestamp(unix).strftime("%Y-%m-%d %H:%M:%S")


def duration(seconds: float) -> str:
    """``2:05``, ``1:02:05``: minutes and seconds, hours where there are any."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def size_of(size: float) -> str:
    """``41 kB``: bytes in powers of a thousand."""
    for unit in ("B", "kB", "MB"):
        if size < 1000:
            return f"{size:,.0f} {unit}"
        size /= 1000
    return f"{size:,.1f} GB"
