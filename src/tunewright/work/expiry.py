"""What goes by itself and not by a task: uploads that nobody completed, files that expire, what is
left of jobs that ended in vain."""

import logging
import threading

from tunewright.app import Tunewright
from tunewright.errors import TunewrightError
from tunewright.records.files import File
from tunewright.records.uploads import UploadPart
from tunewright.resources import orphans

log = logging.getLogger(__name__)

INTERVAL_SECONDS = 60.0


def run(tw: Tunewright, stopping: threading.Event) -> None:
    """Look at once, then every INTERVAL_SECONDS, until `stopping` is set."""
    while True:
        try:
            expire(tw)
        except (TunewrightError, OSError) as error:  # the catalog is busy, a disk is full
            log.warning("expiry: %s", error)
        if stopping.wait(INTERVAL_SECONDS):
            return


def expire(tw: Tunewright) -> None:
    orphans.tidy(tw.catalog, tw.home)
    for organisation in {*tw.catalog.organisations(UploadPart), *tw.catalog.organisations(File)}:
        acting = tw.acting(tw.access.of_organisation(organisation))
        acting.uploads.sweep()
        acting.files.sweep()
