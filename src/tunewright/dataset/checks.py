"""Is a file fit to be trained on? Every row is accounted for: fine, bad or blank."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

from tunewright import suggestions
from tunewright.dataset import measuring, notices, verdict
from tunewright.dataset.advising import columns_of
from tunewright.dataset.cookbook import Cookbook, CountsTokens
from tunewright.dataset.examples import ChatExample, Example, Form, example, faults, form_of
from tunewright.dataset.formats import wrong_format
from tunewright.dataset.measuring import Measured
from tunewright.dataset.remedies import PREPARE
from tunewright.dataset.tally import Tally
from tunewright.errors import BadRequest, JobFailed
from tunewright.records.findings import Finding
from tunewright.rendering import Renderer
from tunewright.stepwise import Steps, finish
from tunewright.tables.problems import Fault
from tunewright.tables.reading import Line, line_of, lines

MOST_ROWS = 10_000_000  # 512 MiB of the shortest useful rows; of lines like {} it holds 170 million


_ENDED = object()


class Interrupted(Exception):
    """Nobody waits for this check any longer: it ended before the file did."""


def _never() -> bool:
    return False


class Check(Tally):
    """What was found in a file, and what follows from it."""

    @property
    def findings(self) -> list[Finding]:
        """Everything: what concerns the whole file, errors of rows, then warnings and advice."""
        noticed = [
            notice.finding(code, self.context)
            for code, notice in self.notices.items()
            if code != "missing_system" or notice.count < self.examples
        ]
        noticed += verdict.advice(self)
        noticed.sort(key=lambda finding: finding.severity == "advice")
        return [*verdict.errors(self), *self.problems, *noticed]

    def first(self, most: int) -> tuple[list[Finding], int]:
        """The first `most` errors with all warnings and advice, and how many errors are left."""
        found = self.findings
        errors = [finding for finding in found if finding.severity == "error"]
        return errors[:most] + found[len(errors) :], len(errors[most:]) + self.left_out

    @property
    def left_out(self) -> int:
        """How many errors of rows are counted and not kept."""
        named = sum(noticed.count for noticed in self.layouts.values())
        return self.counts.total() - len(self.problems) - named

    def error(self) -> JobFailed | None:
        """Why a job with this file must fail, in OpenAI's codes; None where it can go on."""
        return verdict.failure(self)


def check(
    path: Path,
    renderer: Renderer | None,
    *,
    wants: Form,
    param: str = "training_file",
    cut: bool = False,
    openai: CountsTokens | None = None,
    should_stop: Callable[[], bool] = _never,
    suggest: Callable[..., str] | None = None,
) -> Check:
    """Look at every row of a file, with the renderer that training will use.

    Memory grows by twelve bytes an example. `param` is the job's field that names the file:
    ``training_file`` (at least 10 examples) or ``validation_file`` (at least 1). `cut`: examples
    longer than the context lose their end, instead of being errors, unless nothing of an answer
    would be left. Without `renderer` only the form is looked at. `openai`: also count as OpenAI
    does, with that encoding. `suggest`: the command that prepares the file, where it is known by
    another name than its path. Raises Interrupted as soon as `should_stop`, asked before each row
    and each answer in it, is true.
    """
    going = Checking(
        path, renderer, wants=wants, param=param, cut=cut, openai=openai, suggest=suggest
    )
    if not going.go_on(should_stop):
        raise Interrupted
    return going.found


def look_at(raw: bytes, renderer: Renderer | None, *, wants: Form, cut: bool = False) -> Check:
    """One row of a file, as `check` looks at it."""
    going = Checking(None, renderer, wants=wants, cut=cut)
    finish(going.take(line_of(1, 0, raw)))
    return going.found


class Checking:
    """A check under way, that can stop between two answers and go on from there: the parameters are
    those of `check`. `found` is complete once `go_on` has returned True."""

    def __init__(
        self,
        path: Path | None,
        renderer: Renderer | None,
        *,
        wants: Form,
        param: str = "training_file",
        cut: bool = False,
        openai: CountsTokens | None = None,
        suggest: Callable[..., str] | None = None,
    ) -> None:
        suggest = suggest or partial(suggestions.prepare, path or "FILE")
        self.found = Check(param, renderer.context if renderer else 0, suggest)
        self._renderer = renderer
        self._wants: Form = wants
        self._cut = cut
        self._cookbook = Cookbook(openai) if openai else None
        self._steps = self._all(path) if path else iter(())

    def go_on(self, should_stop: Callable[[], bool] = _never) -> bool:
        """Go on to the end of the file, or until `should_stop`; whether the end is reached."""
        while not should_stop():
            if next(self._steps, _ENDED) is _ENDED:
                return True
        return False

    def _all(self, path: Path) -> Steps[None]:
        for line in self._opened(path):
            yield from self.take(line)
        self.found.openai = self._cookbook and self._cookbook.finish()

    def _opened(self, path: Path) -> Iterator[Line]:
        if fault := wrong_format(path):
            command = self.found.suggest(**columns_of(path))
            self.found.add(Line(1), [replace(fault, remedy=fault.remedy.replace(PREPARE, command))])
            return
        for line in lines(path):
            if line.number > MOST_ROWS:
                self.found.add(line, [_too_many_rows()])
                return
            yield line

    def take(self, line: Line) -> Steps[None]:
        """Take one line into account, by steps: one for each answer in it, and one at its end."""
        self.found.rows += 1
        if line.blank:
            self.found.blank += 1
            self.found.notice("blank", line.number)
            yield
            return
        if form := form_of(line.value):
            self.found.forms[form] += 1
        if self.found.add(line, _faults(line, self._wants)) or not (yield from self._is_fit(line)):
            self.found.bad += 1
        else:
            self.found.examples += 1
        yield

    def _is_fit(self, line: Line) -> Steps[bool]:
        """Count a row whose form is right; whether it can be trained on."""
        one = example(line.value, self._wants)
        if self._cookbook:
            self._cookbook.add(one)
        for code in notices.of_example(one):
            self.found.notice(code, line.number)
        return self._renderer is None or (yield from self._render(line, one, self._renderer))

    def _render(self, line: Line, one: Example, renderer: Renderer) -> Steps[bool]:
        whole, fitting = Measured(), Measured()
        try:
            for row in renderer.whole_rows(one, line.number):
                whole.add(row)
                unknown = renderer.unknown(row.prompt) + renderer.unknown(row.answer)
                whole.unknown = max(whole.unknown, unknown)
                if fit := renderer.fit(row):
                    fitting.add(fit)
                yield
        except BadRequest as error:
            self.found.add(line, [_refused(error)])
            return False
        used = fitting if self._cut else whole
        self._count(one, used)
        found = (
            *notices.of_text(one, renderer),
            *measuring.notices(whole, used),
            *(renderer.notices(one.messages) if isinstance(one, ChatExample) else ()),
        )
        for code in found:
            self.found.notice(code, line.number)
        if whole.unknown:
            self.found.notice("unknown_tokens", line.number, whole.unknown)
        lost = whole.supervised - fitting.supervised
        self.found.lost_tokens += lost
        if self._cut and fitting.count:
            return True
        return not self.found.add(line, measuring.too_long(whole, lost, renderer.context))

    def _count(self, one: Example, used: Measured) -> None:
        self.found.example_messages.append(len(getattr(one, "messages", ())))
        self.found.example_tokens.append(used.longest)
        self.found.example_supervised.append(used.supervised)


def examples_of(path: Path, wants: Form) -> Iterator[tuple[int, Example]]:
    """The examples of a file that has passed its check, each with its line.

    Raises JobFailed at a bad row: the file is not the one that was checked.
    """
    for line in lines(path):
        if line.blank:
            continue
        for fault in _faults(line, wants):
            raise JobFailed(
                f"The file has changed since it was checked: line {line.number}: {fault.message}",
                code="invalid_file_format",
                param="training_file",
            )
        yield line.number, example(line.value, wants)


def row_of(path: Path, number: int, wants: Form) -> Example:
    """The example in line `number`. Raises BadRequest where there is none, or a bad one."""
    suggest = partial(suggestions.prepare, path)
    if fault := wrong_format(path):
        raise BadRequest(f"{fault.message} {Check('', 0, suggest).said(fault.remedy)}")
    for line in lines(path):
        if line.number < number:
            continue
        if line.blank:
            raise BadRequest(f"Line {number} is blank.")
        for fault in _faults(line, wants):
            fault = replace(fault, remedy=Check("", 0, suggest).said(fault.remedy))
            said = str(fault.finding(number, line.offset))
            raise BadRequest(said[0].upper() + said[1:])
        return example(line.value, wants)
    raise BadRequest(f"{path} has no line {number}.")


def _faults(line: Line, wants: Form) -> Iterable[Fault]:
    return [line.fault] if line.fault else faults(line.value, wants)


def _too_many_rows() -> Fault:
    what = f"The file has more than {MOST_ROWS:,} rows; the others were not read."
    return Fault("$", "too_many_rows", what, "Split it into several files.")


def _refused(error: BadRequest) -> Fault:
    if error.code == "tools_not_supported":
        remedy = "Or remove the rows that use tools."
        return Fault(f"$.{error.param}", error.code, error.message, remedy)
    remedy = "Change what the reason names, remove the row, or take another base."
    return Fault("$.messages", "template_refused", error.message, remedy)
