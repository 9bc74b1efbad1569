"""A model held against the one that it replaces, prompt by prompt."""

from collections.abc import Iterable
from dataclasses import dataclass
from statistics import fmean
from typing import Any

from tunewright.evaluation.distance import distance, interval


@dataclass(frozen=True)
class Compared:
    """One prompt. Distances as in `distance.distance`; log-probabilities of the old answer in nats
    a byte of its text, so that vocabularies can be compared.

    `own`: by the old model itself, `new`: by the model of this home, `base`: by its base before it
    was tuned. A prompt that could not be compared has a `message`, and no `answer`.
    """

    prompt: str
    origin: str
    seen: bool
    old_answer: str
    answer: str | None = None
    reference: str | None = None
    distance: float | None = None
    old_to_reference: float | None = None
    to_reference: float | None = None
    own_logprob: float | None = None
    logprob: float | None = None
    base_logprob: float | None = None
    message: str = ""

    @property
    def same(self) -> bool:
        return self.answer == self.old_answer


def distances(answer: str, old_answer: str, reference: str | None) -> dict[str, float]:
    """The distances of a row of `Compared`; those to a reference where there is one."""
    found = {"distance": distance(answer, old_answer)}
    if reference is not None:
        found["to_reference"] = distance(answer, reference)
        found["old_to_reference"] = distance(old_answer, reference)
    return found


def summary(rows: Iterable[Compared]) -> dict[str, Any]:
    """Means over the rows that were compared; `references` over those that neither has seen."""
    compared = [row for row in rows if row.answer is not None]
    judged = _judged(compared)
    return {
        "prompts": len(compared),
        "same": sum(row.same for row in compared),
        "distance": _mean(row.distance for row in compared),
        "own_logprob": _mean(row.own_logprob for row in compared),
        "logprob": _mean(row.logprob for row in compared),
        "base_logprob": _mean(row.base_logprob for row in compared),
        "references": len(judged),
        "old_to_reference": _mean(row.old_to_reference for row in judged),
        "to_reference": _mean(row.to_reference for row in judged),
    }


def _judged(rows: list[Compared]) -> list[Compared]:
    """Those with a reference: unseen ones where there are any, for who has seen it may recite."""
    known = [row for row in rows if row.to_reference is not None]
    return [row for row in known if not row.seen] or known


def _mean(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return fmean(known) if known else None


def worse(rows: list[Compared]) -> list[str]:
    """In what the new model falls short of the old one, in words; empty where in nothing."""
    compared = [row for row in rows if row.answer is not None]
    found = [_farther(_judged(compared)), _no_likelier(compared)]
    if len(compared) < len(rows):
        found.append(f"{len(rows) - len(compared)} of {len(rows)} prompts could not be compared.")
    return [each for each in found if each]


def _farther(rows: list[Compared]) -> str | None:
    """Whether the references lie farther from its answers than from the old model's."""
    if not rows:
        return None
    pairs = [(row.to_reference or 0.0, row.old_to_reference or 0.0) for row in rows]
    low, high = interval([new - old for new, old in pairs])
    if low <= 0:
        return None
    new, old = (fmean(side) for side in zip(*pairs, strict=True))
    return (
        f"Its answers differ more from the references than the old model's do: {new:.2f} against "
        f"{old:.2f} (difference {low:.2f} to {high:.2f})."
    )


def _no_likelier(rows: list[Compared]) -> str | None:
    """Whether tuning brought it no nearer to the old model's answers."""
    pairs = [(row.logprob, row.base_logprob) for row in rows]
    known = [(new, base) for new, base in pairs if new is not None and base is not None]
    if not known or fmean(new - base for new, base in known) > 0:
        return None
    return (
        "It does not find the old answers more likely than its base does: tuning did not bring it "
        "closer to the old model."
    )
