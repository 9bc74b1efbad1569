import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tunewright.cli.terminal import HomeOption, say

if TYPE_CHECKING:
    from tunewright.app import Tunewright


def serve(
    home: HomeOption = None,
    host: Annotated[
        str | None, typer.Option(help="Address to listen on. [default: 127.0.0.1]")
    ] = None,
    port: Annotated[
        int | None,
        typer.Option(help="Port; 0 takes a free one. [default: 8311]", min=0, max=65535),
    ] = None,
    allow_remote: Annotated[
        bool | None,
        typer.Option("--allow-remote", help="Permit an address that other machines can reach."),
    ] = None,
) -> None:
    """Serve the API. The first start shows a key, once.

    Example: tunewright serve --port 8311
    """
    from tunewright.api.server import serve as run
    from tunewright.cli.opening import configured
    from tunewright.errors import BadRequest

    # Until the API takes over: a signal ends a start that is under way, as an exception, so that
    # what was started is stopped.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: sys.exit(0))
    tw = configured(home, host=host, port=port, allow_remote=allow_remote)
    if tw.processes.others_running():  # said before the port is found taken by that very server
        raise BadRequest(
            f"Another server runs on {tw.home.root}. Stop it first, or choose another --home.",
            code="home_in_use",
        )
    run(tw, lambda url: _welcome(tw, url))


def _welcome(tw: "Tunewright", url: str) -> None:
    key = tw.access.first_key(tw.owner)
    say(f"Tunewright serves {url}   (home: {tw.home.root})")
    if key:
        say(copy_lines(url, key))
    else:
        say(f"\n  export OPENAI_BASE_URL={url}\n")
        say(f"Your key was shown at the first start. Another one: {_keys_create(tw.home.root)}")
    say("Stop with Ctrl-C.")
    sys.stdout.flush()


def copy_lines(url: str, key: str) -> str:
    """What points existing code at this server."""
    return f"""
Your API key. It is shown this once; only its hash is kept.

  export OPENAI_BASE_URL={url}
  export OPENAI_API_KEY={key}

openai 1.x to 3.x read both. For openai 0.28, in the code:

  openai.api_base = "{url}"
"""


def _keys_create(home: Path) -> str:
    return f"tunewright keys create --home {home}"
