"""An old model's name for its successor here: after the parity gate and the comparison."""

from dataclasses import dataclass

from tunewright.app import Tunewright
from tunewright.errors import BadRequest
from tunewright.imports.archive import Archive
from tunewright.imports.comparing import Comparison, last_comparison, successor
from tunewright.records.models import Switched


@dataclass(frozen=True)
class Candidate:
    """What would answer to an old name. `comparison`: the newest of the two, None without any.

    `doubts`: why it should not without a second thought; empty where nothing speaks against it.
    """

    old: str
    model: str
    comparison: Comparison | None
    doubts: list[str]


def candidate(tw: Tunewright, archive: Archive, old: str, model: str | None = None) -> Candidate:
    """The model (by default the one that the old job was replayed as) for an old name.

    Raises Corrupt where its weights are not those that passed the parity gate.
    """
    model = model or successor(tw, archive, old)
    weights = tw.models.weights(model, ("chat", "completion"))
    if weights.directory is None or weights.job is None:
        raise BadRequest(f"{model} is not a tuned model of this server.", param="model")
    tw.artefacts.verify(weights.directory)
    comparison = last_comparison(archive, old, weights.id)
    if comparison is None:
        command = archive.command("compare", old, "--model", weights.id)
        doubts = [f"It was not compared with all recorded answers of {old}; {command} does that."]
    else:
        doubts = comparison.worse
    return Candidate(old, weights.id, comparison, doubts)


def switch(tw: Tunewright, chosen: Candidate, *, yes: bool = False) -> Switched:
    """Make the candidate answer to the old name. Raises BadRequest where there are doubts, unless
    `yes`; a running server hears of it with the next request."""
    if chosen.doubts and not yes:
        doubts = " ".join(chosen.doubts)
        raise BadRequest(f"Not switched: {doubts} To switch anyway: --yes", param="yes")
    return tw.models.switching.switch(chosen.old, chosen.model)
