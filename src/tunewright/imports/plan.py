"""What there is at the source, and what of it ends first. Nothing is kept."""

import datetime
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from tunewright.imports.dates import Dates, End
from tunewright.imports.fields import number, text
from tunewright.imports.source import Source, SourceError

SOON = 14  # days
_STATES = (
    *("validating_files", "queued", "running", "paused", "pausing", "resuming"),
    *("succeeded", "failed", "cancelled"),
)
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
    listed = source.objects("/models")
    tuned = (model for model in listed if text(model.get("id")).startswith("ft:"))
    for end, count in Counter(map(dates.model, tuned)).items():
        yield Item("tuned models", count, None, end, "weights cannot be fetched")


def _files(source: Source, _: Dates) -> Iterator[Item]:
    for purpose in ("fine-tune", "fine-tune-results"):
        count = size = 0
        for file in source.objects("/files", limit=1000, purpose=purpose):
            count, size = count + 1, size + (number(file.get("bytes")) or 0)
        yield Item(f"files ({purpose})", count, size)


def _jobs(source: Source, dates: Dates) -> Iterator[Item]:
    states = Counter(_state(job) for job in source.objects("/fine_tuning/jobs"))
    said = ", ".join(f"{count} {state}" for state, count in states.most_common())
    yield Item("jobs", states.total(), note=said)
    yield Item("new jobs", 0, None, dates.job_creation, "train here instead")


def _evals(source: Source, dates: Dates) -> Iterator[Item]:
    count = sum(1 for _ in source.objects("/evals"))
    yield Item("evals with their runs", count, None, dates.evals, dates.evals.what)


def _completions(source: Source, dates: Dates) -> Iterator[Item]:
    count, ends = 0, list[End]()
    for page in source.pages("/chat/completions"):
        count += len(page.data)
        made = (number(each.get("created")) for each in page.data)
        ends += [end for at in made if at is not None and (end := dates.completion(at))]
        if count >= MOST_COMPLETIONS:
            break
    if not count:
        return
    first = min(ends, key=lambda end: end.date, default=None)
    note, more = "the oldest are deleted then", count >= MOST_COMPLETIONS
    yield Item("stored completions", count, None, first, note, more)


def _state(job: dict[str, Any]) -> str:
    state = text(job.get("status"))
    return state if state in _STATES else "of unknown status"
