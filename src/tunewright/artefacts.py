"""Published directories: a base, a tuned model, a checkpoint, what a job starts from, an export.

Each is there whole, with a manifest (`durable.directory`), or not at all, and does not change.
Records name it by its *place*, such as ``models/4f1c…``: made by the functions below, and turned
into a path by `Artefacts` alone. Another back end than this machine's disk is another class with
these methods, whose `path` fetches what is not here.
"""

from pathlib import Path
from typing import Literal

from tunewright import durable, names
from tunewright.home import Home


def base_place(name: str, fingerprint: str) -> str:
    return f"bases/{names.folder(name)}-{fingerprint}"


def model_place(id: str) -> str:
    return f"models/{names.id(id)}"


def checkpoint_place(job: str, path: str) -> str:
    """path: in the job's folder, as the trainer reports it."""
    return f"jobs/{names.id(job)}/{path}"


def start_place(job: str, part: Literal["base", "adapter"] | None = None) -> str:
    """None: of both."""
    return "/".join(filter(None, ("jobs", names.id(job), "start", part)))


def export_place(id: str) -> str:
    return f"exports/{names.id(id)}"


def is_of_a_job(place: str) -> bool:
    """Whether it lies in a job's folder, and may go with the job."""
    return place.startswith("jobs/")


class Artefacts:
    """Every method raises Corrupt for a place that is not inside the home, before anything is
    touched: places come from records."""

    def __init__(self, home: Home) -> None:
        self._home = home

    def path(self, place: str) -> Path:
        """Where it can be read on this machine."""
        return self._home.inside(place)

    def exists(self, place: str) -> bool:
        return self.path(place).exists()

    def staging(self, place: str) -> Path:
        """A directory's path while it is filled (by `durable.directory`), to be published at
        `place` or beside it. What is left there by a killed process is swept."""
        return durable.temporary(self.path(place))

    def publish(self, directory: Path, place: str) -> None:
        """Move a whole directory to its place. One that is there already, from an attempt that was
        broken off or by another process at this very moment, stays; `directory` is gone anyhow."""
        target = self.path(place)
        if target.exists() or not durable.move_unless_there(directory, target):
            durable.remove(directory)

    def link(self, place: str, new: str) -> None:
        """The same files at a second place: they stay when the first is removed. Raises
        FileNotFoundError where that happens at this very moment."""
        durable.link(self.path(place), self.path(new))

    def verify(self, place: str) -> None:
        """Raises Corrupt naming the first file that is not what was published."""
        durable.verify(self.path(place))

    def fingerprint(self, place: str) -> str:
        """Of the exact content, as its manifest has it: 16 hex digits."""
        return durable.fingerprint(self.path(place))

    def remove(self, place: str) -> None:
        """At once out of sight. One that is not there is no error."""
        durable.remove(self.path(place))
