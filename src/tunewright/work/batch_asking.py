"""Requests of a batch, answered as they would be over HTTP, into lines of its files."""

import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from tunewright.app import Acting
from tunewright.errors import Busy, StorageFull, TunewrightError, Unavailable
from tunewright.records.batches import Batch
from tunewright.work.batch_endpoints import ENDPOINTS, Answer
from tunewright.work.batch_lines import Answered, Asked, Group, Naming
from tunewright.work.batch_round import Outcome

log = logging.getLogger(__name__)

PAUSES = (1.0, 4.0, 10.0)
"""Between attempts where something is down for the moment: an engine is back in some seconds."""
_FAILED = "The server had an error while processing this request: its log says more."


@dataclass(frozen=True)
class Asking:
    """Called from several threads. Raises StorageFull; whatever else is wrong with a request
    becomes its answer, but for Busy: it is asked again later."""

    acting: Acting
    batch: Batch

    def __call__(self, group: Group) -> Outcome:
        answers = dict(zip((one.number for one in group), self._answers(group), strict=True))
        for pause in PAUSES:
            down = [one for one in group if _is_down(answers[one.number])]
            if not down:
                break
            log.warning("%s, line %s: %s", self.batch.id, down[0].number, answers[down[0].number])
            time.sleep(pause)
            answers |= zip((one.number for one in down), self._answers(down), strict=True)
        busy = {n: said for n, said in answers.items() if isinstance(said, Busy)}
        later = [one for one in group if one.number in busy and busy[one.number].retry is not False]
        seconds = max((busy[one.number].retry_after or 1.0 for one in later), default=0.0)
        answered = [self._line(one, answers[one.number]) for one in group if one not in later]
        return Outcome(answered, later, seconds)

    def _answers(self, group: Sequence[Asked]) -> Sequence[Answer]:
        given = [self._given(one) for one in group]
        try:
            return ENDPOINTS[self.batch.endpoint].answers(self.acting, given)
        except StorageFull:
            raise
        except Exception:
            log.exception("%s, line %s", self.batch.id, group[0].number)
            if len(group) == 1:
                return [TunewrightError(_FAILED)]
            return [self._answers([one])[0] for one in group]

    def _given(self, asked: Asked) -> dict[str, Any]:
        given = dict(asked.body)
        seeded = "seed" in ENDPOINTS[self.batch.endpoint].takes.model_fields
        if seeded and given.get("seed") is None:
            given["seed"] = Naming(self.batch).seed(asked.number)
        return given

    def _line(self, asked: Asked, answer: Answer) -> Answered:
        naming = Naming(self.batch)
        if isinstance(answer, TunewrightError):
            line = naming.refused(asked, answer.status, answer.body())
            return Answered(asked.number, line, failed=True)
        usage = answer.get("usage") or {}
        read, written = usage.get("prompt_tokens", 0), usage.get("completion_tokens", 0)
        return Answered(asked.number, naming.good(asked, answer), read=read, written=written)


def _is_down(answer: Answer) -> bool:
    return isinstance(answer, Unavailable) and answer.retry is not False
