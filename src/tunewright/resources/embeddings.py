"""Text in, vectors out."""

import base64
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from tunewright.answering.model import Answering, answering
from tunewright.embedding.batching import Vectors
from tunewright.embedding.embedder import Embedded, Embedder
from tunewright.embedding.long import Chunks
from tunewright.embedding.prompts import Prompt
from tunewright.embedding.vectors import shortened
from tunewright.errors import BadRequest, TunewrightError
from tunewright.records.embeddings import (
    Embedding,
    EmbeddingList,
    EmbeddingRequest,
    EmbeddingUsage,
)
from tunewright.records.models import Weights
from tunewright.records.tables import EmbeddedTable
from tunewright.resources.embedding_inputs import (
    tokens,
    unknown_tokens,
    unreadable,
)
from tunewright.resources.embedding_prompts import prompt_for
from tunewright.resources.embedding_tables import EmbeddingTables
from tunewright.resources.foreign_ids import OpenAIs
from tunewright.resources.models import Models
from tunewright.stepwise import Steps, finish
from tunewright.usage import Quota

_SHORT = 400  # characters
UnknownText: TypeAlias = Literal["refuse", "allow"]
Submit: TypeAlias = Callable[[Embedder, Sequence[Sequence[int]]], "Future[Vectors]"]


@dataclass(frozen=True)
class Prepared:
    """A request whose inputs are being computed. `unknown`, `nothing`: as of `Embedded`."""

    asked: EmbeddingRequest
    answering: Answering
    counts: list[int]  # tokens of each input
    unknown: list[int]
    nothing: list[int]
    chunks: Chunks
    vectors: "Future[Vectors]"

    def embedded(self) -> Embedded:
        """Waits. Raises Unavailable where the engine fails."""
        found = self.chunks.embedded(self.vectors.result())
        vectors, dimensions = found.vectors, self.asked.dimensions
        if dimensions:
            vectors = shortened(vectors, dimensions)
        counted = (self.counts, found.chunked, self.unknown, self.nothing, found.truncated)
        return Embedded(vectors, *counted)


class Embeddings:
    def __init__(
        self,
        models: Models,
        embedder: Callable[[Weights], Embedder],
        openais: OpenAIs,
        quota: Quota,
        submit: Submit,
        unknown_text: UnknownText,
        tables: EmbeddingTables,
    ) -> None:
        """`submit`: to the scheduler, for the organisation whose models these are. `tables`: what
        embeds whole tables."""
        self.tables = tables
        self._models = models
        self._embedder = embedder
        self._openais = openais
        self._unknown_text: UnknownText = unknown_text
        self._quota = quota
        self._submit = submit
        self._opened: dict[str, Embedder] = {}  # by the model's directory

    def admit(self) -> None:
        """Count one request. Raises Busy."""
        self._quota.admit(tokens=True)

    def create(self, /, **given: Any) -> EmbeddingList:
        """`given`: the fields of `EmbeddingRequest`."""
        self.admit()
        request: EmbeddingRequest = EmbeddingRequest.parse(given)
        embedded = self.embed(request)
        as_text = request.encoding_format == "base64"
        vectors = base64_vectors(embedded.vectors) if as_text else embedded.vectors.tolist()
        total = sum(embedded.tokens)
        # model_construct: checking half a million floats that we made ourselves costs 50 ms.
        return EmbeddingList(
            data=[
                Embedding.model_construct(index=index, embedding=vector)
                for index, vector in enumerate(vectors)
            ],
            model=request.model,
            usage=EmbeddingUsage(prompt_tokens=total, total_tokens=total),
        )

    def table(self, file: Path | str, output: Path | str, /, **given: Any) -> EmbeddedTable:
        """Embed a table of any length into a file: `EmbeddingTables.table`."""
        return self.tables.table(file, output, **given)

    def embed(self, request: EmbeddingRequest, unknown_text: UnknownText | None = None) -> Embedded:
        """Unit vectors, float32 [inputs, dimensions], with the tokens of each input.

        Token ids are of OpenAI's vocabulary under OpenAI's names, else of the model's own. Raises
        BadRequest for an unknown id, a too long input, dimensions that the model cannot give, and,
        where `unknown_text` (by default the setting) is "refuse", for a text of which the model can
        read nothing.
        """
        return finish(self.preparing(request, unknown_text)).embedded()

    def preparing(
        self,
        request: EmbeddingRequest,
        unknown_text: UnknownText | None = None,
        submit: Submit | None = None,
    ) -> Steps[Prepared]:
        """What can be refused and the tokens, by steps of some ten milliseconds; at the last one,
        the inputs are on their way (by `submit`, where not to the scheduler). Raises Busy where too
        much is."""
        weights = self._models.weights(request.model, ("embedding",))
        embedder = self._opened[weights.whole] = self._embedder(weights)
        unknown_text = unknown_text or self._unknown_text
        return (yield from self._preparing(request, weights, embedder, unknown_text, submit))

    def at_once(self, request: EmbeddingRequest) -> Prepared | None:
        """The same in some 0.2 ms, where the texts are short and their model is at hand; else
        None. A thread for it would take longer."""
        if not _short(request):
            return None
        weights = self._models.at_hand(request.model, "embedding")
        embedder = self._opened.get(weights.whole) if weights else None
        if weights is None or embedder is None:
            return None
        return finish(self._preparing(request, weights, embedder, self._unknown_text))

    def _preparing(
        self,
        request: EmbeddingRequest,
        weights: Weights,
        embedder: Embedder,
        unknown_text: UnknownText,
        submit: Submit | None = None,
    ) -> Steps[Prepared]:
        _check_dimensions(request, embedder)
        text = prompt_for(request.model, embedder.declared, request.prompt_name)
        prompt = Prompt.of(embedder, text)
        heads, ids, counts = yield from tokens(request, embedder, self._openais, prompt)
        unknown, nothing = unknown_tokens(request, ids, embedder)
        if nothing and unknown_text == "refuse":
            raise unreadable(request, nothing, weights.id)
        chunks = Chunks.of(embedder, ids, heads)
        vectors = self._computing(embedder, chunks, sum(counts), submit or self._submit)
        answers = answering(request.model, weights)
        sent = replace(chunks, rows=[])  # the scheduler has them: no second time while it waits
        return Prepared(request, answers, counts, unknown, nothing, sent, vectors)

    def _computing(
        self, embedder: Embedder, chunks: Chunks, tokens: int, submit: Submit
    ) -> "Future[Vectors]":
        """Counted as `tokens`, but where it is not taken, or fails."""
        taken = self._quota.reserve(tokens)
        try:
            vectors = submit(embedder, chunks.rows)
        except TunewrightError:
            self._quota.spend(-taken)
            raise
        if taken:
            vectors.add_done_callback(self._give_back_of_failed(taken))
        return vectors

    def _give_back_of_failed(self, taken: int) -> "Callable[[Future[Vectors]], None]":
        def give_back(vectors: "Future[Vectors]") -> None:
            if not vectors.cancelled() and vectors.exception():
                self._quota.spend(-taken)

        return give_back


def body(asked: EmbeddingRequest, embedded: Embedded) -> dict[str, Any]:
    """The same object as `Embeddings.create` gives, without a record for each vector: they are
    texts, or rows of float32 [d]."""
    as_text = asked.encoding_format == "base64"
    vectors = base64_vectors(embedded.vectors) if as_text else list(embedded.vectors)
    total = sum(embedded.tokens)
    return {
        "object": "list",
        "data": [
            {"object": "embedding", "index": index, "embedding": vector}
            for index, vector in enumerate(vectors)
        ],
        "model": asked.model,
        "usage": {"prompt_tokens": total, "total_tokens": total},
    }


def base64_vectors(vectors: NDArray[np.float32]) -> list[str]:
    """Each row as base64 of little-endian float32: what the SDKs ask for by default."""
    return [base64.b64encode(row.tobytes()).decode("ascii") for row in vectors.astype("<f4")]


def _short(request: EmbeddingRequest) -> bool:
    texts = [text for text in request.inputs if isinstance(text, str)]
    return len(texts) == len(request.inputs) and sum(map(len, texts)) <= _SHORT


def _check_dimensions(request: EmbeddingRequest, embedder: Embedder) -> None:
    asked, most = request.dimensions, embedder.dimensions
    if asked is None or asked == most:
        return
    if asked > most:
        raise BadRequest(
            f"Invalid 'dimensions': integer above maximum value. Expected a value <= {most}, but "
            f"got {asked} instead: `{request.model}` has {most} dimensions here.",
            param="dimensions",
            code="integer_above_max_value",
        )
    if not embedder.declared.prefixes:
        raise BadRequest(
            "This model does not support specifying dimensions: the vectors of "
            f"`{request.model}` have {most} and were not made to be cut.",
            param="dimensions",
        )
    sizes = embedder.declared.sizes
    if sizes and asked not in sizes:
        raise BadRequest(
            f"Invalid 'dimensions': {asked} is not among those that `{request.model}` was made for "
            f"({', '.join(map(str, sizes))}).",
            param="dimensions",
        )
