"""The judgement of training data, among the findings of its check, and of a tuned model."""

from pathlib import Path
from typing import TYPE_CHECKING

from tunewright.cli.terminal import notes, print_json, say
from tunewright.wording import counted

if TYPE_CHECKING:
    from tunewright.app import Tunewright
    from tunewright.records.checks import FileCheck


_SHOWN = 5
_LONGEST = 400  # characters of a text


def judged(
    tw: "Tunewright", found: list["FileCheck"], file: Path, held_out: Path | None
) -> list["FileCheck"]:
    """The checks of a training file and of what is held out; the first with what `quality` says."""
    training = found[0]
    _, form = tw.checking.renderer(training.model)
    findings = [*training.findings, *tw.judging.judge(file, form, held_out)]
    findings.sort(key=lambda finding: ("error", "warning", "advice").index(finding.severity))
    return [training.model_copy(update={"findings": findings}), *found[1:]]


def print_failures(job: str, home: Path | None, *, json: bool, everything: bool) -> None:
    """Ask the model of a job what its validation file asks; takes as long as so many answers."""
    from tunewright.cli.opening import running

    with running(home) as tw:
        notes.print("The model answers its validation file ...", markup=False)
        found = tw.failures.of(job)
    if json:
        print_json(found.wire())
        return
    answered = found.asked - found.unanswered
    say(
        f"{found.model}: {answered - found.failed:,} of {counted(answered, 'answer')} as expected"
        + ("" if found.accuracy is None else f" (accuracy {found.accuracy:.1%})")
        + f"; {counted(found.rows, 'row')} in {found.validation_file}"
    )
    if found.unanswered:
        say(f"  {counted(found.unanswered, 'row')} got no answer: {found.unanswered_because}")
    shown = found.answers if everything else found.answers[:_SHOWN]
    for wrong in shown:
        say(f"  line {wrong.line}")
        for name, text in (
            ("question", wrong.question),
            ("expected", wrong.expected),
            ("given", wrong.given),
        ):
            say(f"    {name:8}  {_line(text)}")
    if hidden := len(found.answers) - len(shown):
        say(f"  {counted(hidden, 'more wrong answer')}: --all shows them")
    for finding in found.findings:
        say(f"  {finding.severity}: {finding}", f' "{finding.excerpt}"')


def _line(text: str) -> str:
    """On one line, and without what could move the terminal's cursor."""
    shown = "".join(c if c.isprintable() else " " for c in " ".join(text.split()))
    return shown if len(shown) <= _LONGEST else shown[: _LONGEST - 1] + "…"
