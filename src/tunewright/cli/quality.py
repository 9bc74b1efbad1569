"""The judgement of training data, among the findings of its check."""

from pathlib import Path
from typing import TYPE_CHECKING

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
