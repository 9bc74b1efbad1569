"""Named places where a test can make this process die, raise or dawdle.

``TUNEWRIGHT_FAULT="NAME[:NTH]:ACTION"``, read once: the NTH time (from 1) that this process comes
to ``fault("NAME")`` it is killed (``kill``: SIGKILL, as by the system), raises (``raise``) or waits
(``delay``, or ``delay=SECONDS``). Unset, as always outside tests, a fault point costs a comparison.
tests/reliability exercises every name that stands in the source.
"""

import os
import re
import signal
import time
from dataclasses import dataclass

DELAY_SECONDS = 3.0


class Injected(Exception):
    """What ``raise`` raises: an error that nobody expects."""


@dataclass
class Armed:
    name: str
    nth: int
    action: str

    def __call__(self, name: str) -> None:
        if name != self.name:
            return
        self.nth -= 1
        if self.nth != 0:
            return
        if self.action == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        if self.action == "raise":
            raise Injected(name)
        time.sleep(float(self.action.partition("=")[2] or DELAY_SECONDS))


def read(text: str | None) -> Armed | None:
    """None where nothing is armed. Raises ValueError for a text of another form."""
    if not text:
        return None
    form = re.fullmatch(r"([\w.]+)(?::(\d+))?:(kill|raise|delay(?:=[\d.]+)?)", text)
    if form is None:
        raise ValueError(f"TUNEWRIGHT_FAULT is not NAME[:NTH]:kill|raise|delay: {text!r}")
    return Armed(form[1], int(form[2] or 1), form[3])


armed = read(os.environ.get("TUNEWRIGHT_FAULT"))


def fault(name: str) -> None:
    """A place where a test may strike."""
    if armed is not None:
        armed(name)
