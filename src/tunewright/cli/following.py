"""Stored completions, fetched as they come."""

import contextlib
import json as jsons
import signal
import threading
import time
from typing import TYPE_CHECKING, Annotated

import typer
from rich.text import Text

from tunewright.cli.plain import in_json
from tunewright.cli.sources import OPENAI, FromOption, archive_of, opened
from tunewright.cli.terminal import HomeOption, JsonOption, moment, say, screen, size_of

if TYPE_CHECKING:
    from tunewright.imports import Line


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
                typer.echo(in_json(jsons.dumps(vars(line)))) if json else _print(line)
                if ended.is_set():
                    break
    if not json:
        say(f"Stopped: {fetched:,} fetched, {len(failing):,} missing.")
    raise typer.Exit(1 if failing else 0)


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


def _print(line: "Line") -> None:
    if line.state == "kept":
        return
    said = f"{moment(int(time.time()))}  {line.state}  {line.id}"
    more = f"{line.message} {line.remedy}" if line.message else size_of(line.bytes)
    style = "red" if line.state == "failed" else ""
    screen.print(Text(f"{said}  {more}".rstrip(), style), soft_wrap=True)
