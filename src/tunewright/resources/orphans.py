"""Bytes that nobody needs: what a killed process left without a record, and what a job that ended
in vain would have gone on from."""

from tunewright import names
from tunewright.blobs.blobs import Blobs
from tunewright.catalog.catalog import Catalog
from tunewright.errors import TunewrightError
from tunewright.home import Home
from tunewright.records.files import File
from tunewright.records.jobs import Job
from tunewright.records.record import Record
from tunewright.records.uploads import UploadPart
from tunewright.resources.removals import remove_job, tidy_job


def sweep(catalog: Catalog, home: Home, blobs: Blobs) -> None:
    """Remove the bytes of uploads and the folders of jobs that were never recorded.

    Safe beside processes that are making some, and none of them waits for it: until their record
    is put, an upload is in use and the folder of a new job is claimed.
    """
    blobs.sweep(lambda: catalog.ids(File) | catalog.ids(UploadPart))
    for id in _folders(home) - catalog.ids(Job):
        remove_job(catalog, home, id)


def is_orphan(catalog: Catalog, kind: type[Record], id: str) -> bool:
    """Whether the bytes of `id` have no record, and who made them may remove them. False where the
    catalog cannot say it now: then the next sweep does."""
    try:
        return not catalog.ids(kind, id=id)
    except TunewrightError:
        return False


def tidy(catalog: Catalog, home: Home) -> None:
    """Remove what jobs that failed or were cancelled would need only to go on."""
    ended = catalog.ids(Job, status="failed") | catalog.ids(Job, status="cancelled")
    for id in _folders(home) & ended:
        tidy_job(catalog, home, id)


def _folders(home: Home) -> set[str]:
    if not home.jobs.is_dir():
        return set()
    return {folder.name for folder in home.jobs.iterdir() if names.is_made(folder.name)}
