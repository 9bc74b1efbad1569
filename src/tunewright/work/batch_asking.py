"""Requests of a batch, answered as they would be over HTTP, into lines of its files."""

import logging
import time
from collections import Counter
from collections.abc import Sequence
from typing import Any

from tunewright.app import Acting
from tunewright.errors import Busy, NotRunning, StorageFull, TunewrightError, Unavailable
from tunewright.records.batches import Batch
from tunewright.work.batch_endpoints import ENDPOINTS, Answer
from tunewright.work.batch_lines import Answered, Asked, Group, Naming
from tunewright.work.batch_round import Outcome

log = logging.getLogger(__name__)

TRIES = 3
"""So often is a request asked at which something broke; it may be the request that breaks it."""
DOWN_SECONDS = 5.0
"""Before something is asked again that is not running."""
SAID_SECONDS = 5.0
_FAILED = "The server had an error while processing this request: its log says more."


class Asking:
    """Called from several threads. Raises StorageFull; whatever else is wrong with a request
    becomes its answer, unless it may be answered later."""

    def __init__(self, acting: Acting, batch: Batch) -> None:
        self._acting = acting
        self._batch = batch
        self._tries: Counter[int] = Counter()
        self._said_at = -SAID_SECONDS

    def __call__(self, group: Group) -> Outcome:
        outcome = Outcome()
        for one, answer in zip(group, self._answers(group), strict=True):
            wait = self._wait(one.number, answer)
            if wait is None:
                outcome.answered.append(self._line(one, answer))
            else:
                outcome.again.append(one)
                outcome.seconds = max(outcome.seconds, wait)
        return outcome

    def _wait(self, number: int, answer: Answer) -> float | None:
        """Seconds until it may be asked again; None for what is its answer."""
        if not isinstance(answer, Busy | Unavailable) or answer.retry is False:
            return None
        if isinstance(answer, Busy):
            return answer.retry_after or 1.0
        self._say(number, answer.message)
        if isinstance(answer, NotRunning):
            return DOWN_SECONDS
        self._tries[number] += 1
        return None if self._tries[number] >= TRIES else answer.retry_after or 1.0

    def _say(self, number: int, why: str) -> None:
        """Once for all that were under way when an engine ended."""
        if time.monotonic() - self._said_at >= SAID_SECONDS:
            self._said_at = time.monotonic()
            log.warning("%s, line %s and perhaps others: %s", self._batch.id, number, why)

    def _answers(self, group: Sequence[Asked]) -> Sequence[Answer]:
        given = [self._given(one) for one in group]
        try:
            return ENDPOINTS[self._batch.endpoint].answers(self._acting, given)
        except StorageFull:
            raise
        except Exception:
            log.exception("%s, line %s", self._batch.id, group[0].number)
            if len(group) == 1:
                return [TunewrightError(_FAILED)]
            return [self._answers([one])[0] for one in group]

    def _given(self, asked: Asked) -> dict[str, Any]:
        given = dict(asked.body)
        seeded = "seed" in ENDPOINTS[self._batch.endpoint].takes.model_fields
        if seeded and given.get("seed") is None:
            given["seed"] = Naming(self._batch).seed(asked.number)
        return given

    def _line(self, asked: Asked, answer: Answer) -> Answered:
        naming = Naming(self._batch)
        if isinstance(answer, TunewrightError):
            line = naming.refused(asked, answer.status, answer.body())
            return Answered(asked.number, line, failed=True)
        usage = answer.get("usage") or {}
        read, written = usage.get("prompt_tokens", 0), usage.get("completion_tokens", 0)
        return Answered(asked.number, naming.good(asked, answer), read=read, written=written)
