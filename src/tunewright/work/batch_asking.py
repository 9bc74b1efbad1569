"""One request of a batch, answered as it would be over HTTP, into a line of a file."""

import logging
import time
from dataclasses import dataclass
from typing import Any

from tunewright.app import Acting
from tunewright.errors import Busy, StorageFull, TunewrightError, Unavailable
from tunewright.records.batches import Batch
from tunewright.work.batch_endpoints import ENDPOINTS
from tunewright.work.batch_lines import Answered, Asked, Naming

log = logging.getLogger(__name__)

PAUSES = (1.0, 4.0, 10.0)
"""Between attempts where something is down for the moment: an engine is back in some seconds."""


@dataclass(frozen=True)
class Asking:
    """Called from many threads. Raises Busy where the organisation has no room now, StorageFull;
    whatever else is wrong with a request becomes its answer."""

    acting: Acting
    batch: Batch

    def __call__(self, asked: Asked) -> Answered:
        try:
            body = self._body(asked)
        except StorageFull:
            raise
        except TunewrightError as error:
            if isinstance(error, Busy) and error.retry is not False:
                raise
            return self._refused(asked, error)
        except Exception:
            log.exception("%s, line %s", self.batch.id, asked.number)
            said = "The server had an error while processing this request: its log says more."
            return self._refused(asked, TunewrightError(said))
        line = Naming(self.batch).good(asked, body)
        usage = body.get("usage") or {}
        read, written = usage.get("prompt_tokens", 0), usage.get("completion_tokens", 0)
        return Answered(asked.number, line, read=read, written=written)

    def _body(self, asked: Asked) -> dict[str, Any]:
        endpoint = ENDPOINTS[self.batch.endpoint]
        given = dict(asked.body)
        if "seed" in endpoint.takes.model_fields and given.get("seed") is None:
            given["seed"] = Naming(self.batch).seed(asked.number)
        for pause in (*PAUSES, None):
            try:
                return endpoint.use(self.acting)(**given).wire()
            except Unavailable as error:
                if pause is None or error.retry is False:
                    raise
                log.warning("%s, line %s: %s", self.batch.id, asked.number, error.message)
                time.sleep(pause)
        raise AssertionError

    def _refused(self, asked: Asked, error: TunewrightError) -> Answered:
        line = Naming(self.batch).refused(asked, error.status, error.body())
        return Answered(asked.number, line, failed=True)
