"""When what is at OpenAI ends: the dates that ship with the package, and the API's own."""

import datetime
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tunewright.imports.fields import text

_FILE = Path(__file__).with_name("dates.toml")


@dataclass(frozen=True)
class End:
    """`what` ends on `date`; `source` says so."""

    date: datetime.date
    what: str
    source: str

    def days_left(self, today: datetime.date) -> int:
        return (self.date - today).days


class Dates:
    def __init__(self, table: Mapping[str, Any] | None = None) -> None:
        self._table = table or tomllib.loads(_FILE.read_text())

    @property
    def source(self) -> str:
        return self._table["source"]

    @property
    def evals(self) -> End:
        return self._end("evals")

    @property
    def job_creation(self) -> End:
        return self._end("job_creation")

    def completion(self, created: int) -> End | None:
        """The end of a stored completion; `created` in Unix seconds, None where that is no date."""
        table = self._table["completions"]
        try:
            made = datetime.datetime.fromtimestamp(created, datetime.UTC).date()
            return End(made + datetime.timedelta(table["days"]), table["what"], self.source)
        except (ValueError, OverflowError, OSError):
            return None

    def model(self, model: Mapping[str, Any]) -> End | None:
        """The end of a model, tuned or not; None where no date is known."""
        own = _date(model.get("shutdown_date"))
        if own is not None:
            return End(own, "stops answering", "the model's shutdown_date")
        base = text(model.get("id")).removeprefix("ft:").split(":")[0]
        table = self._table["models"]
        names = table["bases"]
        # gpt-4o itself, gpt-4o-2024-08-06, gpt-4o-mini-2024-07-18; not gpt-4o-audio-preview.
        known = any(base.startswith(name) or base == _family(name) for name in names)
        return self._end("models") if known else None

    def _end(self, name: str) -> End:
        table = self._table[name]
        return End(table["date"], table["what"], self.source)


def _family(prefix: str) -> str:
    return prefix.rstrip("-").removesuffix("-2024").removesuffix("-2025")


def _date(said: Any) -> datetime.date | None:
    try:
        return datetime.date.fromisoformat(str(said)[:10])
    except ValueError:
        return None
