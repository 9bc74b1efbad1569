"""Names that models had elsewhere, and the models of an organisation that answer to them."""

from tunewright.access import Caller
from tunewright.catalog.catalog import Shelf
from tunewright.errors import BadRequest, NotFound
from tunewright.records.models import Switched, Weights
from tunewright.resources.naming import first_name


class Switching:
    """Kept in the catalog: a running server answers to a new name from the next request on.

    Every organisation has its own: the same name may stand for another model elsewhere.
    """

    def __init__(self, caller: Caller, shelf: Shelf) -> None:
        self._caller = caller
        self._shelf = shelf

    def get(self, name: str) -> Switched | None:
        if not name.startswith("ft:"):  # no other name is ever switched
            return None
        return self._shelf.get(Switched, self._id(name))

    def of(self, target: str) -> list[str]:
        """The names that `target` answers to besides its own."""
        return [each.name for each in self.list() if each.target == target]

    def switch(self, name: str, target: str) -> Switched:
        """Make `target`, a tuned model of the organisation, answer to `name` as well: for owners.

        Raises BadRequest where `name` is no name of a tuned model or is one of this home, NotFound
        for a target that is not there.
        """
        if not name.startswith("ft:"):
            what = (
                f"'{name}' is not the name of a tuned model (ft:...). Other names are mapped by the"
            )
            raise BadRequest(f"{what} operator, in settings.toml under [aliases].", param="name")
        with self._shelf.catalog.transaction():
            if self._shelf.get(Weights, first_name(self._shelf, name)):
                raise BadRequest(f"{name} is a model of this home already.", param="name")
            target = first_name(self._shelf, target)
            if self._tuned(target) is None:
                raise NotFound(f"There is no tuned model '{target}' here.", param="model")
            self._caller.require_owner()
            return self._put(name, target)

    def _put(self, name: str, target: str) -> Switched:
        before = self.get(name)
        if before is None:
            made = Switched(id=self._id(name), name=name, target=target)
            self._shelf.put(made)
            return made
        if before.target == target:
            return before
        changed = before.model_copy(update={"target": target, "previous": before.target})
        self._shelf.change(Switched, before.id, lambda _: changed)
        return changed

    def undo(self, name: str) -> str | None:
        """Take the last switch of `name` back: for owners. What answers to it now; None: nothing.

        A model that it answered as before and that was deleted since does not come back. Raises
        NotFound where it was never switched.
        """
        with self._shelf.catalog.transaction():
            before = self.get(name)
            if before is None:
                raise NotFound(f"{name} was not switched.", param="name")
            self._caller.require_owner()
            if before.previous is None or self._tuned(before.previous) is None:
                self._shelf.delete(Switched, before.id)
                return None
            restored = {"target": before.previous, "previous": None}
            self._shelf.change(Switched, before.id, lambda it: it.model_copy(update=restored))
            return before.previous

    def refuse_in_use(self, target: str) -> None:
        """Raises BadRequest where clients may be calling `target` by another name."""
        names = self.of(target)
        if names:
            raise BadRequest(
                f"{target} answers as {', '.join(names)}. Undo that first: "
                f"tunewright import openai switch {names[0]} --undo",
                param="model",
                code="model_in_use",
            )

    def list(self) -> list[Switched]:
        """Oldest first."""
        return self._shelf.all(Switched)

    def _tuned(self, name: str) -> Weights | None:
        """A model that a job has made and the parity gate has passed; its checkpoints have not."""
        weights = self._shelf.get(Weights, name)
        if weights is None or weights.job is None or weights.step is not None:
            return None
        return weights

    def _id(self, name: str) -> str:
        return f"{self._shelf.organisation} {name}"
