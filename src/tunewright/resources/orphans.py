"""What no record tells of, because a process was killed in between: it goes at the next start."""

from tunewright.blobs.blobs import Blobs
from tunewright.catalog.catalog import Catalog
from tunewright.home import Home
from tunewright.records.files import File
from tunewright.records.jobs import Job
from tunewright.records.uploads import UploadPart
from tunewright.resources.removals import remove_job


def sweep(catalog: Catalog, home: Home, blobs: Blobs) -> None:
    """Remove the bytes of uploads and the folders of jobs that were never recorded.

    Safe beside processes that are making some: an upload is in use until its record is put, the
    folder of a new job is made in the transaction of its record, and while this one lasts there
    is no other.
    """
    with catalog.transaction():
        blobs.sweep(catalog.ids(File) | catalog.ids(UploadPart))
        known = catalog.ids(Job)
        jobs = home.job("")
        for folder in list(jobs.iterdir()) if jobs.is_dir() else ():
            if folder.name not in known:
                remove_job(catalog, home, folder.name)
