"""Are the files of the models still what was written? Sums of every file, and each base's
fingerprint."""

from collections.abc import Iterator

from tunewright.artefacts import Artefacts
from tunewright.catalog.catalog import SHARED, Shelf
from tunewright.errors import Corrupt, JobFailed, NotFound
from tunewright.records.models import Weights
from tunewright.records.record import new_id
from tunewright.records.verifications import Damage, Verification
from tunewright.tasks import Tasks


class Verifications:
    def __init__(self, shelf: Shelf, artefacts: Artefacts, tasks: Tasks) -> None:
        self._shelf = shelf
        self._artefacts = artefacts
        self._tasks = tasks

    def create(self) -> Verification:
        """Have the worker check all models and checkpoints of the organisation, and the bases.
        Earlier results are forgotten."""
        made = Verification(id=new_id("verify-"))
        with self._shelf.catalog.transaction():
            for old in self._shelf.all(Verification):
                self._tasks.cancel(old.id)
                self._shelf.delete(Verification, old.id)
            self._shelf.put(made)
            self._tasks.enqueue("verify", made.id, self._shelf.organisation)
        return made

    def retrieve(self, id: str) -> Verification:
        if found := self._shelf.get(Verification, id):
            return found
        raise NotFound(f"There is no verification '{id}'.", param="id")

    def carry_out(self, id: str) -> Iterator[None]:
        """Check one model at each step, and record what was found at once."""
        weights = [
            *self._shelf.catalog.shelf(SHARED).all(Weights),
            *self._shelf.all(Weights),
        ]
        sound: set[str] = set()
        self._change(id, status="running", models=len(weights), checked=0, damaged=[])
        damaged: list[Damage] = []
        for checked, each in enumerate(weights, start=1):
            problem = self._problem(each, sound)
            if problem and self._still_there(each):
                damaged.append(Damage(model=each.id, problem=problem))
            self._change(id, checked=checked, damaged=damaged)
            yield
        self._change(id, status="done")

    def fail(self, id: str, error: JobFailed) -> None:
        self._change(id, status="failed", error=error.message)

    def _change(self, id: str, **update: object) -> None:
        self._shelf.change(Verification, id, lambda it: it.model_copy(update=update))

    def _problem(self, weights: Weights, sound: set[str]) -> str | None:
        """sound: directories that were found to be. Many adapters share one base."""
        try:
            for directory in filter(None, (weights.adapter, weights.whole)):
                if directory not in sound:
                    self._artefacts.verify(directory)
                    sound.add(directory)
            if weights.adaptation != "full":
                _compare(self._artefacts.fingerprint(weights.whole), weights)
        except Corrupt as error:
            return error.message
        except OSError as error:
            return f"{error.filename} cannot be read: {error.strerror}."
        return None

    def _still_there(self, weights: Weights) -> bool:
        """Whether it has not been deleted while its files were read."""
        shelves = (self._shelf, self._shelf.catalog.shelf(SHARED))
        return any(shelf.get(Weights, weights.id) for shelf in shelves)


def _compare(found: str, weights: Weights) -> None:
    if found != weights.base_fingerprint:
        raise Corrupt(
            f"{weights.base_directory} has the fingerprint {found}. The model is for a base with "
            f"{weights.base_fingerprint}."
        )
