"""Opens the platform for a command."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tunewright.app import Tunewright


def configured(home: Path | None, **given: Any) -> "Tunewright":
    """The platform on `home`, with nothing running. Raises BadRequest for unusable settings."""
    from tunewright.app import Tunewright
    from tunewright.settings import Settings

    return Tunewright(settings=Settings.read(home, **given))


@contextmanager
def records(home: Path | None) -> Iterator["Tunewright"]:
    """For commands that only read and write records, beside a server or without one."""
    tw = configured(home)
    try:
        yield tw
    finally:
        tw.close()


@contextmanager
def running(home: Path | None) -> Iterator["Tunewright"]:
    """For commands that need the worker or the engine: started here, unless a server has them."""
    with configured(home) as tw:
        yield tw


@contextmanager
def embedding(home: Path | None, model: str) -> Iterator["Tunewright"]:
    """For commands that embed by `model`: the engine runs where that computes it."""
    with ExitStack() as stack:
        tw = stack.enter_context(records(home))
        if tw.embeds_in_engine(model):
            stack.enter_context(tw)
        yield tw
