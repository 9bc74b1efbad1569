"""Models by name: bases, the aliases of OpenAI's names, and tuned models."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from tunewright.access import Caller
from tunewright.answering.model import is_tuned
from tunewright.artefacts import Artefacts
from tunewright.catalog.catalog import SHARED, Shelf
from tunewright.errors import BadRequest, Forbidden, NotFound
from tunewright.generation.generator import ModelSpec
from tunewright.records.exports import Export
from tunewright.records.models import Loadable, Model, ModelKind, Weights
from tunewright.records.pages import Deleted, Page
from tunewright.records.permissions import CheckpointPermission
from tunewright.resources import naming
from tunewright.resources.aliases import Aliases, hint
from tunewright.resources.removals import Removals
from tunewright.resources.switching import Switching


class Models:
    def __init__(
        self,
        caller: Caller,
        shelf: Shelf,
        aliases: dict[str, str],
        artefacts: Artefacts,
        removals: Removals,
        export: Callable[..., Export],
    ) -> None:
        """export: `Exports.export`, which looks models up here."""
        self.export = export
        self._caller = caller
        self._shelf = shelf
        self._shared = shelf.catalog.shelf(SHARED)
        self._aliases = Aliases(aliases)
        self._artefacts = artefacts
        self._removals = removals
        self.switching = Switching(caller, shelf)

    def list(self) -> Page[Model]:
        """Bases, oldest first, then aliases, the organisation's switched names last, then its own
        models, oldest first."""
        bases = {model.id: model for model in self._shared.all(Model)}
        aliases = [
            _alias(name, known.created)
            for name, target in self._aliases.listed()
            if name not in bases and (known := bases.get(target) or self._own(target))
        ]
        aliases += [_alias(each.name, each.created) for each in self.switching.list()]
        models = [*bases.values(), *aliases, *self._shelf.all(Model)]
        return Page[Model](data=models, has_more=False)

    def retrieve(self, id: str) -> Model:
        """Raises NotFound with OpenAI's code model_not_found."""
        with self._shelf.catalog.reading():
            found = self._own(id)
            if found is not None:
                return found.model_copy(update={"id": id})
            found = self._shared.get(Model, id)
            if found is None and (switched := self.switching.get(id)):
                found = _alias(id, switched.created)
            if found is None and (known := self._known(self.real_name(id))):
                found = _alias(id, known.created)
            if found is None:
                raise self._no_such(id)
            return found

    def real_name(self, id: str) -> str:
        """What an alias stands for, which need not exist, or the first name of a tuned model; any
        other name unchanged.

        A base's own name goes before a pattern, and an alias of exactly that name before it.
        """
        if own := self._own(id):
            return own.id
        if switched := self.switching.get(id):
            return switched.target
        if target := self._aliases.exact(id):
            return target
        if self._shared.get(Model, id):
            return id
        return self._aliases.matching(id) or id

    def weights(self, id: str, kinds: tuple[ModelKind, ...]) -> Weights:
        """Where the weights of a model or alias lie.

        Raises NotFound, or BadRequest where the model is of another kind than `kinds`.
        """
        found = self._weights(id)
        if found is None:
            raise self._no_such(id)
        if found.kind not in kinds:
            raise BadRequest(_other_kind(id, found.kind), param="model", code="model_kind")
        return found

    def at_hand(self, id: str, kind: ModelKind) -> Weights | None:
        """The same where it was asked before and nothing has changed since, which takes no time;
        else None."""
        found: Weights | None = self._shelf.catalog.remembered.peek(self._key(id))
        return found if found and found.kind == kind else None

    def base(self, id: str) -> str | None:
        """The base that answers in the end; None for a name that stands for nothing."""
        weights = self._weights(id)
        return weights.base if weights else None

    def standing(self) -> Mapping[str, Sequence[str]]:
        """By base, the operator's names and patterns that stand for it."""
        return self._aliases.standing()

    def _known(self, real: str) -> Model | None:
        return self._own(real) or self._shared.get(Model, real)

    def _key(self, id: str) -> tuple[str, str, str]:
        return "weights", self._shelf.organisation, id

    def _weights(self, id: str) -> Weights | None:
        return self._shelf.catalog.remembered.get(self._key(id), lambda: self._read(id))

    def _read(self, id: str) -> Weights | None:
        with self._shelf.catalog.reading():
            real = self.real_name(id)
            if own := self._own(real):
                return self._shelf.get(Weights, own.id)
            return self._shared.get(Weights, real)

    def directory(self, weights: Loadable) -> Path:
        """The directory with the tokenizer and, but for an adapter, the weights."""
        return self._artefacts.path(weights.whole)

    def spec(self, weights: Loadable) -> ModelSpec:
        """What the engine is told about a model."""
        adapter = self.adapter(weights)
        return ModelSpec(
            key=weights.id,
            base=str(self.directory(weights)),
            adapter=str(adapter) if adapter else None,
            fingerprint=weights.base_fingerprint,
        )

    def adapter(self, weights: Loadable) -> Path | None:
        return self._artefacts.path(weights.adapter) if weights.adapter else None

    def delete(self, id: str) -> Deleted:
        """Delete a tuned model of the caller's organisation: for its owners.

        The checkpoints of its job go with it; a checkpoint's name deletes that one alone. No new
        call finds them. What runs with them ends undisturbed; then the worker removes the weights.
        """
        with self._shelf.catalog.transaction():
            own = self._own(id)
            if own is None:
                if switched := self.switching.get(id):
                    raise BadRequest(
                        f"{id} is another name of {switched.target}. On the server's machine, "
                        f"`tunewright import openai switch {id} --undo` takes it away.",
                        param="model",
                        code="model_is_alias",
                    )
                if self._shared.get(Model, id) or self._aliases.target(id):
                    raise Forbidden(
                        f"{id} is not a tuned model. The operator removes a base with "
                        "`tunewright models delete` on the server's machine.",
                        param="model",
                    )
                raise self._no_such(id)
            self._caller.require_owner()
            self.switching.refuse_in_use(own.id)
            self._shelf.delete(Model, own.id)
            self._withdraw(self._with_checkpoints(own.id))
        return Deleted(id=id, object="model")

    def withdraw_checkpoints(self, job: str) -> None:
        """Delete the checkpoints of a job that is being deleted; its model stays."""
        made = self._shelf.all(Weights, where={"job": job})
        self._withdraw([weights for weights in made if weights.step is not None])

    def _withdraw(self, gone: Sequence[Weights]) -> None:
        for weights in gone:
            self._shelf.delete(Model, weights.id)
            self._shelf.delete(Weights, weights.id)
            self._shelf.clear(CheckpointPermission, weights.id)
            self._removals.order_exports(weights.id)
            self._removals.order_weights(weights)

    def retrieve_own(self, id: str) -> Model:
        """A tuned model or checkpoint of the caller's organisation, under its first name. Raises
        NotFound for others."""
        found = self._own(id)
        if found is None:
            raise self._no_such(id)
        return found

    def hint(self, id: str) -> str:
        """What to do about a name that stands for nothing; empty where nothing can be said."""
        if self._weights(id):
            return ""
        if (real := self.real_name(id)) != id:
            return (
                f" It stands for `{real}`, which does not exist here: see [aliases] in "
                "settings.toml."
            )
        bases = [model.id for model in self._shared.all(Model)]
        return hint(id, [*bases, *(name for name, base in self._aliases.listed() if base in bases)])

    def _no_such(self, id: str) -> NotFound:
        return NotFound(
            f"The model `{id}` does not exist or you do not have access to it.{self.hint(id)}",
            param="model",
            code="model_not_found",
        )

    def _own(self, id: str) -> Model | None:
        """A tuned model or a checkpoint, found by either of its names."""
        if not is_tuned(id):
            return None
        name = naming.first_name(self._shelf, id)
        if model := self._shelf.get(Model, name):
            return model
        weights = self._shelf.get(Weights, name)
        if weights is None or weights.step is None:
            return None
        return Model(id=name, created=weights.created, owned_by=self._caller.name)

    def _with_checkpoints(self, id: str) -> Sequence[Weights]:
        weights = self._shelf.get(Weights, id)
        if weights is None or weights.step is not None or weights.job is None:
            return [weights] if weights else []
        return self._shelf.all(Weights, where={"job": weights.job})


def _alias(name: str, created: int) -> Model:
    return Model(id=name, created=created, owned_by="tunewright-alias")


def _other_kind(id: str, kind: ModelKind) -> str:
    calls = {
        "chat": "is a chat model. Use /v1/chat/completions",
        "completion": "is a completion model. Use /v1/completions",
        "embedding": "is an embedding model. Use /v1/embeddings",
    }
    return f"The model `{id}` {calls[kind]} (and, for tuning, data in its form)."
