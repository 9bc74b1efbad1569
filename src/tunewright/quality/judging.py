"""All judgements of a file of examples."""

from tunewright.quality import agreement, sameness
from tunewright.quality.rows import Rows
from tunewright.records.findings import Finding


def judge(rows: Rows, held_out: Rows | None = None) -> list[Finding]:
    """What weakens `rows` as training data, warnings first. `held_out`: the validation rows, or
    prompts as they come in use."""
    found = [
        *sameness.find(rows, held_out),
        *agreement.find(rows),
    ]
    return sorted(found, key=lambda finding: finding.severity == "advice")
