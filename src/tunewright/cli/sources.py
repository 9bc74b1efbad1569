"""The server that is imported from, as the commands name and open it."""

import os
import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from tunewright.imports import Archive, AskingSource, Source

FromOption = Annotated[
    str,
    typer.Option("--from-base-url", metavar="URL", help="The base URL of the server to read from."),
]
OPENAI = "https://api.openai.com/v1"


@contextmanager
def opened(base_url: str) -> "Iterator[Source]":
    """A source that can only be read."""
    from tunewright.imports import Source

    with Source(**_access(base_url)) as source:
        yield source


@contextmanager
def asking(base_url: str) -> "Iterator[AskingSource]":
    """A source whose models may be asked as well."""
    from tunewright.imports import AskingSource

    with AskingSource(**_access(base_url)) as source:
        yield source


def archive_of(base_url: str, home: Path | None) -> "Archive":
    from tunewright.home import Home
    from tunewright.imports import Archive
    from tunewright.settings import Settings

    options = options_of(base_url, home)
    return Archive.of(Home(Settings.read(home).home).imports, base_url, options)


def options_of(base_url: str, home: Path | None) -> str:
    """What the commands that are suggested need besides, to mean the same source and home."""
    given = [] if base_url == OPENAI else ["--from-base-url", base_url]
    given += [] if home is None else ["--home", str(home)]
    return f" {shlex.join(given)}" if given else ""


def _access(base_url: str) -> dict[str, Any]:
    from tunewright.errors import BadRequest

    key = os.environ.get("OPENAI_API_KEY")
    if not key:
        raise BadRequest(
            "OPENAI_API_KEY is not set. Put the key of the account that you want to read into it."
        )
    # What the official SDK sends for a key of several organisations or projects.
    asked = {"OpenAI-Organization": "OPENAI_ORG_ID", "OpenAI-Project": "OPENAI_PROJECT_ID"}
    headers = {
        name: os.environ[variable] for name, variable in asked.items() if os.environ.get(variable)
    }
    return {"key": key, "base_url": base_url, "headers": headers}
