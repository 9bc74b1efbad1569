"""Questions to old models: the only thing that is ever sent to a source."""

from collections.abc import Mapping
from typing import Any

import httpx2
import orjson

from tunewright.imports.connection import FAULTS, TooLarge, TooSlow
from tunewright.imports.source import TRIES, Source, SourceError, backoff, told

PATHS = ("/chat/completions", "/completions")


class Lost(SourceError):
    """No answer came, and nobody can tell whether one was made: it may have been charged."""


class AskingSource(Source):
    """A source whose models may be asked as well: POST to two paths, to no other host. Several
    threads may ask at once."""

    def ask(self, path: str, body: Mapping[str, Any]) -> bytes:
        """The answer's bytes. A request that was refused before it cost anything is made again.

        Raises Lost where it may have cost something, SourceError where it was refused for good.
        """
        if path not in PATHS:
            raise ValueError(path)
        for tried in range(1, TRIES + 1):
            try:
                return self._asked(path, orjson.dumps(body))
            except _Unasked as unasked:
                if tried == TRIES:
                    raise unasked.refused from None
                self._sleep(unasked.wait or backoff(tried))
        raise AssertionError("unreachable")

    def _asked(self, path: str, body: bytes) -> bytes:
        headers = {"Content-Type": "application/json"}
        url = f"{self.base_url}{path}"
        try:
            request = self._connection.request("POST", url, content=body, headers=headers)
            # A redirect is an answer that was not given: it is followed nowhere.
            answer = self._connection.send(request)
        except (httpx2.ConnectError, httpx2.ConnectTimeout) as error:
            raise _Unasked(self._unreachable(error)) from None
        except (TooSlow, *FAULTS) as error:
            raise Lost(f"POST {path} broke off: {self._clean(error)}.") from None
        if not answer.is_success:
            raise self._not_given(answer)
        try:
            return b"".join(self._connection.pieces(answer, self.bounds.body))
        except (TooLarge, TooSlow, *FAULTS) as error:
            raise Lost(f"POST {path} broke off: {self._clean(error)}.") from None

    def _not_given(self, answer: httpx2.Response) -> Exception:
        raw = self._reason(answer)
        refused = self._refusal(answer, raw)
        if answer.status_code >= 500:
            return Lost(refused.message, answer.status_code)
        if answer.status_code == 429 and b"insufficient_quota" not in raw:
            return _Unasked(refused, told(answer))
        return refused

    def _unreachable(self, error: Exception) -> SourceError:
        what = f"{self.base_url} cannot be reached: {self._clean(error)}."
        return SourceError(what, remedy="Run it again: it goes on from here.", unreachable=True)


class _Unasked(Exception):
    """A request that has cost nothing and may be made again after `wait` seconds."""

    def __init__(self, refused: SourceError, wait: float = 0.0) -> None:
        super().__init__(refused.message)
        self.refused = refused
        self.wait = wait
