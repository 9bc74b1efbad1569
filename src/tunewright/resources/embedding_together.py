"""Several embedding requests computed as one, as a batch's are."""

from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from typing import Any, TypeAlias

from tunewright.embedding.batching import Vectors, embedded
from tunewright.embedding.embedder import Embedder
from tunewright.errors import Busy, NotRunning, TunewrightError, Unavailable
from tunewright.records.embeddings import EmbeddingRequest
from tunewright.resources.embeddings import Embeddings, Prepared, body
from tunewright.stepwise import finish

Rows: TypeAlias = Sequence[Sequence[int]]


def together(
    embeddings: Embeddings, several: Sequence[Mapping[str, Any]]
) -> list[dict[str, Any] | TunewrightError]:
    """For the fields of each `EmbeddingRequest` the wire object of its answer, or the error that
    `Embeddings.create` would raise.

    What each gets follows from these requests alone, to the last bit: in the scheduler it would
    depend on what else is computed at that moment, and here what is computed again is the same.
    """
    waiting = _Waiting()
    prepared = [_prepared(embeddings, given, waiting) for given in several]
    waiting.compute()
    return [_answer(one) for one in prepared]


class _Waiting:
    """The inputs of all requests, and who waits for them."""

    def __init__(self) -> None:
        self._parts: list[tuple[Embedder, Rows, Future[Vectors]]] = []

    def submit(self, embedder: Embedder, rows: Rows) -> "Future[Vectors]":
        future: Future[Vectors] = Future()
        self._parts.append((embedder, rows, future))
        return future

    def compute(self) -> None:
        for embedder in {id(part[0]): part[0] for part in self._parts}.values():
            mine = [(rows, future) for of, rows, future in self._parts if of is embedder]
            try:
                _compute(embedder, mine)
            except (Busy, NotRunning) as error:
                for _, future in mine:
                    future.set_exception(error)
            except Exception:  # one text that breaks the engine harms no other request
                for part in mine:
                    _alone(embedder, part)


def _compute(embedder: Embedder, parts: list[tuple[Rows, "Future[Vectors]"]]) -> None:
    vectors = embedded(embedder, [ids for rows, _ in parts for ids in rows])  # [all rows, d]
    start = 0
    for rows, future in parts:
        future.set_result(vectors[start : start + len(rows)])
        start += len(rows)


def _alone(embedder: Embedder, part: tuple[Rows, "Future[Vectors]"]) -> None:
    try:
        _compute(embedder, [part])
    except TunewrightError as error:
        part[1].set_exception(error)
    except Exception as error:
        failed = Unavailable(f"The engine of this embedding model failed at this request: {error}")
        part[1].set_exception(failed)


def _prepared(
    embeddings: Embeddings, given: Mapping[str, Any], waiting: _Waiting
) -> Prepared | TunewrightError:
    try:
        embeddings.admit()
        request: EmbeddingRequest = EmbeddingRequest.parse(dict(given))
        return finish(embeddings.preparing(request, submit=waiting.submit))
    except TunewrightError as error:
        return error


def _answer(prepared: Prepared | TunewrightError) -> dict[str, Any] | TunewrightError:
    if isinstance(prepared, TunewrightError):
        return prepared
    try:
        return body(prepared.asked, prepared.embedded())
    except TunewrightError as error:
        return error
