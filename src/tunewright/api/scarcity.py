"""No file, thread or memory is left for a request: it is refused, and the server goes on."""

import errno
import logging

from tunewright.errors import TunewrightError, Unavailable

log = logging.getLogger(__name__)

_NUMBERS = {errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EAGAIN}


def scarce(error: OSError | RuntimeError) -> TunewrightError:
    """The answer to a request that met `error`; an error that means something else is raised."""
    number = error.errno if isinstance(error, OSError) else None
    if number not in _NUMBERS and "can't start new thread" not in str(error):
        raise error
    log.warning("a request is refused: %s", error)
    return Unavailable(
        "The server has no file or thread left for this request. Try again in a moment."
    )
