"""What a job starts from: a base, or a tuned model or checkpoint that it trains further."""

from pathlib import Path
from typing import IO, Any, Literal

from tunewright import durable
from tunewright.artefacts import Artefacts, is_of_a_job, start_place
from tunewright.errors import BadRequest
from tunewright.records.jobs import JobRequest, Method
from tunewright.records.models import Loadable, Start, Weights
from tunewright.resources.claims import claim_new

ADAPTATION = "method.supervised.hyperparameters.adaptation"
RANK = "method.supervised.hyperparameters.rank"


def method(request: JobRequest, parent: Weights, adapter: Path | None) -> Method:
    """How `parent` is trained, said in full.

    An adapter (`adapter`: its directory) is trained further, at the rank that it has. Whole weights
    are too, unless `adaptation` asks for an adapter on them. Raises BadRequest for anything else.
    """
    asked = request.resolved_method()
    given = asked.hyperparameters
    if adapter is not None:
        rank = durable.read_json(adapter / "adapter_config.json")["r"]
        if given.adaptation == "full":
            raise _impossible(
                "is an adapter; adaptation 'full' is possible from its base only", ADAPTATION
            )
        if given.rank not in ("auto", rank):
            raise _impossible(f"is an adapter of rank {rank}; leave 'rank' out", RANK)
        return asked.using(rank=rank)
    if parent.adaptation == "full" and "adaptation" not in given.model_fields_set:
        return asked.using(adaptation="full")
    return asked


class StartFiles:
    """The files that a job starts from, as they are now, in the job's folder: the model may be
    deleted afterwards. Nothing is kept of a plain base, which stays anyhow.

    Kept before the job is recorded, as the copy of a large model takes its time. Until `close` the
    folder is claimed, so that nobody takes it for what a killed process has left.
    """

    def __init__(self, artefacts: Artefacts, folder: Path, job: str) -> None:
        self._artefacts = artefacts
        self._folder = folder
        self.job = job
        self._claim: IO[bytes] | None = None

    def keep(self, parent: Weights, asked: str | None) -> Start:
        """The record of what was kept. asked: what the job's model is named by; None: the real
        base. Raises FileNotFoundError where the parent's files go at this very moment."""
        given: dict[str, Any] = parent.model_dump(include=set(Loadable.model_fields))
        given |= {"id": self.job, "asked": asked}
        if parent.adaptation == "full" or is_of_a_job(parent.whole):
            given["base_directory"] = base = self._keep(parent.whole, "base")
            given["base_fingerprint"] = self._artefacts.fingerprint(base)
        if parent.adapter:
            given["directory"] = self._keep(parent.adapter, "adapter")
        elif parent.adaptation == "full":
            given |= {"directory": None, "adaptation": "none"}
        return Start(**given)

    def close(self, *, needed: bool) -> None:
        """Let go of the folder, and remove it where no job came of it."""
        if self._claim is None:
            return
        with self._claim:
            if not needed:
                durable.remove(self._folder)

    def _keep(self, directory: str, part: Literal["base", "adapter"]) -> str:
        if self._claim is None:
            self._claim = claim_new(self._folder)
        kept = start_place(self.job, part)
        self._artefacts.link(directory, kept)
        return kept


def _impossible(why: str, param: str) -> BadRequest:
    return BadRequest(f"The model {why}.", param=param, code="invalid_value")
