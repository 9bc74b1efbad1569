"""The embedding model of a vector store, so long as it is still the one that made its vectors."""

from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import Literal, TypeAlias

from tunewright.embedding.batching import Vectors
from tunewright.embedding.chosen import Chosen
from tunewright.embedding.embedder import Embedder
from tunewright.embedding.long import Chunks
from tunewright.embedding.prompts import Prompt
from tunewright.errors import BadRequest, NotFound
from tunewright.records.models import Weights
from tunewright.records.vector_stores import StoreEmbedding, VectorStore
from tunewright.resources.embedding_prompts import prompt_of_side
from tunewright.resources.models import Models
from tunewright.suggestions import command

Submit: TypeAlias = Callable[[Embedder, Sequence[Sequence[int]]], "Future[Vectors]"]
Side: TypeAlias = Literal["query", "document"]


class Texts:
    """Texts as the model of a store reads them, on one side of a search. `tokens`: of each."""

    def __init__(self, embedder: Embedder, texts: Sequence[str], side: Side) -> None:
        """Raises BadRequest where one is longer than the model reads, and it refuses those."""
        prompt = Prompt.of(embedder, prompt_of_side(embedder.declared, side))
        heads, self.ids = prompt.tokenize(embedder, texts)
        self._chunks = Chunks.of(embedder, self.ids, heads)
        self._embedder = embedder

    @property
    def tokens(self) -> int:
        return sum(map(len, self.ids))

    def embedded(self, submit: Submit) -> Vectors:
        """[texts, d]. Waits."""
        return self._chunks.embedded(submit(self._embedder, self._chunks.rows).result()).vectors


class StoreModels:
    def __init__(
        self, models: Models, embedder: Callable[[Weights], Embedder], index: str = "local"
    ) -> None:
        """index: the name of the one that keeps vectors now."""
        self._models = models
        self._embedder = embedder
        self._index = index

    def today(self, model: str) -> StoreEmbedding:
        """What the vectors of a store by this model are. Raises NotFound, and BadRequest for one
        that does not embed."""
        weights = self._models.weights(model, ("embedding",))
        chosen = Chosen.read(self._models.directory(weights))
        return StoreEmbedding(
            model=weights.id,
            fingerprint=weights.base_fingerprint,
            precision=chosen.precision if chosen else "exact",
            dimensions=self._embedder(weights).dimensions,
            index=self._index,
        )

    def open(self, store: VectorStore, embedding: StoreEmbedding | None = None) -> Embedder:
        """embedding: another one than the store has. Raises BadRequest where the model is gone, or
        is another one under its name now; or where another index has the vectors."""
        made = embedding or store.embedding
        if made.index != self._index:
            raise _elsewhere(store.id, made.index, self._index)
        try:
            today = self.today(made.model)
        except (NotFound, BadRequest) as error:
            raise _changed(store.id, made.model, "is not here any more") from error
        if _makes(today) != _makes(made):
            raise _changed(store.id, made.model, "is another one now")
        return self._embedder(self._models.weights(made.model, ("embedding",)))


def _makes(embedding: StoreEmbedding) -> tuple[str, str, int]:
    return embedding.fingerprint, embedding.precision, embedding.dimensions


def _elsewhere(store: str, there: str, now: str) -> BadRequest:
    return BadRequest(
        f"The vectors of {store} are in the index '{there}', and the setting `vectors` says "
        f"'{now}' now. Set it as it was, or have the texts of the store embedded anew, for this "
        f"index: {command('vectors', 'reembed', store)} --model MODEL",
        param="vector_store_id",
        code="embedding_model_changed",
    )


def _changed(store: str, model: str, what: str) -> BadRequest:
    return BadRequest(
        f"The vectors of {store} were made by the model `{model}`, which {what}, and vectors of "
        "two models cannot be compared. Have the texts of the store embedded anew, by that or by "
        f"another model: {command('vectors', 'reembed', store)} --model MODEL",
        param="vector_store_id",
        code="embedding_model_changed",
    )
