"""The judgement of training data, among the findings of its check, and of a tuned model."""

from pathlib import Path
from typing import TYPE_CHECKING

from tunewright.cli.terminal import notes, print_json, say

if TYPE_CHECKING:
    from tunewright.app import Tunewright
    from tunewright.records.checks import FileCheck


def judged(
    tw: "Tunewright", found: list["FileCheck"], file: Path, held_out: Path | None
) -> list["FileCheck"]:
    """The checks of a training file and of what is held out; the first with what `quality` says."""
    training = found[0]
    _, form = tw.checking.renderer(training.model)
    findings = [*training.findings, *tw.judging.judge(file, form, held_out)]
    findings.sort(key=lambda finding: ("error", "warning", "advice").index(finding.severity))
    return [training.model_copy(update={"findings": findings}), *found[1:]]


def print_failures(job: str, home: Path | None, *, json: bool) -> None:
    """Ask the model of a job what its validation file asks; takes as long as so many answers."""
    from tunewright.cli.opening import running

    with running(home) as tw:
        notes.print("The model answers its validation file ...", markup=False)
        found = tw.failures.of(job)
    if json:
        print_json(found.wire())
        return
    say(
        f"{found.model}: {found.failed:,} of {found.asked - found.unanswered:,} answers are other "
        f"than expected ({found.rows:,} rows in {found.validation_file})"
    )
    if found.unanswered:
        say(f"  {found.unanswered:,} rows got no answer: {found.unanswered_because}")
    for finding in found.findings:
        say(f"  {finding.severity}: {finding}", f' "{finding.excerpt}"')
