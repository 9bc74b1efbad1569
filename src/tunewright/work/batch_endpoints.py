"""What a batch can ask, one row each."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from tunewright.app import Acting
from tunewright.errors import StorageFull, TunewrightError
from tunewright.records.batches import BatchEndpoint
from tunewright.records.completions import ChatRequest, CompletionRequest
from tunewright.records.embeddings import EmbeddingRequest
from tunewright.records.models import ModelKind
from tunewright.records.record import Record, Request
from tunewright.resources.embedding_together import together

Body: TypeAlias = Mapping[str, Any]
Answer: TypeAlias = dict[str, Any] | TunewrightError
"""A wire object, or what the call would raise."""


@dataclass(frozen=True)
class Endpoint:
    """takes: the record of one request.  kinds: of the models that can answer it.
    answers: the use case, for the bodies of a group: in their order, an answer each.
    group: requests that are answered together; at_once: groups under way.
    inputs: how many texts are to be embedded, as the limit counts them.
    computes: in this process, which must not end in the midst of it.
    """

    takes: type[Request]
    kinds: tuple[ModelKind, ...]
    answers: Callable[[Acting, Sequence[Body]], Sequence[Answer]]
    group: int = 1
    at_once: int = 32  # two batches of the engine (`generation.batch`)
    inputs: Callable[[Body], int] = lambda body: 0
    computes: bool = False


def _each(
    use: Callable[[Acting], Callable[..., Record]],
) -> Callable[[Acting, Sequence[Body]], Sequence[Answer]]:
    """A use case that answers one request."""

    def answer(acting: Acting, body: Body) -> Answer:
        try:
            return use(acting)(**body).wire()
        except StorageFull:
            raise
        except TunewrightError as error:
            return error

    return lambda acting, several: [answer(acting, body) for body in several]


def _inputs(body: Body) -> int:
    """Of what is not checked yet: one text, texts, one list of ids, or lists of them."""
    given = body.get("input")
    if not isinstance(given, list) or not given or isinstance(given[0], int):
        return 1
    return len(given)


ENDPOINTS: dict[BatchEndpoint, Endpoint] = {
    "/v1/chat/completions": Endpoint(ChatRequest, ("chat",), _each(lambda it: it.chat.create)),
    "/v1/completions": Endpoint(
        CompletionRequest, ("completion",), _each(lambda it: it.completions.create)
    ),
    "/v1/embeddings": Endpoint(
        EmbeddingRequest,
        ("embedding",),
        lambda it, several: together(it.embeddings, several),
        group=64,
        at_once=2,
        inputs=_inputs,
        computes=True,
    ),
}
