"""All judgements of a file of examples."""

from tunewright.quality import agreement, balance, form, grounding, sameness
from tunewright.quality.rows import Rows
from tunewright.records.findings import Finding


def judge(rows: Rows, held_out: Rows | None = None) -> list[Finding]:
    """What weakens `rows` as training data, warnings first. `held_out`: the validation rows, or
    prompts as they come in use."""
    found = [
        *sameness.find(rows, held_out),
        *agreement.find(rows),
        *form.find(rows.rows),
        *balance.find(rows, held_out),
        *grounding.find(rows.rows),
    ]
    return sorted(found, key=lambda finding: finding.severity == "advice")
