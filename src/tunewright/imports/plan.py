"""What there is at the source, and what of it ends first. Nothing is kept."""

import datetime
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from tunewright.imports.dates import Dates, End
from tunewright.imports.source import Source, SourceError

SOON = 14  # days
MOST_COMPLETIONS = 1_000  # counted; there may be more


@dataclass(frozen=True)
class Item:
    """Some objects of one kind. `bytes`: None where the source does not say. `more`: at least."""

    what: str
    count: int
    bytes: int | None = None
    end: End | None = None
    note: str = ""
    more: bool = False


@dataclass
class Plan:
    """`items`: what ends first comes first. `refused`: what could not be looked at, and why."""

    base_url: str
    today: datetime.date
    items: list[Item] = field(default_factory=list)
    refused: list[SourceError] = field(default_factory=list)

    @property
    def soon(self) -> list[Item]:
        """What ends within 14 days and is still there."""
        return [
            item
            for item in self.items
            if item.count and item.end and 0 <= item.end.days_left(self.today) <= SOON
        ]


def plan(source: Source, *, today: datetime.date | None = None, dates: Dates | None = None) -> Plan:
    """Look at everything that can be fetched. `today` is the day from which days are counted.

    What the source refuses becomes a line of the plan. Raises SourceError where it refuses the key
    or cannot be reached at all.
    """
    found = Plan(source.base_url, today or datetime.datetime.now(datetime.UTC).date())
    for look in (_models, _files, _jobs, _evals, _completions):
        try:
            found.items += look(source, dates or Dates())
        except SourceError as error:
            if error.fatal:
                raise
            if not error.absent:
                found.refused.append(error)
    last = datetime.date.max
    found.items.sort(key=lambda item: item.end.date if item.end else last)
    return found


def _models(source: Source, dates: Dates) -> Iterator[Item]:
    tuned = [model for model in source.objects("/models") if str(model["id"]).startswith("ft:")]
    for end, models in _by_end(tuned, dates.model):
        yield Item("tuned models", len(models), None, end, "weights cannot be fetched")


def _files(source: Source, _: Dates) -> Iterator[Item]:
    for purpose in ("fine-tune", "fine-tune-results"):
        files = list(source.objects("/files", limit=1000, purpose=purpose))
        yield Item(f"files ({purpose})", len(files), sum(int(f.get("bytes") or 0) for f in files))


def _jobs(source: Source, dates: Dates) -> Iterator[Item]:
    jobs = list(source.objects("/fine_tuning/jobs"))
    states = Counter(str(job.get("status")) for job in jobs)
    said = ", ".join(f"{count} {state}" for state, count in states.most_common())
    yield Item("jobs", len(jobs), note=said)
    yield Item("new jobs", 0, None, dates.job_creation, "train here instead")


def _evals(source: Source, dates: Dates) -> Iterator[Item]:
    evals = list(source.objects("/evals"))
    yield Item("evals with their runs", len(evals), None, dates.evals, dates.evals.what)


def _completions(source: Source, dates: Dates) -> Iterator[Item]:
    stored: list[dict[str, Any]] = []
    for page in source.pages("/chat/completions"):
        stored += page.data
        if len(stored) >= MOST_COMPLETIONS:
            break
    if not stored:
        return
    first = dates.completion(min(int(each.get("created") or 0) for each in stored))
    more = len(stored) >= MOST_COMPLETIONS
    yield Item("stored completions", len(stored), None, first, "the first of them ends then", more)


def _by_end(
    objects: Iterable[dict[str, Any]], end_of: Callable[[dict[str, Any]], End | None]
) -> Iterator[tuple[End | None, list[dict[str, Any]]]]:
    ends: dict[End | None, list[dict[str, Any]]] = {}
    for each in objects:
        ends.setdefault(end_of(each), []).append(each)
    yield from ends.items()
