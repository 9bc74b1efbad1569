"""How many tokens a text has, for a tokenizer that goes by its name."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tunewright.embedding.embedder import Embedder
from tunewright.errors import BadRequest, NotFound
from tunewright.records.models import Weights
from tunewright.rendering import Renderer
from tunewright.resources.models import Models
from tunewright.vocabularies import PUBLISHED, Encoding, encoding_of


@dataclass(frozen=True)
class Counted:
    """`by`: the encoding of OpenAI's or the model here whose tokenizer counted."""

    tokens: list[int]
    by: str


class Counting:
    def __init__(
        self,
        models: Models,
        renderer: Callable[[Weights], Renderer],
        embedder: Callable[[Weights], Embedder],
        encoding: Callable[[str], Encoding],
    ) -> None:
        self._models = models
        self._renderer = renderer
        self._embedder = embedder
        self._encoding = encoding

    def count(self, texts: Sequence[str], encoding: str) -> Counted:
        """Tokens of each text alone, without special tokens. `encoding`: one of OpenAI's, such as
        cl100k_base, a model of OpenAI's, whose encoding is meant, whichever model answers to that
        name here, or another model here, whose own tokenizer is meant.

        Raises BadRequest for a name that is none, or a vocabulary that is not on this machine.
        """
        weights = None if encoding in PUBLISHED else self._weights(encoding)
        if weights is not None and weights.id == encoding:
            return Counted(self._by(weights, texts), encoding)
        published = encoding if encoding in PUBLISHED else encoding_of(encoding)
        if published is not None:
            return Counted(self._published(texts, published, encoding), published)
        if weights is not None:
            return Counted(self._by(weights, texts), weights.id)
        known = ", ".join(PUBLISHED)
        raise BadRequest(
            f"'{encoding}' is neither a model here nor an encoding of OpenAI's ({known}).",
            param="encoding",
        )

    def _weights(self, name: str) -> Weights | None:
        try:
            return self._models.weights(name, ("chat", "completion", "embedding"))
        except NotFound:
            return None

    def _published(self, texts: Sequence[str], name: str, asked: str) -> list[int]:
        try:
            return self._encoding(name).counts(texts).tolist()
        except BadRequest as error:
            if asked == name:
                raise
            what = f"OpenAI's {asked} uses the encoding {name}."
            other = "To count with the tokenizer of a model here, name that model itself."
            raise BadRequest(
                f"{what} {error.message} {other}", param=error.param, code=error.code
            ) from error

    def _by(self, weights: Weights, texts: Sequence[str]) -> list[int]:
        if weights.kind == "embedding":
            return list(map(int, self._embedder(weights).count(list(texts))))
        renderer = self._renderer(weights)
        return [renderer.count(text) for text in texts]
