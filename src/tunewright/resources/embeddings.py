"""Text in, vectors out."""

import base64
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tunewright.embedding.embedder import Embedded, Embedder
from tunewright.errors import BadRequest
from tunewright.records.embeddings import (
    MAX_TOKENS_EACH,
    MAX_TOKENS_TOGETHER,
    Embedding,
    EmbeddingList,
    EmbeddingRequest,
    EmbeddingUsage,
)
from tunewright.records.models import Weights
from tunewright.resources.models import Models


class Embeddings:
    def __init__(self, models: Models, embedder: Callable[[Weights], Embedder]) -> None:
        self._models = models
        self._embedder = embedder

    def create(self, /, **given: Any) -> EmbeddingList:
        """`given`: the fields of `EmbeddingRequest`."""
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

    def embed(self, request: EmbeddingRequest) -> Embedded:
        """Unit vectors, float32 [inputs, dimensions], with the tokens of each input.

        Raises BadRequest for an empty or too long input.
        """
        weights = self._models.weights(request.model, ("embedding",))
        if any(not text for text in request.texts):
            raise BadRequest(
                "'$.input' is invalid. An input must not be an empty string. Please check the "
                "API reference: https://platform.openai.com/docs/api-reference.",
                param="input",
            )
        embedded = self._embedder(weights).embed(request.texts)
        _check_lengths(embedded.tokens)
        return embedded


def base64_vectors(vectors: NDArray[np.float32]) -> list[str]:
    """Each row as base64 of little-endian float32: what the SDKs ask for by default."""
    return [base64.b64encode(row.tobytes()).decode("ascii") for row in vectors.astype("<f4")]


def _check_lengths(tokens: list[int]) -> None:
    longest = max(tokens, default=0)
    if longest > MAX_TOKENS_EACH:
        raise BadRequest(
            f"This model's maximum context length is {MAX_TOKENS_EACH} tokens, however you "
            f"requested {longest} tokens ({longest} in your prompt; 0 for the completion). Please "
            "reduce your prompt; or completion length.",
            param="input",
        )
    if sum(tokens) > MAX_TOKENS_TOGETHER:
        raise BadRequest(
            f"Requested {sum(tokens)} tokens, max {MAX_TOKENS_TOGETHER} tokens per request.",
            param="input",
            code="max_tokens_per_request",
        )
