"""What was found in a file, row by row, as it adds up."""

from array import array
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from functools import partial

from tunewright import suggestions
from tunewright.dataset.notices import Noticed
from tunewright.dataset.remedies import DROP_LONG, PREPARE
from tunewright.dataset.tokens import distribution, epochs
from tunewright.records.checks import Distribution, OpenAICounts
from tunewright.records.findings import Finding
from tunewright.tables.problems import Fault
from tunewright.tables.reading import Line

_UNNAMED = partial(suggestions.prepare, "FILE")
MOST_PROBLEMS = 1_000  # kept; the others are counted
OF_THE_FILE = (
    "other_layout",
    "wrong_form",
    "preference_row",
)  # faults of rows that are said once, for all of them


def _counts() -> "array[int]":
    return array("I")


@dataclass
class Tally:
    """Counts of rows and what is wrong with them.

    `rows` = `examples` (fine) + `bad` + `blank`. `problems` holds the first 1,000 errors of rows,
    `counts` the number of all by code; `notices` what is no error. The arrays have one number for
    each example that could be rendered, too long ones among them: its messages, its tokens up to
    the last trained answer, and those of them that are supervised. `layouts`: what is wrong with
    rows and is said once for all of them. `suggest` gives the command that makes a fit file of this
    one.
    """

    param: str
    context: int
    suggest: Callable[..., str] = _UNNAMED
    rows: int = 0
    examples: int = 0
    bad: int = 0
    blank: int = 0
    problems: list[Finding] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    layouts: dict[Fault, Noticed] = field(default_factory=dict)
    notices: dict[str, Noticed] = field(default_factory=dict)
    forms: Counter[str] = field(default_factory=Counter)
    example_messages: "array[int]" = field(default_factory=_counts)
    example_tokens: "array[int]" = field(default_factory=_counts)
    example_supervised: "array[int]" = field(default_factory=_counts)
    openai: OpenAICounts | None = None
    lost_tokens: int = 0  # supervised ones that a cut loses, or would lose

    @property
    def messages(self) -> Distribution:
        return distribution(self.example_messages)

    @property
    def tokens(self) -> Distribution:
        return distribution(self.example_tokens)

    @property
    def supervised(self) -> Distribution:
        return distribution(self.example_supervised)

    @property
    def supervised_tokens(self) -> int:
        return sum(self.example_supervised)

    def trained_tokens(self, n_epochs: int | None = None) -> int:
        """Tokens of all examples times the epochs (OpenAI's measure for a job's price)."""
        return sum(self.example_tokens) * (n_epochs or self.epochs)

    @property
    def epochs(self) -> int:
        return epochs(self.examples)

    def add(self, line: Line, found: Iterable[Fault]) -> bool:
        """Keep the faults of a row; whether there were any."""
        before = self.counts.total()
        for fault in found:
            self.counts[fault.code] += 1
            if fault.code in OF_THE_FILE:
                self.layouts.setdefault(fault, Noticed()).add(line.number)
            elif len(self.problems) < MOST_PROBLEMS:
                fault = replace(fault, remedy=self.said(fault.remedy))
                self.problems.append(fault.finding(line.number, line.offset, line.value))
        return self.counts.total() > before

    def said(self, remedy: str) -> str:
        """With the commands that it names written out for this file."""
        if DROP_LONG in remedy:
            remedy = remedy.replace(DROP_LONG, self.suggest(drop_long=True))
        return remedy.replace(PREPARE, self.suggest()) if PREPARE in remedy else remedy

    def notice(self, code: str, line: int, tokens: int = 0) -> None:
        self.notices.setdefault(code, Noticed()).add(line, tokens)
