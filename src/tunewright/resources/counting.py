"""How many tokens a text has, for a tokenizer that goes by its name."""

from collections.abc import Callable, Sequence

from tunewright.embedding.embedder import Embedder
from tunewright.errors import BadRequest, NotFound
from tunewright.records.models import Weights
from tunewright.rendering import Renderer
from tunewright.resources.models import Models
from tunewright.vocabularies import PUBLISHED, Encoding


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

    def count(self, texts: Sequence[str], encoding: str) -> list[int]:
        """Tokens of each text alone, without special tokens. `encoding`: one of OpenAI's, such as
        cl100k_base, or a model here, whose own tokenizer is meant.

        Raises BadRequest for a name that is neither, or a vocabulary that is not on this machine.
        """
        if encoding in PUBLISHED:
            return self._encoding(encoding).counts(texts).tolist()
        try:
            weights = self._models.weights(encoding, ("chat", "completion", "embedding"))
        except NotFound:
            known = ", ".join(PUBLISHED)
            raise BadRequest(
                f"'{encoding}' is neither a model here nor an encoding of OpenAI's ({known}).",
                param="encoding",
            ) from None
        if weights.kind == "embedding":
            return list(map(int, self._embedder(weights).count(list(texts))))
        renderer = self._renderer(weights)
        return [renderer.count(text) for text in texts]
