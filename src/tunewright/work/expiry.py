"""What goes by itself and not by a task: uploads that nobody completed, files, exports,
batches and vector stores that expire, what is left of jobs that ended in vain."""

import contextlib
import logging
import threading
from collections.abc import Iterator

from tunewright.app import Acting, Tunewright
from tunewright.errors import TunewrightError
from tunewright.records.batches import Batch
from tunewright.records.exports import Export
from tunewright.records.files import File
from tunewright.records.uploads import UploadPart
from tunewright.records.vector_stores import VectorStore
from tunewright.resources import removals

log = logging.getLogger(__name__)

INTERVAL_SECONDS = 60.0


def run(tw: Tunewright, stopping: threading.Event) -> None:
    """Look at once, then every INTERVAL_SECONDS, until `stopping` is set."""
    while True:
        expire(tw)
        if stopping.wait(INTERVAL_SECONDS):
            return


def expire(tw: Tunewright) -> None:
    """What fails for one organisation, whatever the reason, is tried again the next time; the
    others' goes on."""
    with _logged("jobs that ended"):
        removals.tidy(tw.catalog, tw.home, tw.artefacts)
    with _logged("organisations"):
        kinds = (UploadPart, File, Export, Batch, VectorStore)
        for id in {id for kind in kinds for id in tw.catalog.organisations(kind)}:
            with _logged(id):
                _expire(tw.acting(tw.access.of_organisation(id)))


def _expire(acting: Acting) -> None:
    with _logged(f"uploads of {acting.caller.name}"):
        acting.uploads.sweep()
    with _logged(f"exports of {acting.caller.name}"):
        acting.exports.sweep()
    with _logged(f"batches of {acting.caller.name}"):
        acting.batches.sweep()
    with _logged(f"vector stores of {acting.caller.name}"):
        acting.vector_stores.sweep()
    acting.files.sweep()


@contextlib.contextmanager
def _logged(what: str) -> Iterator[None]:
    try:
        yield
    except (TunewrightError, OSError) as error:  # the catalog is busy, a disk is full
        log.warning("expiry, %s: %s", what, error)
    except Exception:
        log.exception("expiry, %s", what)
