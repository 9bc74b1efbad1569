"""Many requests in one file, answered while nobody waits."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import orjson
import typer

from tunewright.cli.terminal import (
    HomeOption,
    JsonOption,
    LimitOption,
    moment,
    notes,
    print_json,
    print_table,
    program,
    say,
)
from tunewright.cli.verbs import bar, change_record, following, list_records, must_be
from tunewright.errors import BadRequest

if TYPE_CHECKING:
    from tunewright.app import Tunewright
    from tunewright.records.batches import Batch

app = typer.Typer(
    no_args_is_help=True,
    help="Many requests in one file: embeddings, chats or completions.\n\n"
    "A line of the file is one request, as OpenAI's Batch API has them:\n\n"
    '{"custom_id": "1", "method": "POST", "url": "/v1/embeddings", "body": {"model": '
    '"text-embedding-3-small", "input": "Hi"}}\n\n'
    "Example: tunewright batches create requests.jsonl",
)
BatchId = Annotated[
    str, typer.Argument(metavar="BATCH-ID", help="As `batches create` and `batches list` show it.")
]
_COLUMNS = ["id", "status", "endpoint", ">answered", ">failed", ">requests", "created"]
_SHOWN_ERRORS = 10


@app.command()
def create(
    requests: Annotated[
        str,
        typer.Argument(metavar="FILE", help="A JSONL file of requests, or the id of one."),
    ],
    endpoint: Annotated[
        str | None,
        typer.Option(
            help="/v1/embeddings, /v1/chat/completions or /v1/completions. Not given: the `url` of "
            "the first line.",
            show_default=False,
        ),
    ] = None,
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """Have the requests of a file answered, and print the id of the batch.

    They are answered by a running `tunewright serve`, or by `tunewright batches follow`.

    Example: tunewright batches create requests.jsonl
    """
    from tunewright.cli.opening import records

    with records(home) as tw:
        file = _uploaded(tw, requests)
        asked = endpoint or _first_url(tw.files.path(file))
        batch = tw.batches.create(input_file_id=file, endpoint=asked, completion_window="24h")
    if json:
        return print_json(batch.wire())
    say(batch.id)
    notes.print(f"Watch it with: {program()} batches follow {batch.id}", markup=False)
    return None


def _uploaded(tw: "Tunewright", requests: str) -> str:
    path = Path(requests).expanduser()
    if path.is_file():
        return tw.files.create(file=path, purpose="batch").id
    if requests.startswith("file-") and path.suffix == "":
        return tw.files.retrieve(requests).id
    raise BadRequest(f"There is no file {requests}.", param="FILE")


def _first_url(path: Path) -> str:
    with path.open("rb") as file:
        first = file.readline(1 << 25)
    try:
        found = orjson.loads(first)["url"]
    except (orjson.JSONDecodeError, KeyError, TypeError):
        found = None
    if isinstance(found, str):
        return found
    raise BadRequest(
        "The first line of the file names no 'url'. Give --endpoint, such as /v1/embeddings.",
        param="endpoint",
    )


@app.command("list")
def list_(home: HomeOption = None, limit: LimitOption = 20, json: JsonOption = False) -> None:
    """List batches, newest first.

    Example: tunewright batches list --limit 10
    """
    list_records(home, lambda tw: tw.batches.list(limit=limit), _COLUMNS, _row, json=json)


def _row(_: "Tunewright", batch: "Batch") -> tuple[object, ...]:
    counts = batch.request_counts
    numbers = (f"{n:,}" for n in (counts.completed, counts.failed, counts.total))
    return batch.id, batch.status, batch.endpoint, *numbers, moment(batch.created_at)


@app.command()
def show(id: BatchId, home: HomeOption = None, json: JsonOption = False) -> None:
    """Show one batch: how far it is, its files, what is wrong with its input.

    Example: tunewright batches show batch_Ab12...
    """
    from tunewright.cli.opening import records

    with records(home) as tw:
        batch = tw.batches.retrieve(id)
        row = _row(tw, batch)
    if json:
        return print_json(batch.wire())
    print_table(_COLUMNS, [row])
    _say_files(batch)
    return _say_errors(batch)


@app.command()
def cancel(id: BatchId, home: HomeOption = None, json: JsonOption = False) -> None:
    """Stop a batch. The answers that there are by then are kept.

    Example: tunewright batches cancel batch_Ab12...
    """
    change_record(home, lambda tw: tw.batches.cancel(id), json=json)


@app.command()
def follow(id: BatchId, home: HomeOption = None, json: JsonOption = False) -> None:
    """Watch a batch until it has ended. Where no server runs, it is answered here.

    Exit status 1 where it did not complete.

    Example: tunewright batches follow batch_Ab12...
    """
    from tunewright.records.batches import OPEN

    with following(home, lambda tw: tw.batches.retrieve(id), OPEN) as tw:
        batch = _watched(tw, id)
    if json:
        print_json(batch.wire())
    else:
        _say_files(batch)
        _say_errors(batch)
    must_be("completed", batch)


def _watched(tw: "Tunewright", id: str) -> "Batch":
    batch = tw.batches.retrieve(id)
    with bar(left=True) as show:
        for batch in tw.batches.follow(id):
            counts = batch.request_counts
            done = counts.completed + counts.failed
            failed = f", {counts.failed:,} failed" if counts.failed else ""
            show(batch.status, done, counts.total or None, f"{done:,}/{counts.total:,}{failed}")
    return batch


@app.command()
def results(
    id: BatchId,
    errors: Annotated[
        bool, typer.Option("--errors", help="The requests that failed, instead of the answers.")
    ] = False,
    output: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write them there. Not given: to standard output."),
    ] = None,
    home: HomeOption = None,
) -> None:
    """The answers of a batch that has ended, one JSON object a line, in the order of the requests.

    Example: tunewright batches results batch_Ab12... --output answers.jsonl
    """
    from tunewright import durable
    from tunewright.cli.opening import records

    with records(home) as tw:
        lines = tw.batches.result_lines(id, errors=errors)
        if output is None:
            sys.stdout.buffer.writelines(lines)
            return sys.stdout.flush()
        with durable.Upload(output.expanduser().absolute()) as upload:
            for line in lines:
                upload.write(line)
            upload.commit()
    return say(f"Wrote {output}.")


def _say_files(batch: "Batch") -> None:
    counts: Any = batch.request_counts
    for id, what, option in (
        (batch.output_file_id, f"{counts.completed:,} answers", ""),
        (batch.error_file_id, "Requests without an answer", " --errors"),
    ):
        if id:
            say(f"{what}: {id}  ({program()} batches results {batch.id}{option})")


def _say_errors(batch: "Batch") -> None:
    found = batch.errors.data if batch.errors else []
    for error in found[:_SHOWN_ERRORS]:
        where = f"line {error.line}: " if error.line else ""
        say(f"{where}{error.message}")
    if len(found) > _SHOWN_ERRORS:
        say(f"... {len(found) - _SHOWN_ERRORS} more: {program()} batches show {batch.id} --json")
