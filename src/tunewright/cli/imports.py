"""Bring home what an account has at OpenAI."""

import contextlib
import json as jsons
import signal
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.text import Text

from tunewright.cli.answers import answers
from tunewright.cli.plain import in_json
from tunewright.cli.sources import OPENAI, FromOption, archive_of, opened, options_of
from tunewright.cli.switching import compare, switch
from tunewright.cli.terminal import (
    HomeOption,
    JsonOption,
    complain,
    moment,
    notes,
    print_json,
    print_table,
    say,
    screen,
    size_of,
)

if TYPE_CHECKING:
    from tunewright.errors import TunewrightError
    from tunewright.imports import Archive, Line, Plan, Replay, Source, SourceError

app = typer.Typer(
    no_args_is_help=True,
    help="Bring what you have at OpenAI, or on another server, to this one.\n\n"
    "Example: tunewright import openai plan",
)
openai = typer.Typer(
    invoke_without_command=True,
    help="Import from OpenAI, or from a server with the same API. Nothing is changed there.\n\n"
    "The key is read from OPENAI_API_KEY and is never stored.\n\nExample: tunewright import "
    "openai",
)
app.add_typer(openai, name="openai")

_SOON = 2  # exit status: something ends within 14 days


@openai.callback()
def _default(context: typer.Context) -> None:
    if context.invoked_subcommand is None:
        plan()


@openai.command()
def plan(base_url: FromOption = OPENAI, json: JsonOption = False) -> None:
    """Show what you have there and what ends first. Nothing is fetched.

    The exit status is 2 if something ends within 14 days.

    Example: tunewright import openai plan
    """
    from tunewright.imports import plan as look

    with opened(base_url) as source, notes.status("Listing what you have"):
        found = look(source)
    print_json(_wire(found)) if json else _print(found, base_url)
    raise typer.Exit(_SOON if found.soon else 0)


@openai.command()
def fetch(
    base_url: FromOption = OPENAI,
    file: Annotated[
        list[str] | None,
        typer.Option(
            metavar="ID=PATH", help="Take the content of a file that the source refuses from PATH."
        ),
    ] = None,
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """Fetch files, jobs, records of tuned models, evals and stored completions.

    Run it again to continue: only what is missing is fetched. Objects that the source refuses are
    listed at the end; the exit status is then 1.

    Example: tunewright import openai fetch --file file-abc=train.jsonl
    """
    archive = archive_of(base_url, home)
    given = dict(_given(each) for each in file or ())
    with opened(base_url) as source:
        lines, ended = _fetched(source, archive, given)
    failed = [line for line in lines if line.state == "failed"]
    if json:
        print_json({"folder": str(archive.root), "lines": [vars(line) for line in lines]})
    else:
        _report(archive, lines, failed)
    if ended is not None:
        raise ended
    raise typer.Exit(1 if failed else 0)


_JobsArgument = Annotated[
    list[str] | None,
    typer.Argument(metavar="JOB-ID", help="Jobs at the source. Not given: all that succeeded."),
]
_ModelOption = Annotated[
    str | None,
    typer.Option(metavar="MODEL", help="The base here to train on. It is never chosen for you."),
]
_DryRunOption = Annotated[
    bool, typer.Option("--dry-run", help="Only check the files and show what would be created.")
]
_OnAnswersOption = Annotated[
    bool,
    typer.Option("--on-answers", help="Train on the recorded answers instead of the files."),
]
_AllowOutputTrainingOption = Annotated[
    bool,
    typer.Option(
        "--allow-output-training",
        help="Say that you may train on the old model's answers (needed for --on-answers).",
    ),
]


@openai.command()
def replay(
    jobs: _JobsArgument = None,
    model: _ModelOption = None,
    dry_run: _DryRunOption = False,
    on_answers: _OnAnswersOption = False,
    allow_output_training: _AllowOutputTrainingOption = False,
    base_url: FromOption = OPENAI,
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """Create the fetched jobs again, here: same files, suffix, seed and epochs, on a base of yours.

    Batch size and learning rate are chosen anew, because the old ones were for another model. A
    job that was replayed before is not created again. The jobs train as soon as `tunewright serve`
    runs.

    Example: tunewright import openai replay --model my-base --dry-run
    """
    from tunewright.cli.opening import records
    from tunewright.imports import OUTPUT_TRAINING
    from tunewright.imports import replay as create

    if allow_output_training:
        notes.print(OUTPUT_TRAINING, markup=False, soft_wrap=True)
    with records(home) as tw, notes.status("Checking the files"):
        archive = archive_of(base_url, home)
        made = create(
            tw,
            archive,
            model,
            jobs=jobs or (),
            dry_run=dry_run,
            on_answers=on_answers,
            allow_output_training=allow_output_training,
        )
        lines = list(made)
    if json:
        print_json([vars(line) for line in lines])
    else:
        _replayed(archive, lines)
    raise typer.Exit(1 if any(line.state == "refused" for line in lines) else 0)


def follow(
    every: Annotated[
        float, typer.Option(min=1, help="Look for new ones every so many seconds.")
    ] = 60.0,
    base_url: FromOption = OPENAI,
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """Fetch stored completions as they are made, until Ctrl-C.

    OpenAI keeps them for about 30 days. What was fetched is complete whenever you stop, and the
    next run continues from there. With --json each line is a JSON object.

    Example: tunewright import openai follow --every 300
    """
    from tunewright.imports import follow as get

    ended, fetched, failing = _ended(), 0, set[str]()
    with opened(base_url) as source:
        archive = archive_of(base_url, home)
        with contextlib.closing(get(source, archive, every=every, sleep=ended.wait)) as lines:
            for line in lines:
                fetched += line.state == "fetched"
                (failing.add if line.state == "failed" else failing.discard)(line.id)
                typer.echo(in_json(jsons.dumps(vars(line)))) if json else _print_line(line)
                if ended.is_set():
                    break
    if not json:
        say(f"Stopped: {fetched:,} fetched, {len(failing):,} missing.")
    raise typer.Exit(1 if failing else 0)


openai.command()(answers)
openai.command()(compare)
openai.command()(switch)
openai.command()(follow)


def _given(option: str) -> tuple[str, Path]:
    from tunewright.errors import BadRequest

    id, _, path = option.partition("=")
    if not path or not Path(path).is_file():
        raise BadRequest(
            f"--file {option}: write ID=PATH, where PATH is a file that exists.", param="file"
        )
    return id, Path(path)


def _fetched(
    source: "Source", archive: "Archive", given: dict[str, Path]
) -> "tuple[list[Line], TunewrightError | None]":
    """What became of each object, and what ended it before its end."""
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    from tunewright.errors import TunewrightError
    from tunewright.imports import fetch as get

    # How much there is shows only while it is listed: a count and a clock, not a share.
    columns = (
        TextColumn("{task.description}", markup=False),  # ids hold brackets
        BarColumn(),
        TimeElapsedColumn(),
    )
    lines: list[Line] = []
    size = 0
    with Progress(*columns, console=notes, transient=True) as progress:
        task = progress.add_task("Fetching", total=None)
        try:
            for line in get(source, archive, given=given):
                lines.append(line)
                size += line.bytes
                said = f"{len(lines):,} objects, {size_of(size)}: {line.kind} {line.id}"
                progress.update(task, description=said)
        except TunewrightError as error:
            return lines, error
    return lines, None


def _ended() -> threading.Event:
    """Set by the first Ctrl-C, or SIGTERM, which stops a service: an exception could come between
    the writing of a file and its counting. The second one ends at once."""
    ended = threading.Event()

    def end(number: int, _: object) -> None:
        ended.set()
        signal.signal(number, signal.default_int_handler)

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, end)
    return ended


def _print_line(line: "Line") -> None:
    if line.state == "kept":
        return
    said = f"{moment(int(time.time()))}  {line.state}  {line.id}"
    more = f"{line.message} {line.remedy}" if line.message else size_of(line.bytes)
    style = "red" if line.state == "failed" else ""
    screen.print(Text(f"{said}  {more}".rstrip(), style), soft_wrap=True)


def _report(archive: "Archive", lines: "list[Line]", failed: "list[Line]") -> None:
    counts: dict[tuple[str, str], list[int]] = {}
    for line in lines:
        counts.setdefault((line.kind, line.state), []).append(line.bytes)
    rows = [(f"{len(n):,}", kind, state, size_of(sum(n))) for (kind, state), n in counts.items()]
    print_table([">count", "what", "state", ">size"], rows)
    say(f"In {archive.root}")
    for line in failed:
        complain(f"failed: {line.kind} {line.id}: {line.message} {line.remedy}")
    if failed:
        say(
            f"{len(failed):,} of {len(lines):,} objects are missing: the reasons are above. "
            "Then run it again."
        )


def _replayed(archive: "Archive", lines: "list[Replay]") -> None:
    if not lines:
        say(f"No such job is in {archive.root}. First: {archive.command('fetch')}")
        return
    print_table(
        [
            "old job",
            "old base",
            "state",
            "new job",
            ">epochs",
            ">examples",
            ">tokens",
            ">old tokens",
        ],
        [
            (
                line.job,
                line.old_base,
                line.state,
                line.new_job or "",
                line.n_epochs,
                f"{line.examples:,}",
                f"{line.tokens:,}",
                "" if line.old_tokens is None else f"{line.old_tokens:,}",
            )
            for line in lines
        ],
    )
    for message in dict.fromkeys(line.message for line in lines if line.message):
        jobs = ", ".join(line.job for line in lines if line.message == message)
        complain(f"refused: {jobs}: {message}")


def _print(found: "Plan", base_url: str) -> None:
    rows = [
        (
            item.end.date if item.end else "",
            item.end.days_left(found.today) if item.end else "",
            f"{item.count:,}{'+' if item.more else ''}",
            item.what,
            "" if item.bytes is None else size_of(item.bytes),
            item.note or (item.end.what if item.end else ""),
        )
        for item in found.items
    ]
    print_table(["ends", ">days left", ">count", "what", ">size", "note"], rows)
    for error in found.refused:
        complain(f"refused: {_said(error)}")
    for source in dict.fromkeys(item.end.source for item in found.items if item.end):
        say(f"Dates: {source}")
    say(f"Next: tunewright import openai fetch{options_of(base_url, None)}")


def _wire(found: "Plan") -> dict[str, Any]:
    items = [
        {
            "what": item.what,
            "count": item.count,
            "at_least": item.more,
            "bytes": item.bytes,
            "ends": str(item.end.date) if item.end else None,
            "days_left": item.end.days_left(found.today) if item.end else None,
            "why": item.end.what if item.end else None,
            "source": item.end.source if item.end else None,
            "note": item.note,
        }
        for item in found.items
    ]
    refused = [_said(error) for error in found.refused]
    return {
        "base_url": found.base_url,
        "today": str(found.today),
        "items": items,
        "refused": refused,
    }


def _said(error: "SourceError") -> str:
    return f"{error.message} {error.remedy}".rstrip()
