"""`jobs/ID/log.txt`: what happened to a job, line by line, to which messages point for a reason.

No artefact: what cannot be written, the disk being full, is left out.
"""

import contextlib
import datetime
import traceback
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tunewright import durable
from tunewright.errors import StorageFull

NAME = "log.txt"


def note(folder: Path, said: Mapping[str, Any]) -> None:
    """A line with the time; values that are absent are left out."""
    words = [f"{name}={value}" for name, value in said.items() if value not in (None, "")]
    _write(folder, " ".join(words))


def note_crash(folder: Path, task: str, error: BaseException) -> None:
    """What nobody expected, with where it happened."""
    trace = "".join(traceback.format_exception(error)).rstrip()
    _write(folder, f"kind=crashed task={task}\n{trace}")


def _write(folder: Path, text: str) -> None:
    with contextlib.suppress(OSError, StorageFull):
        durable.make_directory(folder)
        with (folder / NAME).open("a", encoding="utf-8", errors="backslashreplace") as file:
            file.write(f"{datetime.datetime.now().isoformat(' ', 'seconds')} {text}\n")
