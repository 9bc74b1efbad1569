"""What a batch can ask, one row each."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tunewright.app import Acting
from tunewright.records.batches import BatchEndpoint
from tunewright.records.completions import ChatRequest, CompletionRequest
from tunewright.records.embeddings import EmbeddingRequest
from tunewright.records.models import ModelKind
from tunewright.records.record import Record, Request


@dataclass(frozen=True)
class Endpoint:
    """takes: the record of one request. use: the use case that answers it.
    kinds: of the models that can. inputs: how many texts are to be embedded, as the limit counts
    them.
    """

    takes: type[Request]
    use: Callable[[Acting], Callable[..., Record]]
    kinds: tuple[ModelKind, ...]
    inputs: Callable[[Any], int] = lambda body: 0


def _inputs(body: dict[str, Any]) -> int:
    """Of what is not checked yet: one text, texts, one list of ids, or lists of them."""
    given = body.get("input")
    several = isinstance(given, list) and given and not isinstance(given[0], int)
    return len(given) if several else 1


ENDPOINTS: dict[BatchEndpoint, Endpoint] = {
    "/v1/chat/completions": Endpoint(ChatRequest, lambda it: it.chat.create, ("chat",)),
    "/v1/completions": Endpoint(
        CompletionRequest, lambda it: it.completions.create, ("completion",)
    ),
    "/v1/embeddings": Endpoint(
        EmbeddingRequest, lambda it: it.embeddings.create, ("embedding",), _inputs
    ),
}
