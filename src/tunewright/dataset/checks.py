"""Is a file fit to be trained on? Every row is accounted for: fine, bad or blank."""

from array import array
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tunewright.dataset.examples import ChatExample, Example, Form, example, faults
from tunewright.dataset.formats import wrong_format
from tunewright.dataset.problems import Fault, Problem
from tunewright.dataset.reading import Line, lines
from tunewright.dataset.tokens import Distribution, epochs
from tunewright.errors import BadRequest, JobFailed
from tunewright.rendering import Renderer, Row

MOST_PROBLEMS = 1_000  # kept; the others are counted
FEWEST = {"training_file": 10, "validation_file": 1}
_NAMED_LINES = 10
_NAMED_KINDS = 5

_NOTICES = {  # what is worth knowing and keeps nobody from training
    "blank": "{n} blank line(s) were skipped",
    "missing_system": "{n} example(s) have no system message, others have",
    "missing_user": "{n} example(s) have no user message",
    "ends_without_answer": "{n} example(s) go on after the last answer; that is not trained on",
    "too_long": "{n} example(s) exceed the model's {context} tokens; their end is cut off",
    "answer_too_late": "{n} example(s) have answers beyond the model's {context} tokens; those "
    + "are not trained on",
    "nothing_to_learn": "{n} example(s) have no answer to train on",
}


@dataclass
class Check:
    """What was found in a file.

    `rows` = `examples` (fine) + `bad` + `blank`. `problems` holds the first 1,000, `counts` the
    number of all by code; `notices` the same for what is no error, `noticed` its first lines.
    """

    param: str
    context: int
    rows: int = 0
    examples: int = 0
    bad: int = 0
    blank: int = 0
    problems: list[Problem] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    notices: Counter[str] = field(default_factory=Counter)
    noticed: dict[str, list[int]] = field(default_factory=dict)
    example_tokens: "array[int]" = field(default_factory=lambda: array("I"))
    supervised_tokens: int = 0

    @property
    def tokens(self) -> Distribution:
        """Tokens per example: the conversation up to its last trained answer, cut to `context`."""
        return Distribution.of(self.example_tokens)

    def trained_tokens(self, n_epochs: int | None = None) -> int:
        """Tokens of all examples times the epochs (OpenAI's measure for a job's price)."""
        return sum(self.example_tokens) * (n_epochs or self.epochs)

    @property
    def epochs(self) -> int:
        return epochs(self.examples)

    @property
    def warnings(self) -> list[str]:
        """One sentence for each kind of notice, with the first lines that it concerns."""
        return [
            f"{_NOTICES[code].format(n=n, context=self.context)} ({self._lines(code)})."
            for code, n in self.notices.items()
            if code != "missing_system" or n < self.examples
        ]

    def error(self) -> JobFailed | None:
        """Why a job with this file must fail, in OpenAI's codes; None where it can go on."""
        message, code = self._verdict()
        return JobFailed(message, code=code, param=self.param) if code else None

    def summary(self) -> list[str]:
        """What a person wants to read, line by line."""
        said = [
            f"{self.rows:,} rows: {self.examples:,} fine, {self.bad:,} bad, {self.blank:,} blank",
            f"{sum(self.example_tokens):,} tokens, of which {self.supervised_tokens:,} to learn",
            f"tokens per example: {self.tokens}",
        ]
        if self.param == "training_file":
            trained = f"{self.trained_tokens():,} tokens trained"
            said.append(f"{self.epochs} epochs by default: {trained}")
        problems = [f"problem: {problem}" for problem in self.problems]
        unnamed = sum(self.counts.values()) - len(problems)
        more = [f"and {unnamed:,} more problems"] if unnamed else []
        return [*said, *problems, *more, *(f"note: {warning}" for warning in self.warnings)]

    def add(self, line: int, found: Iterable[Fault]) -> bool:
        """Keep the faults of a row; whether there were any."""
        before = self.counts.total()
        for fault in found:
            self.counts[fault.code] += 1
            if len(self.problems) < MOST_PROBLEMS:
                self.problems.append(fault.at(line))
        return self.counts.total() > before

    def notice(self, code: str, line: int) -> None:
        self.notices[code] += 1
        first = self.noticed.setdefault(code, [])
        if len(first) < _NAMED_LINES:
            first.append(line)

    def _lines(self, code: str) -> str:
        numbers = ", ".join(map(str, self.noticed[code]))
        more = ", ..." if self.notices[code] > _NAMED_LINES else ""
        return f"line {numbers}{more}"

    def _verdict(self) -> tuple[str, str | None]:
        subject = self.param.replace("_", " ").capitalize()
        count, fewest = self.examples + self.bad, FEWEST[self.param]
        if "wrong_format" in self.counts:
            return f"{subject}: {self._reasons()}", "invalid_file_format"
        if count < fewest:
            what = f"{subject} has {count} example(s), but must have at least {fewest} examples"
            return what, "invalid_n_examples"
        if self.bad:
            what = f"{subject} has {self.bad:,} bad row(s) of {count:,}. {self._reasons()}"
            return what, "invalid_file_format"
        if not self.supervised_tokens:
            return f"{subject} has no answer to train on.", "invalid_file_format"
        return "", None

    def _reasons(self) -> str:
        """The first problem of each kind, and how many more there are of it."""
        first: dict[str, Problem] = {}
        for problem in self.problems:
            first.setdefault(problem.code, problem)
        return " ".join(self._reason(problem) for problem in list(first.values())[:_NAMED_KINDS])

    def _reason(self, problem: Problem) -> str:
        said = str(problem)
        more = self.counts[problem.code] - 1
        others = f" ({more:,} more of this kind.)" if more else ""
        return f"{said[0].upper()}{said[1:]}{others}"


def check(path: Path, renderer: Renderer, *, wants: Form, param: str = "training_file") -> Check:
    """Look at every row of a file, with the renderer that training will use.

    Memory grows by four bytes an example. `param` is the job's field that names the file:
    ``training_file`` (at least 10 examples) or ``validation_file`` (at least 1).
    """
    found = Check(param, renderer.context)
    if fault := wrong_format(path):
        found.add(1, [fault])
        return found
    for line in lines(path):
        _look(found, line, renderer, wants)
    return found


def examples_of(path: Path, wants: Form) -> Iterator[tuple[int, Example]]:
    """The examples of a file that has passed its check, each with its line.

    Raises JobFailed at a bad row: the file is not the one that was checked.
    """
    for line in lines(path):
        if line.blank:
            continue
        for fault in _faults(line, wants):
            raise JobFailed(
                f"The file has changed since it was checked: {fault.at(line.number)}",
                code="invalid_file_format",
                param="training_file",
            )
        yield line.number, example(line.value, wants)


def _faults(line: Line, wants: Form) -> Iterable[Fault]:
    return [line.fault] if line.fault else faults(line.value, wants)


def _look(found: Check, line: Line, renderer: Renderer, wants: Form) -> None:
    found.rows += 1
    if line.blank:
        found.blank += 1
        found.notice("blank", line.number)
    elif found.add(line.number, _faults(line, wants)):
        found.bad += 1
    else:
        _count(found, line.number, example(line.value, wants), renderer)


def _count(found: Check, line: int, one: Example, renderer: Renderer) -> None:
    try:
        rows = renderer.rows(one, line)
    except BadRequest as error:
        found.add(line, [_refused(error)])
        found.bad += 1
        return
    found.examples += 1
    found.example_tokens.append(max((len(r.prompt) + len(r.answer) for r in rows), default=0))
    found.supervised_tokens += sum(len(row.answer) for row in rows)
    for code in _notices(one, rows):
        found.notice(code, line)


def _refused(error: BadRequest) -> Fault:
    if error.code == "tools_not_supported":
        remedy = "Or remove the rows that use tools."
        return Fault(f"$.{error.param}", error.code, error.message, remedy)
    remedy = "Order the messages as the model expects them."
    return Fault("$.messages", "template_refused", error.message, remedy)


def _notices(one: Example, rows: list[Row]) -> Iterator[str]:
    answers = 1
    if isinstance(one, ChatExample):
        yield from _chat_notices(one.messages)
        answers = sum(m["role"] == "assistant" and m.get("weight") != 0 for m in one.messages)
    if any(row.cut for row in rows):
        yield "too_long"
    if len(rows) < answers:
        yield "answer_too_late"
    if not answers:
        yield "nothing_to_learn"


def _chat_notices(messages: list[dict[str, Any]]) -> Iterator[str]:
    roles = [message["role"] for message in messages]
    if not {"system", "developer"}.intersection(roles):
        yield "missing_system"
    if "user" not in roles:
        yield "missing_user"
    if roles[-1] != "assistant":
        yield "ends_without_answer"
