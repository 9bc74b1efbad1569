"""What ends by the clock and not by a task: uploads that nobody completed, files that expire."""

import logging
import threading

from tunewright.app import Tunewright
from tunewright.errors import TunewrightError
from tunewright.records.files import File
from tunewright.records.uploads import UploadPart

log = logging.getLogger(__name__)

INTERVAL_SECONDS = 60.0


def run(tw: Tunewright, stopping: threading.Event) -> None:
    """Look at once, then every INTERVAL_SECONDS, until `stopping` is set."""
    while True:
        try:
            expire(tw)
        except TunewrightError as error:  # the catalog: busy, or its disk is full
            log.warning("expiry: %s", error.message)
        if stopping.wait(INTERVAL_SECONDS):
            return


def expire(tw: Tunewright) -> None:
    for organisation in {*tw.catalog.organisations(UploadPart), *tw.catalog.organisations(File)}:
        acting = tw.acting(tw.access.of_organisation(organisation))
        acting.uploads.sweep()
        acting.files.sweep()
